"""Whenever events become visible within four days, and whenever syncs run or fail: in the end each is there, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.channels.klaviyo_events_vendor import Happened, open_vendor
from tributary.channels.klaviyo.events import LATENESS
from tributary.channels.klaviyo.streams import EVENTS, KLAVIYO
from tributary.http import VendorUnavailable
from tributary.warehouse.sync import SyncReport, sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.klaviyo_events_vendor import Vendor

START = datetime(2026, 11, 2, tzinfo=UTC)
A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)
LATEST = int(LATENESS / A_MINUTE)


class Sync(NamedTuple):
    """So long after the one before, breaking off after so many lists of events; None: not at all."""

    after: int
    answers: int | None


events = st.lists(
    st.tuples(st.integers(0, 12 * 1440), st.one_of(st.just(0), st.integers(0, LATEST), st.just(LATEST))), max_size=14
)
syncs = st.lists(
    st.builds(
        Sync,
        after=st.one_of(st.integers(1, 120), st.integers(1, 6 * 1440)),
        answers=st.one_of(st.none(), st.none(), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=7,
)


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with open_vendor(START) as vendor:
        yield vendor


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=events, plan=syncs)
@example(happened=[(60, LATEST)], plan=[Sync(61, None), Sync(LATEST, None)])
@example(happened=[(600, 1440), (30, 0)], plan=[Sync(700, None), Sync(1440, 1), Sync(LATEST, 2), Sync(60, None)])
# A sync that breaks off between its two passes.
@example(happened=[(60, LATEST)], plan=[Sync(700, None), Sync(6300, 1), Sync(60, None)])
# One that is dated six days ahead, and visible at once.
@example(happened=[(8640, 0), (10, 30)], plan=[Sync(20, None), Sync(60, None), Sync(60, None)])
def test_each_event_is_there_once(
    happened: list[tuple[int, int]], plan: list[Sync], vendor: Vendor, shared_warehouse: str
) -> None:
    merchant = _fresh(shared_warehouse)
    vendor.now = START
    vendor.events = [
        Happened(f"E{number}", START + at * A_MINUTE, START + at * A_MINUTE + late * A_MINUTE)
        for number, (at, late) in enumerate(happened)
    ]
    # Events that the vendor shows although their time is still to come.
    vendor.events += [Happened(f"{one.id}-ahead", one.at, START) for one in vendor.events[::3]]
    read_until = START

    def sync() -> SyncReport | None:
        try:
            return sync_stream(
                lambda: psycopg.connect(shared_warehouse), vendor.api(), KLAVIYO, EVENTS, merchant, None, START
            )
        except VendorUnavailable:
            return None

    for step in plan:
        vendor.now += step.after * A_MINUTE
        vendor.answers_left = step.answers
        report = sync()
        if report is None:
            continue
        assert report.counts.updated == report.counts.removed == 0
        assert report.position == vendor.now
        held = _held(shared_warehouse, merchant)
        assert all(at < vendor.now for at in held.values())
        fresh = {one.id for one in vendor.events if read_until <= one.at < vendor.now and one.visible_at <= vendor.now}
        settled = {one.id for one in vendor.events if one.at < vendor.now - LATENESS}
        assert fresh | settled <= held.keys()
        read_until = vendor.now
    vendor.answers_left = None
    vendor.now = max([vendor.now, *(one.at for one in vendor.events)]) + LATENESS + A_MINUTE
    last = sync()
    assert last is not None
    assert _held(shared_warehouse, merchant) == {one.id: one.at for one in vendor.events}
    # A slice of a failed sync that was committed counts too, so the ledger is asked.
    assert _written(shared_warehouse, merchant) == (len(vendor.events), 0)
    again = sync()
    assert again is not None
    assert again.counts.inserted == again.counts.updated == 0


def _fresh(url: str) -> str:
    with psycopg.connect(url) as conn:
        [(number,)] = conn.execute("select count(distinct merchant_id) from ops.syncs").fetchall()
    return f"merchant {number}"


def _held(url: str, merchant: str) -> dict[str, datetime]:
    with psycopg.connect(url) as conn:
        query = "select record_id, event_at from raw.klaviyo_events where merchant_id = %s"
        return dict(conn.execute(query, (merchant,)).fetchall())


def _written(url: str, merchant: str) -> tuple[int, int]:
    with psycopg.connect(url) as conn:
        query = "select sum(inserted)::int, sum(updated + removed)::int from ops.syncs where merchant_id = %s"
        [(inserted, changed)] = conn.execute(query, (merchant,)).fetchall()
        return inserted or 0, changed or 0
