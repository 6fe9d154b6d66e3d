"""Which days a build computes again: against a naive reading of the rules, and case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.warehouse.shop import ORDERS, SHOP, START, VISITS, add_merchants, merchant, put
from tributary.warehouse.errors import UnknownMerchant
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.merchants import apply_channels, apply_merchants

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg


def day(number: int) -> datetime:
    return START + timedelta(days=number, hours=12)


def log(
    conn: psycopg.Connection,
    stream: str,
    record_id: str,
    old: tuple[datetime, dict[str, Any]] | None = None,
    new_at: datetime | None = None,
    merchant_id: str = "aurora",
) -> None:
    operation = "insert" if old is None else "delete" if new_at is None else "update"
    conn.execute(
        "insert into ops.changes (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, "
        "old_payload) values (%s, 'shop', %s, %s, %s, %s, %s, %s)",
        (merchant_id, stream, record_id, operation, old and old[0], new_at, old and Jsonb(old[1])),
    )


def scope(conn: psycopg.Connection, schema: str = "build") -> set[tuple[str, date]]:
    return set(conn.execute(f"select merchant_id, date_day from {schema}.scope").fetchall())  # type: ignore[arg-type]


def days(*numbers: int, merchant_id: str = "aurora") -> set[tuple[str, date]]:
    return {(merchant_id, day(number).date()) for number in numbers}


def test_nothing_changed_changes_nothing(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    put(conn, "aurora", "orders", "1", day(1))
    conn.execute("create table build.left_over ()")

    assert open_build(conn, "build", [SHOP]) is None
    assert conn.execute("select to_regclass('build.left_over') is not null").fetchone() == (True,)


def test_old_and_new_day_of_a_moved_record(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    put(conn, "aurora", "orders", "1", day(4))
    put(conn, "aurora", "orders", "2", day(9))
    log(conn, "orders", "1", old=(day(1), {}), new_at=day(4))

    build = open_build(conn, "build", [SHOP])

    assert build is not None
    assert (build.merchants, build.days) == (["aurora"], 2)
    assert scope(conn) == days(1, 4)
    assert conn.execute("select distinct build_id from ops.changes").fetchall() == [(build.build_id,)]


def test_a_parent_touches_its_children_and_a_child_its_parent_and_siblings(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    for id_, at in {"1": 1, "12": 2, "3": 3}.items():
        put(conn, "aurora", "orders", id_, day(at))
    for id_, at in {"1/7": 11, "12/8": 12, "3/9": 13, "3/10": 14}.items():
        put(conn, "aurora", "refunds", id_, day(at))
    log(conn, "orders", "1", old=(day(1), {}), new_at=day(1))
    log(conn, "refunds", "3/9", new_at=day(13))
    log(conn, "refunds", "3/4", old=(day(15), {}))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 11, 13, 14, 3, 15)


def test_a_reading_of_a_counter_touches_the_day_of_the_next(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht"))
    for record_id, at in {"7/2026-03-02": 1, "7/2026-03-05": 4, "7/2026-03-06": 5, "77/2026-03-03": 2}.items():
        put(conn, "aurora", "counters", record_id, day(at))
    put(conn, "nordlicht", "counters", "7/2026-03-04", day(3))
    put(conn, "aurora", "visits", "7/2026-03-04", day(3))
    log(conn, "counters", "7/2026-03-02", old=(day(1), {}), new_at=day(1))
    log(conn, "counters", "77/2026-03-03", new_at=day(2))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 4, 2)


def test_the_figures_of_a_day_touch_the_day_that_they_make_final(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    for at in range(1, 8):
        put(conn, "aurora", "figures", f"shop/{at}", day(at))
        put(conn, "aurora", "counters", f"7/{at}", day(at))
    log(conn, "figures", "shop/6", new_at=day(6))
    log(conn, "counters", "7/7", new_at=day(7))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(3, 6, 7)


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        (None, 6, (6, 3)),
        (6, 6, (6,)),
        (6, None, (6, 3)),
        (6, 7, (6, 3, 7, 4)),
    ],
    ids=["an arrival", "an update", "a removal", "a move"],
)
def test_days_are_final_by_what_is_there_not_by_what_it_says(
    conn: psycopg.Connection, old: int | None, new: int | None, touched: tuple[int, ...]
) -> None:
    add_merchants(conn, merchant())
    for at in range(1, 10):
        put(conn, "aurora", "figures", f"shop/{at}", day(at))
    log(
        conn,
        "figures",
        "shop/x",
        old=None if old is None else (day(old), {}),
        new_at=None if new is None else day(new),
    )

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(*touched)


def test_what_happens_to_a_part_reaches_whatever_its_whole_does(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    put(conn, "aurora", "orders", "1", day(1), customer="c1")
    put(conn, "aurora", "orders", "2", day(2), customer="c1")
    put(conn, "aurora", "orders", "3", day(3), customer="c2")
    put(conn, "aurora", "refunds", "1/7", day(8))
    log(conn, "refunds", "1/7", new_at=day(8))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 2, 8)


def test_a_part_without_a_day_of_its_own_counts_on_the_day_of_its_whole(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    channel = replace(SHOP, streams=(replace(ORDERS, quiet=frozenset({"refunds"})),))
    put(conn, "aurora", "orders", "1", day(1), customer="c1")
    put(conn, "aurora", "orders", "2", day(2), customer="c1")
    put(conn, "aurora", "refunds", "1/7", day(8))
    log(conn, "refunds", "1/7", new_at=day(8))
    log(conn, "refunds", "1/6", old=(day(7), {}))

    open_build(conn, "build", [channel])

    assert scope(conn) == days(1, 2)


def test_a_link_leads_to_what_shares_it_and_no_further(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    linked = replace(ORDERS, links={"number": "payload ->> 'number'"})
    notes = replace(ORDERS, name="visits", children=(), identities={}, links=linked.links, quiet=frozenset({"visits"}))
    channel = replace(SHOP, streams=(linked, notes))
    put(conn, "aurora", "orders", "1", day(1), customer="c1", number="n1")
    put(conn, "aurora", "orders", "2", day(2), customer="c1", number="n2")
    put(conn, "aurora", "visits", "of 1", day(9), number="n1")
    log(conn, "visits", "of 1", new_at=day(9))

    open_build(conn, "build", [channel])

    assert scope(conn) == days(1)


def test_a_click_reaches_the_days_that_may_be_its_success_as_far_as_there_are_any(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht"))
    channel = replace(SHOP, streams=(ORDERS, replace(VISITS, reach=timedelta(days=3))))
    conn.execute("create table marts.fct_revenue (merchant_id text, date_day date)")
    for at in (1, 2, 4, 5, 6):
        conn.execute("insert into marts.fct_revenue values ('aurora', %s)", (day(at).date(),))
    conn.execute("insert into marts.fct_revenue values ('nordlicht', %s)", (day(3).date(),))
    log(conn, "visits", "a click", old=(day(1), {}), new_at=day(2))

    open_build(conn, "build", [channel])

    assert scope(conn) == days(1, 2, 4, 5)


def test_what_does_not_matter_is_forgotten(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    channel = replace(SHOP, streams=(replace(ORDERS, identities={}, matters={"orders": "payload -> 'number'"}),))
    was = {"number": "n1", "stock": "5"}
    for id_, at in {"touched": 1, "renamed": 2, "moved": 3, "new": 4, "there and back": 5}.items():
        put(conn, "aurora", "orders", id_, day(at), number="n2" if id_ == "renamed" else "n1")
    log(conn, "orders", "touched", old=(day(1), was), new_at=day(1))
    log(conn, "orders", "renamed", old=(day(2), was), new_at=day(2))
    log(conn, "orders", "moved", old=(day(13), was), new_at=day(3))
    log(conn, "orders", "new", new_at=day(4))
    log(conn, "orders", "gone", old=(day(6), was))

    open_build(conn, "build", [channel])

    assert scope(conn) == days(2, 3, 13, 4, 6)
    assert conn.execute("select count(*) from ops.changes where record_id = 'touched'").fetchone() == (0,)


def test_settings_of_a_date_touch_the_days_from_then_on(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht"))
    for at in (1, 4, 6):
        put(conn, "aurora", "orders", str(at), day(at))
        put(conn, "nordlicht", "orders", str(at), day(at))
    conn.execute("create table marts.fct_revenue (merchant_id text, date_day date)")
    for at in (3, 5):
        conn.execute("insert into marts.fct_revenue values ('aurora', %s)", (day(at).date(),))
    for at in (4, 9):
        conn.execute(
            "insert into ops.changes (merchant_id, channel, stream, operation, new_event_at) "
            "values ('aurora', 'settings', 'costs', 'settings', %s)",
            (day(at).replace(hour=8),),
        )

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(4, 5, 6)


def test_what_several_streams_know_is_reached_with_its_children(conn: psycopg.Connection) -> None:
    """Of an identity that only one stream has, the children stay as they are."""
    add_merchants(conn, merchant())
    put(conn, "aurora", "orders", "changed", day(1), email="a@x", customer="c1")
    put(conn, "aurora", "orders", "same address", day(2), email="A@x")
    put(conn, "aurora", "orders", "same customer", day(3), customer="c1")
    for number, parent in enumerate(("same address", "same address1", "same customer")):
        put(conn, "aurora", "refunds", f"{parent}/1", day(10 + number))
    log(conn, "orders", "changed", new_at=day(1))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 2, 3, 10)


def test_a_guest_order_reaches_all_days_of_the_customer_who_owns_the_address(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht"))
    put(conn, "aurora", "orders", "guest", day(1), email="A@x")
    put(conn, "aurora", "orders", "owner", day(2), email="a@x", customer="c1")
    put(conn, "aurora", "orders", "same customer", day(3), email="b@x", customer="c1")
    put(conn, "aurora", "orders", "their other address", day(4), email="b@x")
    put(conn, "aurora", "orders", "someone else", day(5), email="c@x", customer="c2")
    put(conn, "aurora", "visits", "a visit", day(6), email="b@x")
    put(conn, "nordlicht", "orders", "another shop", day(7), email="a@x", customer="c1")
    log(conn, "orders", "guest", new_at=day(1))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 2, 3, 4, 6)


def test_the_customer_of_the_old_version_is_reached_too(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    put(conn, "aurora", "orders", "moved", day(1), customer="new")
    put(conn, "aurora", "orders", "of old", day(2), customer="old")
    put(conn, "aurora", "orders", "of new", day(3), customer="new")
    log(conn, "orders", "moved", old=(day(1), {"customer": "old"}), new_at=day(1))

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 2, 3)


def test_settings_touch_all_days_of_their_merchant(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht", "Europe/Berlin"))
    for merchant_id in ("aurora", "nordlicht"):
        put(conn, merchant_id, "orders", "1", day(1))
        put(conn, merchant_id, "refunds", "1/7", day(8))
    conn.execute("create table marts.fct_revenue (merchant_id text, date_day date)")
    conn.execute("insert into marts.fct_revenue values ('nordlicht', '2026-01-15'), ('aurora', '2026-01-16')")
    apply_merchants(conn, [merchant("nordlicht", "Europe/Berlin", revenue_includes_tax=True)])

    open_build(conn, "build", [SHOP])

    assert scope(conn) == days(1, 8, merchant_id="nordlicht") | {("nordlicht", date(2026, 1, 15))}


def test_everything_means_all_days_of_all_merchants(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht", "Europe/Berlin"))
    put(conn, "aurora", "orders", "1", day(1))
    put(conn, "nordlicht", "visits", "1", day(2))

    build = open_build(conn, "build", [SHOP], everything=True)

    assert build is not None
    assert scope(conn) == days(1) | days(2, merchant_id="nordlicht")


def test_a_later_build_takes_over_what_an_earlier_one_left(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant())
    log(conn, "orders", "1", new_at=day(1))
    first = open_build(conn, "build", [SHOP])
    log(conn, "orders", "2", new_at=day(2))
    second = open_build(conn, "build", [SHOP])

    assert first is not None
    assert second is not None
    assert scope(conn) == days(1, 2)
    assert conn.execute("select distinct build_id from ops.changes").fetchall() == [(second.build_id,)]


def test_a_change_without_any_day_waits(conn: psycopg.Connection) -> None:
    apply_merchants(conn, [merchant()])

    assert open_build(conn, "build", [SHOP]) is None
    assert conn.execute("select operation, build_id from ops.changes").fetchall() == [("settings", None)]


def test_unknown_merchant_is_named(conn: psycopg.Connection) -> None:
    log(conn, "orders", "1", new_at=day(1), merchant_id="ghost")
    with pytest.raises(UnknownMerchant, match=r"ghost.*merchants\.yaml"):
        open_build(conn, "build", [SHOP])
    assert conn.execute("select build_id from ops.changes").fetchall() == [(None,)]


@pytest.mark.parametrize("time_zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_days_are_the_merchants_own_through_clock_changes(conn: psycopg.Connection, time_zone: str) -> None:
    zone = ZoneInfo(time_zone)
    add_merchants(conn, merchant("aurora", time_zone))
    moments = [datetime(2026, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=7 * n) for n in range(1300)]
    for number, moment in enumerate(moments):
        log(conn, "orders", str(number), new_at=moment)

    open_build(conn, "build", [SHOP])

    rows = conn.execute("select date_day, starts_at, ends_at from build.scope").fetchall()
    assert {row[0] for row in rows} == {moment.astimezone(zone).date() for moment in moments}
    assert any(end - start != timedelta(days=1) for _, start, end in rows) == (time_zone != "Asia/Kolkata")
    for date_day, start, end in rows:
        midnight = datetime(date_day.year, date_day.month, date_day.day, tzinfo=zone)
        next_day = date_day + timedelta(days=1)
        assert start == midnight
        assert end == datetime(next_day.year, next_day.month, next_day.day, tzinfo=zone)


READ_UP_TO = day(20)
"""By now the merchant's day 20 has begun."""


@pytest.fixture
def shop(conn: psycopg.Connection) -> psycopg.Connection:
    """A merchant whose orders were read up to then."""
    add_merchants(conn, merchant())
    apply_channels(conn, [merchant(channels={"shop": "shop_aurora"})])
    read(conn, "shop", "orders", READ_UP_TO)
    return conn


def read(conn: psycopg.Connection, channel: str, stream: str, position: datetime) -> None:
    conn.execute(
        "insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id) "
        "values ('aurora', %s, %s, %s, gen_random_uuid())",
        (channel, stream, position),
    )


def published(conn: psycopg.Connection, number: int, at: datetime) -> None:
    conn.execute(
        "insert into ops.publications values (gen_random_uuid(), 'aurora', %s, %s, '{}', 0)", (day(number).date(), at)
    )


def test_days_that_ended_since_they_were_published_are_built_once_more(shop: psycopg.Connection) -> None:
    for number in range(21):
        if number != 16:
            published(shop, number, day(number))
    published(shop, 17, day(18))

    build = open_build(shop, "build", [SHOP])

    assert build is not None
    assert scope(shop) == days(13, 14, 15, 16, 18, 19)
    for number in (13, 14, 15, 16, 18, 19):
        published(shop, number, day(21))
    assert open_build(shop, "build", [SHOP]) is None


@pytest.mark.parametrize(("at", "is_over"), [("03:59:59", False), ("04:00:00", True)])
def test_a_day_ends_at_the_merchants_own_midnight(shop: psycopg.Connection, at: str, is_over: bool) -> None:
    published(shop, 19, datetime.fromisoformat(f"{day(20).date()}T{at}+00:00"))
    assert (open_build(shop, "build", [SHOP]) is None) == is_over


def test_days_before_the_first_published_one_are_nobodys(shop: psycopg.Connection) -> None:
    assert open_build(shop, "build", [SHOP]) is None
    published(shop, 18, day(18))
    open_build(shop, "build", [SHOP])
    assert scope(shop) == days(18, 19)


def test_a_day_is_over_when_all_channels_orders_were_read_beyond_it(shop: psycopg.Connection) -> None:
    published(shop, 15, day(15))
    read(shop, "shop", "visits", day(10))
    read(shop, "another shop", "orders", day(18))
    open_build(shop, "build", [SHOP])
    assert scope(shop) == days(15, 16, 17, 18, 19)

    apply_channels(shop, [merchant(channels={"shop": "shop_aurora", "another shop": "another"})])
    open_build(shop, "build", [SHOP])
    assert scope(shop) == days(15, 16, 17)


def test_no_day_is_over_before_it_is_here(shop: psycopg.Connection) -> None:
    now = datetime.now(UTC)
    shop.execute("update ops.checkpoints set position = %s", (now + timedelta(days=3),))
    published(shop, 0, day(0))
    build = open_build(shop, "build", [SHOP])
    assert build is not None
    assert build.days == 7
    assert {date_day for _, date_day in scope(shop)} <= {(now - timedelta(days=back)).date() for back in range(1, 9)}


class Order(NamedTuple):
    """A row of raw, with what it was before if it changed."""

    number: int
    stream: str
    email: str | None
    customer: str | None
    old: tuple[str | None, str | None] | None
    changed: bool


identities = st.tuples(st.sampled_from([None, "a", "b", "c", "d"]), st.sampled_from([None, "1", "2", "3"]))
rows = st.builds(
    lambda stream, new, old, changed: (stream, new, old, changed),
    stream=st.sampled_from(["orders", "orders", "visits"]),
    new=identities,
    old=st.none() | identities,
    changed=st.sampled_from([False, False, False, True]),
)


def naive_scope(orders: list[Order]) -> set[int]:
    """The rule read aloud: identities of changed rows, twice on through rows that share one, then all such rows."""

    def now(row: Order) -> set[tuple[str, str]]:
        email = {("email", row.email)} if row.email else set()
        customer = {("customer", row.customer)} if row.customer and row.stream == "orders" else set()
        return email | customer

    known: set[tuple[str, str]] = set()
    for row in orders:
        if row.changed:
            known |= now(row)
            if row.old:
                known |= now(row._replace(email=row.old[0], customer=row.old[1]))
    for _ in range(2):
        known |= {identity for row in orders if now(row) & known for identity in now(row)}
    return {row.number for row in orders if row.changed or now(row) & known}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(rows, min_size=1, max_size=12))
def test_scope_is_what_the_rule_says(
    connect: Callable[[], psycopg.Connection], conn: psycopg.Connection, drawn: list[Any]
) -> None:
    for table in ("raw.shop_orders", "raw.shop_visits", "ops.changes", "ops.merchants"):
        conn.execute(f"delete from {table}")  # type: ignore[arg-type]
    add_merchants(conn, merchant())
    orders = [
        Order(number, stream, email, customer, old, changed)
        for number, (stream, (email, customer), old, changed) in enumerate(drawn)
    ]
    for row in orders:
        put(conn, "aurora", row.stream, str(row.number), day(row.number), email=row.email, customer=row.customer)
        if row.changed:
            before = row.old and (day(row.number), {"email": row.old[0], "customer": row.old[1]})
            log(conn, row.stream, str(row.number), old=before or None, new_at=day(row.number))

    build = open_build(conn, "build", [SHOP])

    expected = naive_scope(orders)
    assert (scope(conn) if build else set()) == days(*expected)
