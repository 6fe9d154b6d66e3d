"""A merchant's Google Ads in the sandbox, read over gRPC, and a warehouse that it is read into."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings as World
from tests.channels import road
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.google_ads.settings import Settings
from tributary.channels.google_ads.streams import GOOGLE_ADS
from tributary.channels.google_ads.token import Secrets
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.channels.google_ads.api import GoogleAdsApi
    from tributary.warehouse.sync import SyncReport

STREAM = "campaign_days"
TODAY = date(2026, 11, 20)
AURORA, MANAGER, NORDLICHT = "1110000001", "1110000009", "2220000001"
DEVELOPER_TOKEN = "sandbox-developer-token-0123"
OF = {"aurora": (AURORA, MANAGER), "nordlicht": (NORDLICHT, "")}
"""Each merchant's account, and the manager that it is reached through."""

Figures = tuple[str, int, int, int, Decimal, Decimal]
"""A campaign's day: name, millionths spent, impressions, clicks, conversions, their value."""


def secrets(merchant: str = "aurora", **other: str) -> Secrets:
    known = {
        "client_id": f"sandbox-{merchant}.apps.googleusercontent.example",
        "client_secret": f"GOCSPX-sandbox-{merchant}-0123456789",
        "refresh_token": f"1//sandbox-{merchant}-refresh",
    }
    return Secrets(**(known | other))


class GoogleAds(Sandbox):
    """A sandbox from outside, with the address that it speaks gRPC at."""

    def __init__(self, url: str, address: str) -> None:
        super().__init__(url)
        self.host = f"http://{address}"


@contextmanager
def advertising(now: datetime = NOW, first_day: date = FIRST_DAY) -> Iterator[GoogleAds]:
    """A sandbox that stands still."""
    app = create_app(World(first_day=first_day, frozen_at=now, grpc_port=0))
    with serve(app) as url:
        yield GoogleAds(url, app.state.grpc_address)


@dataclass
class Road(road.Road):
    """The accounts of one of the sandbox's merchants, and a merchant of the test's own."""

    sandbox: GoogleAds
    start: datetime = field(default=datetime.combine(FIRST_DAY, datetime.min.time(), UTC), kw_only=True)
    slept: list[float] = field(default_factory=list)
    made: list[GoogleAdsApi] = field(default_factory=list)
    channel = GOOGLE_ADS

    def api(self, of: str = "aurora", **settings: Any) -> GoogleAdsApi:
        """A client as the hook makes it, whose waits are noted instead of waited for."""
        account, manager = OF[of]
        known = {
            "secrets": secrets(of),
            "customer_ids": [account],
            "login_customer_id": manager,
            "developer_token": DEVELOPER_TOKEN,
            "host": self.sandbox.host,
            "token_uri": f"{self.sandbox.url}/google_ads/token",
        }
        quota = SharedQuota(connect=self.connect, account=self.merchant, quota="operations", now=self.now)
        api = Settings(**{**known, **settings}).api(
            # A clock of ours that stands still a day behind theirs.
            quota,
            sleep=self.slept.append,
            now=lambda: NOW - timedelta(days=1),
            budget=Budget(rate=1e9, capacity=1e9),
        )
        self.made.append(api)
        return api

    def sync(self, stream: str = STREAM, api: Any = None, *, merchant: str = "", **_: Any) -> SyncReport:
        """A sync until Google's own now."""
        return super().sync(stream, api or self.api(), now=None, merchant=merchant)

    def happens(self, what: str, of: str = "aurora", **how: Any) -> None:
        """Something becomes of a merchant's advertising."""
        self.sandbox.admin(f"/shops/{of}/ads/{what}", how)

    def refuse(self, code: str, times: int | None = 1, **how: Any) -> None:
        """Google refuses the next requests."""
        self.sandbox.admin("/google_ads/refuse", {"code": code, "times": times, **how})

    def truth(self, of: str = "aurora", *, final: bool = False) -> dict[tuple[str, str], Figures]:
        """Every day of every campaign, as the platform knows it now or in the end."""
        path = f"/shops/{of}/ads/truth?platform=google{'&final=true' if final else ''}"
        return {
            (row["day"], row["campaign"]): (
                row["name"],
                int(Decimal(row["spend"]).scaleb(6)),
                row["impressions"],
                row["clicks"],
                Decimal(row["conversions"]),
                Decimal(row["value"]),
            )
            for row in self.sandbox.admin(path, method="GET")
        }

    def held(self, merchant: str = "") -> dict[tuple[str, str], Figures]:
        """The same of what raw holds."""
        rows = [payload["row"] for payload in self.raw(STREAM, merchant=merchant).values() if "row" in payload]
        return {
            (row["segments"]["date"], row["campaign"]["id"]): (
                row["campaign"]["name"],
                int(row["metrics"]["costMicros"]),
                int(row["metrics"]["impressions"]),
                int(row["metrics"]["clicks"]),
                Decimal(str(row["metrics"]["conversions"])),
                Decimal(str(row["metrics"]["conversionsValue"])),
            )
            for row in rows
        }
