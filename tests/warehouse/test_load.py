"""Syncs against real PostgreSQL: what lands, what is left alone, what is refused, and what is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.shop import (
    COUNTERS,
    NOW,
    ORDERS,
    SHOP,
    START,
    Vendor,
    changes,
    order,
    page,
    payload,
    raw,
    refund,
    sync,
)
from tributary.declaration import Page, Record, Reject, Slice
from tributary.http import AuthError
from tributary.warehouse import load
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Connect = Any


def test_first_sync_lands_everything_and_says_so(connect: Connect, conn: psycopg.Connection) -> None:
    report = sync(connect, Vendor([page(order("1"), order("2"), refunds=[refund("2/7")]), page(order("3"))]))

    assert raw(conn).keys() == {"1", "2", "3"}
    assert raw(conn, "refunds").keys() == {"2/7"}
    assert changes(conn) == [("orders", id_, "insert") for id_ in "123"] + [("refunds", "2/7", "insert")]
    assert (report.counts.records_read, report.counts.inserted, report.counts.unchanged) == (4, 4, 0)
    assert report.position == NOW
    assert conn.execute("select status, records_read, error from ops.syncs").fetchall() == [("succeeded", 4, None)]


def test_repeated_sync_changes_nothing(connect: Connect, conn: psycopg.Connection) -> None:
    vendor = Vendor([page(order("1"), refunds=[refund("1/7")])])
    sync(connect, vendor)
    before = conn.execute("select record_id, loaded_at, xmin from raw.shop_orders").fetchall()

    report = sync(connect, vendor, now=NOW + timedelta(minutes=5))

    assert conn.execute("select record_id, loaded_at, xmin from raw.shop_orders").fetchall() == before
    assert len(changes(conn)) == 2
    assert (report.counts.unchanged, report.counts.inserted, report.counts.updated) == (2, 0, 0)


def test_each_row_keeps_the_version_of_the_api_that_it_came_from(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([Page([order("7/2026-03-01"), order("8/2026-03-01")])]), stream=COUNTERS)
    newer = replace(COUNTERS, api_version="202605")
    sync(connect, Vendor([Page([order("7/2026-03-01", version=2), order("8/2026-03-01")])]), stream=newer)

    versions = conn.execute("select record_id, api_version from raw.shop_counters").fetchall()
    assert dict(versions) == {"7/2026-03-01": "202605", "8/2026-03-01": "202509"}


def test_a_checkpoint_waits_for_what_the_vendor_has_not_completed(connect: Connect, conn: psycopg.Connection) -> None:
    complete = START + timedelta(hours=4)

    def history(api: Vendor, start: datetime, end: datetime) -> Iterator[Slice]:
        if start < complete:
            yield Slice(start, min(end, complete), ORDERS.changed)

    gated = replace(ORDERS, history=history, look_back=timedelta())
    assert sync(connect, Vendor([page(order("1"))]), stream=gated).position == complete
    assert sync(connect, Vendor([page(order("2"))]), stream=gated, now=NOW + timedelta(hours=1)).position == complete
    assert raw(conn).keys() == {"1"}


def test_a_vendor_that_refuses_before_the_first_slice_is_in_the_ledger(
    connect: Connect, conn: psycopg.Connection
) -> None:
    def history(api: Vendor, start: datetime, end: datetime) -> Iterator[Slice]:
        raise AuthError("The token is revoked", remedy="Put in another.")

    with pytest.raises(AuthError):
        sync(connect, Vendor(), stream=replace(ORDERS, history=history))
    failed = conn.execute("select kind, status, error from ops.syncs").fetchall()
    assert failed == [("sync", "failed", "AuthError: The token is revoked. Put in another.")]
    assert sync(connect, Vendor([page(order("1"))])).counts.inserted == 1


def test_update_keeps_the_old_version_in_the_change_log(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", version=1, note="before"))]))
    conn.execute("truncate ops.changes")
    sync(connect, Vendor([page(order("1", version=2, note="after", event_at=START + timedelta(days=3)))]))

    (change,) = conn.execute("select operation, old_event_at, new_event_at, old_payload ->> 'note' from ops.changes")
    assert change == ("update", START, START + timedelta(days=3), "before")
    assert raw(conn)["1"]["note"] == "after"


def test_older_version_never_overwrites_a_newer_one(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", version=5), refunds=[refund("1/7")])]))
    sync(connect, Vendor([page(order("1", version=4), refunds=[])]))

    assert raw(conn)["1"]["version"] == 5
    assert raw(conn, "refunds").keys() == {"1/7"}


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("batch", [1, 1000])
def test_on_equal_times_the_later_read_wins(
    connect: Connect, conn: psycopg.Connection, pages: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tributary.warehouse.staging.BATCH_RECORDS", batch)
    same_time = {"version": 1, "updated_at": START}
    sync(connect, Vendor([page(order("1", note="stored", **same_time))]))
    reads = [order("1", note="flicker", **same_time), order("1", note="stored", **same_time)]

    sync(connect, Vendor([page(*reads)] if pages == 1 else [page(reads[0]), page(reads[1])]))
    assert raw(conn)["1"]["note"] == "stored"

    sync(connect, Vendor([page(*reversed(reads))] if pages == 1 else [page(reads[1]), page(reads[0])]))
    assert raw(conn)["1"]["note"] == "flicker"


def test_children_are_replaced_with_their_parent(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), order("12"), refunds=[refund("1/7"), refund("1/8"), refund("12/9")])]))
    conn.execute("truncate ops.changes")

    report = sync(connect, Vendor([page(order("1", version=2), refunds=[refund("1/8", note="x"), refund("1/6")])]))

    assert raw(conn, "refunds").keys() == {"1/6", "1/8", "12/9"}
    assert sorted(changes(conn)) == [
        ("orders", "1", "update"),
        ("refunds", "1/6", "insert"),
        ("refunds", "1/7", "delete"),
        ("refunds", "1/8", "update"),
    ]
    assert (report.counts.inserted, report.counts.updated, report.counts.removed) == (1, 2, 1)
    old = conn.execute("select old_payload ->> 'id', new_event_at from ops.changes where operation = 'delete'")
    assert old.fetchall() == [("1/7", None)]


def test_children_that_change_alone_are_noticed(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), order("2"), refunds=[refund("1/7"), refund("2/8")])]))
    conn.execute("truncate ops.changes")

    sync(connect, Vendor([page(order("1"), order("2"), refunds=[refund("1/7", note="x")])]))

    assert sorted(changes(conn)) == [("refunds", "1/7", "update"), ("refunds", "2/8", "delete")]


def test_windows_follow_the_checkpoint(connect: Connect, conn: psycopg.Connection) -> None:
    vendor = Vendor()
    sync(connect, vendor, now=START + timedelta(days=2, hours=3))
    days = [START + timedelta(days=n) for n in range(3)]
    assert vendor.asked == [(days[0], days[1]), (days[1], days[2]), (days[2], days[2] + timedelta(hours=3))]

    later = Vendor()
    sync(connect, later, now=START + timedelta(days=2, hours=4))
    assert later.asked == [(days[2] + timedelta(hours=2), days[2] + timedelta(hours=4))]

    past = Vendor()
    report = sync(connect, past, now=START + timedelta(days=2, hours=2, minutes=30))
    assert past.asked == []
    assert report.position == days[2] + timedelta(hours=4)


def test_the_checkpoint_never_moves_backwards(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor(), now=NOW)
    quarters = replace(ORDERS, slice_length=timedelta(minutes=15))
    breaks = Vendor(by_window={NOW - timedelta(minutes=30): [RuntimeError("third quarter")]})

    with pytest.raises(RuntimeError, match="third quarter"):
        sync(connect, breaks, now=NOW + timedelta(hours=1), stream=quarters)

    assert len(breaks.asked) >= 3
    assert conn.execute("select position from ops.checkpoints").fetchall() == [(NOW,)]


def test_merchants_do_not_touch_each_other(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), refunds=[refund("1/7")])]), merchant_id="nordlicht")
    sync(connect, Vendor([page(order("1", version=9))]), merchant_id="aurora")

    assert raw(conn, merchant_id="nordlicht")["1"]["version"] == 1
    assert raw(conn, "refunds", merchant_id="nordlicht").keys() == {"1/7"}


UNSTORABLE = {
    "NUL in the payload": Record("bad", START, START, b'{"note":"\\u0000"}'),
    "lone surrogate in the payload": Record("bad", START, START, b'{"note":"\\ud800"}'),
    "not JSON": Record("bad", START, START, b'{"note":'),
    "not UTF-8": Record("bad", START, START, b'{"note":"\xff"}'),
    "too deep": Record("bad", START, START, b"[" * 200_000 + b"]" * 200_000),
    "number beyond numeric": Record("bad", START, START, b"[1e999999]"),
    "NUL in the id": Record("b\x00d", START, START, b"{}"),
    "lone surrogate in the id": Record("b\ud800d", START, START, b"{}"),
    "endless id": Record("b" * 3_000, START, START, b"{}"),
}


@pytest.mark.parametrize("bad", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_what_postgresql_cannot_hold_is_a_dead_letter(connect: Connect, conn: psycopg.Connection, bad: Record) -> None:
    good = [order(str(n)) for n in range(300)]
    report = sync(connect, Vendor([page(*good[:200], bad, *good[200:])]))

    assert raw(conn).keys() == {record.record_id for record in good}
    ((kept, reason),) = conn.execute("select payload, reason from ops.dead_letters")
    assert kept == bad.payload
    assert reason.startswith("PostgreSQL cannot hold it: ")
    assert report.counts.rejected == 1


def test_a_record_is_refused_together_with_its_children(connect: Connect, conn: psycopg.Connection) -> None:
    bad = Record("1/7", START, START, b'{"note":"\\u0000"}')
    with pytest.raises(TooManyDeadLetters):
        sync(connect, Vendor([page(order("1"), order("2"), refunds=[bad, refund("2/8")])]))

    assert raw(conn).keys() == {"2"}
    assert raw(conn, "refunds").keys() == {"2/8"}
    assert conn.execute("select record_id from ops.dead_letters order by 1").fetchall() == [("1",), ("1/7",)]


def test_a_huge_identity_does_not_break_the_index(connect: Connect, conn: psycopg.Connection) -> None:
    incompressible = "".join(sha256(bytes([n])).hexdigest() for n in range(200))
    sync(connect, Vendor([page(order("1", email=incompressible))]))
    assert raw(conn).keys() == {"1"}


def test_dead_letters_count_repeats_and_close_when_the_record_turns_good(
    connect: Connect, conn: psycopg.Connection
) -> None:
    good = [order(str(n)) for n in range(500)]
    bad = Reject("7", "amount is a text", b'{"amount":"x"}')
    nameless = Reject(None, "no id", b"{}")
    for _ in range(2):
        sync(connect, Vendor([page(*good[:7], *good[8:], rejects=[bad, nameless])]))
    letters = "select record_id, times_seen, resolved_at is null from ops.dead_letters order by record_id"
    assert conn.execute(letters).fetchall() == [("7", 2, True), (None, 2, True)]

    sync(connect, Vendor([page(good[7])]))
    assert conn.execute(letters).fetchall() == [("7", 2, False), (None, 2, True)]

    sync(connect, Vendor([page(*good, rejects=[bad])]))
    assert conn.execute(letters).fetchall() == [("7", 3, True), (None, 2, True)]


def test_too_many_rejects_fail_after_the_good_ones_landed(connect: Connect, conn: psycopg.Connection) -> None:
    secret = b'{"email":"someone@example.com"}'
    vendor = Vendor([page(order("1"), rejects=[Reject("2", "no date", secret)])])

    with pytest.raises(TooManyDeadLetters, match=r"1 of 2 records of orders.*allowed: 1\.0%") as caught:
        sync(connect, vendor)

    assert "someone" not in str(caught.value)
    assert raw(conn).keys() == {"1"}
    assert conn.execute("select position from ops.checkpoints").fetchall() == [(NOW,)]
    latest = conn.execute("select status, left(error, 19) from ops.syncs order by started_at desc").fetchall()
    assert latest == [("failed", "TooManyDeadLetters:"), ("succeeded", None)]


def test_vendor_failure_keeps_earlier_slices_and_is_written_down(connect: Connect, conn: psycopg.Connection) -> None:
    second = START + timedelta(days=1)
    vendor = Vendor(
        by_window={
            START: [page(order("1"))],
            second: [page(order("2")), RuntimeError("GET https://x.example/?access_token=hunter2 gave 500")],
        }
    )
    with pytest.raises(RuntimeError, match="gave 500"):
        sync(connect, vendor, now=START + timedelta(days=2))

    assert raw(conn).keys() == {"1"}
    assert conn.execute("select position from ops.checkpoints").fetchall() == [(second,)]
    ledger = conn.execute("select status, error from ops.syncs order by window_start").fetchall()
    assert [status for status, _ in ledger] == ["succeeded", "failed"]
    assert "gave 500" in ledger[1][1]
    assert "hunter2" not in ledger[1][1]


def test_a_newer_version_that_came_meanwhile_by_another_road_stays(
    connect: Connect, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(connect, Vendor([page(order("1"), refunds=[refund("1/7")])]))
    conn.execute("delete from ops.changes")

    def publish_newer(place: str) -> None:
        if place == "staged":
            conn.execute("update raw.shop_orders set updated_at = updated_at + interval '1 hour'")

    monkeypatch.setattr(load, "failpoint", publish_newer)
    sync(connect, Vendor([page(order("1", version=2), refunds=[refund("1/8")])]))

    assert raw(conn)["1"]["version"] == 1
    assert raw(conn, "refunds").keys() == {"1/7"}
    assert changes(conn) == []


def test_ids_with_slashes_keep_their_own_children(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), order("1/2"), refunds=[refund("1/7"), refund("1/2/9")])]))
    sync(connect, Vendor([page(order("1"))]))
    assert raw(conn, "refunds").keys() == {"1/2/9"}

    sync(connect, Vendor([page(order("1", version=2), refunds=[refund("1/7")])]))
    assert raw(conn, "refunds").keys() == {"1/7", "1/2/9"}


def test_undeclared_children_are_a_mistake_in_the_channel(connect: Connect) -> None:
    stray = page(order("1"))
    stray.children["visits"] = (refund("1/7"),)  # type: ignore[index]
    with pytest.raises(LookupError, match=r"'visits'.*refunds"):
        sync_stream(connect, Vendor([stray]), SHOP, ORDERS, "aurora", NOW, START)


def test_child_without_parent_is_a_dead_letter(connect: Connect, conn: psycopg.Connection) -> None:
    good = [order(str(n)) for n in range(200)]
    sync(connect, Vendor([page(*good, refunds=[refund("999/1")])]))
    assert conn.execute("select record_id, payload from ops.dead_letters").fetchall() == [
        ("999/1", payload({"id": "999/1", "version": 1}))
    ]
