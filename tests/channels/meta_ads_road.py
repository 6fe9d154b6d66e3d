"""Ad accounts at Meta in the sandbox, and a warehouse that they are read into."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels import road
from tests.channels.shopify_sandbox import NOW, Sandbox
from tributary.channels.meta_ads.api import MetaAdsApi
from tributary.channels.meta_ads.refusals import explain
from tributary.channels.meta_ads.streams import META_ADS
from tributary.channels.vendor_quotas import SharedQuota
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.declaration import Stream
    from tributary.warehouse.sync import SyncReport

STREAM = "campaign_days"
FIRST_DAY = date(2026, 10, 11)
"""Six weeks before now: more than is read at once."""
START = datetime(2026, 10, 10, tzinfo=UTC)
TODAY = NOW.date()
A_DAY = timedelta(days=1)
US, CANADA = "101000000000001", "101000000000002"
TOKEN = "EAA_sandbox_aurora_0123456789abcdef"
APP_SECRET = "meta_secret_aurora"
INSIGHTS = "/v26.0/act_*/insights"


class Day(NamedTuple):
    """A campaign's day, wherever it is told."""

    account: str
    currency: str
    time_zone: str
    name: str
    type: str
    spend: Decimal
    impressions: int
    clicks: int
    conversions: Decimal
    value: Decimal


@contextmanager
def advertising(now: datetime = NOW) -> Iterator[Sandbox]:
    """A sandbox that stands still."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=now))) as url:
        yield Sandbox(url)


@dataclass
class Road(road.Road):
    """Aurora's ad accounts and a merchant of the test's own."""

    slept: list[float] = field(default_factory=list)
    made: list[MetaAdsApi] = field(default_factory=list)
    start: datetime = field(default=START, kw_only=True)
    at: datetime = NOW
    """The sandbox's time."""
    channel = META_ADS

    def api(
        self,
        token: str = TOKEN,
        app_secret: str | None = None,
        accounts: tuple[str, ...] = (US, CANADA),
        page_size: int = 100,
        attempts: int = 6,
    ) -> MetaAdsApi:
        """A client as the hook makes it, whose waits are noted instead of waited for."""
        quotas = {
            account: SharedQuota(
                connect=self.connect, account=f"{self.merchant}/{account}", quota="insights", now=lambda: self.at
            )
            for account in accounts
        }
        client = HttpClient(
            redact=Redactor(filter(None, [token, app_secret])),
            budgets={account: Budget(rate=1e9, capacity=1e9) for account in accounts},
            quotas=quotas,
            explain=explain,
            retry=RetryPolicy(attempts=attempts),
            sleep=self.slept.append,
            now=self.our_clock,
        )
        api = MetaAdsApi(
            client,
            quotas,
            self.sandbox.url,
            token,
            app_secret,
            page_size=page_size,
            sleep=self.slept.append,
            now=self.our_clock,
        )
        self.made.append(api)
        return api

    def our_clock(self) -> datetime:
        """A clock of ours that stands still a day behind theirs."""
        return NOW - A_DAY

    def sync(self, stream: Stream | str = STREAM, api: MetaAdsApi | None = None, *, merchant: str = "") -> SyncReport:
        """A sync until Meta's own now."""
        return super().sync(stream, api or self.api(), now=None, merchant=merchant)

    def advance(self, by: timedelta) -> None:
        self.sandbox.admin("/clock", {"advance_seconds": int(by.total_seconds())})
        self.at += by

    def fault(self, kind: str, route: str = INSIGHTS, times: int | None = 1, skip: int = 0, **options: Any) -> None:
        """Lets the next requests go wrong."""
        self.sandbox.fault(kind, times, skip, route, **options)

    def limits(self, **limits: Any) -> None:
        """How large a report may be from now on."""
        self.sandbox.admin("/meta_ads/limits", limits)

    def usage(self, account: str = US, **usage: Any) -> dict[str, Any]:
        """What is used of an account's hour, after it was set so."""
        told: dict[str, Any] = self.sandbox.admin(f"/meta_ads/usage/{account}", usage, "POST" if usage else "GET")
        return told

    def token(self, **token: Any) -> None:
        """What became of aurora's token."""
        self.sandbox.admin("/meta_ads/tokens/aurora", token)

    def failing(self, times: int = 1, **how: Any) -> None:
        """The next runs fail."""
        self.sandbox.admin("/meta_ads/runs/fail", {"times": times, **how})

    def runs(self) -> list[tuple[str, str, str, str]]:
        """Every run: the account, its first and last day, and what became of it."""
        told = self.sandbox.admin("/meta_ads/runs", method="GET")
        return [(run["account_id"], run["date_start"], run["date_stop"], run["async_status"]) for run in told]

    def happens(self, what: str, **how: Any) -> None:
        """Something happens to aurora's campaigns."""
        self.sandbox.admin(f"/shops/aurora/ads/{what}", how)

    def vanishes(self, record_id: str) -> None:
        """Meta corrects a campaign's day to nothing."""
        on, _, campaign = record_id.split("/")
        [row] = [
            row
            for row in self.sandbox.admin(f"/shops/aurora/ads/truth?platform=meta&day={on}", method="GET")
            if row["campaign"] == campaign
        ]
        for counter in ("spend", "impressions", "clicks", "conversions", "value"):
            self.happens(f"days/{on}/{campaign}/adjust", counter=counter, by=str(-Decimal(str(row[counter]))))

    def truth(self, final: bool = False) -> dict[str, Day]:
        """Every campaign's day as it looks now, or in the end."""
        path = "/shops/aurora/ads/truth?platform=meta" + ("&final=1" if final else "")
        return {
            f"{row['day']}/{row['account']}/{row['campaign']}": Day(
                row["account_name"],
                row["currency"],
                row["time_zone"],
                row["name"],
                row["type"],
                Decimal(row["spend"]),
                row["impressions"],
                row["clicks"],
                Decimal(row["conversions"]),
                Decimal(row["value"]),
            )
            for row in self.sandbox.admin(path, method="GET")
        }

    def held(self, merchant: str = "") -> dict[str, Day]:
        """The same of what raw holds."""
        return {
            record_id: day_of(payload)
            for record_id, payload in self.raw(STREAM, merchant=merchant).items()
            if "row" in payload
        }

    def days_read(self) -> set[str]:
        """The ids of the accounts' days that were read, whatever they showed."""
        return {record_id for record_id, payload in self.raw(STREAM).items() if "date" in payload}

    def restore(self) -> None:
        """The sandbox as it was before, but for what happened to campaigns."""
        self.no_faults()
        self.limits(rows=None, days=None, run_rows=None, timeout=100, polls=3)
        self.token(invalid=None, scopes=["ads_read", "read_insights"], requires_proof=False)
        for account in (US, CANADA):
            self.usage(account, percent=0, hourly=190_000, code=80000, tells_minutes=True)


def day_of(payload: dict[str, Any]) -> Day:
    """A payload's figures."""
    account, row = payload["account"], payload["row"]
    return Day(
        account["name"],
        account["currency"],
        account["time_zone"],
        row["campaign_name"],
        row["objective"],
        Decimal(row["spend"]),
        int(row["impressions"]),
        int(row["clicks"]),
        _purchases(row.get("actions", [])),
        _purchases(row.get("action_values", [])),
    )


def _purchases(actions: list[dict[str, str]]) -> Decimal:
    by_type = {action["action_type"]: Decimal(action["value"]) for action in actions}
    return by_type.get("omni_purchase", by_type.get("purchase", Decimal(0)))
