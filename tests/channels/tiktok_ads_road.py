"""Aurora's TikTok ad account in the sandbox, and a warehouse that it is read into."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels import road
from tests.channels.shopify_sandbox import NOW, Sandbox
from tests.http.scripted_vendor import answer
from tributary.channels.tiktok_ads.api import BUDGET, TikTokAdsApi
from tributary.channels.tiktok_ads.refusals import explain
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.http.scripted_vendor import Act
    from tributary.declaration import Stream
    from tributary.warehouse.sync import SyncReport

TOKEN = "tta_sandbox_aurora_0123456789abcdef"
ACCOUNT = "7110000000000000001"
STORE = "7495000000000000001"
FIRST_DAY = date(2026, 11, 1)
INFO = "/open_api/v1.3/advertiser/info/"
REPORT = "/open_api/v1.3/report/integrated/get/"
GMV_MAX = "/open_api/v1.3/gmv_max/report/get/"
FIGURES = {
    "campaign_days": ("spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate"),
    "gmv_max_days": ("cost", None, None, "orders", "gross_revenue"),
}
"""What each report calls spend, impressions, clicks, claimed conversions and their value."""
KINDS = {"campaign_days": "standard", "gmv_max_days": "gmv_max"}

Truth = dict[str, tuple[Any, ...]]
"""Record id -> currency, time zone, campaign's name, and the figures."""


def tiktok_ads(
    url: str,
    slept: list[float] | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    token: str = TOKEN,
    ids: Sequence[str] = (ACCOUNT,),
    attempts: int = 6,
) -> TikTokAdsApi:
    """A client as the hook makes it, whose waits are noted instead of waited for."""
    client = HttpClient(
        redact=Redactor([token]),
        budgets={BUDGET: Budget(rate=1e9, capacity=1e9)},
        explain=explain,
        retry=RetryPolicy(attempts=attempts),
        sleep=[].append if slept is None else slept.append,
        now=now,
    )
    return TikTokAdsApi(client, url, token, ids, now)


def coded(code: int, message: str = "no") -> dict[str, Any]:
    """A refusal, as TikTok writes it."""
    return {"code": code, "message": message, "request_id": "20261120ABC", "data": {}}


def said(data: Any, code: int = 0, message: str = "OK", **headers: str) -> Act:
    """An answer of TikTok's."""
    body = {"code": code, "message": message, "request_id": "20261120ABC", "data": data}
    return answer(200, json.dumps(body).encode(), **headers)


def advertiser(**other: Any) -> Act:
    """What TikTok tells of aurora's ad account."""
    told = {
        "advertiser_id": ACCOUNT,
        "name": "Aurora TikTok",
        "currency": "USD",
        "timezone": "Etc/GMT+5",
        "display_timezone": "America/New_York",
        "status": "STATUS_ENABLE",
    }
    return said({"list": [told | other]})


def page(rows: list[Any], number: int = 1, pages: int = 1, total: int | None = None) -> Act:
    """A page of a report."""
    info = {"page": number, "page_size": 1000, "total_number": len(rows) if total is None else total}
    return said({"list": rows, "page_info": info | {"total_page": pages}})


def row(campaign: str, on: str = "2026-11-19", **metrics: Any) -> dict[str, Any]:
    """A row of the report of campaigns."""
    figures = {
        "campaign_name": "Autumn",
        "spend": "12.30",
        "impressions": "4000",
        "clicks": "50",
        "complete_payment": "2",
        "total_complete_payment_rate": "180.50",
    }
    return {
        "dimensions": {"campaign_id": campaign, "stat_time_day": f"{on} 00:00:00"},
        "metrics": figures | metrics,
    }


@contextmanager
def advertising(first_day: date = FIRST_DAY) -> Iterator[Sandbox]:
    """A sandbox of the test's own that stands still until it is told to go on."""
    with serve(create_app(Settings(first_day=first_day, frozen_at=NOW))) as url:
        yield Sandbox(url)


@dataclass
class Road(road.Road):
    """The ad account and a merchant of the test's own."""

    slept: list[float] = field(default_factory=list)
    made: list[TikTokAdsApi] = field(default_factory=list)
    channel = TIKTOK_ADS

    def api(self, **how: Any) -> TikTokAdsApi:
        self.made.append(tiktok_ads(self.sandbox.url, self.slept, **{"now": self.now, **how}))
        return self.made[-1]

    def sync(self, stream: Stream | str, api: Any = None, *, merchant: str = "", **_: Any) -> SyncReport:
        """A sync until the sandbox's own now."""
        return super().sync(stream, api or self.api(), now=None, merchant=merchant)

    def fault(self, kind: str, route: str = REPORT, times: int | None = 1, skip: int = 0, **options: Any) -> None:
        """Lets the next requests go wrong."""
        self.sandbox.fault(kind, times, skip, route, **options)

    def happens(self, what: str, **how: Any) -> None:
        """Something becomes of the merchant's advertising."""
        self.sandbox.admin(f"/shops/aurora/ads/{what}", how)

    def campaigns(self, stream: str) -> list[str]:
        """The ids of the campaigns that TikTok knows and whose report this is."""
        told = self.sandbox.admin("/shops/aurora/ads/campaigns?platform=tiktok", method="GET")
        return [one["campaign"] for one in told if one["kind"] == KINDS[stream]]

    def truth(self, stream: str, final: bool = False) -> Truth:
        """Every campaign's days as the business knows them."""
        query = "platform=tiktok&final=1" if final else "platform=tiktok"
        told = self.sandbox.admin(f"/shops/aurora/ads/truth?{query}", method="GET")
        has = [name is not None for name in FIGURES[stream]]
        return {
            f"{one['day']}/{one['account']}/{one['campaign']}": (
                one["currency"],
                one["time_zone"],
                one["name"],
                *(
                    Decimal(str(one[name])) if there else None
                    for name, there in zip(("spend", "impressions", "clicks", "conversions", "value"), has, strict=True)
                ),
            )
            for one in told
            if one["kind"] == KINDS[stream]
        }

    def held(self, stream: str, merchant: str = "") -> Truth:
        """The same of what raw holds."""
        return {
            key: (
                payload["account"]["currency"],
                payload["account"]["time_zone"],
                payload["row"]["metrics"]["campaign_name"],
                *(
                    None if name is None else Decimal(payload["row"]["metrics"][name].replace("-", "0"))
                    for name in FIGURES[stream]
                ),
            )
            for key, payload in self.raw(stream, merchant=merchant).items()
            if "row" in payload
        }

    def days(self, stream: str) -> set[str]:
        """The days that were read."""
        return {key for key, payload in self.raw(stream).items() if "row" not in payload}


def noon(on: date) -> datetime:
    """Where a day stands."""
    return datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
