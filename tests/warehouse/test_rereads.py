"""What is read again although no change time asks for it: unfinished records, past windows, and what is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.warehouse.shop import NOW, ORDERS, SHOP, START, Vendor, changes, order, page, raw, refund, sync
from tributary.declaration import Page, Reject, Slice, Unfinished
from tributary.warehouse.reread import reread
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

Connect = Any

PATIENT = replace(ORDERS, unfinished=Unfinished("(payload ->> 'ready') = 'false'", timedelta(days=3)))
DAY = timedelta(days=1)


def test_unfinished_records_are_asked_for_until_they_are_finished(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", ready=False), order("2", ready=True))]), stream=PATIENT)

    still = Vendor(now_by_id={"1": page(order("1", ready=False))})
    assert sync(connect, still, stream=PATIENT).counts.updated == 0
    ready = Vendor(now_by_id={"1": page(order("1", ready=True))})
    assert sync(connect, ready, stream=PATIENT).counts.updated == 1
    quiet = Vendor()
    sync(connect, quiet, stream=PATIENT)

    assert (still.asked_ids, ready.asked_ids, quiet.asked_ids) == (["1"], ["1"], [])
    assert raw(conn)["1"]["ready"] is True
    assert changes(conn) == [("orders", "1", "insert"), ("orders", "1", "update"), ("orders", "2", "insert")]


def test_patience_with_unfinished_records_ends(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", ready=False))]), stream=PATIENT)
    late = Vendor()

    sync(connect, late, stream=PATIENT, now=START + timedelta(days=3))

    assert late.asked_ids == []
    assert raw(conn)["1"]["ready"] is False


def test_a_gone_record_leaves_with_its_children(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1", ready=False), order("12"), refunds=[refund("1/7"), refund("12/8")])]))
    conn.execute("delete from ops.changes")

    report = sync(connect, Vendor(), stream=PATIENT)

    assert raw(conn).keys() == {"12"}
    assert raw(conn, "refunds").keys() == {"12/8"}
    assert report.counts.removed == 2
    assert changes(conn) == [("orders", "1", "delete"), ("refunds", "1/7", "delete")]
    assert conn.execute("select bool_and(old_payload is not null) from ops.changes").fetchone() == (True,)


def test_the_last_word_on_a_record_counts(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"), order("2"))]))

    there_then_gone = [page(order("1", version=2)), Page((), gone=["1"])]
    gone_then_there = [Page((), gone=["2"]), page(order("2", version=2))]
    sync(connect, Vendor([*there_then_gone, *gone_then_there]))

    assert {key: row["version"] for key, row in raw(conn).items()} == {"2": 2}


def test_a_gone_record_closes_its_dead_letter(connect: Connect, conn: psycopg.Connection) -> None:
    lenient = replace(ORDERS, max_dead_letter_rate=1)
    sync(connect, Vendor([page(rejects=[Reject("1", "no time", b"{}")])]), stream=lenient)

    sync(connect, Vendor([Page((), gone=["1"])]), stream=lenient)

    assert conn.execute("select resolved_at is not null from ops.dead_letters").fetchall() == [(True,)]


def test_a_reread_finds_what_was_missed_and_what_is_gone(connect: Connect, conn: psycopg.Connection) -> None:
    kept, deleted, missed = order("1"), order("2"), order("3")
    moved = order("4", event_at=START + 5 * DAY, version=2)
    outside = order("5", event_at=START + 2 * DAY)
    sync(connect, Vendor([page(kept, deleted, order("4"), outside, refunds=[refund("2/7")])]))
    conn.execute("delete from ops.changes")
    before = conn.execute("select position, sync_id from ops.checkpoints").fetchall()

    vendor = Vendor([page(kept, missed)], now_by_id={"4": page(moved)})
    counts = reread(connect, vendor, SHOP, ORDERS, "aurora", START, START + DAY)

    assert vendor.asked_ids == ["2", "4"]
    assert raw(conn).keys() == {"1", "3", "4", "5"}
    assert raw(conn, "refunds").keys() == set()
    assert (counts.inserted, counts.updated, counts.removed) == (1, 1, 2)
    assert conn.execute("select position, sync_id from ops.checkpoints").fetchall() == before
    assert conn.execute("select kind, status from ops.syncs order by started_at desc limit 1").fetchall() == [
        ("reread", "succeeded")
    ]


def test_a_refused_record_of_the_window_is_not_gone(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"))]))

    vendor = Vendor([page(rejects=[Reject("1", "no time", b"{}")])])
    reread(connect, vendor, SHOP, ORDERS, "aurora", START, START + DAY)

    assert vendor.asked_ids == []
    assert raw(conn).keys() == {"1"}


def test_a_stream_may_cut_its_history_itself(connect: Connect, conn: psycopg.Connection) -> None:
    def in_bulk(api: Vendor, start: datetime, end: datetime) -> Iterator[Page]:
        yield page(order(f"bulk-{start:%H}"))

    def history(api: Vendor, start: datetime, end: datetime) -> Iterator[Slice]:
        yield Slice(start, start + timedelta(hours=5), in_bulk)
        yield Slice(start + timedelta(hours=5), end, ORDERS.changed)

    report = sync(connect, Vendor([page(order("paged"))]), stream=replace(ORDERS, history=history))

    assert raw(conn).keys() == {"bulk-00", "paged"}
    assert (report.slices, report.position) == (2, NOW)


def test_changes_of_quiet_streams_touch_no_day_and_are_forgotten(connect: Connect, conn: psycopg.Connection) -> None:
    silent = replace(ORDERS, quiet=frozenset({"orders", "refunds"}), identities={})
    channel = replace(SHOP, streams=(silent,))
    sync(connect, Vendor([page(order("1"), refunds=[refund("1/7")])]), stream=silent)
    assert changes(conn)

    assert open_build(conn, "build", [channel]) is None
    assert changes(conn) == []
