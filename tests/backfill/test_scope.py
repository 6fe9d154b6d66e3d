"""Which days a backfill computes: over the real streams, in a real warehouse."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.backfill.rows import asked
from tests.warehouse.shop import add_merchants, merchant
from tributary.backfill import lease
from tributary.backfill.errors import LeaseLost
from tributary.backfill.rereading.overlay import create_overlay, stage_winners
from tributary.backfill.scope import Scope, open_scope
from tributary.backfill.state import build_schema, identify
from tributary.channels import CHANNELS
from tributary.channels.shopify.streams import SHOPIFY
from tributary.warehouse.errors import UnknownMerchant
from tributary.warehouse.leases import hold_days, leased_days
from tributary.warehouse.merge import merge_staged
from tributary.warehouse.scope import open_build
from tributary.warehouse.touched import drop_days, find_days

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.backfill.state import Backfill

ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin", "kumo": "Asia/Tokyo"}
FIRST = identify("backfill", "first")
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """As operators have it: a transaction is begun by whatever is asked first."""
    with psycopg.connect(warehouse_url) as connection:
        add_merchants(connection, *(merchant(name, zone) for name, zone in ZONES.items()))
        connection.commit()
        yield connection


def at(day: int, merchant_id: str = "aurora") -> datetime:
    """Late on a day of March, when it is the next one in UTC or was the one before."""
    hour = 1 if merchant_id == "kumo" else 23
    return datetime(2026, 3, day, hour, tzinfo=ZoneInfo(ZONES[merchant_id]))


def keep(
    conn: psycopg.Connection,
    table: str,
    record_id: str,
    event_at: datetime,
    merchant_id: str = "aurora",
    schema: str = "raw",
    **content: Any,
) -> None:
    """A row of raw as a sync left it; or, in the backfill's schema, one that was read again since."""
    body = json.dumps(content)
    common = (merchant_id, record_id, event_at, body, blake2b(body.encode(), digest_size=16).digest())
    query = "insert into {} (merchant_id, record_id, event_at, payload, payload_hash, updated_at, {}) values"
    if schema == "raw":
        place, own, last = sql.Identifier("raw", table), "sync_id", uuid4()
        changed_at = datetime(2026, 3, 20, tzinfo=UTC)
    else:
        place, own, last = sql.Identifier(schema, f"staged_{table}"), "read_at", datetime.now(UTC)  # type: ignore[assignment]
        changed_at = datetime(2026, 3, 21, tzinfo=UTC)
    conn.execute(
        sql.SQL(query + " (%s, %s, %s, %s, %s, %s, %s)").format(place, sql.Identifier(own)), (*common, changed_at, last)
    )


def log(
    conn: psycopg.Connection,
    stream: str,
    record_id: str,
    old: datetime | None,
    new: datetime | None,
    merchant_id: str = "aurora",
    channel: str = "shopify",
    **before: Any,
) -> None:
    """A change that is not published yet."""
    operation = "insert" if old is None else "delete" if new is None else "update"
    conn.execute(
        "insert into ops.changes (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, "
        "old_payload) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (merchant_id, channel, stream, record_id, operation, old, new, None if old is None else Jsonb(before)),
    )


def begun(conn: psycopg.Connection, *merchants: str, **changed: Any) -> Backfill:
    """A backfill of the 2nd to the 4th that has its lease, and nothing staged yet."""
    how = {"mode": "reread", "channels": ["shopify", "klaviyo"], **changed}
    backfill = asked(conn, "first", *merchants, **how)
    lease.take(conn, backfill)
    create_overlay(conn, backfill, CHANNELS)
    conn.commit()
    return backfill


def opened(conn: psycopg.Connection, backfill: Backfill) -> Scope:
    conn.commit()
    return open_scope(conn, backfill, CHANNELS)


def days(conn: psycopg.Connection, backfill: Backfill, table: str = "scope", merchant_id: str = "aurora") -> list[int]:
    query = sql.SQL("select date_day from {} where merchant_id = %s order by 1")
    found = conn.execute(query.format(sql.Identifier(backfill.build_schema, table)), (merchant_id,)).fetchall()
    assert {(day.year, day.month) for (day,) in found} <= {(2026, 3)}
    return [day.day for (day,) in found]


@pytest.mark.parametrize("mode", ["rebuild", "reread"])
def test_the_asked_days_of_each_merchant_by_its_own_clock(conn: psycopg.Connection, mode: str) -> None:
    backfill = begun(conn, "kumo", "aurora", mode=mode)
    keep(conn, "shopify_orders", "1", at(3))

    found = opened(conn, backfill)

    assert found == Scope({"aurora": 3, "kumo": 3}, asked=6, closure=0, pending=0)
    assert days(conn, backfill) == days(conn, backfill, merchant_id="kumo") == [2, 3, 4]
    assert days(conn, backfill, "asked") == days(conn, backfill, "asked", "kumo") == [2, 3, 4]
    bounds = conn.execute(
        sql.SQL("select build_id, starts_at, ends_at from {} where merchant_id = 'kumo' order by date_day").format(
            sql.Identifier(backfill.build_schema, "scope")
        )
    ).fetchall()
    assert bounds[0] == (
        backfill.backfill_id,
        datetime(2026, 3, 1, 15, tzinfo=UTC),
        datetime(2026, 3, 2, 15, tzinfo=UTC),
    )
    shown = sql.SQL("select merchant_id, record_id from {}").format(
        sql.Identifier(backfill.build_schema, "shopify_orders")
    )
    assert conn.execute(shown).fetchall() == [("aurora", "1")]


def test_the_lease_is_about_the_same_days(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3))
    keep(conn, "shopify_orders", "1", at(9), schema=backfill.build_schema)

    opened(conn, backfill)

    assert leased_days(conn, "aurora", NOBODY) == [date(2026, 3, day) for day in (2, 3, 4, 9)]


def test_no_day_that_has_not_begun(conn: psycopg.Connection) -> None:
    today = {name: datetime.now(ZoneInfo(zone)).date() for name, zone in ZONES.items()}
    first = min(today.values()) - timedelta(days=1)
    backfill = begun(conn, *ZONES, mode="rebuild", first_day=first, last_day=first + timedelta(days=9))

    found = opened(conn, backfill)

    assert found.days_by_merchant == {name: (today[name] - first).days + 1 for name in ZONES}


def test_an_order_that_moved_touches_the_day_it_left_and_the_one_it_came_to(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3))
    keep(conn, "shopify_orders", "1", at(9), schema=backfill.build_schema)
    keep(conn, "shopify_orders", "2", at(12))
    keep(conn, "shopify_orders", "2", at(4), schema=backfill.build_schema)

    found = opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 9, 12]
    assert days(conn, backfill, "asked") == [2, 3, 4]
    assert (found.asked, found.closure, found.pending) == (3, 2, 0)


def test_a_refund_touches_its_own_day(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    for order_id, record_id, on in (("1", "1/7", 8), ("2", "2/7", 10)):
        keep(conn, "shopify_orders", order_id, at(3), refunds=[])
        keep(conn, "shopify_refunds", record_id, at(on))
    # Of the first one more is known now, of the second none any more.
    keep(conn, "shopify_orders", "1", at(3), schema=backfill.build_schema, refunds=[7, 8])
    keep(conn, "shopify_refunds", "1/7", at(8), schema=backfill.build_schema)
    keep(conn, "shopify_refunds", "1/8", at(14), schema=backfill.build_schema)
    keep(conn, "shopify_orders", "2", at(3), schema=backfill.build_schema, refunds=[])

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 8, 10, 14]


def test_what_is_gone_touches_the_day_that_it_was_on(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3))
    keep(conn, "shopify_refunds", "1/7", at(8))
    conn.execute(
        sql.SQL("insert into {} values ('aurora', '1', now())").format(
            sql.Identifier(backfill.build_schema, "gone_shopify_orders")
        )
    )

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 8]


def test_the_other_orders_of_old_and_new_customers_are_computed_though_nobody_asked(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    for record_id, on, customer in (("1", 3, "5"), ("2", 1, "5"), ("3", 20, "6"), ("4", 25, "7")):
        keep(conn, "shopify_orders", record_id, at(on), customer={"legacyResourceId": customer})
    keep(conn, "shopify_orders", "1", at(3), schema=backfill.build_schema, customer={"legacyResourceId": "6"})

    found = opened(conn, backfill)

    assert days(conn, backfill) == [1, 2, 3, 4, 20]
    assert days(conn, backfill, "asked") == [2, 3, 4]
    assert (found.asked, found.closure) == (3, 2)


def test_what_was_read_again_and_is_the_same_touches_nothing(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    product = {"title": "A shirt", "status": "ACTIVE", "totalInventory": 5}
    keep(conn, "shopify_orders", "1", at(9), name="1")
    keep(conn, "shopify_orders", "1", at(9), schema=backfill.build_schema, name="1")
    keep(conn, "shopify_products", "2", at(10), **product)
    keep(conn, "shopify_products", "2", at(10), schema=backfill.build_schema, **product | {"totalInventory": 4})

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4]


def test_an_unpublished_change_on_an_asked_day_brings_all_of_that_merchant(conn: psycopg.Connection) -> None:
    backfill = begun(conn, "aurora", "nordlicht", mode="rebuild", channels=[])
    for name in ZONES:
        log(conn, "orders", "1", None, at(10, name), name)
    log(conn, "orders", "2", at(4), at(15))
    log(conn, "orders", "3", None, at(4, "kumo"), "kumo")

    found = opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 10, 15]
    assert days(conn, backfill, "asked") == [2, 3, 4]
    assert days(conn, backfill, merchant_id="nordlicht") == [2, 3, 4]
    assert days(conn, backfill, merchant_id="kumo") == []
    assert found == Scope({"aurora": 5, "nordlicht": 3}, asked=6, closure=0, pending=2)


def test_an_unpublished_change_elsewhere_brings_nothing_and_stays(conn: psycopg.Connection) -> None:
    backfill = begun(conn, mode="rebuild", channels=[])
    log(conn, "orders", "1", at(5), at(10))

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4]
    assert conn.execute("select count(*) from ops.changes").fetchone() == (1,)


def test_an_unpublished_change_may_meet_a_day_that_nobody_asked_for(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3))
    keep(conn, "shopify_orders", "1", at(9), schema=backfill.build_schema)
    log(conn, "orders", "2", at(9), at(17))

    found = opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 9, 17]
    assert (found.closure, found.pending) == (1, 1)


def test_an_unpublished_change_may_meet_what_is_no_more_when_the_backfill_is_published(
    conn: psycopg.Connection,
) -> None:
    """By raw as it is a person's profile leads to the order, and the order to what the person bought besides."""
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3), email="one@example.com")
    keep(conn, "shopify_orders", "1", at(3), schema=backfill.build_schema, email="nine@example.com")
    keep(conn, "shopify_orders", "2", at(12), customer={"legacyResourceId": "5"})
    was = {"attributes": {"email": "one@example.com", "external_id": "5"}}
    keep(conn, "klaviyo_profiles", "p", at(1), attributes={"email": "two@example.com", "external_id": "5"})
    log(conn, "profiles", "p", at(1), at(1), channel="klaviyo", **was)

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 12]


def test_an_unpublished_change_may_meet_what_is_there_only_when_the_backfill_is_published(
    conn: psycopg.Connection,
) -> None:
    """Who bought it is another now, and the profile that knows them was somebody else's when it was published."""
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3), email="one@example.com")
    keep(conn, "shopify_orders", "1", at(3), schema=backfill.build_schema, email="two@example.com")
    keep(conn, "shopify_orders", "2", at(14), customer={"legacyResourceId": "7"})
    was = {"attributes": {"email": "zero@example.com", "external_id": "7"}}
    keep(conn, "klaviyo_profiles", "p", at(1), attributes={"email": "two@example.com", "external_id": "5"})
    log(conn, "profiles", "p", at(1), at(1), channel="klaviyo", **was)

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 14]


def test_nobody_elses_days(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3, "kumo"), "kumo")
    keep(conn, "shopify_orders", "1", at(9, "kumo"), "kumo", schema=backfill.build_schema)

    assert opened(conn, backfill) == Scope({"aurora": 3}, asked=3, closure=0, pending=0)
    assert days(conn, backfill, merchant_id="kumo") == []


def test_a_change_of_a_setting_brings_all_days_since(conn: psycopg.Connection) -> None:
    backfill = begun(conn, mode="rebuild", channels=[])
    keep(conn, "shopify_orders", "1", at(1))
    keep(conn, "shopify_orders", "2", at(12))
    keep(conn, "shopify_orders", "3", at(20, "kumo"), "kumo")
    conn.execute(
        "insert into ops.changes (merchant_id, channel, stream, operation, new_event_at) "
        "values ('aurora', 'settings', 'merchants', 'settings', %s)",
        (at(4),),
    )
    keep(conn, "shopify_orders", "4", at(4))

    opened(conn, backfill)

    assert days(conn, backfill) == [2, 3, 4, 12]


def test_days_that_are_over_since_they_were_published_are_nobodys_business_here(conn: psycopg.Connection) -> None:
    backfill = begun(conn, mode="rebuild", channels=[])
    conn.execute(
        "insert into ops.publications (build_id, merchant_id, date_day, models, rows, published_at) "
        "values (gen_random_uuid(), 'aurora', '2026-03-10', '{}', 1, '2026-03-10 12:00Z')"
    )
    conn.execute(
        "insert into ops.merchant_channels (merchant_id, channel) values ('aurora', 'shopify');"
        "insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id) "
        "values ('aurora', 'shopify', 'orders', '2026-03-12 12:00Z', gen_random_uuid())"
    )

    opened(conn, backfill)
    assert days(conn, backfill) == [2, 3, 4]

    build = open_build(conn, "build", CHANNELS)
    assert build is not None, "the hourly build has to do with them"


def test_repeated_it_is_about_the_days_as_they_are_then(conn: psycopg.Connection) -> None:
    backfill = begun(conn)
    keep(conn, "shopify_orders", "1", at(3))
    keep(conn, "shopify_orders", "1", at(9), schema=backfill.build_schema)
    first = opened(conn, backfill)
    assert opened(conn, backfill) == first
    assert days(conn, backfill) == [2, 3, 4, 9]

    conn.execute(
        sql.SQL("update {} set event_at = %s").format(sql.Identifier(backfill.build_schema, "staged_shopify_orders")),
        (at(11),),
    )
    log(conn, "orders", "2", at(2), at(1))
    opened(conn, backfill)

    assert days(conn, backfill) == [1, 2, 3, 4, 11]
    assert leased_days(conn, "aurora", NOBODY) == [date(2026, 3, day) for day in (1, 2, 3, 4, 11)]


def test_without_its_lease_it_changes_nothing(conn: psycopg.Connection) -> None:
    backfill = begun(conn, mode="rebuild", channels=[])
    conn.execute("delete from ops.leases")
    conn.commit()

    with pytest.raises(LeaseLost):
        open_scope(conn, backfill, CHANNELS)

    assert days(conn, backfill) == []


def test_the_lease_lives_on(conn: psycopg.Connection) -> None:
    backfill = begun(conn, mode="rebuild", channels=[])
    hold_days(conn, backfill.backfill_id, "aurora", [])
    conn.execute("update ops.leases set expires_at = now() + interval '1 minute'")

    opened(conn, backfill)

    assert conn.execute("select expires_at > now() + interval '50 minutes' from ops.leases").fetchone() == (True,)


def test_a_merchant_without_business_days_is_named(conn: psycopg.Connection) -> None:
    backfill = begun(conn, "aurora", "nobody", mode="rebuild", channels=[])

    with pytest.raises(UnknownMerchant, match=r"does not know nobody, .*merchants\.yaml"):
        open_scope(conn, backfill, CHANNELS)


# Of an order: its day, its customer, its address, and the days of its refunds; or that there is none.
VERSIONS = st.none() | st.tuples(
    st.integers(1, 28),
    st.sampled_from([None, "5", "6", "7"]),
    st.sampled_from([None, "one@example.com", "two@example.com", "six@example.com"]),
    st.lists(st.integers(1, 28), max_size=2),
)
# As it was published, as it is in raw, as it was read again; and whether that was so.
ORDERS = st.lists(st.tuples(VERSIONS, VERSIONS, VERSIONS, st.booleans()), min_size=1, max_size=8)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ORDERS)
def test_whatever_publishing_it_touches_is_in_the_scope(conn: psycopg.Connection, orders: list[Any]) -> None:
    """Raw's own change log says after the merge what has to be computed; where that is all in, nothing is left."""
    for table in ("ops.changes", "ops.backfills", "ops.leases", "raw.shopify_orders", "raw.shopify_refunds"):
        conn.execute(sql.SQL("delete from {}").format(sql.Identifier(*table.split("."))))
    conn.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(build_schema(FIRST))))
    backfill = begun(conn)
    for number, (published, raw, again, was_read) in enumerate(orders):
        tell(conn, str(number), raw)
        differ(conn, str(number), published, raw)
        if was_read and again:
            tell(conn, str(number), again, backfill.build_schema)
        elif was_read and raw:
            gone = sql.Identifier(backfill.build_schema, "gone_shopify_orders")
            conn.execute(
                sql.SQL("insert into {} values ('aurora', %s, clock_timestamp())").format(gone), (str(number),)
            )
    waiting = touched(conn, "sync_id is null")

    opened(conn, backfill)
    scope = set(days(conn, backfill))
    for stream in SHOPIFY.streams:
        with conn.transaction():
            cured = stage_winners(conn, backfill, SHOPIFY, stream, "aurora")
            merge_staged(conn, SHOPIFY, stream, "aurora", backfill.backfill_id, cured)
    own = touched(conn, "sync_id is not null")
    later = touched(conn, "sync_id is null")

    assert scope >= {2, 3, 4} | own
    if scope & (waiting | later):
        assert scope == {2, 3, 4} | own | waiting | later
    else:
        assert scope == {2, 3, 4} | own


def tell(conn: psycopg.Connection, record_id: str, version: Any, schema: str = "raw") -> None:
    """An order and its refunds."""
    if version is None:
        return
    on, customer, email, refunds = version
    buyer = {"customer": customer and {"legacyResourceId": customer}, "email": email}
    keep(conn, "shopify_orders", record_id, at(on), schema=schema, refunds=len(refunds), **buyer)
    for number, refunded_on in enumerate(refunds):
        keep(conn, "shopify_refunds", f"{record_id}/{number}", at(refunded_on), schema=schema)


def differ(conn: psycopg.Connection, record_id: str, published: Any, raw: Any) -> None:
    """Raw moved on since it was published."""
    if published == raw or not published:
        if raw and not published:
            log(conn, "orders", record_id, None, at(raw[0]))
        return
    buyer = {"customer": published[1] and {"legacyResourceId": published[1]}, "email": published[2]}
    log(conn, "orders", record_id, at(published[0]), raw and at(raw[0]), **buyer)


def touched(conn: psycopg.Connection, changes: LiteralString) -> set[int]:
    """The days that these changes touch, as hourly builds see it."""
    with conn.transaction(force_rollback=True):
        drop_days(conn)
        find_days(conn, CHANNELS, sql.SQL(changes))
        found = conn.execute("select distinct date_day from touched_day").fetchall()
    return {day.day for (day,) in found}
