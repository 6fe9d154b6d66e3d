"""Who belongs to whom, what stays joined, and what can never be changed again: on a club that is easy to read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.warehouse.shop import NOW, ORDERS, SHOP, START, add_merchants, merchant, put, raw
from tributary.declaration import Personal
from tributary.warehouse.personal.erase import Erasure, Request, erase, mask_again
from tributary.warehouse.personal.retention import end_personal_data, mask_old

if TYPE_CHECKING:
    from collections.abc import Callable

CLUB = replace(
    SHOP,
    streams=(
        replace(
            ORDERS,
            personal=Personal(
                identities={"customer": "shop", "email": "email"},
                removed=("address,street", "lines,*,note"),
                rewritten={"page": "'seen ' || (payload ->> 'page')"},
                children={"refunds": Personal(kept={"": ("id", "amount"), "amount": ("value",)})},
            ),
        ),
        replace(
            SHOP.stream("visits"),
            personal=Personal(
                identities={"email": "email", "who,id": "shop"},
                links={"profile": "profile"},
                kept={"who": ("id",)},
            ),
        ),
        replace(SHOP.stream("counters"), personal=Personal(links={"profile": "profile"}, removed=("phone",))),
    ),
)


@pytest.fixture(autouse=True)
def _merchants(conn: psycopg.Connection) -> None:
    add_merchants(conn, merchant(), merchant("nordlicht"))


def order(conn: psycopg.Connection, record_id: str, day: int = 0, merchant_id: str = "aurora", **content: Any) -> None:
    put(conn, merchant_id, "orders", record_id, START + timedelta(days=day), **content)


def key(conn: psycopg.Connection, identity: str) -> str:
    [(found,)] = conn.execute("select ops.customer_key('aurora', %s)", (identity,)).fetchall()
    return str(found)


def erased(connect: Callable[[], psycopg.Connection], customer_key: str, is_dry_run: bool = False) -> Erasure:
    with connect() as conn:
        return erase(conn, [CLUB], Request("aurora", customer_key, "ann", "because they asked", is_dry_run))


def masked(conn: psycopg.Connection, table: str = "orders") -> set[str]:
    """The rows in which somebody is masked."""
    return {record_id for record_id, payload in raw(conn, table).items() if "masked:" in str(payload)}


def keys(conn: psycopg.Connection) -> dict[str, str]:
    """The key of each order that has a customer."""
    return dict(
        conn.execute(
            "select record_id, ops.customer_key(merchant_id, 'shop:' || (payload ->> 'customer')) from raw.shop_orders"
            " where merchant_id = 'aurora' and payload ->> 'customer' is not null"
        ).fetchall()
    )


def test_a_customer_is_followed_to_their_emails_and_from_there_to_guests_and_profiles(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection]
) -> None:
    order(conn, "1", customer="c1", email="Ann@x.example ", address={"street": "1 Way", "city": "Albany"})
    order(conn, "2", email="ANN@x.example", lines=[{"note": "for Ann", "sku": "A"}, {"sku": "B"}], page="/ann")
    order(conn, "3", customer="c1", email="ann@work.example")
    order(conn, "4", customer="c2", email="ann@work.example")
    order(conn, "5", customer="c2", email="bob@x.example")
    order(conn, "6", merchant_id="nordlicht", customer="c1", email="ann@x.example")
    put(conn, "aurora", "refunds", "2/1", START, id="1", amount={"value": 3, "to": "Ann"}, note="Ann")
    put(conn, "aurora", "visits", "p1", START, profile="p1", email="ann@x.example", who={"id": "c1", "name": "Ann"})
    put(conn, "aurora", "visits", "p2", START, profile="p2", email="bob@x.example", who={"id": "c2"})
    put(conn, "aurora", "counters", "e1", START, profile="p1", phone="+1555", amount=1)
    put(conn, "aurora", "counters", "e2", START, profile="p2", phone="+1556")
    others = raw(conn, merchant_id="nordlicht"), raw(conn)["5"], raw(conn, "visits")["p2"], raw(conn, "counters")["e2"]

    done = erased(connect, key(conn, "shop:c1"))

    assert done.rows == {
        "raw.shop_counters": 1,
        "raw.shop_orders": 4,
        "raw.shop_refunds": 1,
        "raw.shop_visits": 1,
    }
    assert masked(conn) == {"1", "2", "3", "4"}
    orders = raw(conn)
    # An address at work is also another's, who keeps their own number.
    assert orders["4"]["customer"] == "c2"
    assert orders["4"]["email"] == orders["3"]["email"] != orders["1"]["email"] == orders["2"]["email"]
    assert orders["1"]["customer"] == orders["3"]["customer"]
    assert orders["1"]["address"] == {"city": "Albany"}
    assert (orders["2"]["lines"], orders["2"]["page"]) == ([{"sku": "A"}, {"sku": "B"}], "seen /ann")
    assert raw(conn, "refunds")["2/1"] == {"id": "1", "amount": {"value": 3}}
    assert raw(conn, "visits")["p1"] == {
        "profile": "p1",
        "email": orders["1"]["email"],
        "who": {"id": orders["1"]["customer"]},
    }
    assert raw(conn, "counters")["e1"] == {"profile": "p1", "amount": 1}
    assert keys(conn)["1"] == done.new_key == keys(conn)["3"] != keys(conn)["4"]
    assert others == (
        raw(conn, merchant_id="nordlicht"),
        raw(conn)["5"],
        raw(conn, "visits")["p2"],
        raw(conn, "counters")["e2"],
    )


def test_an_email_that_was_asked_for_leads_to_everyone_who_uses_it(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection]
) -> None:
    order(conn, "1", customer="c1", email="ann@x.example")
    order(conn, "2", customer="c2", email="ann@x.example")
    order(conn, "3", customer="c2", email="ann@work.example")
    order(conn, "4", customer="c3", email="ann@work.example")
    order(conn, "5", customer="c4", email="one@scs.tiktokw.us")
    order(conn, "6", customer="c2", email="one@scs.tiktokw.us")

    erased(connect, key(conn, "email:ann@x.example"))

    orders = raw(conn)
    assert masked(conn) == {"1", "2", "3", "4", "6"}
    assert (orders["4"]["customer"], orders["5"]["email"]) == ("c3", "one@scs.tiktokw.us")
    assert orders["6"]["email"] is None
    assert len({orders[number]["customer"] for number in "12346"}) == 3


def test_what_they_do_afterwards_is_theirs_and_what_came_back_is_not(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection]
) -> None:
    order(conn, "1", customer="c1", email="ann@x.example")
    order(conn, "2", day=20, customer="c9", email="cy@x.example")
    done = erased(connect, key(conn, "shop:c1"))
    conn.execute("update ops.erased_identities set erased_at = %s", (START + timedelta(days=10),))
    order(conn, "3", day=2, customer="c1", email="ann@x.example")
    order(conn, "4", day=30, customer="c1", email="ann@x.example")
    conn.execute("delete from ops.changes")

    with connect() as other:
        rows = mask_again(other, [CLUB], "aurora")

    assert rows["raw.shop_orders"] >= 1
    assert masked(conn) == {"1", "3"}
    assert {number: keys(conn)[number] == done.new_key for number in "134"} == {"1": True, "3": True, "4": False}
    assert ("3",) in conn.execute("select record_id from ops.changes").fetchall()


def test_people_end_with_their_last_row_and_are_known_again_when_they_are_back(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection]
) -> None:
    order(conn, "1", customer="c1", email="ann@x.example", address={"street": "1 Way"})
    order(conn, "2", email="ann@x.example")
    order(conn, "3", customer="c2", email="bob@x.example")
    order(conn, "4", day=40, customer="c2", email="bob@work.example")
    order(conn, "5", address={"street": "2 Way"})
    put(conn, "aurora", "visits", "p1", START, profile="p1", email="cy@x.example")
    put(conn, "aurora", "counters", "e1", START + timedelta(days=40), profile="p1")
    put(conn, "aurora", "visits", "p2", START, profile="p2", phone="+1555")
    before, first = keys(conn), START + timedelta(days=30)

    with connect() as other:
        mask_old(other, [CLUB], "aurora", "build", first)

    assert (masked(conn), masked(conn, "visits")) == ({"1", "2"}, set())
    assert keys(conn) == before
    assert raw(conn)["1"]["email"] == raw(conn)["2"]["email"] == f"masked:{key(conn, 'email:ann@x.example')}"
    assert "street" not in str(raw(conn))
    assert conn.execute("select count(*) from ops.changes").fetchone() == (0,)

    order(conn, "6", day=41, customer="c1", email="ann@new.example")
    with connect() as other:
        mask_old(other, [CLUB], "aurora", "build", first)

    assert {number: raw(conn)[number].get("customer") for number in "16"} == {"1": "c1", "6": "c1"}
    assert masked(conn) == {"1", "2"}, "the address that they no longer use stays masked"
    assert keys(conn) == before | {"6": before["1"]}
    assert conn.execute("select record_id from ops.changes").fetchall() == [("1",)]


def test_each_merchant_says_how_long_and_an_unpublished_build_is_waited_for(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection]
) -> None:
    for merchant_id in ("aurora", "nordlicht"):
        order(conn, "1", merchant_id=merchant_id, customer="c1", email="ann@x.example")
    conn.execute("update ops.merchants set personal_data_days = 30 where merchant_id = 'aurora'")
    conn.execute(
        "insert into ops.changes (merchant_id, channel, stream, record_id, operation, build_id)"
        " values ('aurora', 'shop', 'orders', '1', 'insert', gen_random_uuid())"
    )

    with connect() as other:
        ended = end_personal_data(other, [CLUB], "build", NOW + timedelta(days=31))
        assert (ended.rows, ended.waiting, masked(conn)) == ({}, ["aurora"], set())
        conn.execute("delete from ops.changes")
        ended = end_personal_data(other, [CLUB], "build", NOW + timedelta(days=31))

    assert (ended.rows, ended.waiting, masked(conn)) == ({"raw.shop_orders": 1}, [], {"1"})
    assert raw(conn, merchant_id="nordlicht")["1"]["customer"] == "c1"


def test_somebody_who_ended_by_age_can_still_be_erased(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection]
) -> None:
    order(conn, "1", customer="c1", email="ann@x.example")
    with connect() as other:
        mask_old(other, [CLUB], "aurora", "build", NOW)
    old = key(conn, "shop:c1")
    assert keys(conn) == {"1": old}

    assert erased(connect, old).outcome == "erased"

    assert keys(conn)["1"] != old
    assert raw(conn)["1"]["email"] != f"masked:{key(conn, 'email:ann@x.example')}"


@pytest.mark.parametrize(
    "statement",
    [
        "update audit.erasures set reason = 'another'",
        "delete from audit.erasures",
        "truncate audit.erasures",
        "drop table audit.erasures",
        "alter table audit.erasures disable trigger all",
    ],
)
def test_an_audit_is_added_to_and_never_changed(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection], statement: str
) -> None:
    order(conn, "1", customer="c1")
    conn.execute("set role tributary_pipeline")
    erased(connect, "0" * 64)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement)  # type: ignore[call-overload]

    conn.execute("set role tributary_reader")
    assert conn.execute("select outcome, asked_by from audit.erasures").fetchall() == [("refused", "ann")]
