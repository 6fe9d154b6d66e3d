"""Control totals of every business day, from the simulator's own state: what a correct pipeline must arrive at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sandbox.business.money import decimal_text, rounded
from sandbox.business.order import PPM, Line, Order, Refund

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.business.merchants import Merchant

COUNTED = {"PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED"}


@dataclass(slots=True)
class Totals:
    gross_sales: int = 0
    discounts: int = 0
    shipping: int = 0
    tax: int = 0
    refunds: int = 0
    refunds_cash: int = 0
    orders: int = 0

    def row(self) -> dict[str, str | int | None]:
        sales = self.gross_sales - self.discounts + self.shipping
        revenue = sales - self.refunds
        return {
            "gross_sales": decimal_text(self.gross_sales),
            "discounts": decimal_text(self.discounts),
            "shipping": decimal_text(self.shipping),
            "tax": decimal_text(self.tax),
            "refunds": decimal_text(self.refunds),
            "refunds_cash": decimal_text(self.refunds_cash),
            "revenue": decimal_text(revenue),
            "revenue_cash": decimal_text(sales - self.refunds_cash),
            "orders": self.orders,
            "aov": decimal_text(rounded(revenue, self.orders)) if self.orders else None,
        }


def is_counted(order: Order) -> bool:
    return order.financial_status in COUNTED and order.cancelled_at is None and not order.test


def line_amounts(merchant: Merchant, line: Line) -> tuple[int, int]:
    """Gross sales and discounts of a line without tax."""
    if not merchant.taxes_included:
        return line.price, line.discount
    discount = rounded(line.discount * PPM, PPM + sum(tax.rate for tax in line.taxes))
    return line.price - line.discount - line.tax + discount, discount


def shipping_amount(order: Order) -> int:
    """Shipping without tax."""
    included = order.merchant.taxes_included
    return sum(s.discounted - (s.tax if included else 0) for s in order.shipping if not s.removed)


def refund_amounts(order: Order) -> list[tuple[int, int]]:
    """What each refund takes from sales and from tax; nothing while no money moved.

    Money beyond a refund's items that only gives back what was received beyond the order's total takes nothing.
    """
    overpaid = max(0, order.received - order.total)
    settled: dict[int, int] = {}
    for refund in sorted(order.refunds, key=lambda refund: (refund.processed_at, refund.id)):
        settled[refund.id] = min(overpaid, max(0, refund.money - _items(order, refund)))
        overpaid -= settled[refund.id]
    return [
        (refund.money - refund.tax - refund.duty - settled[refund.id], refund.tax)
        if any(t.kind == "REFUND" and t.status == "SUCCESS" for t in refund.transactions)
        else (0, 0)
        for refund in order.refunds
    ]


def _items(order: Order, refund: Refund) -> int:
    """What a refund's items are worth, with tax and duties."""
    goods = sum(line.subtotal for line in refund.lines) + sum(line.subtotal for line in refund.shipping)
    return goods + refund.duty + (0 if order.merchant.taxes_included else refund.tax)


def days(merchant: Merchant, orders: Iterable[Order], first: date, last: date) -> dict[date, Totals]:
    """The totals of each business day from `first` to `last`, and of any other day that something falls on."""
    totals: defaultdict[date, Totals] = defaultdict(Totals)
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        totals[date.fromordinal(ordinal)] = Totals()
    for order in orders:
        if not is_counted(order):
            continue
        day = totals[order.processed_at.astimezone(merchant.zone).date()]
        day.orders += 1
        for line in order.lines:
            gross, discount = line_amounts(merchant, line)
            day.gross_sales += gross
            day.discounts += discount
        day.shipping += shipping_amount(order)
        day.tax += order.tax
        for refund, (sales, tax) in zip(order.refunds, refund_amounts(order), strict=True):
            day.refunds += sales
            day.tax -= tax
            totals[refund.processed_at.astimezone(merchant.zone).date()].refunds_cash += sales
    return dict(sorted(totals.items()))
