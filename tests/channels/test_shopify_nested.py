"""Nothing inside an order is silently left out, however much there is of it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.channels.shopify_sandbox import NOW
from tributary.channels.shopify import nested, orders, parts
from tributary.channels.shopify.api import DOCUMENT
from tributary.channels.shopify.streams import ORDERS

if TYPE_CHECKING:
    import pytest
    from shopify_sandbox import MakeApi, Sandbox

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page

WINDOW = (NOW - timedelta(minutes=1), NOW + timedelta(minutes=1))


def read(api: ShopifyApi, order_id: str) -> tuple[dict[str, Any], Page]:
    for page in ORDERS.changed(api, *WINDOW):
        for record in page.records:
            if record.record_id == order_id:
                return json.loads(record.payload), page
    raise AssertionError(f"order {order_id} did not come")


def whole(sandbox: Sandbox, order_id: str) -> Any:
    """The order as a client of its own reads it, with room for everything."""
    return sandbox.query(
        f"""{{ order(id: "gid://shopify/Order/{order_id}") {{
          lineItems(first: 250) {{ nodes {{ id quantity currentQuantity }} }}
          refunds {{ id refundLineItems(first: 250) {{ nodes {{ id quantity }} }} }} }} }}"""
    )["order"]


def as_json(pages: list[Page]) -> dict[tuple[str, str], Any]:
    found = {("orders", record.record_id): json.loads(record.payload) for page in pages for record in page.records}
    for page in pages:
        for name, records in page.children.items():
            found |= {(name, record.record_id): json.loads(record.payload) for record in records}
    return found


def test_however_little_a_page_shows_of_an_order_it_arrives_whole(
    sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = sandbox.admin("/shops/aurora/orders", {"lines": [{"price": "1.00"}, {"price": "2.00"}, {"price": "4.00"}]})
    back = [{"line": number, "quantity": 1} for number in range(3)]
    sandbox.admin(f"/shops/aurora/orders/{order['id']}/refunds", {"lines": back})
    window = (NOW - timedelta(hours=18), NOW + timedelta(minutes=1))
    expected = list(ORDERS.changed(make_api(), *window))
    narrow = re.sub(r"first: (4|7|12|33)\b", "first: 1", DOCUMENT).replace("first: 250, after", "first: 2, after")
    api, asked = make_api(), set()
    execute = api.execute

    def execute_narrowly(operation: str, variables: dict[str, Any]) -> Any:
        asked.add(operation)
        return execute(operation, variables, narrow)

    monkeypatch.setattr(api, "execute", execute_narrowly)
    found = list(ORDERS.changed(api, *window))
    assert not [letter for page in found for letter in page.rejects]
    assert as_json(found) == as_json(expected)
    assert len(as_json(found)) > 20
    assert {"OrderLineItems", "OrderVisits", "OrderDiscounts", "RefundLineItems"} <= asked


def test_an_order_with_as_many_transactions_as_shopify_lists_is_a_dead_letter(
    sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "TRANSACTIONS_LISTED", 3)
    few, many = (sandbox.admin("/shops/nordlicht/orders", {"price": "3.00", "quantity": 5}) for _ in range(2))
    for order, refunds in ((few, 1), (many, 2)):
        for _ in range(refunds):
            back = {"lines": [{"line": 0, "quantity": 1}]}
            sandbox.admin(f"/shops/nordlicht/orders/{order['id']}/refunds", back)
    pages = list(ORDERS.changed(make_api("nordlicht"), *WINDOW))
    (letter,) = [letter for page in pages for letter in page.rejects if letter.record_id == many["id"]]
    assert "3 transactions or more" in letter.reason
    assert few["id"] in {record.record_id for page in pages for record in page.records}


def test_more_lines_than_a_page_shows(sandbox: Sandbox, make_api: MakeApi) -> None:
    lines = [{"price": f"{number}.00", "quantity": 2} for number in range(1, 131)]
    order = sandbox.admin("/shops/aurora/orders", {"lines": lines})
    back = [{"line": number, "quantity": 1} for number in range(60)]
    sandbox.admin(f"/shops/aurora/orders/{order['id']}/refunds", {"lines": back})
    payload, page = read(make_api(), order["id"])
    expected = whole(sandbox, order["id"])
    assert len(expected["lineItems"]["nodes"]) == 130
    lines_told = [line["id"] for line in expected["lineItems"]["nodes"]]
    assert [line["id"] for line in payload["lineItems"]["nodes"]] == lines_told
    assert payload["lineItems"]["pageInfo"] == {"hasNextPage": False}
    (refund,) = payload["refunds"]
    refunded = expected["refunds"][0]["refundLineItems"]["nodes"]
    assert len(refunded) == 60
    assert [line["id"] for line in refund["refundLineItems"]["nodes"]] == [line["id"] for line in refunded]
    child = next(record for record in page.children["refunds"] if record.record_id.startswith(order["id"]))
    assert json.loads(child.payload) == refund, "the child is cut from what was completed"


def test_more_refunds_than_a_page_shows(sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "REFUNDS_AT_ONCE", 4)
    order = sandbox.admin("/shops/aurora/orders", {"price": "3.00", "quantity": 70})
    for _ in range(nested.REFUNDS_IN_ORDER + 9):
        sandbox.admin(f"/shops/aurora/orders/{order['id']}/refunds", {"lines": [{"line": 0, "quantity": 1}]})
    payload, page = read(make_api(), order["id"])
    expected = [refund["id"] for refund in whole(sandbox, order["id"])["refunds"]]
    assert len(expected) == nested.REFUNDS_IN_ORDER + 9
    assert [refund["id"] for refund in payload["refunds"]] == expected
    children = [r.record_id for r in page.children["refunds"] if r.record_id.startswith(order["id"])]
    assert len(children) == len(set(children)) == len(expected)


def test_more_refunds_than_shopify_lists_is_a_dead_letter(
    sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested, "REFUNDS_IN_ORDER", 2)
    monkeypatch.setattr(nested, "REFUNDS_LISTED", 3)
    order = sandbox.admin("/shops/nordlicht/orders", {"price": "3.00", "quantity": 5})
    for _ in range(3):
        sandbox.admin(f"/shops/nordlicht/orders/{order['id']}/refunds", {"lines": [{"line": 0, "quantity": 1}]})
    letters = [letter for page in ORDERS.changed(make_api("nordlicht"), *WINDOW) for letter in page.rejects]
    (letter,) = [letter for letter in letters if letter.record_id == order["id"]]
    assert "3 refunds or more" in letter.reason


def test_a_refund_that_disappears_meanwhile_makes_a_dead_letter(
    sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested, "REFUNDS_IN_ORDER", 2)
    order = sandbox.admin("/shops/nordlicht/orders", {"price": "3.00", "quantity": 5})
    for _ in range(2):
        sandbox.admin(f"/shops/nordlicht/orders/{order['id']}/refunds", {"lines": [{"line": 0, "quantity": 1}]})
    ids = [{"id": f"gid://shopify/Refund/{number}"} for number in range(2)]
    sandbox.fault("merged", times=100, merge={"data": {"node": {"refunds": ids}, "nodes": [None, None]}})
    letters = [letter for page in ORDERS.changed(make_api("nordlicht"), *WINDOW) for letter in page.rejects]
    assert {letter.reason for letter in letters if letter.record_id == order["id"]} == {parts.GONE}


def test_a_line_that_cannot_be_stored_spoils_its_order_alone(sandbox: Sandbox, make_api: MakeApi) -> None:
    lines = [{"price": "1.00"}] * 95
    order = sandbox.admin("/shops/aurora/orders", {"lines": lines})
    small = sandbox.admin("/shops/aurora/orders", {"price": "2.00"})
    # The page comes first, then the requests for the rest of the large orders.
    poison = {"data": {"node": {"part": {"nodes": {"0": {"name": "nul \x00"}}}}}}
    sandbox.fault("merged", times=50, skip=1, merge=poison)
    pages = list(ORDERS.changed(make_api(), *WINDOW))
    letters = [letter for page in pages for letter in page.rejects if letter.record_id == order["id"]]
    assert len(letters) == 1
    assert "NUL" in letters[0].reason
    assert small["id"] in {record.record_id for page in pages for record in page.records}
