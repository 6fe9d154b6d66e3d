"""The money of every order adds up, and the truth is what an independent reading of the API arrives at."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.sandbox.conftest import SHOPS
from tests.sandbox.reader import ZERO, amount, cents, daily, read_orders, refund_tax, sales

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

ZONES = {"aurora": ZoneInfo("America/New_York"), "nordlicht": ZoneInfo("Europe/Berlin")}
CURRENT = {
    "currentTotalPriceSet": "totalPriceSet",
    "currentSubtotalPriceSet": "subtotalPriceSet",
    "currentTotalTaxSet": "totalTaxSet",
    "currentShippingPriceSet": "totalShippingPriceSet",
}
Orders = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def orders(sandbox: Client) -> Orders:
    return {shop: read_orders(sandbox, shop) for shop in SHOPS}


@pytest.mark.parametrize("shop", SHOPS)
def test_components_add_up_to_the_total_of_every_order(orders: Orders, shop: str) -> None:
    for order in orders[shop]:
        gross, discounts, shipping = sales(order)
        rest = sum(amount(order[f"{name}Set"]) for name in ("totalTax", "originalTotalDuties", "totalTipReceived"))
        assert gross - discounts + shipping + rest == amount(order["totalPriceSet"]), order["legacyResourceId"]


@pytest.mark.parametrize("shop", SHOPS)
def test_the_totals_that_the_vendor_gives_agree_with_each_other(orders: Orders, shop: str) -> None:
    for order in orders[shop]:
        lines, shipping = order["lineItems"]["nodes"], order["shippingLines"]["nodes"]
        assert not order["lineItems"]["pageInfo"]["hasNextPage"]
        assert sum((amount(t["priceSet"]) for t in order["taxLines"]), ZERO) == amount(order["totalTaxSet"])
        assert sum((amount(line["discountedPriceSet"]) for line in shipping if not line["isRemoved"]), ZERO) == amount(
            order["totalShippingPriceSet"]
        )
        received = [t for t in order["transactions"] if t["kind"] in ("SALE", "CAPTURE") and t["status"] == "SUCCESS"]
        assert sum((amount(t["amountSet"]) for t in received), ZERO) == amount(order["totalReceivedSet"])
        for current, before_returns in CURRENT.items():
            assert ZERO <= amount(order[current]) <= amount(order[before_returns]), order["legacyResourceId"]
        for line in lines:
            assert 0 <= line["currentQuantity"] <= line["quantity"]
            spent = sum((amount(a["allocatedAmountSet"]) for a in line["discountAllocations"]), ZERO)
            assert ZERO <= spent <= amount(line["originalUnitPriceSet"]) * line["quantity"]
        if not order["edited"]:
            assert order["originalTotalPriceSet"] == order["totalPriceSet"]
            allocated = sum(
                (amount(a["allocatedAmountSet"]) for line in lines for a in line["discountAllocations"]), ZERO
            )
            given = sum((amount(s["originalPriceSet"]) - amount(s["discountedPriceSet"]) for s in shipping), ZERO)
            assert allocated + given == amount(order["totalDiscountsSet"])


@pytest.mark.parametrize("shop", SHOPS)
def test_a_refund_is_its_parts_less_its_adjustments(orders: Orders, shop: str) -> None:
    for order in orders[shop]:
        if order["cancelledAt"]:
            continue
        for refund in order["refunds"]:
            parts = sum((amount(i["subtotalSet"]) for i in refund["refundLineItems"]["nodes"]), ZERO)
            parts += sum((amount(i["subtotalAmountSet"]) for i in refund["refundShippingLines"]["nodes"]), ZERO)
            parts += sum((amount(duty["amountSet"]) for duty in refund["duties"]), ZERO)
            if not order["taxesIncluded"]:
                parts += refund_tax(refund)
            adjusted = sum((amount(a["amountSet"]) for a in refund["orderAdjustments"]["nodes"]), ZERO)
            asked = sum((amount(t["amountSet"]) for t in refund["transactions"]["nodes"]), ZERO)
            assert parts - adjusted == asked, order["legacyResourceId"]


@pytest.mark.parametrize("shop", SHOPS)
def test_a_fully_refunded_order_is_worth_nothing(orders: Orders, shop: str) -> None:
    full = [o for o in orders[shop] if o["displayFinancialStatus"] == "REFUNDED" and not o["cancelledAt"]]
    assert full
    for order in full:
        assert amount(order["totalRefundedSet"]) == amount(order["totalReceivedSet"])
        row = next(iter(daily([{**order, "test": False}], ZONES[shop]).values()))
        assert row["revenue"] == ZERO


@pytest.mark.parametrize("shop", SHOPS)
def test_truth_agrees_with_the_api_on_every_day(sandbox: Client, orders: Orders, shop: str) -> None:
    read = daily(orders[shop], ZONES[shop])
    truth = sandbox.admin("GET", f"/truth/{shop}/days")
    assert [row["date_day"] for row in truth][:1] == ["2026-10-19"]
    assert {row["date_day"] for row in truth} >= set(read)
    for row in truth:
        expected = read.get(row["date_day"], {})
        for name in (
            "gross_sales",
            "discounts",
            "shipping",
            "tax",
            "refunds",
            "refunds_cash",
            "revenue",
            "revenue_cash",
        ):
            assert Decimal(row[name]) == expected.get(name, ZERO), (row["date_day"], name)
        assert row["orders"] == expected.get("orders", 0)
        if row["orders"]:
            assert Decimal(row["aov"]) == cents(Decimal(row["revenue"]) / row["orders"])


@pytest.mark.parametrize("shop", SHOPS)
def test_an_overpayment_that_goes_back_is_no_refund(fresh: Client, shop: str) -> None:
    placed = fresh.admin("POST", f"/shops/{shop}/orders", {"price": "20.00", "quantity": 3})
    path = f"/shops/{shop}/orders/{placed['id']}"
    fresh.admin("POST", f"{path}/edit", {"remove": [{"line": 0, "quantity": 1}]})
    [edited] = read_orders(fresh, shop, f"id:{placed['id']}")
    overpaid = amount(edited["totalReceivedSet"]) - amount(edited["totalPriceSet"])
    assert overpaid > Decimal("19.00")
    fresh.admin("POST", f"{path}/refunds", {"amount": "15.00"})
    fresh.admin("POST", f"{path}/refunds", {"lines": [{"line": 0, "quantity": 1}]})
    fresh.admin("POST", f"{path}/refunds", {"amount": "15.00"})
    [order] = read_orders(fresh, shop, f"id:{placed['id']}")
    goods = amount(order["refunds"][1]["refundLineItems"]["nodes"][0]["subtotalSet"])
    tax = refund_tax(order["refunds"][1]) if order["taxesIncluded"] else ZERO
    told = fresh.admin("GET", f"/truth/{shop}/orders/{placed['id']}")
    assert Decimal(told["refunds"]) == goods - tax + Decimal("30.00") - overpaid
    [row] = daily([order], ZONES[shop]).values()
    assert row["refunds"] == row["refunds_cash"] == Decimal(told["refunds"])


@pytest.mark.parametrize("shop", SHOPS)
def test_every_kind_of_order_occurs(orders: Orders, shop: str) -> None:
    of = orders[shop]
    statuses = Counter(order["displayFinancialStatus"] for order in of)
    assert set(statuses) >= {"PAID", "PARTIALLY_REFUNDED", "REFUNDED", "PENDING", "VOIDED"}
    refunds = [(order, refund) for order in of for refund in order["refunds"]]
    outcomes = Counter(t["status"] for _, refund in refunds for t in refund["transactions"]["nodes"])
    assert set(outcomes) == {"SUCCESS", "FAILURE", "PENDING"}
    assert any(not r["refundLineItems"]["nodes"] and r["orderAdjustments"]["nodes"] for _, r in refunds), "goodwill"
    assert any(r["refundLineItems"]["nodes"] and r["orderAdjustments"]["nodes"] for _, r in refunds), "discrepancy"
    assert any(r["refundShippingLines"]["nodes"] and not r["refundLineItems"]["nodes"] for _, r in refunds)
    assert any(_days(order["processedAt"], refund["processedAt"]) >= 14 for order, refund in refunds)
    assert any(order["test"] for order in of)
    assert any(order["cancelledAt"] and order["refunds"] for order in of)
    assert any(order["edited"] and order["totalPriceSet"] != order["originalTotalPriceSet"] for order in of)
    assert any(not order["customer"] and order["email"] for order in of), "guest"
    assert any(not order["customer"] and not order["email"] for order in of), "no identity"
    assert any(order["createdAt"] != order["processedAt"] for order in of), "synced late"
    assert any(amount(order["totalPriceSet"]) == ZERO for order in of), "given away"
    if shop == "aurora":
        assert any(order["originalTotalDutiesSet"] for order in of)
        assert any(amount(order["totalTipReceivedSet"]) for order in of)
        assert any(len(line["taxLines"]) == 2 for order in of for line in order["lineItems"]["nodes"])
    else:
        rates = {t["rate"] for order in of for line in order["lineItems"]["nodes"] for t in line["taxLines"]}
        assert rates == {0.19, 0.07}


@pytest.mark.parametrize("shop", SHOPS)
def test_guests_use_addresses_that_customers_own(orders: Orders, shop: str) -> None:
    owners = {
        o["email"].strip().lower(): o
        for o in sorted(orders[shop], key=lambda o: o["processedAt"], reverse=True)
        if o["customer"]
    }
    guests = [o for o in orders[shop] if o["email"] and not o["customer"]]
    known = [
        (guest, owners[guest["email"].strip().lower()]) for guest in guests if guest["email"].strip().lower() in owners
    ]
    assert known
    assert any(guest["email"] != guest["email"].strip().lower() for guest in guests), "another spelling"
    assert any(guest["processedAt"] < first["processedAt"] for guest, first in known), "before the account"
    assert any(guest["processedAt"] > first["processedAt"] for guest, first in known), "despite the account"


@pytest.mark.parametrize(("shop", "day"), [("aurora", "2026-11-01"), ("nordlicht", "2026-10-25")])
def test_the_repeated_hour_and_midnight_have_orders(orders: Orders, shop: str, day: str) -> None:
    local = [datetime.fromisoformat(order["processedAt"]).astimezone(ZONES[shop]) for order in orders[shop]]
    assert {time.fold for time in local if time.date().isoformat() == day} == {0, 1}
    assert any((time.hour, time.minute) == (23, 59) for time in local)
    assert any((time.hour, time.minute) == (0, 0) for time in local)


def _days(earlier: str, later: str) -> int:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).days
