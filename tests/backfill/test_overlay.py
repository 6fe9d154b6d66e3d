"""The views over raw: as if what was read again had been read into raw at that moment, and nothing later undone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.backfill.overlaid import ALL, DAY, REPORT, Present, begun, channel, forget_reads, merge, read, shown
from tests.conftest import new_database
from tests.warehouse.shop import ORDERS, START, Vendor, order, page, refund, sync
from tributary.backfill.rereading.overlay import collect_changes, create_overlay
from tributary.declaration import AN_HOUR, Page
from tributary.warehouse.migrate import migrate
from tributary.warehouse.reread import reread
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from tributary.declaration import Stream

    Connect = Callable[[], psycopg.Connection]

SHOP = channel(*ALL, REPORT)


@pytest.fixture(scope="module")
def migrated_database(postgres_server_url: str) -> Iterator[str]:
    """The name of the database that the warehouses of these tests are cloned from."""
    with new_database(postgres_server_url) as url:
        migrate(url, [SHOP])
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield connection


class Version(NamedTuple):
    """One reading of one record: how old, at which hour, saying what, with which refunds; or that it is gone."""

    record_id: str
    age: int
    hour: int
    note: str
    refunds: dict[str, str]
    is_gone: bool


def readings(notes: str, oldest: int) -> st.SearchStrategy[list[Version]]:
    version = st.builds(
        Version,
        record_id=st.sampled_from(["1", "12", "2", "3"]),
        age=st.integers(oldest, oldest + 2),
        hour=st.integers(0, 23),
        note=st.sampled_from(notes),
        refunds=st.dictionaries(st.sampled_from(["1", "12"]), st.sampled_from(notes), max_size=2),
        is_gone=st.sampled_from([False, False, False, True]),
    )
    return st.lists(version, max_size=5, unique_by=lambda version: version.record_id)


def told(stream: Stream, versions: list[Version], known: Collection[str] = ("1", "12", "2", "3")) -> Present:
    """A vendor with these versions, who says of what is known that it is gone."""
    there = [version for version in versions if not version.is_gone]
    # A report's row stands where its id says.
    hours = {v.record_id: v.hour if stream is ORDERS else 5 + int(v.record_id) % 3 for v in there}
    orders = [
        order(v.record_id, version=v.age, event_at=START + hours[v.record_id] * AN_HOUR, note=v.note) for v in there
    ]
    refunds = [refund(f"{v.record_id}/{id_}", note=note) for v in there for id_, note in v.refunds.items()]
    gone = [v.record_id for v in versions if v.is_gone and v.record_id in known]
    return Present([page(*orders, refunds=refunds), Page((), gone=gone)])


RUNS = count()


@pytest.mark.parametrize("stream", [ORDERS, REPORT], ids=["upsert", "replace_slice"])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=readings("ab", 0),
    first=readings("abc", 1),
    # Vendors do not bring a record back in an older version than it had, nor say later what they said before.
    second=st.none() | readings("abd", 2),
    later=st.none() | readings("ef", 2),
)
def test_shows_what_raw_would_hold_had_it_been_read_into_raw(
    connect: Connect,
    conn: psycopg.Connection,
    stream: Stream,
    before: list[Version],
    first: list[Version],
    second: list[Version] | None,
    later: list[Version] | None,
) -> None:
    """Another merchant's day is read into raw at the same moments, with the same answers."""
    of, tables = channel(stream), (stream.name, *stream.children)
    for table in (*(f"raw.shop_{name}" for name in tables), "ops.checkpoints", "ops.syncs", "ops.leases"):
        conn.execute(f"delete from {table}")  # type: ignore[arg-type]
    backfill = begun(conn, of, f"run {next(RUNS)}")

    def sync_both(versions: list[Version], now: datetime) -> None:
        # A sync asks only for what raw holds.
        known = {row[0] for row in shown(conn, "raw", stream.name)}
        for merchant_id in ("aurora", "at once"):
            sync_stream(connect, told(stream, versions, known), of, stream, merchant_id, now, START)

    sync_both(before, START + 6 * AN_HOUR)
    for versions in (first, second):
        if versions is not None:
            forget_reads(conn)
            read(connect, told(stream, versions), of, backfill)
            reread(connect, told(stream, versions), of, stream, "at once", START, START + DAY)
    if later is not None:
        sync_both(later, START + 7 * AN_HOUR)

    expected = {name: shown(conn, "raw", name, "at once") for name in tables}
    assert {name: shown(conn, backfill.build_schema, name) for name in tables} == expected
    collect_changes(conn, backfill, [of])
    conn.execute("delete from ops.changes")
    merge(connect, of, backfill)
    assert {name: shown(conn, "raw", name) for name in tables} == expected
    assert logged(conn, backfill.build_schema) == logged(conn, "ops")
    conn.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(backfill.build_schema)))


def logged(conn: psycopg.Connection, schema: str) -> list[tuple[Any, ...]]:
    """The change log, or what a backfill is going to add to it."""
    query = (
        "select merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload, sync_id"
        " from {} order by stream, record_id"
    )
    return conn.execute(sql.SQL(query).format(sql.Identifier(schema, "changes"))).fetchall()


def test_views_have_the_names_and_columns_of_raw_and_keep_what_is_staged(
    connect: Connect, conn: psycopg.Connection
) -> None:
    backfill = begun(conn, channel(*ALL))
    read(connect, Present([page(order("1"), refunds=[refund("1/7")])]), channel(ORDERS), backfill)

    create_overlay(conn, backfill, [channel(*ALL)])

    columns = """
        select table_name, array_agg(column_name || ' ' || data_type order by ordinal_position)
        from information_schema.columns
        where table_schema = %s and table_name like 'shop%%' and table_name <> 'shop_report'
        group by table_name
    """
    raw = dict(conn.execute(columns, ("raw",)).fetchall())
    assert dict(conn.execute(columns, (backfill.build_schema,)).fetchall()) == raw
    assert [row[0] for row in shown(conn, backfill.build_schema, "refunds")] == ["1/7"]
    assert shown(conn, "raw", "orders") == []


def test_what_is_not_read_again_is_raw_itself(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), refunds=[refund("1/7")])]))
    backfill = begun(conn, channel(*ALL), mode="rebuild", channels=[])

    for table in ("orders", "refunds"):
        assert shown(conn, backfill.build_schema, table) == shown(conn, "raw", table) != []
    collect_changes(conn, backfill, [channel(*ALL)])
    tables = (
        "select table_name from information_schema.tables where table_schema = %s and table_name ~ '^(staged|gone)'"
    )
    assert conn.execute(tables, (backfill.build_schema,)).fetchall() == []


def test_only_what_says_something_else_is_a_change(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", note="as it was"), order("2"), order("3"), refunds=[refund("1/7")])]))
    backfill = begun(conn, channel(ORDERS))
    # Read again it is younger and else the same; the refund of another is new.
    younger = replace(order("1", note="as it was"), updated_at=START + DAY)
    read(connect, Present([page(younger, order("2"), refunds=[refund("2/8")])]), channel(ORDERS), backfill)

    for _ in range(2):
        collect_changes(conn, backfill, [channel(ORDERS)])

    assert [(row[2], row[3], row[4]) for row in logged(conn, backfill.build_schema)] == [
        ("orders", "3", "delete"),
        ("refunds", "1/7", "delete"),
        ("refunds", "2/8", "insert"),
    ]


ASKED = {
    "a day": "select payload from {view}.shop_orders where merchant_id = 'aurora'"
    " and event_at >= '2026-03-02' and event_at < '2026-03-03'",
    "the days of a scope": """
        select each.payload
        from (values ('aurora', timestamptz '2026-03-02'), ('aurora', '2026-03-09')) as scope (merchant_id, at)
        cross join lateral (
            select payload from {view}.shop_orders
            where merchant_id = scope.merchant_id and event_at >= scope.at and event_at < scope.at + interval '1 hour'
            offset 0
        ) as each
    """,
    "a record": "select payload from {view}.shop_orders where merchant_id = 'aurora' and record_id = '500'",
    "a customer": "select payload from {view}.shop_orders where merchant_id = 'aurora'"
    " and left((payload ->> 'customer'), 500) = '17'",
    "the children of a record": "select payload from {view}.shop_refunds where merchant_id = 'aurora'"
    " and record_id > '500/' and record_id < '5000'",
    "the children of a day": "select payload from {view}.shop_refunds where merchant_id = 'aurora'"
    " and event_at >= '2026-03-02' and event_at < '2026-03-03'",
}


def test_a_filter_on_a_view_uses_the_indexes_of_raw(connect: Connect, conn: psycopg.Connection) -> None:
    fill = sql.SQL("""
        insert into {table} (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id)
        select
            'aurora', n || {suffix}, timestamptz '2026-03-01' + n * interval '2 minutes', '2026-03-01',
            jsonb_build_object('customer', n % 2000), '', gen_random_uuid()
        from generate_series(1, 20000) as n
    """)
    for table, suffix in (("orders", ""), ("refunds", "/1")):
        conn.execute(fill.format(table=sql.Identifier("raw", f"shop_{table}"), suffix=sql.Literal(suffix)))
        conn.execute(sql.SQL("analyze {}").format(sql.Identifier("raw", f"shop_{table}")))
    backfill = begun(conn, channel(ORDERS), last_day=START.date() + timedelta(days=6))
    some = [order(str(n), version=2, event_at=START + n * timedelta(minutes=2)) for n in range(300, 900)]
    read(connect, Present([page(*some)]), channel(ORDERS), backfill)
    collect_changes(conn, backfill, [channel(ORDERS)])

    for what, query in ASKED.items():
        plan = conn.execute(f"explain {query.format(view=backfill.build_schema)}").fetchall()  # type: ignore[arg-type]
        assert not [line for (line,) in plan if "Seq Scan on shop_" in line], (what, plan)
