"""Insights: what an account's campaigns spent and claim to have brought, in rows of strings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.meta_ads.objects import status_filter
from sandbox.meta_ads.refusals import FIELDS_URL, Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.ads import Ads, Campaign, Row
    from sandbox.business.ads_plans import Account
    from sandbox.meta_ads.asking import Asking

ONE_DAY = timedelta(days=1)
MONTHS = 37
"""How far back there are insights."""
WINDOWS = {"1d_view": 25, "1d_click": 50, "7d_click": 75, "28d_click": 85}
"""Attribution windows, and how many hundredths of an action each of them shows. Views of 7 and 28 days are no more."""
NAMED_WINDOWS = ("dda", "default")
PURCHASES = ("purchase", "omni_purchase", "offsite_conversion.fb_pixel_purchase")
"""The same purchases, told three times."""
FIELDS = (
    "account_id", "account_name", "account_currency", "campaign_id", "campaign_name", "objective", "buying_type",
    "spend", "impressions", "clicks", "inline_link_clicks", "actions", "action_values", "date_start", "date_stop",
)  # fmt: skip
ALWAYS = ("date_start", "date_stop")
OF_CAMPAIGNS = ("campaign_id", "campaign_name", "objective", "buying_type")
DEFAULT = ("account_id", "campaign_id", "spend", "impressions")
PRESETS = {"today": (0, 0), "yesterday": (1, 1), "last_7d": (7, 1), "last_30d": (30, 1)}
"""The first and the last day, counted back from today."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is asked for, checked."""

    account: Account
    first: date
    last: date
    increment: int | None
    """How many days a row is about; None: all of them."""
    level: str
    fields: tuple[str, ...]
    windows: tuple[str, ...]
    shows: Callable[[Campaign], bool]

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def rows(self, ads: Ads, now: datetime) -> list[dict[str, Any]]:
        """The figures as they look now; what had no delivery has no row."""
        found: dict[tuple[date, str], list[Row]] = defaultdict(list)
        width = self.increment or self.days
        for row in ads.rows(self.account, self.first, self.last, now):
            if self.level == "account":
                found[self.first + (row.day - self.first).days // width * width * ONE_DAY, ""].append(row)
            elif self.shows(row.campaign):
                start = self.first + (row.day - self.first).days // width * width * ONE_DAY
                found[start, row.campaign.campaign_id].append(row)
        return [self._told(start, width, rows) for (start, _), rows in sorted(found.items())]

    def _told(self, start: date, width: int, rows: list[Row]) -> dict[str, Any]:
        campaign, clicks = rows[0].campaign, sum(row.clicks for row in rows)
        bought = sum(row.conversions_micros for row in rows) // 1_000_000
        value = sum(row.value_micros for row in rows)
        known: dict[str, Any] = {
            "account_id": self.account.account_id,
            "account_name": self.account.name,
            "account_currency": self.account.currency,
            "campaign_id": campaign.campaign_id,
            "campaign_name": campaign.name,
            "objective": campaign.type,
            "buying_type": "AUCTION",
            "spend": _amount(sum(row.spend_micros for row in rows)),
            "impressions": str(sum(row.impressions for row in rows)),
            "clicks": str(clicks),
            "inline_link_clicks": str(clicks * 4 // 5),
            "actions": self._actions({"link_click": clicks * 4 // 5, **dict.fromkeys(PURCHASES, bought)}, str),
            "action_values": self._actions(dict.fromkeys(PURCHASES, value), _amount),
            "date_start": start.isoformat(),
            "date_stop": min(start + (width - 1) * ONE_DAY, self.last).isoformat(),
        }
        return {name: known[name] for name in self.fields if known[name]}

    def _actions(self, counted: dict[str, int], told: Callable[[int], str]) -> list[dict[str, str]]:
        """Each kind with its number, and with what each window that was asked for shows of it."""
        return [
            {
                "action_type": kind,
                "value": told(number),
                **{window: told(number * WINDOWS[window] // 100) for window in self.windows},
            }
            for kind, number in counted.items()
            if number
        ]


def report(asking: Asking, account: Account, now: datetime) -> Report:
    """The request in a form that rows can be made of; refuses what Meta refuses, and what the sandbox has not."""
    for name in ("breakdowns", "time_ranges", "summary", "default_summary", "sort"):
        if name in asking.sent:
            raise invalid(f"The sandbox does not simulate the param {name}.")
    level = asking.sent.get("level", "account")
    if level not in ("account", "campaign", "adset", "ad"):
        raise invalid("level must be one of the following values: ad, adset, campaign, account")
    if level in ("adset", "ad"):
        raise invalid(f"The sandbox does not simulate the level {level}.")
    first, last = _range(asking, account.today(now))
    if first < _months_before(account.today(now), MONTHS):
        message = f"(#3018) The start date of the time range cannot be beyond {MONTHS} months from the current date"
        raise Refused(3018, message)
    windows = _windows(asking)
    return Report(
        account, first, last, _increment(asking), level, _fields(asking, level), windows, status_filter(asking)
    )


def _fields(asking: Asking, level: str) -> tuple[str, ...]:
    names = asking.fields(DEFAULT)
    if unknown := [name for name in names if name not in FIELDS]:
        verb = "is" if len(unknown) == 1 else "are"
        raise invalid(
            f"{', '.join(unknown)} {verb} not valid for fields param. please check {FIELDS_URL} for all valid values"
        )
    own = [name for name in names if level == "campaign" or name not in OF_CAMPAIGNS]
    return tuple(dict.fromkeys([*own, *ALWAYS]))


def _range(asking: Asking, today: date) -> tuple[date, date]:
    asked = asking.json("time_range", dict, "an object with the keys since and until")
    if asked is None:
        preset = asking.sent.get("date_preset", "last_30d")
        if preset not in PRESETS:
            raise invalid(f"date_preset must be one of the following values: {', '.join(PRESETS)}")
        since, until = PRESETS[preset]
        return today - since * ONE_DAY, today - until * ONE_DAY
    days = []
    for name in ("since", "until"):
        try:
            days.append(datetime.strptime(asked[name], "%Y-%m-%d").date())  # noqa: DTZ007 (a date of the account)
        except (KeyError, TypeError, ValueError):
            raise invalid(f"param time_range[{name}] must be a date in the form YYYY-MM-DD.") from None
    if days[1] < days[0]:
        raise invalid("param time_range: the start date must not be after the end date.")
    return days[0], days[1]


def _increment(asking: Asking) -> int | None:
    text = asking.sent.get("time_increment", "all_days")
    if text == "all_days":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 90:
        raise invalid("time_increment must be an integer between 1 and 90, monthly or all_days.")
    return int(text)


def _windows(asking: Asking) -> tuple[str, ...]:
    windows = asking.json("action_attribution_windows", list, "an array") or []
    allowed = [*WINDOWS, *NAMED_WINDOWS]
    for index, window in enumerate(windows):
        if window not in allowed:
            values = ", ".join(allowed)
            raise invalid(f"action_attribution_windows[{index}] must be one of the following values: {values}")
    return tuple(window for window in WINDOWS if window in windows)


def _months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, min(day.day, 28))


def _amount(micros: int) -> str:
    """A decimal of whole cents, without zeros that say nothing."""
    sign, cents = "-" if micros < 0 else "", abs(micros) // 10_000
    return f"{sign}{cents // 100}.{cents % 100:02d}".rstrip("0").rstrip(".")
