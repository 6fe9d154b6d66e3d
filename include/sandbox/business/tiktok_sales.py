"""One merchant's TikTok Shop as it stands now: orders, what came after them, and the statements cut so far."""

from __future__ import annotations

import heapq
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sandbox.business.order import Event
from sandbox.business.simulator import day_start
from sandbox.business.tiktok_events import apply
from sandbox.business.tiktok_order import REPLACED_RETURN, Return, ShippingFee, TikTokOrder, Unit
from sandbox.business.tiktok_settlement import Statement, Transaction, book
from sandbox.business.tiktok_simulator import TikTokSimulator, in_transit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.merchants import Merchant
    from sandbox.business.tiktok_order import Cancellation

    Follow = Callable[[TikTokOrder, datetime, Event | None], None]

CUT = -1
"""Stands for an order's id where a statement is cut: before whatever happens at that midnight."""


class TikTokSales:
    """Empty for ever when the merchant does not sell on TikTok Shop."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date, follow: Follow) -> None:
        self.merchant = merchant
        self.known: dict[int, TikTokOrder] = {}
        """Every order, also one that the vendor's API does not show yet."""
        self.statements: list[Statement] = []
        self.placed = 0
        """How many orders were placed from outside."""
        self._seed = seed
        self._follow = follow
        """Told of every new order and of every event, so that an app can copy it."""
        self._simulator = TikTokSimulator(merchant, seed, first_day)
        self._pending: list[tuple[datetime, int, int, TikTokOrder | None, Event | None]] = []
        self._pushed = 0
        self._unstated: list[Transaction] = []
        opened = day_start(merchant, first_day)
        self._push(datetime(opened.year, opened.month, opened.day, tzinfo=UTC) + timedelta(days=1), CUT, None, None)

    @property
    def orders(self) -> list[TikTokOrder]:
        return [order for order in self.known.values() if not order.hidden]

    @property
    def returns(self) -> list[Return]:
        return [one for order in self.orders for one in order.returns]

    @property
    def cancellations(self) -> list[Cancellation]:
        return [one for order in self.orders for one in order.cancellations]

    def happen_later(self, order: TikTokOrder, event: Event) -> None:
        """The event is due at its time."""
        self._push(event.at, order.id, order, event)

    def schedule(self, order: TikTokOrder, events: list[Event]) -> None:
        """Show the order from its creation on, and its events from theirs on."""
        self._push(order.created_at, order.id, order, None)
        for event in events:
            self.happen_later(order, event)

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due by now."""
        for order, events in self._simulator.until(now):
            self.schedule(order, events)
        while self._pending and self._pending[0][0] <= now:
            at, _, _, due, event = heapq.heappop(self._pending)
            if due is None:
                self._cut(at)
            elif event is None:
                self.show(due, at)
            else:
                self.react(due, event)

    def show(self, order: TikTokOrder, at: datetime) -> None:
        """The order is there from now on."""
        self.known[order.id] = order
        self._follow(order, at, None)

    def react(self, order: TikTokOrder, event: Event) -> bool:
        """Apply an event that happens now, with the transactions and the order that follow from it."""
        if not apply(order, event):
            return False
        self._unstated += book(order, event.at)
        for one in order.returns:
            if one.status == REPLACED_RETURN and not one.replaced:
                self._replace(one, event.at)
        self._follow(order, event.at, event)
        return True

    def _push(self, at: datetime, number: int, order: TikTokOrder | None, event: Event | None) -> None:
        self._pushed += 1
        heapq.heappush(self._pending, (at, number, self._pushed, order, event))

    def _cut(self, at: datetime) -> None:
        """The statement of the past day, if there was anything to state."""
        if self._unstated:
            self.statements.append(Statement(at, self._unstated))
            self._unstated = []
        self._push(at + timedelta(days=1), CUT, None, None)

    def _replace(self, one: Return, at: datetime) -> None:
        """Other goods go out for free: the same ones again, or what the buyer wanted in exchange."""
        one.replaced = True
        source, rng = one.order, Random(f"{self._seed}/{one.id}")  # noqa: S311 (a simulation)
        order_id = source.id + 500 + 20 * one.key
        kind = "EXCHANGE" if one.exchange else "REPLACEMENT"
        order = TikTokOrder(
            order_id,
            0,
            self.merchant,
            source.region,
            source.buyer,
            at,
            at,
            [],
            ShippingFee(),
            kind=kind,
            source_id=source.id,
        )
        for number, unit in enumerate(one.units):
            product = rng.choice(self.merchant.products) if one.exchange else unit.product
            order.units.append(Unit(order_id + 1 + number, product, product.price, seller_discount=product.price))
        self.show(order, at)
        self.react(order, Event(at, "pay"))
        for event in [Event(at + timedelta(hours=1), "release"), *in_transit(at + timedelta(hours=1), rng)]:
            self.happen_later(order, event)
