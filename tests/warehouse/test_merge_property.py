"""Whatever order versions come in, raw ends as if only the newest had come, and the change log tells the way there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.shop import NOW, START, Vendor, order, page, raw, refund, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg


class Version(NamedTuple):
    """One reading of one order: how old, on which day, saying what, with which refunds."""

    record_id: str
    age: int
    day: int
    note: str
    refunds: dict[str, str]


versions = st.builds(
    Version,
    record_id=st.sampled_from(["1", "12", "2"]),
    age=st.integers(0, 2),
    day=st.integers(0, 1),
    note=st.sampled_from("ab"),
    refunds=st.dictionaries(st.sampled_from(["1", "12"]), st.sampled_from("xy"), max_size=2),
)
# Within a page a record comes once: a vendor that repeats itself does so across pages.
pages = st.lists(versions, max_size=3, unique_by=lambda version: version.record_id)
syncs = st.lists(st.lists(pages, max_size=4), min_size=1, max_size=4)


def as_page(read: list[Version]) -> Any:
    orders = [
        order(
            v.record_id,
            event_at=START + timedelta(days=v.day),
            updated_at=START + timedelta(minutes=v.age),
            note=v.note,
        )
        for v in read
    ]
    refunds = [refund(f"{v.record_id}/{id_}", note=note) for v in read for id_, note in v.refunds.items()]
    return page(*orders, refunds=refunds)


def shown(known: dict[str, Version]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What raw must hold: per stream and record what distinguishes its content."""
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    for v in known.values():
        rows["orders", v.record_id] = (START + timedelta(days=v.day), v.note, START + timedelta(minutes=v.age))
        for id_, note in v.refunds.items():
            rows["refunds", f"{v.record_id}/{id_}"] = (START, note)
    return rows


def stored(conn: psycopg.Connection) -> dict[tuple[str, str], tuple[Any, ...]]:
    orders = conn.execute("select 'orders', record_id, event_at, payload ->> 'note', updated_at from raw.shop_orders")
    refunds = conn.execute("select 'refunds', record_id, event_at, payload ->> 'note' from raw.shop_refunds")
    return {(row[0], row[1]): row[2:] for row in [*orders.fetchall(), *refunds.fetchall()]}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(syncs=syncs, batch=st.sampled_from([1, 2, 1000]))
def test_newest_version_wins_however_it_comes(
    connect: Callable[[], psycopg.Connection], conn: psycopg.Connection, syncs: list[list[list[Version]]], batch: int
) -> None:
    for table in ("raw.shop_orders", "raw.shop_refunds", "ops.checkpoints", "ops.syncs"):
        conn.execute(f"delete from {table}")  # type: ignore[arg-type]
    known: dict[str, Version] = {}
    for number, sync_pages in enumerate(syncs):
        before = shown(known)
        with patch("tributary.warehouse.staging.BATCH_RECORDS", batch):
            sync(connect, Vendor([as_page(read) for read in sync_pages]), now=NOW + timedelta(minutes=number))
        for version in (version for read in sync_pages for version in read):
            if version.record_id not in known or version.age >= known[version.record_id].age:
                known[version.record_id] = version
        after = shown(known)
        assert stored(conn) == after

        logged = {
            (stream, record_id): (operation, old_at, old_note, new_at)
            for stream, record_id, operation, old_at, old_note, new_at in conn.execute(
                "select stream, record_id, operation, old_event_at, old_payload ->> 'note', new_event_at "
                "from ops.changes"
            ).fetchall()
        }
        expected = {}
        for key in before.keys() | after.keys():
            old, new = before.get(key), after.get(key)
            if old != new:
                operation = "insert" if old is None else "delete" if new is None else "update"
                old_at, old_note = old[:2] if old else (None, None)
                expected[key] = (operation, old_at, old_note, new[0] if new else None)
        assert logged == expected
        conn.execute("delete from ops.changes")


def test_raw_keeps_the_first_time_a_record_was_seen(
    connect: Callable[[], psycopg.Connection], conn: psycopg.Connection
) -> None:
    sync(connect, Vendor([page(order("1"))]))
    first = conn.execute("select first_loaded_at, loaded_at, sync_id from raw.shop_orders").fetchone()
    sync(connect, Vendor([page(order("1", version=2))]))
    second = conn.execute("select first_loaded_at, loaded_at, sync_id from raw.shop_orders").fetchone()

    assert first is not None
    assert second is not None
    assert second[0] == first[0]
    assert second[1] > first[1]
    assert second[2] != first[2]
    assert raw(conn).keys() == {"1"}
