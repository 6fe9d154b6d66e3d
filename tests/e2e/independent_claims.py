"""A second opinion on what channels say of themselves, day by day: what they cost, what they did, what they claim.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.e2e.independent_ads import converted, google_days, meta_days, tiktok_days

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction

    from tests.e2e.independent_ga4 import Property
    from tests.e2e.independent_klaviyo import Account
    from tests.e2e.independent_tiktok import TikTokShop

A_DAY = timedelta(days=1)
CORRECTED_FOR = {"meta_ads": 28, "google_ads": 30, "tiktok_ads": 28, "website": 5, "klaviyo": 6, "tiktok_shop": 3}
"""How many days each of them goes on correcting."""
SENT_BY = {"mobile-push": "push", "push-notification": "push", "mobile_push": "push"}
SEGMENT = ("date", "sessionSource", "sessionMedium", "sessionCampaignName", "landingPage")

Days = dict[tuple[date, str], "Claim"]
"""By day and channel."""


@dataclass
class Claim:
    """A channel's day; nobody knows what is None."""

    currency: str | None = None
    impressions: Decimal | None = None
    engagements: Decimal | None = None
    clicks: Decimal | None = None
    spend: Decimal | None = None
    orders: Decimal | None = None
    value: Decimal | None = None
    is_final: bool = True
    is_merchant_day: bool = True

    def add(self, **figures: Decimal | None) -> None:
        for name, figure in figures.items():
            if figure is not None:
                setattr(self, name, (getattr(self, name) or Decimal(0)) + figure)


@dataclass
class Claims:
    """All of them of one merchant."""

    zone: ZoneInfo
    currency: str
    now: datetime
    first: date
    days: Days = field(default_factory=lambda: defaultdict(Claim))

    def today(self, zone: str) -> date:
        return self.now.astimezone(ZoneInfo(zone)).date()

    def advertising(self, env: Mapping[str, str], merchant: str, rates: Mapping[date, Mapping[str, Fraction]]) -> None:
        """Every ad platform that the merchant has."""
        last = self.now.date() + A_DAY
        zones = dict(_meta_zones(env, merchant)) | dict(_google_zones(env, merchant))
        told = {
            "meta_ads": meta_days(env, merchant, self.first, last),
            "google_ads": google_days(env, env["SANDBOX_URL"], merchant, self.first, last),
        }
        if f"TIKTOK_ADS_{merchant.upper()}_API_HOST" in env:
            zones |= dict(_tiktok_zones(env, merchant))
            told["tiktok_ads"] = tiktok_days(env, merchant, self.first, last)
        for channel, rows in told.items():
            for row in rows:
                on = date.fromisoformat(row.on)
                claim = self.days[on, channel]
                spend, value = (
                    converted(amount, row.currency, self.currency, on, rates) for amount in (row.spend, row.value)
                )
                claim.currency = self.currency
                claim.add(
                    impressions=row.impressions, clicks=row.clicks, spend=spend, orders=row.conversions, value=value
                )
                zone = zones[row.account]
                claim.is_final &= on + CORRECTED_FOR[channel] * A_DAY <= self.today(zone)
                claim.is_merchant_day &= zone == self.zone.key

    def website(self, website: Property, zone: str) -> None:
        """Visits as clicks; sales as the rows by landing page tell them."""
        span = str(self.first), str(self.today(zone))
        for (on,), (sessions,) in website.rows(*span, ("date",), ("sessions",)):
            self.days[date.fromisoformat(on), "website"].add(clicks=Decimal(sessions))
        figures = ("engagedSessions", "ecommercePurchases", "purchaseRevenue")
        for (on, *_), (engaged, orders, value) in website.rows(*span, SEGMENT, figures):
            claim = self.days[date.fromisoformat(on), "website"]
            claim.currency = self.currency
            claim.add(engagements=Decimal(engaged), orders=Decimal(orders), value=Decimal(value))
        self._finish("website", CORRECTED_FOR["website"], self.today(zone))

    def messages(self, account: Account, zone: str) -> None:
        """A campaign on the day of its sending, a flow on each of its days."""
        today, sent_at = self.today(zone), account.sent_at()
        after = today + A_DAY
        for report, named in (("campaign-values", "campaign_id"), ("flow-series", "flow_id")):
            start = self.first
            while start < after:
                end = min(start + (timedelta(days=300) if report == "campaign-values" else timedelta(days=47)), after)
                for groups, on, told in _report(account, report, start, end):
                    sent = sent_at.get(groups[named])
                    day = datetime.fromisoformat(sent).astimezone(self.zone).date() if sent else on
                    channel = SENT_BY.get(groups["send_channel"], groups["send_channel"])
                    if not any(told.values()):
                        continue
                    claim = self.days[day, channel]
                    claim.currency = self.currency
                    claim.add(
                        impressions=told["delivered"],
                        engagements=None if channel == "sms" else told["opens"],
                        clicks=told["clicks"],
                        orders=told["conversions"],
                        value=told["conversion_value"],
                    )
                start = end
        for channel in ("email", "sms", "push"):
            self._finish(channel, CORRECTED_FOR["klaviyo"], today)

    def marketplace(self, shop: TikTokShop, zone: str) -> None:
        """TikTok Shop's own figures of its days, which are there a day later."""
        asked = {
            "start_date_ge": str(self.first),
            "end_date_lt": str(self.today(zone)),
            "granularity": "1D",
            "shop_cipher": shop.cipher,
        }
        told = shop.ask("GET", "/analytics/202509/shop/performance", asked)
        for interval in told["performance"]["intervals"]:
            claim, sales = self.days[date.fromisoformat(interval["start_date"]), "tiktok_shop"], interval["sales"]
            claim.currency = sales["gmv"]["overall"]["currency"]
            claim.add(orders=Decimal(sales["orders_count"]), value=Decimal(sales["gmv"]["overall"]["amount"]))
        self._finish("tiktok_shop", CORRECTED_FOR["tiktok_shop"], date.fromisoformat(told["latest_available_date"]))
        self._videos(shop, asked)

    def _videos(self, shop: TikTokShop, asked: dict[str, str]) -> None:
        """What videos were watched and clicked; what people did with them is what the totals gained."""
        path = "/analytics/202509/shop_videos"
        for video in list(shop.rows("GET", f"{path}/performance", "videos", 100, asked)):
            posted = datetime.fromisoformat(video["video_post_time"]).astimezone(self.zone).date()
            before: Decimal | None = None
            for interval in shop.ask("GET", f"{path}/{video['id']}/performance", asked)["performance"]["intervals"]:
                on, traffic = date.fromisoformat(interval["start_date"]), interval["traffic"]
                total = sum((Decimal(traffic[name]) for name in ("likes", "comments", "shares")), Decimal(0))
                if on == posted:
                    before = Decimal(0)
                self.days[on, "tiktok_shop"].add(
                    impressions=Decimal(traffic["views"]),
                    engagements=None if before is None else total - before,
                    clicks=Decimal(interval["sales"]["overall"]["product_clicks"]),
                )
                before = total

    def _finish(self, channel: str, days: int, read: date) -> None:
        for (on, named), claim in self.days.items():
            if named == channel:
                claim.is_final = on + days * A_DAY <= read


def _report(
    account: Account, report: str, start: date, end: date
) -> Iterator[tuple[dict[str, str], date, dict[str, Decimal]]]:
    """Each message's figures: those of a campaign as one, those of a flow by day."""
    names = ["delivered", "opens", "clicks", "conversions", "conversion_value"]
    attributes: dict[str, Any] = {
        "statistics": names,
        "timeframe": {"start": f"{start}T00:00:00+00:00", "end": f"{end}T00:00:00+00:00"},
        "conversion_metric_id": account.metric("Placed Order"),
    }
    if report == "flow-series":
        attributes["interval"] = "daily"
    body = {"data": {"type": f"{report}-report", "attributes": attributes}}
    told = account.ask(f"{account.url}/api/{report}-reports", body)["data"]["attributes"]
    times = [datetime.fromisoformat(at).date() for at in told.get("date_times", ())]
    for result in told["results"]:
        if times:
            for number, on in enumerate(times):
                figures = {name: Decimal(str(result["statistics"][name][number])) for name in names}
                yield result["groupings"], on, figures
        else:
            figures = {name: Decimal(str(result["statistics"][name])) for name in names}
            yield result["groupings"], start, figures


def _meta_zones(env: Mapping[str, str], merchant: str) -> Iterator[tuple[str, str]]:
    named = f"META_ADS_{merchant.upper()}"
    headers = {"Authorization": f"Bearer {env[f'{named}_ACCESS_TOKEN']}"}
    for account in env[f"{named}_ACCOUNT_IDS"].split(","):
        address = f"{env[f'{named}_API_HOST']}/v26.0/act_{account.strip()}?fields=timezone_name"
        yield account.strip(), _read(urllib.request.Request(address, headers=headers))["timezone_name"]


def _google_zones(env: Mapping[str, str], merchant: str) -> Iterator[tuple[str, str]]:
    named = f"GOOGLE_ADS_{merchant.upper()}"
    form = {name.lower(): env[f"{named}_{name}"] for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")}
    body = urllib.parse.urlencode({**form, "grant_type": "refresh_token"}).encode()
    token = _read(urllib.request.Request(env[f"{named}_TOKEN_URI"], body))["access_token"]
    account = env[f"{named}_CUSTOMER_IDS"].replace("-", "")
    headers = {
        "Authorization": f"Bearer {token}",
        "developer-token": env[f"{named}_DEVELOPER_TOKEN"],
        "Content-Type": "application/json",
        "login-customer-id": env[f"{named}_LOGIN_CUSTOMER_ID"].replace("-", "") or account,
    }
    address = f"{env['SANDBOX_URL']}/v26/customers/{account}/googleAds:searchStream"
    query = json.dumps({"query": "SELECT customer.time_zone FROM customer"}).encode()
    [batch] = _read(urllib.request.Request(address, query, headers))
    yield account, batch["results"][0]["customer"]["timeZone"]


def _tiktok_zones(env: Mapping[str, str], merchant: str) -> Iterator[tuple[str, str]]:
    named = f"TIKTOK_ADS_{merchant.upper()}"
    account = env[f"{named}_ADVERTISER_IDS"]
    asked = urllib.parse.urlencode(
        {"advertiser_ids": json.dumps([account]), "fields": json.dumps(["display_timezone"])}
    )
    address = f"{env[f'{named}_API_HOST']}/open_api/v1.3/advertiser/info/?{asked}"
    headers = {"Access-Token": env[f"{named}_ACCESS_TOKEN"]}
    yield account, _read(urllib.request.Request(address, headers=headers))["data"]["list"][0]["display_timezone"]


def _read(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
