"""Reading again beside raw: raw stays as it is, what is read twice counts once, and a killed reading goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.backfill.overlaid import ALL, DAY, NOW, REPORT, Present, begun, channel, forget_reads, merge, read, shown
from tests.backfill.rows import asked
from tests.conftest import new_database
from tests.warehouse.shop import COUNTERS, ORDERS, START, Vendor, order, page, refund, sync
from tributary.backfill.errors import LeaseLost
from tributary.backfill.lease import release
from tributary.backfill.rereading.reading import windows
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.declaration import Page, Reject
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.backfill.state import Backfill

    Connect = Callable[[], psycopg.Connection]

ORDERS_ALONE = channel(ORDERS)
WEEKS = {"last_day": START.date() + timedelta(days=15)}


@pytest.fixture(scope="module")
def migrated_database(postgres_server_url: str) -> Iterator[str]:
    """The name of the database that the warehouses of these tests are cloned from."""
    with new_database(postgres_server_url) as url:
        migrate(url, [channel(*ALL, REPORT)])
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield connection


def ids(conn: psycopg.Connection, schema: str, table: str = "orders") -> list[str]:
    return [row[0] for row in shown(conn, schema, table)]


def versions(conn: psycopg.Connection, schema: str) -> dict[str, Any]:
    return {row[0]: row[3] for row in shown(conn, schema, "orders")}


def test_shows_the_vendors_truth_and_leaves_raw_as_it_is(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), order("2"), order("3"), refunds=[refund("2/7"), refund("3/8")])]))
    conn.execute("delete from ops.changes")
    before = [shown(conn, "raw", table) for table in ("orders", "refunds")]
    checkpoints = conn.execute("select * from ops.checkpoints").fetchall()
    backfill = begun(conn, ORDERS_ALONE)

    said: list[str] = []
    truth = Present([page(order("1"), order("3", version=2), order("4"), refunds=[refund("3/9")])])
    [window] = read(connect, truth, ORDERS_ALONE, backfill, said)

    assert ids(conn, backfill.build_schema) == ["1", "3", "4"]
    assert versions(conn, backfill.build_schema)["3"]["version"] == 2
    assert ids(conn, backfill.build_schema, "refunds") == ["3/9"]
    assert [shown(conn, "raw", table) for table in ("orders", "refunds")] == before
    assert conn.execute("select * from ops.checkpoints").fetchall() == checkpoints
    assert conn.execute("select * from ops.changes").fetchall() == []
    assert (window.stream, window.records_read, window.differing) == ("orders", 4, 3)
    assert said == ["shop orders 1 of 1: 4 records, 3 differ"]
    ledger = "select kind, status, inserted, updated, removed from ops.syncs order by started_at desc limit 1"
    assert conn.execute(ledger).fetchall() == [("backfill", "succeeded", 1, 1, 1)]


def test_what_the_vendor_shows_as_raw_has_it_again_is_not_kept_any_more(
    connect: Connect, conn: psycopg.Connection
) -> None:
    sync(connect, Vendor([page(order("1", note="a"), order("2"), refunds=[refund("1/7")])]))
    backfill = begun(conn, ORDERS_ALONE)
    # Of the same age, so that only the later reading can count; and one is gone, and comes back.
    read(connect, Present([page(order("1", note="b"))]), ORDERS_ALONE, backfill)
    assert ids(conn, backfill.build_schema) == ["1"]

    forget_reads(conn)
    again = Present([page(order("1", note="a"), order("2"), refunds=[refund("1/7")])])
    read(connect, again, ORDERS_ALONE, backfill)

    for table in ("orders", "refunds"):
        assert shown(conn, backfill.build_schema, table) == shown(conn, "raw", table) != []
    kept = sql.SQL("select record_id from {} union all select record_id from {}").format(
        *(sql.Identifier(backfill.build_schema, table) for table in ("staged_shop_orders", "gone_shop_orders"))
    )
    assert conn.execute(kept).fetchall() == []


def test_an_older_answer_does_not_replace_a_newer_one(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", version=1))]))
    backfill = begun(conn, ORDERS_ALONE)
    read(connect, Present([page(order("1", version=3), refunds=[refund("1/7")])]), ORDERS_ALONE, backfill)

    for version in (2, 1):
        forget_reads(conn)
        read(connect, Present([page(order("1", version=version))]), ORDERS_ALONE, backfill)

    assert versions(conn, backfill.build_schema)["1"]["version"] == 3
    assert ids(conn, backfill.build_schema, "refunds") == ["1/7"]


def test_what_a_sync_brought_or_removed_since_then_stays(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), order("2"), order("3"))]))
    backfill = begun(conn, ORDERS_ALONE)
    read(connect, Present([page(order("1", version=2), order("2", note="read again"))]), ORDERS_ALONE, backfill)

    sync(connect, Vendor([page(order("1", version=5), order("3", version=5)), Page((), gone=["2"])]))

    assert shown(conn, backfill.build_schema, "orders") == shown(conn, "raw", "orders")
    assert ids(conn, "raw") == ["1", "3"]
    merge(connect, ORDERS_ALONE, backfill)
    assert {key: row["version"] for key, row in versions(conn, "raw").items()} == {"1": 5, "3": 5}


def test_a_row_of_a_report_that_a_sync_no_longer_shows_does_not_come_back(
    connect: Connect, conn: psycopg.Connection
) -> None:
    backfill = begun(conn, channel(REPORT))
    read(connect, Present([page(order("1"))]), channel(REPORT), backfill)
    assert ids(conn, backfill.build_schema, "report") == ["1"]

    sync(connect, Vendor([page(order("2"))]), stream=REPORT)

    assert ids(conn, backfill.build_schema, "report") == ["2"]


def test_reads_a_week_at_a_time_and_goes_on_where_it_was_killed(connect: Connect, conn: psycopg.Connection) -> None:
    backfill = begun(conn, ORDERS_ALONE, **WEEKS)
    starts = [START + n * 7 * DAY for n in range(3)]
    pages = {start: [page(order(str(n), event_at=start))] for n, start in enumerate(starts)}
    broken = Present(by_window=pages | {starts[2]: [page(order("9", event_at=starts[2])), RuntimeError("killed")]})
    with pytest.raises(RuntimeError, match="killed"):
        read(connect, broken, ORDERS_ALONE, backfill)
    assert ids(conn, backfill.build_schema) == ["0", "1"]

    said: list[str] = []
    whole = Present(by_window=pages)
    reads = read(connect, whole, ORDERS_ALONE, backfill, said)

    assert broken.asked == list(zip(starts, [*starts[1:], START + 16 * DAY], strict=True))
    assert whole.asked == broken.asked[2:]
    assert ids(conn, backfill.build_schema) == ["0", "1", "2"]
    assert said == [
        "shop orders 1 of 3: was read before",
        "shop orders 2 of 3: was read before",
        "shop orders 3 of 3: 1 records, 1 differ",
    ]
    assert [(window.window_start, window.records_read) for window in reads] == [(start, 1) for start in starts]


def test_the_lease_is_renewed_after_each_window_and_nothing_is_read_without_it(
    connect: Connect, conn: psycopg.Connection
) -> None:
    backfill = begun(conn, ORDERS_ALONE, **WEEKS)
    release(conn, backfill.backfill_id)
    vendor = Present()

    with pytest.raises(LeaseLost):
        read(connect, vendor, ORDERS_ALONE, backfill)

    assert len(vendor.asked) == 1


def test_a_window_with_too_many_dead_letters_fails_each_time_and_is_kept(
    connect: Connect, conn: psycopg.Connection
) -> None:
    backfill = begun(conn, ORDERS_ALONE)
    letter = Reject("2", "no date", b"{}")
    bad = Present([page(order("1"), rejects=[letter])])
    for _ in range(2):
        with pytest.raises(TooManyDeadLetters, match="1 of 2 records of orders"):
            read(connect, bad, ORDERS_ALONE, backfill)
    assert ids(conn, backfill.build_schema) == ["1"]
    letters = "select record_id, times_seen, resolved_at is null from ops.dead_letters"
    assert conn.execute(letters).fetchall() == [("2", 2, True)]

    good = Present([page(order("1"), order("2"))])
    read(connect, good, ORDERS_ALONE, backfill)
    assert len(good.asked) == 1

    # It is good in raw only when it was published.
    assert conn.execute(letters).fetchall() == [("2", 2, True)]
    merge(connect, ORDERS_ALONE, backfill)
    assert conn.execute(letters).fetchall() == [("2", 2, False)]


def test_a_past_that_is_not_shown_any_more_stays(connect: Connect, conn: psycopg.Connection) -> None:
    keeps = replace(COUNTERS, by_id=lambda api, ids: iter(()))
    sync(connect, Vendor([Page([order("7/2026-03-01")])]), stream=keeps)
    backfill = begun(conn, channel(keeps))

    said: list[str] = []
    read(connect, Present(), channel(keeps), backfill, said)

    assert shown(conn, backfill.build_schema, "counters") == shown(conn, "raw", "counters") != []
    assert said == ["shop counters 1 of 1: nothing of it is shown any more; what was read then stays"]


@dataclass
class Zoned:
    """A merchant's days in a time zone, in the windows that they are read in."""

    backfill: Backfill

    def __call__(self, zone: str, now: datetime, is_dependent: bool = False) -> list[tuple[datetime, datetime]]:
        return windows(replace(ORDERS, is_dependent=is_dependent), self.backfill, zone, now)


@pytest.fixture
def zoned(conn: psycopg.Connection) -> Zoned:
    return Zoned(asked(conn, first_day=date(2026, 3, 5), last_day=date(2026, 3, 12)))


def test_windows_are_the_merchants_own_days(zoned: Zoned) -> None:
    zone = ZoneInfo("America/New_York")
    midnight = [datetime(2026, 3, day, tzinfo=zone).astimezone(UTC) for day in (5, 12, 13)]

    # The clocks go forward on the 8th.
    assert zoned(zone.key, NOW) == [(midnight[0], midnight[1]), (midnight[1], midnight[2])]
    assert zoned(zone.key, NOW)[0][1] - zoned(zone.key, NOW)[0][0] == timedelta(days=7, hours=-1)


def test_windows_end_at_the_vendors_present(zoned: Zoned) -> None:
    now = datetime(2026, 3, 6, 10, tzinfo=UTC)
    assert zoned("UTC", now) == [(datetime(2026, 3, 5, tzinfo=UTC), now)]
    assert zoned("UTC", datetime(2026, 3, 5, tzinfo=UTC)) == []


def test_what_is_dependent_is_read_until_now(zoned: Zoned) -> None:
    now = datetime(2026, 3, 20, 10, tzinfo=UTC)
    starts = [datetime(2026, 3, day, tzinfo=UTC) for day in (5, 12, 19)]

    assert zoned("UTC", now, is_dependent=True) == list(zip(starts, [*starts[1:], now], strict=True))
    dependent = {stream.name for stream in TIKTOK_SHOP.streams if stream.is_dependent}
    assert dependent == {"returns", "cancellations", "statement_transactions"}


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_the_noon_of_each_day_lies_in_a_window_wherever_the_merchant_is(zoned: Zoned, zone: str) -> None:
    covered = zoned(zone, NOW)
    for day in range(5, 13):
        noon = datetime(2026, 3, day, 12, tzinfo=UTC)
        assert [start <= noon < end for start, end in covered].count(True) == 1
