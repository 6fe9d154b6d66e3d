"""A second opinion: the figures of every business day, read from a shop's Admin API and added up from the definitions.

It shares nothing with the project but those definitions: no import, no query, no SQL. Money is exact rational
arithmetic, rounded to cents away from zero and only where the definitions round.

    python independent.py --url https://shop.example/ --token TOKEN --time-zone Europe/Berlin > days.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
import urllib.request
from collections import defaultdict
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

PAID = ("PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED")
FIGURES = (
    "gross_sales",
    "discounts",
    "refunds",
    "shipping",
    "tax",
    "revenue",
    "refunds_cash",
    "revenue_cash",
    "orders",
    "aov",
)

MONEY = "{ shopMoney { amount } }"
LINES = f"""{{
    nodes {{
        id quantity currentQuantity
        originalUnitPriceSet {MONEY}
        discountAllocations {{ allocatedAmountSet {MONEY} }}
        taxLines {{ rate priceSet {MONEY} }}
    }}
    pageInfo {{ hasNextPage endCursor }}
}}"""
SHIPPING = f"""{{
    nodes {{ isRemoved discountedPriceSet {MONEY} taxLines {{ priceSet {MONEY} }} }}
    pageInfo {{ hasNextPage endCursor }}
}}"""
ORDERS = f"""query($first: Int!, $after: String) {{
    orders(first: $first, after: $after, sortKey: ID) {{
        nodes {{
            id processedAt cancelledAt test displayFinancialStatus taxesIncluded tags
            totalPriceSet {MONEY} totalTaxSet {MONEY} totalTipReceivedSet {MONEY} originalTotalDutiesSet {MONEY}
            totalReceivedSet {MONEY}
            lineItems(first: 6) {LINES}
            shippingLines(first: 2) {SHIPPING}
            refunds(first: 4) {{ id }}
        }}
        pageInfo {{ hasNextPage endCursor }}
    }}
}}"""
MORE_OF_ORDER = """query($id: ID!, $after: String) {{
    order(id: $id) {{ {field}(first: 20, after: $after) {shape} }}
}}"""
ALL_REFUNDS = "query($id: ID!) { order(id: $id) { refunds(first: 200) { id } } }"
REFUND_PARTS = {
    "refundLineItems": f"quantity lineItem {{ id }} subtotalSet {MONEY} totalTaxSet {MONEY}",
    "refundShippingLines": f"subtotalAmountSet {MONEY} taxAmountSet {MONEY}",
    "transactions": f"kind status amountSet {MONEY}",
}
REFUND_PART = """query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Refund {{
    {field}(first: 40, after: $after) {{ nodes {{ {shape} }} pageInfo {{ hasNextPage endCursor }} }}
}} }} }}"""
PARTS = " ".join(
    f"{field}(first: 20) {{ nodes {{ {shape} }} pageInfo {{ hasNextPage }} }}" for field, shape in REFUND_PARTS.items()
)
REFUND = f"""query($id: ID!) {{ node(id: $id) {{ ... on Refund {{
    id processedAt duties {{ amountSet {MONEY} }} {PARTS}
}} }} }}"""


class Shop:
    """One shop's Admin API over plain HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self.endpoint = f"{url.rstrip('/')}/admin/api/2026-10/graphql.json"
        self.headers = {"X-Shopify-Access-Token": token, "Content-Type": "application/json"}

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """One query's data; waits when the shop says that it is asked too much."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        while True:
            request = urllib.request.Request(self.endpoint, body, self.headers)
            with urllib.request.urlopen(request, timeout=60) as response:
                answer: dict[str, Any] = json.load(response)
            errors = answer.get("errors") or []
            if not errors:
                return dict(answer["data"])
            if any(error.get("extensions", {}).get("code") != "THROTTLED" for error in errors):
                raise RuntimeError(f"{self.endpoint} refused: {errors}")
            time.sleep(1)

    def pages(self, query: str, *path: str, **variables: Any) -> Iterator[dict[str, Any]]:
        """Every node of the connection at `path`."""
        after = None
        while True:
            connection: Any = self.ask(query, after=after, **variables)
            for key in path:
                connection = connection[key]
            yield from connection["nodes"]
            if not connection["pageInfo"]["hasNextPage"]:
                return
            after = connection["pageInfo"]["endCursor"]

    def orders(self) -> Iterator[dict[str, Any]]:
        """Every order with all of its lines, shipping lines and refunds as plain lists."""
        for order in self.pages(ORDERS, "orders", first=40):
            for field, shape in (("lineItems", LINES), ("shippingLines", SHIPPING)):
                if order[field]["pageInfo"]["hasNextPage"]:
                    more = MORE_OF_ORDER.format(field=field, shape=shape)
                    order[field] = list(self.pages(more, "order", field, id=order["id"]))
                else:
                    order[field] = order[field]["nodes"]
            refunds = order["refunds"]
            if len(refunds) == 4:
                refunds = self.ask(ALL_REFUNDS, id=order["id"])["order"]["refunds"]
            order["refunds"] = [self.refund(refund["id"]) for refund in refunds]
            yield order

    def refund(self, refund_id: str) -> dict[str, Any]:
        """One refund with all of its parts as plain lists."""
        refund = dict(self.ask(REFUND, id=refund_id)["node"])
        for field, shape in REFUND_PARTS.items():
            if refund[field]["pageInfo"]["hasNextPage"]:
                query = REFUND_PART.format(field=field, shape=shape)
                refund[field] = list(self.pages(query, "node", field, id=refund_id))
            else:
                refund[field] = refund[field]["nodes"]
        return refund


def money(bag: dict[str, Any] | None) -> Fraction:
    """The amount in the shop's own currency; nothing is 0."""
    return Fraction(bag["shopMoney"]["amount"]) if bag else Fraction(0)


def total(rows: Iterable[dict[str, Any]] | None, field: str) -> Fraction:
    """The sum of a money field."""
    return sum((money(row[field]) for row in rows or ()), Fraction(0))


def cents(amount: Fraction) -> Fraction:
    """Rounded to cents, halves away from zero."""
    doubled = abs(amount) * 200 + 1
    return Fraction(doubled.numerator // doubled.denominator // 2, 100) * (1 if amount >= 0 else -1)


def order_figures(order: dict[str, Any]) -> dict[str, Fraction]:
    """An order's components, all without tax but the tax."""
    returned: dict[str, int] = defaultdict(int)
    for refund in order["refunds"]:
        for item in refund["refundLineItems"]:
            returned[item["lineItem"]["id"]] += item["quantity"]
    gross_sales = discounts = Fraction(0)
    for line in order["lineItems"]:
        # An edit takes units out of the sale, a return does not: what is current plus what came back was sold.
        sold = line["currentQuantity"] + returned[line["id"]]
        share = Fraction(sold, line["quantity"]) if line["quantity"] else Fraction(0)
        price = money(line["originalUnitPriceSet"]) * sold
        discount = cents(total(line["discountAllocations"], "allocatedAmountSet") * share)
        tax = cents(total(line["taxLines"], "priceSet") * share)
        if order["taxesIncluded"]:
            rate = sum((Fraction(str(tax_line["rate"] or 0)) for tax_line in line["taxLines"]), Fraction(0))
            ex_tax = cents(discount / (1 + rate))
            gross_sales += price - discount - tax + ex_tax
            discounts += ex_tax
        else:
            gross_sales += price
            discounts += discount
    shipping = Fraction(0)
    for line in order["shippingLines"]:
        if not line["isRemoved"]:
            shipping += money(line["discountedPriceSet"])
            if order["taxesIncluded"]:
                shipping -= total(line["taxLines"], "priceSet")
    return {
        "gross_sales": gross_sales,
        "discounts": discounts,
        "shipping": shipping,
        "tax": money(order["totalTaxSet"]),
    }


def refund_figures(refund: dict[str, Any], order: dict[str, Any], overpaid: Fraction) -> dict[str, Fraction]:
    """What a refund really returned: without tax and duties, its tax, and what of it only gave an overpayment back."""
    paid_back = [t for t in refund["transactions"] if t["kind"] == "REFUND" and t["status"] == "SUCCESS"]
    if not paid_back:
        return {"refunds": Fraction(0), "tax": Fraction(0), "overpayment": Fraction(0)}
    tax = total(refund["refundLineItems"], "totalTaxSet") + total(refund["refundShippingLines"], "taxAmountSet")
    duties = total(refund["duties"], "amountSet")
    items = total(refund["refundLineItems"], "subtotalSet") + total(refund["refundShippingLines"], "subtotalAmountSet")
    money_back = total(paid_back, "amountSet")
    unexplained = money_back - items - duties - (0 if order["taxesIncluded"] else tax)
    overpayment = min(overpaid, max(unexplained, Fraction(0)))
    return {"refunds": money_back - tax - duties - overpayment, "tax": tax, "overpayment": overpayment}


def refunds_of(order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Fraction]]]:
    """An order's refunds in their order, each with its figures: they share what was received beyond the total."""
    # Who does not say what was received says nothing of an overpayment either.
    received = order.get("totalReceivedSet")
    overpaid = max(money(received) - money(order["totalPriceSet"]), Fraction(0)) if received else Fraction(0)

    def turn(refund: dict[str, Any]) -> tuple[datetime, int]:
        return datetime.fromisoformat(refund["processedAt"]), int(refund["id"].rpartition("/")[2])

    for refund in sorted(order["refunds"], key=turn):
        figures = refund_figures(refund, order, overpaid)
        overpaid -= figures["overpayment"]
        yield refund, figures


def new_days() -> dict[date, dict[str, Fraction]]:
    """Sums by business day, 0 where nothing was added yet."""
    return defaultdict(lambda: defaultdict(Fraction))


def add_days(
    orders: Iterable[dict[str, Any]],
    time_zone: str,
    days: dict[date, dict[str, Fraction]],
    counted_elsewhere: Container[str] = (),
) -> None:
    """Add the orders to the sums of their days; a day with any order, counted or not, or a refund is there.

    An order that says by its tag that it copies one of `counted_elsewhere` is not counted again.
    """
    zone = ZoneInfo(time_zone)

    def day_of(instant: str) -> dict[str, Fraction]:
        return days[datetime.fromisoformat(instant).astimezone(zone).date()]

    for order in orders:
        ordered = day_of(order["processedAt"])
        refunds = [(day_of(refund["processedAt"]), figures) for refund, figures in refunds_of(order)]
        if order["test"] or order["cancelledAt"] or order["displayFinancialStatus"] not in PAID:
            continue
        if any(tag.removeprefix("TikTokOrderID:") in counted_elsewhere for tag in order.get("tags", ())):
            continue
        ordered["orders"] += 1
        for name, amount in order_figures(order).items():
            ordered[name] += amount
            if name == "tax":
                ordered["tax_cash"] += amount
        for refunded, figures in refunds:
            ordered["refunds"] += figures["refunds"]
            ordered["tax"] -= figures["tax"]
            refunded["refunds_cash"] += figures["refunds"]
            refunded["tax_cash"] -= figures["tax"]


def figures_of(
    days: dict[date, dict[str, Fraction]], revenue_includes_tax: bool = False
) -> dict[date, dict[str, Decimal | int | None]]:
    """The figures of every day."""
    result: dict[date, dict[str, Decimal | int | None]] = {}
    for day, sums in sorted(days.items()):
        net = sums["gross_sales"] - sums["discounts"] + sums["shipping"]
        sums["revenue"] = net - sums["refunds"] + (sums["tax"] if revenue_includes_tax else 0)
        sums["revenue_cash"] = net - sums["refunds_cash"] + (sums["tax_cash"] if revenue_includes_tax else 0)
        count = int(sums["orders"])
        figures: dict[str, Decimal | int | None] = {name: as_decimal(sums[name]) for name in FIGURES}
        figures["orders"] = count
        figures["aov"] = as_decimal(cents(sums["revenue"] / count)) if count else None
        result[day] = figures
    return result


def business_days(
    orders: Iterable[dict[str, Any]], time_zone: str, revenue_includes_tax: bool = False
) -> dict[date, dict[str, Decimal | int | None]]:
    """The figures of a shop that sells nowhere else."""
    days = new_days()
    add_days(orders, time_zone, days)
    return figures_of(days, revenue_includes_tax)


def as_decimal(amount: Fraction) -> Decimal:
    """Whole cents as a decimal; anything finer would be an error of the reader."""
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if Fraction(rounded) != amount:
        raise ArithmeticError(f"{amount} is not a whole number of cents")
    return rounded


def main() -> None:
    """Print the days of a shop as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the shop's address, without /admin")
    parser.add_argument("--token", required=True, help="an Admin API access token")
    parser.add_argument("--time-zone", required=True, help="the merchant's reporting time zone, as Europe/Berlin")
    parser.add_argument("--revenue-includes-tax", action="store_true", help="count net tax as revenue")
    options = parser.parse_args()
    shop = Shop(options.url, options.token)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("date_day", *FIGURES))
    for day, figures in business_days(shop.orders(), options.time_zone, options.revenue_includes_tax).items():
        writer.writerow((day, *("" if figures[name] is None else figures[name] for name in FIGURES)))


if __name__ == "__main__":
    main()
