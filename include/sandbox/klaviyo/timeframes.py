"""The time that a report is about, in whole days and hours of the account's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.klaviyo.published import resolved
from sandbox.klaviyo.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

YEAR = timedelta(days=366)
LONGEST = {"hourly": timedelta(days=7), "daily": timedelta(days=60), "monthly": timedelta(weeks=52)}
POINTER = "/data/attributes/timeframe"
DAY = timedelta(days=1)


def timeframe(asked: Any, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """[start, end) by the account's clock; an offset that is sent along is not looked at, as the vendor says."""
    if not isinstance(asked, dict) or not ({"key"} == set(asked) or {"start", "end"} == set(asked)):
        raise Refused(400, "A timeframe is {'key'} or {'start', 'end'}.", pointer=POINTER)
    if "key" in asked:
        keys = resolved({"$ref": "Timeframe"})["properties"]["key"]["enum"]
        if asked["key"] not in keys:
            raise Refused(400, f"'{asked['key']}' is not a timeframe; these are: {', '.join(keys)}.", pointer=POINTER)
        first, after = _named(asked["key"], now.astimezone(zone).date())
        start, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (first, after))
    else:
        try:
            start, end = (datetime.fromisoformat(asked[name]).replace(tzinfo=zone) for name in ("start", "end"))
        except (TypeError, ValueError) as error:
            raise Refused(400, f"Not a valid datetime: {error}.", pointer=POINTER) from None
    if start >= end:
        raise Refused(400, "The start of the timeframe is not before its end.", pointer=POINTER)
    if end - start > YEAR:
        raise Refused(400, "The timeframe must not be longer than 1 year.", pointer=POINTER)
    return start, end


def intervals(interval: str, start: datetime, end: datetime) -> list[datetime]:
    """Where each interval of a series begins."""
    if interval in LONGEST and end - start > LONGEST[interval]:
        detail = f"With interval {interval} the timeframe must not be longer than {LONGEST[interval].days} days."
        raise Refused(400, detail, pointer=POINTER)
    return starts_of(interval, start, end)


def starts_of(interval: str, start: datetime, end: datetime) -> list[datetime]:
    """The hours, days, weeks or months that [start, end) lies in, by the clock of `start`."""
    return list(_starts(interval, start, end))


def _starts(interval: str, start: datetime, end: datetime) -> Iterator[datetime]:
    at = start.replace(minute=0, second=0, microsecond=0)
    if interval != "hourly":
        at = at.replace(hour=0)
    if interval == "weekly":
        at -= at.weekday() * DAY
    while at < end:
        yield at
        if interval == "hourly":
            at = (at.astimezone(UTC) + timedelta(hours=1)).astimezone(start.tzinfo)
        elif interval == "monthly":
            at = (at.replace(day=1) + 32 * DAY).replace(day=1)
        else:
            at += DAY * (7 if interval == "weekly" else 1)


def _named(key: str, today: date) -> tuple[date, date]:
    """The first day of a named timeframe, and the day after its last."""
    tomorrow, monday = today + DAY, today - today.weekday() * DAY
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    if key.startswith("last_") and key.endswith("_days"):
        return today - int(key.split("_")[1]) * DAY, today
    if key.startswith("last_") and key.endswith("_months"):
        number = month.year * 12 + month.month - 1 - int(key.split("_")[1])
        return date(number // 12, number % 12 + 1, 1), month
    return {
        "today": (today, tomorrow),
        "yesterday": (today - DAY, today),
        "this_week": (monday, tomorrow),
        "last_week": (monday - 7 * DAY, monday),
        "this_month": (month, tomorrow),
        "last_month": ((month - DAY).replace(day=1), month),
        "this_year": (year, tomorrow),
        "last_year": (year.replace(year=year.year - 1), year),
    }[key]
