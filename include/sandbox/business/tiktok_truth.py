"""What a correct pipeline must arrive at for TikTok Shop, from the simulator's own state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text
from sandbox.business.tiktok_order import Return
from sandbox.clock import iso

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.tiktok_order import TikTokOrder
    from sandbox.business.tiktok_sales import TikTokSales


@dataclass(slots=True)
class Refund:
    """Money that went back; it is final once a statement holds it."""

    id: int
    kind: str
    amount: int
    updated_at: datetime
    stated_at: datetime | None

    @property
    def cash_at(self) -> datetime:
        return self.stated_at or self.updated_at


@dataclass(slots=True)
class Totals:
    orders: int = 0
    gross_sales: int = 0
    discounts: int = 0
    shipping: int = 0
    refunds: int = 0
    refunds_cash: int = 0
    fees: int = 0
    mirrors: int = 0

    def row(self) -> dict[str, Any]:
        sales = self.gross_sales - self.discounts + self.shipping
        return {
            "orders": self.orders,
            "gross_sales": decimal_text(self.gross_sales),
            "discounts": decimal_text(self.discounts),
            "shipping": decimal_text(self.shipping),
            "refunds": decimal_text(self.refunds),
            "refunds_cash": decimal_text(self.refunds_cash),
            "revenue": decimal_text(sales - self.refunds),
            "revenue_cash": decimal_text(sales - self.refunds_cash),
            "fees": decimal_text(self.fees),
            "mirrors": self.mirrors,
        }


class Truth:
    """The orders that the vendor's API shows now, in the terms of the business."""

    def __init__(self, sales: TikTokSales, in_shopify: set[int]) -> None:
        self._sales = sales
        self._in_shopify = in_shopify
        self._stated = {one.id: statement.at for statement in sales.statements for one in statement.transactions}

    def orders(self) -> list[dict[str, Any]]:
        return [self._order(order) for order in self._sales.orders]

    def days(self, first: date, last: date) -> list[dict[str, Any]]:
        """Every business day from `first` to `last`, and any other day that something falls on."""
        days: defaultdict[date, Totals] = defaultdict(Totals)
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            days[date.fromordinal(ordinal)] = Totals()
        for order in self._sales.orders:
            if not is_counted(order):
                continue
            day = days[self._day(order.created_at)]
            day.orders += 1
            day.gross_sales += order.original_price
            day.discounts += order.seller_discount
            day.shipping += shipping(order)
            day.fees += self.fees(order) or 0
            day.mirrors += self.mirror(order) is not None
            for refund in self.refunds(order):
                day.refunds += refund.amount
                days[self._day(refund.cash_at)].refunds_cash += refund.amount
        return [{"date_day": day.isoformat(), **total.row()} for day, total in sorted(days.items())]

    def refunds(self, order: TikTokOrder) -> list[Refund]:
        return [
            Refund(
                one.id,
                "return" if isinstance(one, Return) else "cancellation",
                one.money.from_seller,
                one.updated_at,
                self._stated.get(one.booked.id) if one.booked else None,
            )
            for one in order.aftersales
            if one.is_refunded
        ]

    def fees(self, order: TikTokOrder) -> int | None:
        """What statements charged for the order; None until there is one."""
        stated = [one for one in order.transactions if one.kind == "ORDER" and one.id in self._stated]
        return sum(one.fee_tax for one in stated) if stated else None

    def mirror(self, order: TikTokOrder) -> int | None:
        return order.mirror.id if order.mirror is not None and order.mirror.id in self._in_shopify else None

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._sales.merchant.zone).date()

    def _order(self, order: TikTokOrder) -> dict[str, Any]:
        refunds, fees, mirror = self.refunds(order), self.fees(order), self.mirror(order)
        refunded = sum(refund.amount for refund in refunds)
        sales = order.original_price - order.seller_discount + shipping(order)
        return {
            "id": str(order.id),
            "user_id": order.user_id,
            "created_at": iso(order.created_at),
            "date_day": self._day(order.created_at).isoformat(),
            "status": order.status,
            "kind": order.kind,
            "is_counted": is_counted(order),
            "gross_sales": decimal_text(order.original_price),
            "discounts": decimal_text(order.seller_discount),
            "shipping": decimal_text(shipping(order)),
            "total_price": decimal_text(sales),
            "refunded": decimal_text(refunded),
            "revenue": decimal_text(sales - refunded),
            "fees": decimal_text(fees) if fees is not None else None,
            "mirror_id": str(mirror) if mirror is not None else None,
            "refunds": [
                {
                    "id": str(refund.id),
                    "kind": refund.kind,
                    "amount": decimal_text(refund.amount),
                    "updated_at": iso(refund.updated_at),
                    "cash_at": iso(refund.cash_at),
                    "is_final": refund.stated_at is not None,
                }
                for refund in refunds
            ],
        }


def is_counted(order: TikTokOrder) -> bool:
    return order.paid_at is not None and order.status != "CANCELLED" and order.kind == "NORMAL"


def shipping(order: TikTokOrder) -> int:
    """What the seller is due for shipping, from the buyer or from the platform."""
    fee = order.shipping
    return fee.original - fee.seller_discount - fee.cofunded_discount
