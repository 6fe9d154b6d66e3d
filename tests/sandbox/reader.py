"""An independent reading of the Shopify API: pages through everything and applies the money rules with Decimal."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from tests.sandbox.conftest import Client

COUNTED = ("PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED")
ZERO = Decimal(0)
ORDERS = """
query Orders($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes {
      legacyResourceId createdAt processedAt updatedAt cancelledAt test edited taxesIncluded email
      displayFinancialStatus sourceName
      customer { id }
      totalPriceSet { ...m } originalTotalPriceSet { ...m } currentTotalPriceSet { ...m } subtotalPriceSet { ...m }
      totalDiscountsSet { ...m } totalTaxSet { ...m } totalShippingPriceSet { ...m } totalTipReceivedSet { ...m }
      originalTotalDutiesSet { ...m } totalReceivedSet { ...m } totalRefundedSet { ...m }
      currentSubtotalPriceSet { ...m } currentTotalTaxSet { ...m } currentShippingPriceSet { ...m }
      taxLines { priceSet { ...m } }
      shippingLines(first: 5, includeRemovals: true) {
        nodes { isRemoved originalPriceSet { ...m } discountedPriceSet { ...m } taxLines { priceSet { ...m } } }
      }
      lineItems(first: 20) {
        pageInfo { hasNextPage }
        nodes {
          id quantity currentQuantity originalUnitPriceSet { ...m }
          discountAllocations { allocatedAmountSet { ...m } }
          taxLines { rate priceSet { ...m } }
        }
      }
      transactions { kind status amountSet { ...m } }
      refunds {
        legacyResourceId processedAt totalRefundedSet { ...m }
        duties { amountSet { ...m } }
        refundLineItems(first: 20) { nodes { quantity subtotalSet { ...m } totalTaxSet { ...m } lineItem { id } } }
        refundShippingLines(first: 5) { nodes { subtotalAmountSet { ...m } taxAmountSet { ...m } } }
        orderAdjustments(first: 5) { nodes { amountSet { ...m } } }
        transactions(first: 5) { nodes { kind status amountSet { ...m } } }
      }
    }
  }
}
fragment m on MoneyBag { shopMoney { amount } }
"""


def amount(bag: dict[str, Any] | None) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"]) if bag else ZERO


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def read_orders(client: Client, shop: str, query: str | None = None, first: int = 100) -> list[dict[str, Any]]:
    """Every order, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = client.ask(ORDERS, {"first": first, "after": after, "query": query}, shop=shop)["orders"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def sales(order: dict[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
    """Gross sales, discounts and shipping, without tax."""
    gross = discounts = ZERO
    for line in order["lineItems"]["nodes"]:
        refunded = sum(
            item["quantity"]
            for refund in order["refunds"]
            for item in refund["refundLineItems"]["nodes"]
            if item["lineItem"]["id"] == line["id"]
        )
        kept, quantity = line["currentQuantity"] + refunded, line["quantity"]
        price = amount(line["originalUnitPriceSet"]) * kept
        discount = sum((amount(a["allocatedAmountSet"]) for a in line["discountAllocations"]), ZERO)
        tax = sum((amount(t["priceSet"]) for t in line["taxLines"]), ZERO)
        discount, tax = cents(discount * kept / quantity), cents(tax * kept / quantity)
        if order["taxesIncluded"]:
            rates = sum((Decimal(str(t["rate"])) for t in line["taxLines"]), ZERO)
            net_discount = cents(discount / (1 + rates))
            gross += price - discount - tax + net_discount
            discounts += net_discount
        else:
            gross += price
            discounts += discount
    shipping = ZERO
    for line in order["shippingLines"]["nodes"]:
        if not line["isRemoved"]:
            shipping += amount(line["discountedPriceSet"])
            if order["taxesIncluded"]:
                shipping -= sum((amount(t["priceSet"]) for t in line["taxLines"]), ZERO)
    return gross, discounts, shipping


def refund_tax(refund: dict[str, Any]) -> Decimal:
    lines = sum((amount(item["totalTaxSet"]) for item in refund["refundLineItems"]["nodes"]), ZERO)
    return lines + sum((amount(item["taxAmountSet"]) for item in refund["refundShippingLines"]["nodes"]), ZERO)


def refunds_of(order: dict[str, Any]) -> list[tuple[dict[str, Any], Decimal, Decimal]]:
    """Each refund of an order, with what it takes from sales and from tax."""
    overpaid = amount(order["totalReceivedSet"]) - amount(order["totalPriceSet"])
    found = []
    by_time = sorted(order["refunds"], key=lambda refund: (refund["processedAt"], int(refund["legacyResourceId"])))
    for refund in by_time:
        paid = [t for t in refund["transactions"]["nodes"] if t["kind"] == "REFUND" and t["status"] == "SUCCESS"]
        if not paid:
            found.append((refund, ZERO, ZERO))
            continue
        money = sum((amount(t["amountSet"]) for t in paid), ZERO)
        duties = sum((amount(duty["amountSet"]) for duty in refund["duties"]), ZERO)
        tax = refund_tax(refund)
        items = sum((amount(item["subtotalSet"]) for item in refund["refundLineItems"]["nodes"]), ZERO)
        items += sum((amount(item["subtotalAmountSet"]) for item in refund["refundShippingLines"]["nodes"]), ZERO)
        unexplained = money - items - duties - (ZERO if order["taxesIncluded"] else tax)
        returned = max(ZERO, min(unexplained, overpaid))
        overpaid -= returned
        found.append((refund, money - tax - duties - returned, tax))
    return found


def daily(orders: list[dict[str, Any]], zone: ZoneInfo) -> dict[str, dict[str, Decimal]]:
    """Totals by business day."""
    days: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))

    def day(time: str) -> defaultdict[str, Decimal]:
        return days[datetime.fromisoformat(time).astimezone(zone).date().isoformat()]

    for order in orders:
        if order["test"] or order["cancelledAt"] or order["displayFinancialStatus"] not in COUNTED:
            continue
        gross, discounts, shipping = sales(order)
        row = day(order["processedAt"])
        row["orders"] += 1
        row["gross_sales"] += gross
        row["discounts"] += discounts
        row["shipping"] += shipping
        row["tax"] += amount(order["totalTaxSet"])
        row["revenue"] += gross - discounts + shipping
        row["revenue_cash"] += gross - discounts + shipping
        for refund, returned, tax in refunds_of(order):
            row["refunds"] += returned
            row["revenue"] -= returned
            row["tax"] -= tax
            cash = day(refund["processedAt"])
            cash["refunds_cash"] += returned
            cash["revenue_cash"] -= returned
    return {key: dict(row) for key, row in days.items()}
