"""The world as it stands now: simulated and injected events, applied once their time has come.

The state is a function of (seed, first day, now) and the journal. With a directory, those survive a restart:
`world.json` holds seed and first day, `journal.jsonl` every `/_admin` event and clock change, each synced to disk
before it is answered.
"""

from __future__ import annotations

import heapq
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.business.merchants import MERCHANTS, Merchant
from sandbox.business.order import (
    Discount,
    Event,
    Order,
    Person,
    apply,
    discount_order,
    ordered_line,
    ship,
    tax_goods,
)
from sandbox.business.simulator import Draft, Simulator
from sandbox.clock import Clock, iso, parse_instant

HISTORY_DAYS = 90


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sandbox starts; `from_environment` is how the server's does."""

    seed: int = 1
    first_day: date | None = None
    frozen_at: datetime | None = None
    state: Path | None = None
    restore_rate: int = 1000
    """Points a second that each shop's query budget regains: 100 is Shopify's standard plan, 1000 is Plus."""
    page_cap: int = 25_000
    """How many objects one query may page through."""

    @classmethod
    def from_environment(cls) -> Settings:
        env = os.environ
        return cls(
            seed=int(env.get("SANDBOX_SEED", "1")),
            first_day=date.fromisoformat(env["SANDBOX_START"]) if env.get("SANDBOX_START") else None,
            frozen_at=parse_instant(env["SANDBOX_NOW"]) if env.get("SANDBOX_NOW") else None,
            state=Path(env["SANDBOX_STATE"]) if env.get("SANDBOX_STATE") else None,
            restore_rate=int(env.get("SANDBOX_RESTORE_RATE", "1000")),
        )


class Journal:
    """Append-only record of what was done to the world from outside."""

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / "journal.jsonl" if directory else None

    def entries(self) -> list[dict[str, Any]]:
        if self._path is None or not self._path.exists():
            return []
        whole, newline, torn = self._path.read_text().rpartition("\n")
        if torn:  # killed while writing: that event was never answered
            self._path.write_text(whole + newline)
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, entry: dict[str, Any]) -> None:
        if self._path is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


class Shop:
    """One merchant's orders as they are visible now."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self.merchant = merchant
        self.orders: dict[int, Order] = {}
        self.drafts: list[Draft] = []
        self.version = 0
        self._simulator = Simulator(merchant, seed, first_day)
        self._pending: list[tuple[datetime, int, Order, Event | None]] = []
        self._pushed = 0
        self._pending_drafts: list[tuple[datetime, int, Draft]] = []
        self._sorted: dict[str, tuple[int, list[tuple[Any, int]]]] = {}

    def schedule(self, order: Order, events: list[Event]) -> None:
        """Show the order from its creation on, and its events from theirs on."""
        for at, event in [(order.created_at, None), *((event.at, event) for event in events)]:
            self._pushed += 1
            heapq.heappush(self._pending, (at, self._pushed, order, event))

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
        while self._pending_drafts and self._pending_drafts[0][0] <= now:
            self.drafts.append(heapq.heappop(self._pending_drafts)[2])
        while self._pending and self._pending[0][0] <= now:
            _, _, order, event = heapq.heappop(self._pending)
            self.version += 1
            if event is None:
                self.orders[order.id] = order
            else:
                apply(order, event)

    def sorted_by(self, attribute: str) -> list[tuple[Any, int]]:
        """(value, order id) of every order, ascending."""
        version, rows = self._sorted.get(attribute, (-1, []))
        if version != self.version:
            rows = sorted((getattr(order, attribute), order.id) for order in self.orders.values())
            self._sorted[attribute] = (self.version, rows)
        return rows

    def customers(self) -> dict[int, tuple[Person, list[Order]]]:
        """Accounts with their orders, by customer id."""
        found: dict[int, tuple[Person, list[Order]]] = {}
        for order in self.orders.values():
            if order.customer_id is not None and order.person is not None:
                found.setdefault(order.customer_id, (order.person, []))[1].append(order)
        return found


class World:
    """Every shop, the clock and the journal."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock(settings.frozen_at)
        self.seed, self.first_day = self._origin(settings)
        self._journal = Journal(settings.state)
        self._entries = self._journal.entries()
        for entry in self._entries:
            if entry["kind"] == "clock":
                self.clock.restore(entry["clock"])
        self._build()

    def _origin(self, settings: Settings) -> tuple[int, date]:
        file = settings.state / "world.json" if settings.state else None
        if file is not None and file.exists():
            kept = json.loads(file.read_text())
            return kept["seed"], date.fromisoformat(kept["first_day"])
        first_day = settings.first_day or self.clock.now().date() - timedelta(days=HISTORY_DAYS)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"seed": settings.seed, "first_day": first_day.isoformat()}))
        return settings.seed, first_day

    def _build(self) -> None:
        """Start from the first day, and play the journal up to now."""
        self._shops = {m.domain: Shop(m, self.seed, self.first_day) for m in MERCHANTS}
        self._now = datetime.min.replace(tzinfo=UTC)
        now = self.clock.now()
        events = sorted((e for e in self._entries if e["kind"] != "clock"), key=lambda entry: str(entry["at"]))
        for entry in events:
            at = parse_instant(entry["at"])
            if at <= now:
                self._advance(at)
                self._play(entry)
        self._advance(now)
        self._foresees = any(parse_instant(entry["at"]) > now for entry in events)
        """Whether a clock that was set back left journalled events in the future."""

    def _advance(self, now: datetime) -> None:
        for shop in self._shops.values():
            shop.advance(now)
        self._now = now

    def now(self) -> datetime:
        return self.clock.now()

    def shop(self, domain: str) -> Shop | None:
        """The shop as it stands now."""
        now = self.clock.now()
        if now < self._now or (now > self._now and self._foresees):
            self._build()
        elif now > self._now:
            self._advance(now)
        return self._shops.get(domain)

    def record_clock(self) -> None:
        """Keep the clock's state for the next start."""
        entry = {"kind": "clock", "clock": self.clock.state()}
        self._entries.append(entry)
        self._journal.append(entry)

    def place(self, shop: Shop, spec: dict[str, Any]) -> Order:
        """A new order now, with what `spec` says of it (see `new_order`)."""
        placed = sum(entry["kind"] == "order" for entry in self._entries)
        entry = {"kind": "order", "at": iso(self._now), "shop": shop.merchant.domain, "number": placed, "spec": spec}
        order = self._play(entry)
        self._keep(entry)
        return order

    def react(self, shop: Shop, order: Order, kind: str, data: dict[str, Any]) -> bool:
        """Something happens to an order now; False (and not recorded) when it cannot."""
        entry = {
            "kind": "event",
            "at": iso(self._now),
            "shop": shop.merchant.domain,
            "order": order.id,
            "event": kind,
            "data": data,
        }
        if not shop.react(order, Event(self._now, kind, data)):
            return False
        self._keep(entry)
        return True

    def _keep(self, entry: dict[str, Any]) -> None:
        self._entries.append(entry)
        self._journal.append(entry)

    def _play(self, entry: dict[str, Any]) -> Order:
        shop, at = self._shops[entry["shop"]], parse_instant(entry["at"])
        if entry["kind"] == "event":
            order = shop.orders[entry["order"]]
            shop.react(order, Event(at, entry["event"], entry["data"]))
            return order
        order, events = new_order(shop.merchant, entry["number"], at, entry["spec"])
        shop.orders[order.id] = order
        shop.version += 1
        for event in events:
            shop.react(order, event)
        return order


ORDER_FIELDS = {
    "processed_at", "price", "quantity", "lines", "discount", "shipping", "tip", "email", "customer_id",
    "financial_status", "test",
}  # fmt: skip


def new_order(merchant: Merchant, number: int, at: datetime, spec: dict[str, Any]) -> tuple[Order, list[Event]]:
    """An order from a plain description; money in cents, every field optional.

    `price` and `quantity` make one line of the first product; `lines` is a list of {sku, price, quantity}. `discount`
    and `shipping` are amounts of the whole order. `financial_status` is PAID, PENDING or AUTHORIZED.
    """
    unknown = set(spec) - ORDER_FIELDS
    if unknown:
        raise ValueError(f"an order has no field {sorted(unknown)}; it has {sorted(ORDER_FIELDS)}")
    status = spec.get("financial_status", "PAID")
    if status not in _FIRST_EVENT:
        raise ValueError(f"financial_status {status!r} cannot be placed; use one of {sorted(_FIRST_EVENT)}")
    processed_at = parse_instant(spec["processed_at"]) if "processed_at" in spec else at
    region = merchant.regions[0]
    order_id = merchant.id_base + 90_000_000_000 + number
    order = Order(order_id, 900_000 + number, merchant, region, at, processed_at, at, [], [], [])
    default = merchant.products[0]
    lines = spec.get("lines") or [{"price": spec.get("price", default.price), "quantity": spec.get("quantity", 1)}]
    for index, item in enumerate(lines):
        product = merchant.product(item["sku"]) if "sku" in item else default
        price, quantity = int(item.get("price", product.price)), int(item.get("quantity", 1))
        if price < 0 or quantity < 1:
            raise ValueError(f"line {index} has price {price} and quantity {quantity}; neither may be negative or 0")
        order.lines.append(ordered_line(order_id, index, merchant, region, product, price, quantity))
    if spec.get("discount"):
        discount_order(order, Discount("ADMIN", True, 0, int(spec["discount"])))
    for line in order.lines:
        tax_goods(merchant, region, line)
    ship(order, "Standard", int(spec.get("shipping", 0)))
    order.tip = int(spec.get("tip", 0))
    order.test = bool(spec.get("test", False))
    order.email = spec.get("email")
    if "customer_id" in spec:
        order.customer_id = int(spec["customer_id"])
        order.email = order.email or f"customer{order.customer_id}@mail.example"
        order.person = Person(order.customer_id, "Admin", "Made", order.email, at)
    order.original_total = order.total
    return order, [Event(at, _FIRST_EVENT[status])]


_FIRST_EVENT = {"PAID": "pay", "PENDING": "await_payment", "AUTHORIZED": "authorize"}
