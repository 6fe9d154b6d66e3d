"""How a sync's window is cut, and that a history in bulk ends in the same warehouse as one by pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.shopify_sandbox import NOW
from tributary.channels.shopify import history
from tributary.channels.shopify.bulk import Patience
from tributary.channels.shopify.history import DAY, WEEK, slices
from tributary.channels.shopify.orders import changed_orders
from tributary.channels.shopify.streams import ORDERS, SHOPIFY
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from shopify_sandbox import MakeApi, Sandbox

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Slice

Connect = Any
LONG_AGO = datetime(2026, 9, 1, tzinfo=UTC)
LAST_MIDNIGHT = datetime(2026, 11, 19, tzinfo=UTC)


@pytest.fixture
def patience(slept: list[float]) -> Patience:
    """Waits are noted instead of waited for."""
    return Patience(sleep=slept.append)


@pytest.fixture
def _bulk_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a shop of a few hundred orders too, and in stretches of some dozens."""
    monkeypatch.setattr(history, "OPERATION_SECONDS", 0.01)
    monkeypatch.setattr(history, "ORDERS_IN_BULK", 100)


def asked(api: ShopifyApi) -> list[str]:
    """The operations that an API is asked for from now on."""
    names: list[str] = []
    execute = api.execute

    def note(operation: str, *rest: Any, **more: Any) -> Any:
        names.append(operation)
        return execute(operation, *rest, **more)

    api.execute = note  # type: ignore[method-assign]
    return names


def check_contiguous(found: Sequence[Slice], start: datetime, end: datetime) -> None:
    assert (found[0].start, found[-1].end) == (start, end)
    assert all(one.start < one.end for one in found)
    assert all(one.end == following.start for one, following in pairwise(found))


def in_bulk(found: Sequence[Slice]) -> list[tuple[datetime, datetime]]:
    return [(one.start, one.end) for one in found if one.read is not changed_orders]


@pytest.mark.usefixtures("_bulk_pays")
@pytest.mark.parametrize("length", [timedelta(minutes=5), timedelta(hours=2), timedelta(days=14)])
def test_a_short_window_is_paged_without_a_question(length: timedelta, make_api: MakeApi, patience: Patience) -> None:
    api = make_api()
    requests = asked(api)
    found = list(slices(api, NOW - length, NOW, patience))
    check_contiguous(found, NOW - length, NOW)
    assert all(one.end - one.start <= WEEK for one in found)
    assert not in_bulk(found)
    assert not requests


def test_a_long_window_with_few_orders_is_paged(make_api: MakeApi, patience: Patience) -> None:
    api = make_api()
    requests = asked(api)
    found = list(slices(api, LONG_AGO, NOW, patience))
    check_contiguous(found, LONG_AGO, NOW)
    assert not in_bulk(found)
    assert requests == ["OrdersInWindow"]


@pytest.mark.parametrize(
    ("orders", "rate", "pays"),
    [(14_000, 100, False), (16_000, 100, True), (24_000, 1000, False), (26_000, 1000, True), (1_000_000, 1000, True)],
)
def test_the_estimate_weighs_the_shops_points_against_an_operation(
    orders: int, rate: int, pays: bool, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api()
    api._client.budgets["graphql"].report(available=rate, rate=rate, capacity=20 * rate)
    monkeypatch.setattr(history, "_count", lambda *_: orders)
    assert history._bulk_pays(api, LONG_AGO, NOW) == pays


@pytest.mark.usefixtures("_bulk_pays")
def test_a_long_history_is_read_in_bulk_up_to_the_day_before_its_end(
    sandbox: Sandbox, make_api: MakeApi, patience: Patience
) -> None:
    api = make_api()
    start, end = LONG_AGO + timedelta(hours=7), NOW + timedelta(seconds=1)
    found = list(slices(api, start, end, patience))
    check_contiguous(found, start, end)
    stretches = in_bulk(found)
    assert (stretches[0][0], stretches[-1][1]) == (LONG_AGO + DAY, LAST_MIDNIGHT)
    assert all(moment == history._midnight(moment) for stretch in stretches for moment in stretch)
    assert 2 <= len(stretches) <= 6
    for one in stretches:
        assert history._count(api, *one) <= 100 or one[1] - one[0] == DAY


@pytest.mark.usefixtures("_bulk_pays")
def test_a_sync_that_goes_on_asks_for_the_same_stretches_although_counts_have_moved(
    sandbox: Sandbox, make_api: MakeApi, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = LONG_AGO + DAY
    found = [one for one in slices(make_api("nordlicht"), start, NOW, patience) if one.read is not changed_orders]
    assert len(found) >= 3
    for one in found[:2]:
        list(one.read(make_api("nordlicht"), one.start, one.end))
    monkeypatch.setattr(history, "ORDERS_IN_BULK", 10_000)
    later = NOW + timedelta(hours=3)
    again = list(slices(make_api("nordlicht"), found[1].start - timedelta(hours=1), later, patience))
    check_contiguous(again, found[1].start - timedelta(hours=1), later)
    assert in_bulk(again)[0] == found[1][:2]
    assert in_bulk(again)[1] == (found[1].end, LAST_MIDNIGHT)


def raw(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return [
        row
        for table in ("orders", "refunds", "visits")
        for row in conn.execute(
            f"select record_id, event_at, updated_at, payload_hash from raw.shopify_{table} order by 1"
        )
    ]


@pytest.mark.usefixtures("_bulk_pays")
def test_a_history_in_bulk_lands_as_pages_would_and_the_next_pages_change_nothing(
    sandbox: Sandbox, make_api: MakeApi, connect: Connect, patience: Patience
) -> None:
    def cut(api: ShopifyApi, start: datetime, end: datetime) -> Any:
        return slices(api, start, end, patience)

    stream = replace(ORDERS, history=cut)
    first = sync_stream(connect, make_api(), SHOPIFY, stream, "aurora", NOW, LONG_AGO)
    assert first.counts.inserted > 300
    assert first.counts.rejected == 0
    assert len(sandbox.admin("/shops/aurora/bulk", method="GET")["operations"]) > 1
    with connect() as conn:
        in_bulk_then = raw(conn)
    by_pages = replace(ORDERS, history=None, look_back=NOW - LONG_AGO)
    again = sync_stream(connect, make_api(), SHOPIFY, by_pages, "aurora", NOW + timedelta(minutes=1), LONG_AGO)
    assert (again.counts.inserted, again.counts.updated, again.counts.removed) == (0, 0, 0)
    assert again.counts.unchanged >= first.counts.inserted
    with connect() as conn:
        assert raw(conn) == in_bulk_then
