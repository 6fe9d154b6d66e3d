"""A second opinion on customers: who placed each order, whose first it was, and what became of them.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.independent_orders import Order

NOBODYS_DOMAINS = ("scs.tiktokw.us", "marketplace.amazon.com", "members.ebay.com")
"""Marketplaces hand out addresses here."""


def usable(email: str | None) -> str | None:
    """An address that tells somebody."""
    return email if email and email.rpartition("@")[2] not in NOBODYS_DOMAINS else None


@dataclass
class Customers:
    """Who is who in a merchant's shops."""

    owners: dict[str, str]
    """E-mail address -> the customer whose earliest order with an id carries it."""
    orders: dict[str, list[Order]]
    """Everybody's orders in the order of their times, tests included."""

    @classmethod
    def of(cls, orders: Iterable[Order]) -> Customers:
        """Name who placed each order."""
        everybody = cls({}, defaultdict(list))
        in_turn = sorted(orders, key=lambda order: order.turn)
        for order in in_turn:
            email = usable(order.email)
            if order.sales_channel == "shopify" and order.customer and email:
                everybody.owners.setdefault(email, order.customer)
        for order in in_turn:
            if order.sales_channel == "shopify":
                order.identity = everybody.known(order.customer, order.email)
            elif order.customer:
                order.identity = f"{order.sales_channel}:{order.customer}"
            if order.identity:
                everybody.orders[order.identity].append(order)
        return everybody

    def known(self, customer: str | None, email: str | None) -> str | None:
        """Who a customer id of the shop, or else an address, is."""
        email = usable((email or "").strip().lower())
        customer = customer or (self.owners.get(email) if email else None)
        if customer:
            return f"shopify:{customer}"
        return f"email:{email}" if email else None

    def reader(self, customer: str | None, email: str | None) -> str | None:
        """Who reads mail: the customer with that id if anybody ordered with it, else the owner of the address."""
        named = self.known(customer, None)
        return named if named in self.orders else self.known(None, email)

    def first(self, identity: str | None) -> Order | None:
        """Somebody's first order that is no test."""
        return next((order for order in self.orders.get(identity or "", ()) if not order.is_test), None)

    def is_new(self, order: Order) -> bool:
        return self.first(order.identity) is order and order.is_counted and not order.is_fully_refunded

    def is_returning(self, order: Order) -> bool:
        first = self.first(order.identity)
        return order.is_counted and first is not None and first is not order
