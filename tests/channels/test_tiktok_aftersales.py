"""Returns and cancellations: all of them land, at the time of their last change, which is the only one that counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.channels.road import differing
from tests.channels.shopify_sandbox import NOW
from tests.channels.tiktok_road import Road, everything
from tests.channels.tiktok_sandbox import fault
from tributary.channels.tiktok_shop import aftersales
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP

if TYPE_CHECKING:
    from tests.channels.tiktok_sandbox import MakeTikTok

END = NOW + timedelta(seconds=20)
SEARCHES = {
    "returns": ("/return_refund/202309/returns/search", "return_orders", "return_id", "return_status"),
    "cancellations": ("/return_refund/202309/cancellations/search", "cancellations", "cancel_id", "cancel_status"),
}
HAPPENS = {"returns": "return", "cancellations": "cancel"}


@pytest.fixture
def busy(tiktok_road: Road) -> Road:
    """The shop, after some more happened there."""
    for number in range(12):
        status = "DELIVERED" if number % 2 else "AWAITING_SHIPMENT"
        order = tiktok_road.tiktok("/orders", {"status": status, "lines": [{"units": 2}]})
        tiktok_road.tiktok(f"/orders/{order['id']}/{'return' if number % 2 else 'cancel'}")
    return tiktok_road


@pytest.mark.parametrize("stream", SEARCHES)
def test_all_of_them_land_once_with_their_times(stream: str, busy: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    # The smallest page that the search for returns gives.
    monkeypatch.setattr(aftersales, "PAGE_SIZE", 10 if stream == "returns" else 3)
    path, rows, key, _ = SEARCHES[stream]
    told = {row[key]: row for row in everything(busy.sandbox, "POST", path, rows)}
    assert len(told) > 5
    assert busy.sync(stream, now=END).counts.inserted == len(told)
    assert busy.raw(stream) == told
    times = f"select record_id, event_at, updated_at from raw.tiktok_shop_{stream} where merchant_id = %(merchant)s"
    for record_id, event_at, updated_at in busy.query(times):
        assert event_at == updated_at == datetime.fromtimestamp(told[record_id]["update_time"], UTC)
    again = busy.sync(stream, now=END).counts
    assert (again.inserted, again.updated, again.removed) == (0, 0, 0)


@pytest.mark.parametrize("stream", SEARCHES)
def test_they_are_found_by_their_ids_and_what_is_not_found_is_gone(
    stream: str, busy: Road, make_tiktok: MakeTikTok, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aftersales, "PAGE_SIZE", 10)
    path, rows, key, _ = SEARCHES[stream]
    known = [row[key] for row in everything(busy.sandbox, "POST", path, rows)]
    pages = list(TIKTOK_SHOP.stream(stream).by_id(make_tiktok(), [*known, "99"]))
    assert sorted(record.record_id for page in pages for record in page.records) == sorted(known)
    assert [key for page in pages for key in page.gone] == ["99"]


def test_a_row_whose_id_cannot_be_read_makes_nothing_gone(busy: Road, make_tiktok: MakeTikTok) -> None:
    path, rows, key, _ = SEARCHES["returns"]
    known = [row[key] for row in everything(busy.sandbox, "POST", path, rows)][:2]
    fault(busy.sandbox, "missing_field", path, path="data.return_orders.0.return_id")
    [page] = TIKTOK_SHOP.stream("returns").by_id(make_tiktok(), known)
    assert (len(page.records), len(page.rejects), list(page.gone)) == (1, 1, [])


def test_a_return_that_goes_on_moves_to_its_last_change(tiktok_road: Road) -> None:
    order = tiktok_road.tiktok("/orders", {"status": "DELIVERED"})["id"]
    [asked] = tiktok_road.tiktok(f"/orders/{order}/return", {"status": "RETURN_OR_REFUND_REQUEST_PENDING"})["returns"]
    tiktok_road.sync("returns", now=END)
    assert tiktok_road.raw("returns")[asked["id"]]["return_status"] == "RETURN_OR_REFUND_REQUEST_PENDING"
    done = {"return": asked["id"], "status": "RETURN_OR_REFUND_REQUEST_COMPLETE"}
    tiktok_road.tiktok(f"/orders/{order}/return_status", done)
    assert tiktok_road.sync("returns", now=END).counts.updated == 1
    assert tiktok_road.raw("returns")[asked["id"]]["return_status"] == done["status"]
    assert differing(tiktok_road.snapshot("returns"), tiktok_road.undisturbed("returns", END)).keys() == {"changes"}


def test_an_edited_return_is_two_that_name_each_other(tiktok_road: Road) -> None:
    order = tiktok_road.tiktok("/orders", {"status": "DELIVERED"})["id"]
    [first] = tiktok_road.tiktok(f"/orders/{order}/return", {"status": "RETURN_OR_REFUND_REQUEST_PENDING"})["returns"]
    edited = tiktok_road.tiktok(f"/orders/{order}/edit_return", {"return": first["id"]})
    [second] = [one["id"] for one in edited["returns"] if one["id"] != first["id"]]
    tiktok_road.sync("returns", now=END)
    raw = tiktok_road.raw("returns")
    assert (raw[first["id"]]["next_return_id"], raw[second]["pre_return_id"]) == (second, first["id"])


@pytest.mark.parametrize("stream", SEARCHES)
def test_a_bad_amount_is_a_dead_letter_and_replayed_when_it_fits(stream: str, busy: Road) -> None:
    path, rows, _, _ = SEARCHES[stream]
    lenient = replace(TIKTOK_SHOP.stream(stream), max_dead_letter_rate=0.5)
    fault(busy.sandbox, "merged", path, merge={"data": {rows: {"1": {"refund_amount": {"refund_total": "1,50"}}}}})
    busy.sync(lenient, now=END)
    [(record_id, reason, _)] = busy.letters(stream)
    assert "$.refund_amount.refund_total" in reason
    assert record_id not in busy.raw(stream)
    busy.query(
        """
        update ops.dead_letters
        set payload = convert_to(replace(convert_from(payload, 'UTF8'), '1,50', '1.50'), 'UTF8')
        where merchant_id = %(merchant)s returning 1
        """
    )
    assert busy.replay(stream).acceptable == 1
    assert busy.letters(stream) == []
    assert busy.raw(stream)[record_id]["refund_amount"]["refund_total"] == "1.50"
