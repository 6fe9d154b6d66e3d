"""What can be made to happen through `/_admin`, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.reader import amount, read_orders, sales

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client


def only(client: Client, number: str, shop: str = "aurora") -> dict[str, Any]:
    [order] = read_orders(client, shop, f"id:{number}")
    return order


def day(client: Client, date_day: str, shop: str = "aurora") -> dict[str, Any]:
    return next(row for row in client.admin("GET", f"/truth/{shop}/days") if row["date_day"] == date_day)


def test_a_placed_order_is_on_its_day_at_once(fresh: Client) -> None:
    before = day(fresh, "2026-11-13")
    placed = fresh.admin(
        "POST",
        "/shops/aurora/orders",
        {
            "processed_at": "2026-11-14T04:30:00Z",
            "lines": [{"sku": "AU-MUG-01", "price": "10.01", "quantity": 3}],
            "discount": "1.00",
            "shipping": "5.00",
            "tip": "2.00",
            "email": "new@mail.example",
        },
    )
    assert (placed["date_day"], placed["financial_status"]) == ("2026-11-13", "PAID")
    order = only(fresh, placed["id"])
    assert order["updatedAt"] == "2026-11-15T12:00:00Z"
    assert sales(order) == (Decimal("30.03"), Decimal("1.00"), Decimal("5.00"))
    after = day(fresh, "2026-11-13")
    assert Decimal(after["revenue"]) - Decimal(before["revenue"]) == Decimal("34.03")
    assert after["orders"] == before["orders"] + 1


def test_a_late_refund_of_an_old_order(fresh: Client) -> None:
    old = read_orders(fresh, "aurora", "financial_status:paid test:false updated_at:<'2026-11-14'")[0]
    number = old["legacyResourceId"]
    fresh.admin("POST", f"/shops/aurora/orders/{number}/refunds")
    order = only(fresh, number)
    assert order["updatedAt"] == order["refunds"][0]["processedAt"] == "2026-11-15T12:00:00Z"
    assert order["totalRefundedSet"] == old["totalReceivedSet"]
    assert order["displayFinancialStatus"] == "REFUNDED"


def test_a_refund_larger_than_the_day(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/nordlicht/orders", {"price": "10.00"})
    fresh.admin("POST", f"/shops/nordlicht/orders/{placed['id']}/refunds", {"amount": "99999.99"})
    row = day(fresh, "2026-11-15", "nordlicht")
    assert Decimal(row["revenue"]) < 0
    assert Decimal(row["revenue_cash"]) < 0
    order = only(fresh, placed["id"], "nordlicht")
    assert amount(order["totalRefundedSet"]) == Decimal("99999.99")
    assert amount(order["currentTotalPriceSet"]) == Decimal("10.00")


def test_a_backdated_and_a_failed_refund(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"price": "50.00", "processed_at": "2026-11-10T15:00:00Z"})
    path = f"/shops/aurora/orders/{placed['id']}/refunds"
    fresh.admin("POST", path, {"amount": "5.00", "processed_at": "2026-11-12T15:00:00Z"})
    fresh.admin("POST", path, {"full": True, "status": "FAILURE"})
    order = only(fresh, placed["id"])
    assert order["refunds"][0]["processedAt"] == "2026-11-12T15:00:00Z"
    assert amount(order["totalRefundedSet"]) == Decimal("5.00")
    assert order["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert order["lineItems"]["nodes"][0]["currentQuantity"] == 0
    told = fresh.admin("GET", f"/truth/aurora/orders/{placed['id']}")
    assert (told["gross_sales"], told["refunds"]) == ("50.00", "5.00")


@pytest.mark.parametrize("shop", ["aurora", "nordlicht"])
def test_partial_refunds_make_up_the_whole(fresh: Client, shop: str) -> None:
    placed = fresh.admin(
        "POST", f"/shops/{shop}/orders", {"price": "3.33", "quantity": 7, "discount": "1.00", "shipping": "4.99"}
    )
    path = f"/shops/{shop}/orders/{placed['id']}/refunds"
    for body in ({"lines": [{"line": 0, "quantity": 2}]}, {"lines": [{"line": 0, "quantity": 1}]}, {"full": True}):
        fresh.admin("POST", path, body)
    order = only(fresh, placed["id"], shop)
    assert order["totalRefundedSet"] == order["totalPriceSet"]
    assert amount(order["currentTotalPriceSet"]) == 0
    told = fresh.admin("GET", f"/truth/{shop}/orders/{placed['id']}")
    assert Decimal(told["gross_sales"]) - Decimal(told["discounts"]) + Decimal(told["shipping"]) == Decimal(
        told["refunds"]
    )
    assert told["tax"] == "0.00"


def test_an_edit_changes_the_total_and_not_the_original(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"price": "20.00", "quantity": 3})
    change = {"remove": [{"line": 0, "quantity": 2}], "add": [{"sku": "AU-SOCK-3", "price": "7.77"}]}
    edited = fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/edit", change)
    assert edited["lines"][0] == {"sku": "AU-TENT-2", "quantity": 3, "kept": 1, "current": 1}
    order = only(fresh, placed["id"])
    assert order["edited"]
    assert amount(order["subtotalPriceSet"]) == Decimal("27.77")
    assert amount(order["originalTotalPriceSet"]) == amount(order["totalReceivedSet"]) == Decimal(placed["total"])
    assert sales(order)[0] == Decimal("27.77")


def test_a_cancelled_order_gives_everything_back(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"price": "20.00"})
    cancelled = fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/cancel", {"reason": "FRAUD"})
    assert (cancelled["cancelled"], cancelled["refunded"]) == (True, placed["total"])
    assert not fresh.admin("GET", f"/truth/aurora/orders/{placed['id']}")["is_counted"]


def test_a_pending_order_is_paid_later(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"price": "20.00", "financial_status": "PENDING"})
    assert placed["financial_status"] == "PENDING"
    part = fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/pay", {"amount": "5.00"})
    assert part["financial_status"] == "PARTIALLY_PAID"
    assert fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/pay")["financial_status"] == "PAID"


def test_a_deleted_order_was_never_there(fresh: Client) -> None:
    report = (
        "{shopifyqlQuery(query: "
        '"FROM orders SHOW orders, gross_sales TIMESERIES day SINCE 2026-11-13 UNTIL 2026-11-13") {tableData {rows}}}'
    )
    counted = '{ordersCount(query: "processed_at:2026-11-13", limit: null) {count}}'
    before = day(fresh, "2026-11-13"), fresh.ask(report), fresh.ask(counted), fresh.admin("GET", "/health")
    placed = fresh.admin(
        "POST",
        "/shops/aurora/orders",
        {"processed_at": "2026-11-13T15:00:00Z", "price": "10.00", "customer_id": 77, "financial_status": "PENDING"},
    )
    assert fresh.ask(report) != before[1]
    assert fresh.ask(counted) != before[2]
    assert fresh.admin("DELETE", f"/shops/aurora/orders/{placed['id']}")["id"] == placed["id"]
    fresh.admin("GET", f"/shops/aurora/orders/{placed['id']}", status=404)
    fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/pay", status=404)
    assert read_orders(fresh, "aurora", f"id:{placed['id']}") == []
    told = fresh.ask("query($id: ID!) {node(id: $id) {id} order(id: $id) {id}}", {"id": placed["gid"]})
    assert told == {"node": None, "order": None}
    assert (day(fresh, "2026-11-13"), fresh.ask(report), fresh.ask(counted), fresh.admin("GET", "/health")) == before
    customer = fresh.ask('{customers(first: 1, query: "id:77") {nodes {numberOfOrders updatedAt}}}')
    assert customer["customers"]["nodes"] == [{"numberOfOrders": "0", "updatedAt": "2026-11-15T12:00:00Z"}]


def test_what_was_to_come_for_a_deleted_order_never_comes(fresh: Client) -> None:
    waiting = read_orders(fresh, "aurora", "financial_status:authorized")[0]["legacyResourceId"]
    fresh.admin("DELETE", f"/shops/aurora/orders/{waiting}")
    fresh.admin("POST", "/clock", {"advance_seconds": 10 * 86_400})
    fresh.admin("GET", f"/shops/aurora/orders/{waiting}", status=404)


def test_an_order_moves_to_another_day(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"processed_at": "2026-11-13T15:00:00Z", "price": "10.00"})
    before = {date_day: day(fresh, date_day) for date_day in ("2026-11-12", "2026-11-13")}
    fresh.admin("POST", "/clock", {"advance_seconds": 60})
    path = f"/shops/aurora/orders/{placed['id']}/move"
    moved = fresh.admin("POST", path, {"processed_at": "2026-11-13T04:59:59Z"})
    assert (moved["date_day"], moved["updated_at"]) == ("2026-11-12", "2026-11-15T12:01:00Z")
    assert only(fresh, placed["id"])["processedAt"] == "2026-11-13T04:59:59Z"
    for date_day, change in (("2026-11-12", Decimal("10.00")), ("2026-11-13", Decimal("-10.00"))):
        assert Decimal(day(fresh, date_day)["gross_sales"]) - Decimal(before[date_day]["gross_sales"]) == change
    found = read_orders(fresh, "aurora", f"processed_at:2026-11-12 id:{placed['id']}")
    assert [order["legacyResourceId"] for order in found] == [placed["id"]]
    fresh.admin("POST", path, {"processed_at": "2026-11-13T04:59:59Z"}, status=409)
    fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/cancel")
    fresh.admin("POST", path, {"processed_at": "2026-11-10T12:00:00Z"})


def test_merged_customers_are_one(fresh: Client) -> None:
    for customer_id in (77, 78, 78):
        fresh.admin("POST", "/shops/aurora/orders", {"price": "10.00", "customer_id": customer_id})
    fresh.admin("POST", "/clock", {"advance_seconds": 60})
    merged = fresh.admin("POST", "/shops/aurora/customers/merge", {"kept": 77, "gone": 78})
    assert len(merged["orders"]) == 3
    orders = read_orders(fresh, "aurora", "customer_id:77")
    assert {order["legacyResourceId"] for order in orders} == set(merged["orders"])
    assert {order["customer"]["id"] for order in orders} == {"gid://shopify/Customer/77"}
    assert sorted(order["updatedAt"] for order in orders) == [
        "2026-11-15T12:00:00Z",
        "2026-11-15T12:01:00Z",
        "2026-11-15T12:01:00Z",
    ]
    ids = ["gid://shopify/Customer/77", "gid://shopify/Customer/78"]
    told = fresh.ask(
        "query($ids: [ID!]!) {nodes(ids: $ids) {... on Customer {numberOfOrders updatedAt}}}", {"ids": ids}
    )
    assert told["nodes"] == [{"numberOfOrders": "3", "updatedAt": "2026-11-15T12:01:00Z"}, None]
    late = fresh.admin("POST", "/shops/aurora/orders", {"price": "10.00", "customer_id": 78})
    assert only(fresh, late["id"])["customer"] == {"id": "gid://shopify/Customer/77"}


def test_a_merged_customer_shops_on_as_the_other(fresh: Client) -> None:
    everyone = fresh.ask("{customers(first: 250) {nodes {legacyResourceId}}}")["customers"]["nodes"]
    kept, *gone = [customer["legacyResourceId"] for customer in everyone]
    for number in gone:
        fresh.admin("POST", "/shops/aurora/customers/merge", {"kept": kept, "gone": number})
    fresh.admin("POST", "/clock", {"advance_seconds": 3 * 86_400})
    known = {int(number) for number in (kept, *gone)}
    later = read_orders(fresh, "aurora", "created_at:>'2026-11-15T12:00:00Z'")
    customers = [int(order["customer"]["id"].rsplit("/", 1)[1]) for order in later if order["customer"]]
    assert int(kept) in customers
    assert not set(customers) & (known - {int(kept)})


def test_the_truth_names_the_source_of_an_order(sandbox: Client) -> None:
    web = [
        order for order in read_orders(sandbox, "aurora", "created_at:>'2026-11-14'") if order["sourceName"] == "web"
    ]
    told = [sandbox.admin("GET", f"/truth/aurora/orders/{order['legacyResourceId']}") for order in web[:20]]
    assert all(one["source"] for one in told)
    assert len({one["source"]["medium"] for one in told}) > 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/shops/nobody/orders", {}, 404, "no shop"),
        ("GET", "/shops/aurora/orders/1", None, 404, "no order"),
        ("POST", "/shops/aurora/orders", {"prise": "1.00"}, 400, "no field"),
        ("POST", "/shops/aurora/orders", {"price": "1.005"}, 400, "fractions of a cent"),
        ("POST", "/shops/aurora/orders", {"price": "-1"}, 400, "negative"),
        ("POST", "/shops/aurora/orders", {"lines": [{"sku": "X"}]}, 400, "no sku"),
        ("POST", "/shops/aurora/orders", {"processed_at": "2026-11-10T15:00:00"}, 400, "no UTC offset"),
        ("POST", "/clock", {"jump": 3}, 400, "unknown fields"),
        ("POST", "/faults", {"route": "*", "kind": "earthquake"}, 400, "no fault"),
        ("POST", "/tokens/nothing/revoke", {}, 404, "no such token"),
        ("DELETE", "/shops/aurora/orders/1", None, 404, "no order"),
        ("POST", "/shops/aurora/customers/merge", {"kept": 1}, 400, "two customer ids"),
        ("POST", "/shops/aurora/customers/merge", {"kept": 1, "gone": 2}, 400, "no customer 1"),
        ("GET", "/shops/aurora/products/1", None, 404, "no product 1"),
    ],
)
def test_refusals_say_why(
    fresh: Client, method: str, path: str, body: dict[str, Any] | None, status: int, says: str
) -> None:
    assert says in fresh.admin(method, path, body, status=status)["error"]


def test_what_cannot_happen_is_a_conflict_and_leaves_no_trace(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"price": "20.00", "financial_status": "PENDING"})
    fresh.admin("POST", "/clock", {"advance_seconds": 60})
    fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/refunds", status=409)
    assert fresh.admin("GET", f"/shops/aurora/orders/{placed['id']}") == placed


def test_health_counts_what_is_there(sandbox: Client) -> None:
    health = sandbox.admin("GET", "/health")
    assert health["status"] == "ok"
    assert all(count > 1000 for count in health["orders"].values())
