"""TikTok orders: all of them land once, by both times, and what happens to them arrives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.road import START, differing
from tests.channels.shopify_sandbox import NOW
from tests.channels.tiktok_road import Road, everything
from tests.channels.tiktok_sandbox import ORDERS as SEARCH
from tests.channels.tiktok_sandbox import fault
from tributary.channels.tiktok_shop import orders
from tributary.channels.tiktok_shop.streams import ORDERS

if TYPE_CHECKING:
    from tests.channels.shopify_sandbox import Sandbox
    from tests.channels.tiktok_sandbox import MakeTikTok

END = NOW + timedelta(seconds=20)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "PAGE_SIZE", 10)
    monkeypatch.setattr(orders, "IDS_AT_ONCE", 10)


def truth(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {order["id"]: order for order in everything(sandbox, "POST", SEARCH, "orders")}


def test_every_order_lands_once_with_its_times(tiktok_road: Road) -> None:
    told = truth(tiktok_road.sandbox)
    assert len(told) > 50
    first = tiktok_road.sync("orders", now=END)
    assert (first.counts.inserted, first.counts.records_read) == (len(told), len(told))
    assert tiktok_road.raw("orders") == told
    times = """
        select record_id, event_at, updated_at, api_version
        from raw.tiktok_shop_orders where merchant_id = %(merchant)s
    """
    for key, event_at, updated_at, api_version in tiktok_road.query(times):
        assert event_at == datetime.fromtimestamp(told[key]["create_time"], UTC)
        assert updated_at == datetime.fromtimestamp(told[key]["update_time"], UTC)
        assert api_version == "202309"
    second = tiktok_road.sync("orders", now=END)
    assert (second.counts.inserted, second.counts.updated, second.counts.removed) == (0, 0, 0)


def test_consecutive_windows_miss_nothing(sandbox: Sandbox, make_tiktok: MakeTikTok) -> None:
    api, seen, start = make_tiktok(), set(), START
    while start < END:
        end = start + timedelta(hours=31, minutes=7, microseconds=5)
        for page in ORDERS.changed(api, start, end):
            for record in page.records:
                assert start.replace(microsecond=0) <= record.updated_at < end + timedelta(seconds=1)
                seen.add(record.record_id)
        start = end
    assert seen == set(truth(sandbox))


def test_a_backfill_reads_by_the_time_of_the_order(sandbox: Sandbox, make_tiktok: MakeTikTok) -> None:
    start, end = NOW - timedelta(days=4), NOW - timedelta(days=3)
    expected = {
        key for key, order in truth(sandbox).items() if start.timestamp() <= order["create_time"] < end.timestamp()
    }
    assert expected
    pages = ORDERS.happened(make_tiktok(), start, end)
    assert {record.record_id for page in pages for record in page.records} == expected


def test_orders_are_found_by_their_ids_and_what_is_not_found_is_gone(sandbox: Sandbox, make_tiktok: MakeTikTok) -> None:
    known = sorted(truth(sandbox))[:12]
    pages = list(ORDERS.by_id(make_tiktok(), [*known, "576460000000099999"]))
    assert [record.record_id for page in pages for record in page.records] == known
    assert [key for page in pages for key in page.gone] == ["576460000000099999"]


def test_every_payload_is_a_slice_of_the_vendors_answer(make_tiktok: MakeTikTok) -> None:
    api = make_tiktok()
    bodies: list[bytes] = []
    read = api._read

    def keep(response: Any) -> Any:
        bodies.append(response.body)
        return read(response)

    api._read = keep  # type: ignore[method-assign]
    for page in ORDERS.changed(api, NOW - timedelta(days=1), END):
        assert all(record.payload in bodies[-1] for record in page.records)


def test_what_happens_to_an_order_arrives_with_the_next_sync(tiktok_road: Road) -> None:
    placed = tiktok_road.tiktok("/orders", {"status": "AWAITING_SHIPMENT"})["id"]
    tiktok_road.sync("orders", now=END)
    assert tiktok_road.raw("orders")[placed]["status"] == "AWAITING_SHIPMENT"
    tiktok_road.tiktok(f"/orders/{placed}/cancel")
    report = tiktok_road.sync("orders", now=END)
    assert (report.counts.inserted, report.counts.updated) == (0, 1)
    assert tiktok_road.raw("orders")[placed]["status"] == "CANCELLED"
    assert differing(tiktok_road.snapshot("orders"), tiktok_road.undisturbed("orders", END)) == {"changes": {placed}}


def test_a_row_outside_the_window_is_taken_as_it_is(tiktok_road: Road) -> None:
    drifted = int((END + timedelta(hours=5)).timestamp())
    fault(tiktok_road.sandbox, "merged", SEARCH, merge={"data": {"orders": {"0": {"update_time": drifted}}}})
    tiktok_road.sync("orders", now=END)
    assert [order["update_time"] for order in tiktok_road.raw("orders").values()].count(drifted) == 1
    assert len(tiktok_road.raw("orders")) == len(truth(tiktok_road.sandbox))


def test_an_order_that_the_window_no_longer_shows_leaves_with_a_reread(tiktok_road: Road) -> None:
    tiktok_road.sync("orders", now=END)
    tiktok_road.query(
        """
        insert into raw.tiktok_shop_orders
            (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id)
        select merchant_id, '1', event_at, updated_at, payload, payload_hash, sync_id
        from raw.tiktok_shop_orders where merchant_id = %(merchant)s
        limit 1
        returning record_id
        """
    )
    assert tiktok_road.reread("orders", START, END).removed == 1
    assert set(tiktok_road.raw("orders")) == set(truth(tiktok_road.sandbox))


def test_the_payload_keeps_what_the_shape_does_not_know(tiktok_road: Road) -> None:
    merge = {"data": {"orders": {"0": {"loyalty": {"earned": 7}}}}}
    fault(tiktok_road.sandbox, "merged", SEARCH, merge=merge)
    tiktok_road.sync("orders", now=END)
    kept = [order for order in tiktok_road.raw("orders").values() if "loyalty" in order]
    assert [json.dumps(order["loyalty"]) for order in kept] == ['{"earned": 7}']
