"""Aurora's Klaviyo account in a world whose clock moves: by hand, and with every wait of the client."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.klaviyo_client import klaviyo_clients
from tests.channels.klaviyo_road import Road
from tests.channels.shopify_sandbox import NOW, Sandbox
from tributary.channels.klaviyo.limits import REPORT_WINDOWS, REPORTS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.vendor_quotas import SharedQuota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tributary.declaration import Stream
    from tributary.warehouse.sync import SyncReport

FIRST_DAY = date(2026, 11, 10)
START = datetime(2026, 11, 9, tzinfo=UTC)
A_DAY = timedelta(days=1)
REPORT = "/api/*-reports"


class Waits(list[float]):
    """The waits of clients, each of which lets time pass."""

    pass_time: Callable[[timedelta], object]

    def append(self, seconds: float) -> None:
        super().append(seconds)
        self.pass_time(timedelta(seconds=ceil(seconds)))


@dataclass
class Moving:
    """The account, a warehouse that it is read into, and what time it is for both."""

    road: Road
    waited: Waits
    at: datetime = NOW

    def __post_init__(self) -> None:
        self.waited.pass_time = self.later

    def later(self, by: timedelta) -> None:
        """So much time passes."""
        self.road.sandbox.admin("/clock", {"advance_seconds": by.total_seconds()})
        self.at += by

    def sync(self, stream: Stream | str, merchant: str = "") -> SyncReport:
        """A scheduled sync of this moment, in a process of its own: a new client, and the quota that all share."""
        stream = KLAVIYO.stream(stream) if isinstance(stream, str) else stream
        shared = SharedQuota(
            connect=self.road.connect,
            account=self.road.merchant,
            quota=REPORTS,
            windows=REPORT_WINDOWS,
            now=lambda: self.at,
        )
        api = self.road.make(now=lambda: self.at, quotas={REPORTS: shared})
        return self.road.sync(stream, api, now=self.at, merchant=merchant)

    def counted(self, path: str) -> Callable[[], int]:
        """Counts the requests to an address from here on."""
        self.road.no_faults()
        self.road.fault("merged", path, times=None, merge={})
        return lambda: self.road.struck()[0]

    def truth(self, what: str) -> Any:
        """What the sandbox's own books say."""
        return self.road.sandbox.admin(f"/klaviyo/{what}", method="GET")

    def ledger(self, stream: str) -> tuple[int, int, int]:
        """How many records all syncs of a stream together inserted, updated and removed."""
        [found] = self.road.query(
            "select sum(inserted)::int, sum(updated)::int, sum(removed)::int from ops.syncs"
            " where merchant_id = %(merchant)s and stream = %(stream)s and status = 'succeeded'",
            stream=stream,
        )
        return (found[0], found[1], found[2])


@contextmanager
def moving(name: str, connect: Callable[[], psycopg.Connection], first_day: date = FIRST_DAY) -> Iterator[Moving]:
    """A sandbox of the test's own."""
    settings = Settings(first_day=first_day, frozen_at=NOW, klaviyo_rate=1000)
    waits = Waits()
    with serve(create_app(settings)) as url, klaviyo_clients(f"{url}/klaviyo", waits) as make:
        road = Road(name, Sandbox(url), connect, make, start=START)
        yield Moving(road, waits)
