"""Merchants with any number of orders, copied into raw; what their marts must say is added up while they are made."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from bench.marts.days import DAYS, FIRST, MERCHANTS, ZONE, days
from bench.marts.payloads import (
    SHIPPING,
    VISITS,
    Line,
    click,
    order,
    profile,
    refund,
    transaction,
    visit,
)
from tributary.warehouse.settings.files import REFERRERS, TRAFFIC_SOURCES, load_rows
from tributary.warehouse.settings.merchants import Merchant, apply_merchants
from tributary.warehouse.settings.tables import apply_rows

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2025, 9, 1, tzinfo=UTC)
PRODUCTS = 200
RETURNING = 0.45
"""The share of customers who order again, one to three times."""
_TAIL = f"\\\\x00\t202510\t{UUID(int=1)}\n"
_COLUMNS = "merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id"
_BY_ORDER = (
    "shopify_orders",
    "shopify_refunds",
    "shopify_visits",
    "klaviyo_profiles",
    "klaviyo_events",
    "ga4_transactions",
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the marts must say of some orders; money in cents."""

    orders: int = 0
    units: int = 0
    revenue: int = 0
    new_customers: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.orders + other.orders,
            self.units + other.units,
            self.revenue + other.revenue,
            self.new_customers + other.new_customers,
        )


@dataclass
class World:
    """What was made."""

    orders: int
    rows: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    days: dict[tuple[str, date], Figures] = field(default_factory=dict)
    """Of each merchant day."""
    lone: dict[tuple[str, date], int] = field(default_factory=dict)
    """An order of each day that touches no other: by somebody who never came back, and never sent anything back."""
    customers: int = 0
    returned: int = 0
    """Of them ordered again."""

    def total(self, merchant_id: str | None = None) -> Figures:
        of = (figures for (merchant, _), figures in self.days.items() if merchant_id in (None, merchant))
        return sum(of, Figures())


@dataclass(slots=True)
class _Customer:
    number: int
    is_registered: bool
    has_profile: bool
    comes_again: int
    has_ordered: bool = False
    is_back: bool = False


def fill(url: str, orders: int, config: Path) -> World:
    """Make that many orders in all, evenly over a year, and all that stands beside them."""
    world = World(orders)
    with psycopg.connect(url) as conn:
        merchants = [Merchant(one, one, ZONE, "USD", False, FIRST, {}, ("shop.example",)) for one in MERCHANTS]
        apply_merchants(conn, merchants)
        for file in (TRAFFIC_SOURCES, REFERRERS):
            apply_rows(conn, file, load_rows(config, file, MERCHANTS))
        conn.execute(
            "insert into ops.product_costs select merchant_id, 'SKU-' || n, '2025-01-01', n from ops.merchants, "
            "generate_series(1, %s) as n",
            (PRODUCTS // 2,),
        )
        conn.execute("delete from ops.changes")
    with ExitStack() as stack:
        tables = {table: stack.enter_context(_Table(url, table, world)) for table in _BY_ORDER}
        for number, merchant_id in enumerate(MERCHANTS):
            share = orders // len(MERCHANTS) + (number < orders % len(MERCHANTS))
            _sell(world, merchant_id, share, tables)
    for name, rows in days().items():
        with _Table(url, name, world) as table:
            for merchant_id, record_id, at, body in rows:
                table.add(merchant_id, record_id, at.isoformat(), json.dumps(body, separators=(",", ":")))
    return world


class _Table:
    """A COPY into a raw table, on a connection of its own."""

    def __init__(self, url: str, table: str, world: World) -> None:
        self._name, self._world = table, world
        self._conn = psycopg.connect(url)
        self._copying = self._conn.cursor().copy(f"copy raw.{table} ({_COLUMNS}) from stdin")
        self._lines: list[str] = []

    def __enter__(self) -> _Table:
        self._copy = self._copying.__enter__()
        return self

    def add(self, merchant_id: str, record_id: str, at: str, payload: str) -> None:
        """Add a row; no payload here has a character that COPY would take for its own."""
        self._lines.append(f"{merchant_id}\t{record_id}\t{at}\t{at}\t{payload}\t{_TAIL}")
        self._world.rows[self._name] += 1
        self._world.bytes += len(payload) if self._name == "shopify_orders" else 0
        if len(self._lines) == 500:
            self._flush()

    def __exit__(self, *error: Any) -> None:
        self._flush()
        self._copying.__exit__(*error)
        self._conn.commit()
        self._conn.close()

    def _flush(self) -> None:
        self._copy.write("".join(self._lines))
        self._lines.clear()


def _sell(world: World, merchant_id: str, orders: int, tables: dict[str, _Table]) -> None:
    chance = random.Random(merchant_id)
    due: list[_Customer] = []
    figures: dict[date, Figures] = {}
    for number in range(1, orders + 1):
        at = START + timedelta(seconds=number * DAYS * 86_400 // (orders + 1))
        customer, is_first = _customer(world, chance, due, number)
        status = "PENDING" if number % 97 == 0 else "PAID"
        lines = _lines(chance, number)
        is_test = number % 101 == 0
        told = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        # One in ten customers ordered as a guest at first, and is known by the address.
        known = customer.number if customer.is_registered and not (is_first and customer.number % 10 == 0) else None
        email = f"c{customer.number}@mail.example"
        gross = sum(line.price * line.quantity - line.discount for line in lines)
        total = gross + SHIPPING + sum(line.tax * line.quantity for line in lines)
        tables["shopify_orders"].add(
            merchant_id, str(number), told, order(number, told, status, email, known, lines, total, is_test)
        )
        given_back = 0
        if lines[0].returned:
            given_back = lines[0].price
            refunded_at = (at + timedelta(days=1 + number % 20)).strftime("%Y-%m-%dT%H:%M:%SZ")
            tables["shopify_refunds"].add(
                merchant_id, f"{number}/{number}", refunded_at, refund(number, refunded_at, lines[0])
            )
        _led_to(merchant_id, chance, tables, number, at, customer, is_first)
        is_counted = status == "PAID" and not is_test
        if not is_test:
            is_new, customer.has_ordered = is_counted and not customer.has_ordered, True
        day = at.date()
        if is_counted:
            sold = Figures(1, sum(line.quantity for line in lines), gross + SHIPPING - given_back, int(is_new))
            figures[day] = figures.get(day, Figures()) + sold
            if is_first and not customer.comes_again and not given_back:
                world.lone[merchant_id, day] = number
    for day, of_day in figures.items():
        world.days[merchant_id, day] = of_day


def _customer(world: World, chance: random.Random, due: list[_Customer], number: int) -> tuple[_Customer, bool]:
    """Who orders: somebody who does so again, or somebody new."""
    if due and chance.random() < 0.47:
        place = chance.randrange(len(due))
        customer = due[place]
        world.returned += not customer.is_back
        customer.is_back = True
        customer.comes_again -= 1
        if not customer.comes_again:
            due[place] = due[-1]
            due.pop()
        return customer, False
    again = chance.randint(1, 3) if chance.random() < RETURNING else 0
    customer = _Customer(number, chance.random() < 0.7, chance.random() < 0.6, again)
    world.customers += 1
    if again:
        due.append(customer)
    return customer, True


def _lines(chance: random.Random, number: int) -> list[Line]:
    is_returned = number % 12 == 0
    lines = []
    for part in range(chance.choice((1, 1, 2, 3))):
        product = chance.randint(1, PRODUCTS)
        price = 990 + product * 37
        quantity = 2 if is_returned and not part else chance.choice((1, 1, 1, 2))
        discount = 0 if is_returned else chance.choice((0, 0, 0, price // 10))
        returned = int(is_returned and not part)
        lines.append(Line(number * 10 + part, product, price, price * 8 // 100, quantity, returned, discount))
    return lines


def _led_to(
    merchant_id: str,
    chance: random.Random,
    tables: dict[str, _Table],
    number: int,
    at: datetime,
    customer: _Customer,
    is_first: bool,
) -> None:
    """Visits, a click in a mail, and what analytics saw."""
    for part in range(chance.choice((0, 1, 2, 3, 4))):
        visited = (at - timedelta(minutes=chance.randrange(1, 14_000))).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = visit(number * 10 + part, visited, chance.randrange(len(VISITS)))
        tables["shopify_visits"].add(merchant_id, f"{number}/{number * 10 + part}", visited, body)
    if customer.has_profile:
        profile_id = f"K{customer.number}"
        if is_first:
            known = customer.number if customer.is_registered else None
            body = profile(profile_id, f"c{customer.number}@mail.example", known)
            tables["klaviyo_profiles"].add(merchant_id, profile_id, at.isoformat(), body)
        if chance.random() < 0.5:
            clicked = (at - timedelta(minutes=chance.randrange(1, 10_000))).isoformat()
            body = click(f"e{number}", profile_id, number)
            tables["klaviyo_events"].add(merchant_id, f"e{number}", clicked, body)
    if number % 5:
        day = at.date()
        body = transaction(day.isoformat(), number)
        tables["ga4_transactions"].add(merchant_id, f"{day}/{number}", f"{day}T12:00:00Z", body)
