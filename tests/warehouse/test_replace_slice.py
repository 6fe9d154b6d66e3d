"""A slice that replaces its window: what it no longer shows is gone from raw, and from nowhere else."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.shop import FIGURES, ORDERS, SHOP, START, Vendor, changes, order, page, raw, sync
from tributary.declaration import Page, Record, Reject, Slice
from tributary.warehouse.reread import reread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg

Connect = Any

DAY = timedelta(days=1)
NOW = START + 3 * DAY + timedelta(hours=15)


def noon(day: int) -> datetime:
    return START + day * DAY + timedelta(hours=12)


def row(day: int, name: str, visits: int = 1) -> Record:
    """A report's row: its id names the day, its times are both the day's noon."""
    return order(f"{day}/{name}", event_at=noon(day), updated_at=noon(day), visits=visits)


def report(*records: Record, rejects: Sequence[Reject] = ()) -> Page:
    return Page(records, rejects)


def _by_day(api: Any, start: datetime, end: datetime) -> Iterator[Slice]:
    """One day a slice, from noon to noon: the day of `start`, and all others until the one that is going on."""
    for day in range((start - START).days, (end - START).days + 1):
        yield Slice(noon(day), noon(day + 1), REPORT.changed)


def _gone(api: Any, ids: Sequence[str]) -> Iterator[Page]:
    yield Page((), gone=ids)


REPORT = replace(FIGURES, write="replace_slice", look_back=2 * DAY, history=_by_day, by_id=_gone)
LENIENT = replace(REPORT, max_dead_letter_rate=1)


def days(*shown: Record) -> Vendor:
    """A vendor that shows these rows, each on its own day."""
    by_day: dict[datetime, list[Record]] = {}
    for record in shown:
        by_day.setdefault(record.event_at, []).append(record)
    return Vendor(by_window={at: [report(*records)] for at, records in by_day.items()})


def visits(conn: psycopg.Connection, merchant_id: str = "aurora") -> dict[str, int]:
    return {id_: content["visits"] for id_, content in raw(conn, "figures", merchant_id).items()}


def test_rows_that_vanish_are_removed_and_the_change_log_keeps_them(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, days(row(2, "a", 7), row(2, "b"), row(3, "a")), stream=REPORT, now=NOW)
    conn.execute("delete from ops.changes")

    done = sync(connect, days(row(2, "b"), row(2, "c"), row(3, "a")), stream=REPORT, now=NOW)

    assert visits(conn) == {"2/b": 1, "2/c": 1, "3/a": 1}
    assert changes(conn) == [("figures", "2/a", "delete"), ("figures", "2/c", "insert")]
    assert conn.execute(
        "select old_event_at, new_event_at, old_payload ->> 'visits' from ops.changes where operation = 'delete'"
    ).fetchall() == [(noon(2), None, "7")]
    assert (done.counts.inserted, done.counts.removed, done.counts.unchanged) == (1, 1, 2)


def test_what_did_not_change_is_not_written_again(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, days(row(2, "a"), row(2, "b"), row(3, "a")), stream=REPORT, now=NOW)
    written = "select record_id, loaded_at, sync_id, xmin::text from raw.shop_figures order by 1"
    before = conn.execute(written).fetchall()

    sync(connect, days(row(2, "a"), row(2, "b", 5), row(3, "a")), stream=REPORT, now=NOW + DAY / 24)

    after = conn.execute(written).fetchall()
    assert [new[0] for new, old in zip(after, before, strict=True) if new != old] == ["2/b"]
    assert changes(conn)[-3:] == [
        ("figures", "2/b", "insert"),
        ("figures", "2/b", "update"),
        ("figures", "3/a", "insert"),
    ]


def test_nothing_beyond_the_slice_is_removed(connect: Connect, conn: psycopg.Connection) -> None:
    """Neither days that are not read again, nor another merchant's or another stream's rows of the same day."""
    everything = [row(day, "a") for day in range(4)]
    sync(connect, days(*everything), stream=REPORT, now=NOW)
    sync(connect, days(*everything), stream=REPORT, now=NOW, merchant_id="nordlicht")
    sync(connect, Vendor([page(*everything)]), stream=ORDERS, now=NOW)

    empty = days()
    sync(connect, empty, stream=REPORT, now=NOW)

    assert [start for start, _ in empty.asked] == [noon(1), noon(2), noon(3)]
    assert visits(conn).keys() == {"0/a"}
    assert len(visits(conn, "nordlicht")) == len(raw(conn)) == 4


@pytest.mark.parametrize(
    "at", [noon(1) - timedelta(microseconds=1), noon(1), noon(2) - timedelta(microseconds=1), noon(2)]
)
def test_a_window_is_half_open(connect: Connect, conn: psycopg.Connection, at: datetime) -> None:
    def history(api: Vendor, start: datetime, end: datetime) -> Iterator[Slice]:
        yield Slice(noon(1), noon(2), REPORT.changed)

    narrow = replace(REPORT, history=history)
    sync(connect, Vendor([report(order("x", event_at=at))]), stream=narrow, now=NOW)
    sync(connect, Vendor(), stream=narrow, now=NOW)

    assert raw(conn, "figures").keys() == (set() if noon(1) <= at < noon(2) else {"x"})


def test_a_slice_that_fails_half_way_removes_nothing(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, days(row(2, "a"), row(2, "b"), row(3, "a")), stream=REPORT, now=NOW)
    conn.execute("delete from ops.changes")

    broken = Vendor(by_window={noon(2): [report(row(2, "b", 9)), RuntimeError("the second page")]})
    with pytest.raises(RuntimeError, match="second page"):
        sync(connect, broken, stream=REPORT, now=NOW)

    assert visits(conn) == {"2/a": 1, "2/b": 1, "3/a": 1}
    assert changes(conn) == []


def test_a_refused_row_is_not_gone(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, days(row(2, "a"), row(2, "b"), row(2, "c")), stream=REPORT, now=NOW)

    unstorable = Record("2/b", noon(2), noon(2), b'{"visits":"\\u0000"}')
    refused = report(unstorable, rejects=[Reject("2/a", "visits is a text", b"{}")])
    sync(connect, Vendor(by_window={noon(2): [refused]}), stream=LENIENT, now=NOW)

    assert visits(conn) == {"2/a": 1, "2/b": 1}


def test_a_refused_row_without_an_id_may_be_any_of_those_that_are_missing(
    connect: Connect, conn: psycopg.Connection
) -> None:
    sync(connect, days(row(2, "a"), row(2, "b"), row(3, "a")), stream=REPORT, now=NOW)

    nameless = report(row(2, "b", 2), rejects=[Reject(None, "no dimensions", b"{}")])
    sync(connect, Vendor(by_window={noon(2): [nameless]}), stream=LENIENT, now=NOW)

    assert visits(conn) == {"2/a": 1, "2/b": 2}, "the other day is sure of what it no longer shows"


def test_what_is_shown_now_counts_however_old_it_says_it_is(connect: Connect, conn: psycopg.Connection) -> None:
    def moved(day: int) -> Record:
        return order("campaign", event_at=noon(day), updated_at=noon(day), visits=day)

    for day in (2, 3, 1):
        sync(connect, days(moved(day), row(2, "a")), stream=REPORT, now=NOW)
        assert visits(conn) == {"campaign": day, "2/a": 1}
    twice = Vendor(by_window={noon(1): [report(order("campaign", updated_at=START, visits=8)), report(moved(1))]})
    sync(connect, twice, stream=REPORT, now=NOW)
    assert visits(conn) == {"campaign": 1}, "of two versions in one slice the newer one"


def test_a_reread_replaces_a_window_of_the_past(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, days(*(row(day, name) for day in range(4) for name in "ab")), stream=REPORT, now=NOW)
    checkpoint = conn.execute("select position, sync_id from ops.checkpoints").fetchall()

    vendor = Vendor([report(row(0, "a", 3), row(0, "c"))])
    counts = reread(connect, vendor, SHOP, REPORT, "aurora", START, START + DAY)

    assert visits(conn) == {"0/a": 3, "0/c": 1} | {f"{day}/{name}": 1 for day in (1, 2, 3) for name in "ab"}
    assert (counts.inserted, counts.updated, counts.removed) == (1, 1, 1)
    assert conn.execute("select position, sync_id from ops.checkpoints").fetchall() == checkpoint


def position(conn: psycopg.Connection) -> datetime | None:
    row = conn.execute("select position from ops.checkpoints").fetchone()
    return row[0] if row else None


def test_the_checkpoint_never_passes_the_end_although_a_slice_does(connect: Connect, conn: psycopg.Connection) -> None:
    early = NOW - timedelta(hours=2)
    for now, figure in ((early, 1), (NOW, 2)):
        vendor = days(row(3, "a", figure))
        assert sync(connect, vendor, stream=REPORT, now=now).position == now == position(conn)
        assert vendor.asked[-1] == (noon(3), noon(4))
    assert visits(conn) == {"3/a": 2}


def trailing(api: Vendor, start: datetime, end: datetime) -> Iterator[Slice]:
    """What came late: two days before the window, and then the window itself."""
    yield Slice(start - 2 * DAY, start - DAY, ORDERS.changed)
    yield Slice(start, end, ORDERS.changed)


@pytest.mark.parametrize("synced", [False, True])
def test_slices_before_the_window_leave_the_checkpoint_alone(
    connect: Connect, conn: psycopg.Connection, synced: bool
) -> None:
    late = replace(ORDERS, history=trailing)
    before = START
    if synced:
        sync(connect, Vendor(), stream=late, now=NOW)
        before = NOW

    window = before - late.look_back * synced
    broken = Vendor(by_window={window - 2 * DAY: [page(order("late"))], window: [RuntimeError("the window itself")]})
    with pytest.raises(RuntimeError, match="the window itself"):
        sync(connect, broken, stream=late, now=NOW + DAY)

    assert raw(conn).keys() == {"late"}
    assert position(conn) == before
    assert sync(connect, Vendor(), stream=late, now=NOW + DAY).position == NOW + DAY == position(conn)


class Killed(BaseException):
    """As a signal ends a task."""


@dataclass
class Kill:
    """Ends the task when it has passed so many failpoints; None: never."""

    after: int | None

    def __call__(self, place: str) -> None:
        if self.after == 0:
            raise Killed(place)
        if self.after is not None:
            self.after -= 1


@dataclass
class Restating:
    """A vendor that shows each day as it is now, two rows on a page; a campaign may move from day to day."""

    rows: dict[int, dict[str, int]] = field(default_factory=dict)
    campaign: tuple[int, int] | None = None

    def shown(self) -> dict[str, Record]:
        records = [row(day, name, count) for day, rows in self.rows.items() for name, count in rows.items()]
        if self.campaign:
            day, count = self.campaign
            records.append(order("campaign", event_at=noon(day), updated_at=noon(day), visits=count))
        return {record.record_id: record for record in records}

    def read(self, start: datetime, end: datetime) -> Iterator[Page]:
        records = [record for record in self.shown().values() if start <= record.event_at < end]
        for first in range(0, len(records), 2):
            yield report(*records[first : first + 2])


class Step(NamedTuple):
    """What happens at the vendor, each counted in days back from today, and how the sync after that ends."""

    hours: int
    restated: dict[int, dict[str, int]]
    campaign: tuple[int, int] | None
    killed_after: int | None


counts = st.integers(1, 3)
steps = st.builds(
    Step,
    hours=st.sampled_from([0, 1, 12, 24, 50]),
    restated=st.dictionaries(st.integers(0, 2), st.dictionaries(st.sampled_from("abc"), counts)),
    campaign=st.none() | st.tuples(st.integers(0, 2), counts),
    killed_after=st.none() | st.integers(0, 16),
)


def held(conn: psycopg.Connection) -> dict[str, tuple[datetime, Any]]:
    return {
        record_id: (event_at, payload)
        for record_id, event_at, payload in conn.execute("select record_id, event_at, payload from raw.shop_figures")
    }


def undone(conn: psycopg.Connection, state: dict[str, tuple[datetime, Any]]) -> dict[str, tuple[datetime, Any]]:
    """The state before the logged changes, each of which changed something."""
    state = dict(state)
    logged = "select record_id, old_event_at, old_payload, new_event_at from ops.changes order by change_id desc"
    for record_id, old_event_at, old_payload, new_event_at in conn.execute(logged).fetchall():
        after = state.pop(record_id, None)
        assert (after and after[0]) == new_event_at
        assert after != (old_event_at, old_payload)
        if old_event_at is not None:
            state[record_id] = (old_event_at, old_payload)
    return state


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=st.lists(steps, min_size=1, max_size=5))
def test_after_each_completed_sync_raw_is_what_the_vendor_shows(
    connect: Callable[[], psycopg.Connection], conn: psycopg.Connection, happened: list[Step]
) -> None:
    for table in ("raw.shop_figures", "ops.checkpoints", "ops.syncs", "ops.changes"):
        conn.execute(f"delete from {table}")  # type: ignore[arg-type]
    vendor, now = Restating(), NOW
    for step in [*happened, Step(0, {}, None, None)]:
        now += timedelta(hours=step.hours)
        today = (now - START).days
        vendor.rows |= {today - back: rows for back, rows in step.restated.items()}
        if step.campaign:
            vendor.campaign = (today - step.campaign[0], step.campaign[1])
        elif vendor.campaign and vendor.campaign[0] >= today - 2:
            vendor.campaign = None
        before, checkpoint = held(conn), position(conn)
        conn.execute("delete from ops.changes")

        with patch("tributary.warehouse.load.failpoint", Kill(step.killed_after)), suppress(Killed):
            sync(connect, vendor, stream=REPORT, now=now)  # type: ignore[arg-type]
            assert {id_: (at, body["visits"]) for id_, (at, body) in held(conn).items()} == {
                id_: (record.event_at, json.loads(record.payload)["visits"]) for id_, record in vendor.shown().items()
            }
            assert position(conn) == now

        assert undone(conn, held(conn)) == before
        reached = position(conn)
        assert checkpoint is None or (reached is not None and checkpoint <= reached <= now)
