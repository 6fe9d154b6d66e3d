"""Aurora's website in the sandbox, and a warehouse that it is read into."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from sandbox.app import create_app
from sandbox.ga4.keyfile import new_keyfile
from sandbox.serve import serve
from sandbox.world import Settings as World
from tests.channels import road
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.ga4.reports import FUNNEL_EVENTS
from tributary.channels.ga4.settings import Settings
from tributary.channels.ga4.streams import GA4
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.channels.ga4.api import Ga4Api
    from tributary.declaration import Stream
    from tributary.warehouse.sync import SyncReport

PROPERTY = "312345678"
REPORT = f"/v1beta/properties/{PROPERTY}:runReport"
TODAY = date(2026, 11, 20)
STREAMS = [stream.name for stream in GA4.streams]
KEYS = {
    "source": "sessionSource",
    "medium": "sessionMedium",
    "campaign": "sessionCampaignName",
    "landing_page": "landingPage",
    "event": "eventName",
    "transaction_id": "transactionId",
}
COUNTERS = {
    "sessions": "sessions",
    "engaged_sessions": "engagedSessions",
    "users": "totalUsers",
    "new_users": "newUsers",
    "key_events": "keyEvents",
    "orders": "ecommercePurchases",
    "revenue": "purchaseRevenue",
    "events": "eventCount",
    "cost": "advertiserAdCost",
    "clicks": "advertiserAdClicks",
    "impressions": "advertiserAdImpressions",
}


@cache
def trusted_key() -> str:
    """The key file of the service account that the sandboxes trust; it takes a moment to make."""
    return new_keyfile("https://oauth2.googleapis.com/token")


@contextmanager
def website(now: datetime = NOW, first_day: date = FIRST_DAY) -> Iterator[Sandbox]:
    """A sandbox that stands still."""
    with serve(create_app(World(first_day=first_day, frozen_at=now, google_keyfile=trusted_key()))) as url:
        yield Sandbox(url)


def keyfile(sandbox: Sandbox, **other: Any) -> str:
    """The key file whose tokens come from this sandbox."""
    return json.dumps(json.loads(trusted_key()) | {"token_uri": f"{sandbox.url}/google/token"} | other)


@dataclass
class Road(road.Road):
    """The website and a merchant of the test's own."""

    slept: list[float] = field(default_factory=list)
    made: list[Ga4Api] = field(default_factory=list)
    channel = GA4

    def api(self, **settings: Any) -> Ga4Api:
        """A client as the hook makes it, whose waits are noted instead of waited for."""
        known = {"keyfile": keyfile(self.sandbox), "property_id": PROPERTY, "host": self.sandbox.url}
        quota = SharedQuota(connect=self.connect, account=self.merchant, quota="tokens", now=self.now)
        made = Settings(**{**known, **settings}).api(
            # A clock of ours that stands still a day behind theirs.
            quota,
            sleep=self.slept.append,
            now=lambda: NOW - timedelta(days=1),
            budget=Budget(rate=1e9, capacity=1e9),
        )
        self.made.append(made)
        return made

    def sync(self, stream: Stream | str, api: Ga4Api | None = None, *, merchant: str = "") -> SyncReport:
        """A sync until Google's own now."""
        return super().sync(stream, api or self.api(), now=None, merchant=merchant)

    def reports(self, stream: str) -> dict[date, dict[str, Any]]:
        """What each day's report says of itself."""
        found = self.raw(stream)
        return {date.fromisoformat(key): payload["report"] for key, payload in found.items() if "report" in payload}

    def fault(self, kind: str, route: str = REPORT, times: int | None = 1, skip: int = 0, **options: Any) -> None:
        """Lets the next requests go wrong."""
        self.sandbox.fault(kind, times, skip, route, **options)

    def quota(self, **left: int | None) -> dict[str, Any]:
        """What is left of the property's quotas, after it was set so."""
        told: dict[str, Any] = self.sandbox.admin("/ga4/quota", dict(left), "POST" if left else "GET")
        return told

    def happens(self, on: date, report: str, what: str, **how: Any) -> None:
        """Google changes its mind about a row of a day."""
        self.sandbox.admin(f"/shops/aurora/website/days/{on}/{report}/{what}", how)

    def truth(self, report: str) -> dict[tuple[str, ...], dict[str, Decimal]]:
        """Every row of every day as the website knows it: date and dimensions -> figures by their names at Google."""
        told = self.sandbox.admin(f"/shops/aurora/website/truth?report={report}", method="GET")
        return {
            (day.replace("-", ""), *(row[key] for key in KEYS if key in row)): {
                COUNTERS[name]: Decimal(str(row[name])) for name in COUNTERS if name in row
            }
            for day, of_day in told.items()
            for row in of_day["reports"][report]
            if row.get("event", "purchase") in FUNNEL_EVENTS.only_events
        }

    def held(self, report: str) -> dict[tuple[str, ...], dict[str, Decimal]]:
        """The same of what raw holds."""
        rows = [payload for payload in self.raw(report).values() if "row" in payload]
        found = {
            (payload["date"], *(payload["row"][name] for name in KEYS.values() if name in payload["row"])): {
                name: Decimal(payload["row"][name]) for name in COUNTERS.values() if name in payload["row"]
            }
            for payload in rows
        }
        assert len(found) == len(rows)
        return found
