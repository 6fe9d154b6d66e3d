"""What is said of a backfill before it begins: what the warehouse knows, and that it does not know the rest."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from tests.backfill.rows import asked
from tests.backfill.test_scope import at, keep, log
from tests.warehouse.shop import add_merchants, merchant
from tributary.backfill import audit
from tributary.backfill.plan import Plan, Quota, Reading, plan, reads
from tributary.channels import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterator

MERCHANTS = [
    merchant(channels={"shopify": "shopify_aurora", "klaviyo": "klaviyo_aurora"}),
    merchant("kumo", "Asia/Tokyo", channels={"shopify": "shopify_kumo"}),
    merchant("nordlicht", "Europe/Berlin", channels={"shopify": "shopify_nordlicht"}),
]
DAYS = {"first_day": date(2026, 3, 2), "last_day": date(2026, 3, 11)}


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(warehouse_url) as connection:
        add_merchants(connection, *MERCHANTS)
        connection.cursor().executemany(
            "insert into ops.merchant_channels (merchant_id, channel) values (%s, %s)",
            [(each.merchant_id, channel) for each in MERCHANTS for channel in each.channels],
        )
        connection.commit()
        yield connection


def planned(conn: psycopg.Connection, *merchants: str, channels: tuple[str, ...] = ("shopify",)) -> Plan:
    backfill = asked(conn, uuid4().hex, *merchants, mode="reread", channels=[*channels], **DAYS)
    return plan(conn, backfill, CHANNELS)


def reading(found: Plan, stream: str, merchant_id: str = "aurora") -> Reading:
    [one] = [each for each in found.readings if (each.merchant_id, each.stream) == (merchant_id, stream)]
    return one


def sync(
    conn: psycopg.Connection, seconds: float, records: int, stream: str = "orders", status: str = "succeeded"
) -> None:
    """One slice in the ledger."""
    conn.execute(
        "insert into ops.syncs (sync_id, kind, merchant_id, channel, stream, window_start, window_end, status, "
        "started_at, finished_at, records_read) "
        "values (%s, 'sync', 'aurora', 'shopify', %s, now(), now(), %s, now(), now() + %s, %s)",
        (uuid4(), stream, status, timedelta(seconds=seconds), records),
    )


def ended(conn: psycopg.Connection, status: str, minutes: float, *merchants: str, mode: str = "reread") -> None:
    """A backfill of ten days a merchant that came to this so many minutes after it was asked for."""
    backfill = asked(conn, uuid4().hex, *merchants, mode=mode, is_dry_run=status == "dry run", **DAYS)
    conn.execute(
        "update ops.backfills set requested_at = clock_timestamp() - %s where backfill_id = %s",
        (timedelta(minutes=minutes), backfill.backfill_id),
    )
    audit.move(conn, backfill.backfill_id, status)  # type: ignore[arg-type]


def test_counts_records_windows_and_calls_of_every_stream(conn: psycopg.Connection) -> None:
    for number in range(502):
        keep(conn, "shopify_orders", str(number), at(2 + number % 10))
    keep(conn, "shopify_orders", "before", at(1))
    keep(conn, "shopify_orders", "after", at(12))
    keep(conn, "shopify_orders", "another's", at(5, "kumo"), "kumo")
    keep(conn, "shopify_refunds", "1/2", at(5))

    found = planned(conn, "aurora", channels=("shopify", "klaviyo"))

    assert reading(found, "orders") == Reading("aurora", "shopify", "orders", 502, 2, 3, None)
    assert reading(found, "customers") == Reading("aurora", "shopify", "customers", 0, 2, 2, None)
    # Eleven lists of events, each of both windows.
    assert reading(found, "events").calls == 22
    assert [each.stream for each in found.readings] == [
        stream.name for channel in CHANNELS if channel.name in ("shopify", "klaviyo") for stream in channel.streams
    ]
    assert found.calls == sum(each.calls for each in found.readings)


def test_a_report_of_each_day_is_a_call_of_each_day(conn: psycopg.Connection) -> None:
    conn.execute("insert into ops.merchant_channels (merchant_id, channel) values ('aurora', 'ga4')")
    found = planned(conn, "aurora", channels=("ga4",))
    assert {each.calls for each in found.readings} == {10}


def test_only_channels_that_the_merchant_has(conn: psycopg.Connection) -> None:
    found = planned(conn, "kumo", "aurora", channels=("shopify", "klaviyo"))
    assert {(each.merchant_id, each.channel) for each in found.readings} == {
        ("aurora", "shopify"),
        ("aurora", "klaviyo"),
        ("kumo", "shopify"),
    }


@pytest.mark.parametrize(
    ("slices", "seconds"),
    [
        ([], None),
        # Two seconds for the asking, and a hundredth for each record.
        ([(3, 100), (7, 500), (2, 0)], 2 * 2 + 0.01 * 400),
        ([(3, 10), (5, 10)], 2 * 4),
        ([(9, 10), (3, 100)], 2 * 6),
        # Of a line that begins below nothing only the slope says something.
        ([(1, 100), (11, 600)], 0.02 * 400),
    ],
    ids=["nothing known", "a line", "always the same number", "more is faster", "below nothing"],
)
def test_foresees_the_time_by_the_ledger(
    conn: psycopg.Connection, slices: list[tuple[float, int]], seconds: float | None
) -> None:
    for number in range(400):
        keep(conn, "shopify_orders", str(number), at(5))
    for length, records in slices:
        sync(conn, length, records)
    sync(conn, 1000, 1, status="failed")
    sync(conn, 1000, 1, stream="customers")

    told = reading(planned(conn, "aurora"), "orders").seconds

    assert told is None if seconds is None else told is not None and math.isclose(told, seconds)


def test_says_what_it_knows_of_quotas_and_no_more(conn: psycopg.Connection) -> None:
    conn.execute("insert into ops.merchant_channels (merchant_id, channel) values ('aurora', 'meta_ads')")
    until = datetime(2099, 3, 1, 12, tzinfo=UTC)
    conn.execute(
        "insert into ops.vendor_quotas (account, quota, uses, closed_until, reason) values "
        "('klaviyo/4711', 'reports', array[now(), now() - interval '23 hours', now() - interval '25 hours'], null, "
        "null), ('klaviyo/4712', 'reports', array[now()], now() - interval '1 hour', 'it was enough'), "
        "('meta_ads/act_0815', 'insights', '{}', %s, 'it is enough'), ('ga4/properties/1', 'tokens', '{}', null, null)",
        (until,),
    )

    found = planned(conn, "aurora", channels=("shopify", "klaviyo", "meta_ads"))

    assert found.quotas == [
        Quota("klaviyo", "reports", 2, 3, None),
        Quota("meta_ads", "insights", 1, 0, until),
        Quota("shopify", None, 0, 0, None),
    ]
    text = "\n".join(found.lines())
    assert "klaviyo, reports: 3 requests booked in the last day, not closed (2 accounts" in text
    assert "meta_ads, insights: nothing booked, closed until 2099-03-01 12:00 UTC (1 account" in text
    assert "shopify: unknown" in text
    assert not [secret for secret in ("4711", "4712", "0815") if secret in text]


def test_foresees_all_of_it_by_backfills_before(conn: psycopg.Connection) -> None:
    assert planned(conn, "aurora").seconds is None
    ended(conn, "dry run", 20, "aurora", "kumo")
    ended(conn, "waiting", 10, "aurora")
    ended(conn, "failed", 500, "aurora")
    ended(conn, "dry run", 900, "aurora", mode="rebuild")

    found = planned(conn, "aurora", "kumo")

    assert found.past == 2
    assert found.seconds is not None
    assert math.isclose(found.seconds, 20 * 60, rel_tol=0.05)


def test_what_was_waited_for_an_approval_is_no_work(conn: psycopg.Connection) -> None:
    ended(conn, "waiting", 10, "aurora")
    conn.execute("update ops.backfills set requested_at = requested_at - interval '4 hours', status = 'running'")
    [(backfill_id,)] = conn.execute("select backfill_id from ops.backfills").fetchall()
    audit.move(conn, backfill_id, "published")

    found = planned(conn, "aurora")

    assert found.past == 1
    assert found.seconds is not None
    assert math.isclose(found.seconds, 10 * 60, rel_tol=0.05)


def test_knows_the_days_that_go_along_and_changes_nothing(conn: psycopg.Connection) -> None:
    for each in ("aurora", "nordlicht", "kumo"):
        log(conn, "orders", "1", None, at(20, each), each)
    log(conn, "orders", "2", at(3), at(21))
    log(conn, "orders", "3", None, at(3, "nordlicht"), "nordlicht")
    conn.commit()

    found = planned(conn, "aurora", "kumo")

    assert found.scope.days_by_merchant == {"aurora": 12, "kumo": 10}
    assert (found.scope.asked, found.scope.closure, found.scope.pending) == (20, 0, 2)
    assert conn.execute("select count(*) from ops.changes where build_id is null").fetchone() == (5,)
    assert conn.execute("select count(*) from pg_namespace where nspname ~ '^backfill'").fetchone() == (0,)


def test_a_rebuild_asks_nobody(conn: psycopg.Connection) -> None:
    found = plan(conn, asked(conn, "rebuild", "aurora", channels=[], **DAYS), CHANNELS)
    assert (found.readings, found.quotas, found.calls) == ([], [], 0)
    assert found.lines() == [
        "merchant  days",
        "aurora      10",
        "10 days asked for; no unpublished change leads beyond them.",
        "",
        "Nothing is read again: the days are built anew from raw.",
        "All of it until the difference is shown: no record yet.",
    ]


def test_is_a_table_for_people(conn: psycopg.Connection) -> None:
    keep(conn, "shopify_orders", "1", at(5))
    log(conn, "orders", "1", at(12), at(5))
    sync(conn, 90, 1)
    ended(conn, "dry run", 29.5, "aurora")

    assert planned(conn, "aurora").lines() == [
        "merchant         days",
        "aurora    at least 11",
        "10 days asked for; 1 more day that unpublished changes touch together with them.",
        "What the vendors show otherwise than raw may add others.",
        "",
        "merchant  channel  stream     records  windows  calls          about",
        "aurora    shopify  orders           1        2      2          3 min",
        "aurora    shopify  customers        0        2      2  no record yet",
        "aurora    shopify  products         0        2      2  no record yet",
        "Calls: 6 at least, by the records that raw has; quotas:",
        "  shopify: unknown, the vendor alone counts",
        "Reading: about 3 min and 2 streams of no record, if one stream follows the other.",
        "All of it until the difference is shown: about 30 min, by 1 earlier backfill.",
    ]


def test_tells_who_is_read_for_and_over_which_connection(conn: psycopg.Connection) -> None:
    backfill = asked(conn, "reread", "aurora", "kumo", mode="reread", channels=["shopify", "klaviyo"])
    found = reads(backfill, MERCHANTS, CHANNELS)
    assert list(found) == [channel.name for channel in CHANNELS]
    assert {name: read for name, read in found.items() if read} == {
        "shopify": [
            {"merchant_id": "aurora", "connection": "shopify_aurora"},
            {"merchant_id": "kumo", "connection": "shopify_kumo"},
        ],
        "klaviyo": [{"merchant_id": "aurora", "connection": "klaviyo_aurora"}],
    }


def test_nobody_is_read_for_when_it_is_built_from_raw(conn: psycopg.Connection) -> None:
    found = reads(asked(conn, "rebuild", "aurora", channels=["shopify"]), MERCHANTS, CHANNELS)
    assert found == {channel.name: [] for channel in CHANNELS}


def test_what_depends_on_the_range_is_read_until_now(conn: psycopg.Connection) -> None:
    conn.execute("insert into ops.merchant_channels (merchant_id, channel) values ('aurora', 'tiktok_shop')")
    keep(conn, "tiktok_shop_returns", "1", at(25))
    found = planned(conn, "aurora", channels=("tiktok_shop",))
    weeks = (datetime.now(UTC).date() - DAYS["first_day"]).days // 7
    assert reading(found, "returns").records == 1
    assert reading(found, "returns").windows in range(weeks, weeks + 2)
    assert reading(found, "orders").windows == 2
