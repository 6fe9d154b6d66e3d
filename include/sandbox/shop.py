"""One merchant as it is visible now: orders, drafts, products, customers, sales and videos on TikTok Shop, and ads."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.ads import Ads
from sandbox.business.catalogue import CatalogueProduct, opening
from sandbox.business.email import EmailMarketing
from sandbox.business.order import Event, Order, Person, apply
from sandbox.business.simulator import Draft, Simulator, day_start
from sandbox.business.tiktok_mirror import copied, followed
from sandbox.business.tiktok_sales import TikTokSales
from sandbox.business.videos import Videos
from sandbox.business.website import Website

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sandbox.business.merchants import Merchant
    from sandbox.business.tiktok_order import TikTokOrder


@dataclass(slots=True)
class Customer:
    """An account with its orders."""

    id: int
    person: Person
    created_at: datetime
    updated_at: datetime
    orders: list[Order] = field(default_factory=list)

    @property
    def email(self) -> str:
        return self.person.email


class Shop:
    """One merchant's orders, products and customers as they are visible now."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self.merchant = merchant
        self.orders: dict[int, Order] = {}
        self.drafts: list[Draft] = []
        self.products: dict[int, CatalogueProduct] = opening(merchant, day_start(merchant, first_day))
        self.version = 0
        self.videos = Videos(merchant, seed, first_day)
        self.email = EmailMarketing(merchant, seed, first_day)
        self.website = Website(merchant, seed, first_day)
        self.ads = Ads(merchant, seed, first_day)
        self.tiktok = TikTokSales(merchant, seed, first_day, self._mirror)
        self._simulator = Simulator(merchant, seed, first_day)
        self._pending: list[tuple[datetime, int, int, Order, Event | None]] = []
        self._pushed = 0
        self._pending_drafts: list[tuple[datetime, int, Draft]] = []
        self._sorted: dict[tuple[str, str], tuple[int, list[tuple[Any, int]]]] = {}
        self._touched: dict[int, tuple[Person, datetime]] = {}
        """Customers that something other than their orders changed last."""
        self._merged: dict[int, Customer] = {}
        """Who took over the orders of customers that are no more."""
        self._customers: tuple[int, dict[int, Customer]] = (-1, {})

    def schedule(self, order: Order, events: list[Event]) -> None:
        """Show the order from its creation on, and its events from theirs on."""
        self._push(order.created_at, order, None)
        for event in events:
            self._push(event.at, order, event)

    def _push(self, at: datetime, order: Order, event: Event | None) -> None:
        """At one time the order's id decides, so that what is due does not depend on when that was known."""
        self._pushed += 1
        heapq.heappush(self._pending, (at, order.id, self._pushed, order, event))

    def _mirror(self, original: TikTokOrder, at: datetime, event: Event | None) -> None:
        """An app copies an order of TikTok Shop, and later what happens to it."""
        if original.mirror_delay is None:
            return
        delay = timedelta(seconds=original.mirror_delay)
        if event is None:
            original.mirror = copied(original, at + delay)
            self._push(original.mirror.created_at, original.mirror, None)
        for due in followed(original, event, delay):
            assert original.mirror is not None
            self._push(due.at, original.mirror, due)

    def show(self, order: Order) -> None:
        """The order is there from now on; its customer may have been merged into another."""
        while order.customer_id in self._merged:
            kept = self._merged[order.customer_id]
            order.customer_id, order.person = kept.id, kept.person
        self.orders[order.id] = order
        self.website.saw(order)
        self.ads.saw(order)
        self.version += 1

    def react(self, order: Order, event: Event) -> bool:
        """Apply an event that happens now."""
        self.version += 1
        return apply(order, event)

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due by now."""
        for day in self._simulator.until(now):
            for order, events in day.orders:
                self.schedule(order, events)
            for draft in day.drafts:
                heapq.heappush(self._pending_drafts, (draft.created_at, draft.id, draft))
        self.tiktok.advance(now)
        while self._pending_drafts and self._pending_drafts[0][0] <= now:
            self.drafts.append(heapq.heappop(self._pending_drafts)[2])
        while self._pending and self._pending[0][0] <= now:
            _, _, _, order, event = heapq.heappop(self._pending)
            if event is None:
                self.show(order)
            else:
                self.react(order, event)

    def table(self, name: str) -> Mapping[int, Any]:
        """Orders, products, variants or customers by their ids."""
        if name == "variants":
            return {variant.id: variant for product in self.products.values() for variant in product.variants}
        if name == "customers":
            return self.customers()
        return self.orders if name == "orders" else self.products

    def sorted_by(self, attribute: str, table: str = "orders") -> list[tuple[Any, int]]:
        """(value, id) of every object of a table, ascending."""
        version, rows = self._sorted.get((table, attribute), (-1, []))
        if version != self.version:
            rows = sorted((getattr(item, attribute), item.id) for item in self.table(table).values())
            self._sorted[table, attribute] = (self.version, rows)
        return rows

    def customers(self) -> dict[int, Customer]:
        """Accounts by customer id."""
        version, found = self._customers
        if version == self.version:
            return found
        found = {number: Customer(number, person, at, at) for number, (person, at) in self._touched.items()}
        for order in self.orders.values():
            if order.customer_id is None or order.person is None:
                continue
            customer = found.get(order.customer_id)
            if customer is None:
                customer = found[order.customer_id] = Customer(
                    order.customer_id, order.person, order.created_at, order.updated_at
                )
            customer.orders.append(order)
            customer.updated_at = max(customer.updated_at, order.updated_at)
        for customer in found.values():
            customer.created_at = customer.person.registered_at or customer.created_at
        self._customers = (self.version, found)
        return found

    def delete(self, order: Order, at: datetime) -> None:
        """The order was never there; its customer was."""
        del self.orders[order.id]
        self.version += 1
        if order.customer_id is not None and order.person is not None:
            self._touched[order.customer_id] = (order.person, at)

    def merge(self, kept_id: int, gone_id: int, at: datetime) -> None:
        """Two accounts are one person: the orders of the one go to the other, now and in future."""
        customers = self.customers()
        for number in (kept_id, gone_id):
            if number not in customers:
                raise LookupError(f"{self.merchant.domain} has no customer {number}")
        if kept_id == gone_id:
            raise ValueError(f"customer {kept_id} cannot be merged with itself")
        kept, gone = customers[kept_id], customers[gone_id]
        for order in gone.orders:
            order.customer_id, order.person, order.updated_at = kept.id, kept.person, at
            order.version += 1
        self._merged[gone.id] = kept
        self._touched.pop(gone.id, None)
        self._touched[kept.id] = (kept.person, at)
        self.version += 1
