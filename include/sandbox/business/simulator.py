"""The deterministic life of one merchant: each business day's orders, and what later happens to them.

Everything follows from (seed, merchant, first day): days are simulated in order, each with its own random stream, so a
later `now` only adds days and never changes one. An order is simulated with all its later events; the world shows an
event once its time has come.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sandbox.business.merchants import DIRECT, Merchant, Source
from sandbox.business.order import (
    Discount,
    Event,
    Order,
    Person,
    Visit,
    discount_line,
    discount_order,
    ordered_line,
    ship,
    tax_goods,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE, HOUR, DAY = 60, 3600, 86_400
DRAFT_RATE = 0.03


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft order: an offer that is not an order, and that no revenue may count."""

    id: int
    number: int
    created_at: datetime
    total: int
    email: str | None


@dataclass(frozen=True, slots=True)
class Day:
    """What one business day starts: orders with their later events, and drafts."""

    orders: list[tuple[Order, list[Event]]]
    drafts: list[Draft]


def day_start(merchant: Merchant, day: date) -> datetime:
    """The first instant of a business day; days that change the clocks have 23 or 25 hours."""
    return datetime(day.year, day.month, day.day, tzinfo=merchant.zone).astimezone(UTC)


class Simulator:
    """Makes the days of one merchant, in order, remembering its shoppers."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self.merchant = merchant
        self._seed = seed
        self._first_day = first_day
        self._next_day = first_day
        self._people: list[Person] = []

    def until(self, instant: datetime) -> Iterator[Day]:
        """The days not made yet that have begun by that instant."""
        while day_start(self.merchant, self._next_day) <= instant:
            yield self._day(self._next_day)
            self._next_day += timedelta(days=1)

    def _day(self, day: date) -> Day:
        merchant = self.merchant
        rng = Random(f"{self._seed}/{merchant.merchant_id}/{day.isoformat()}")  # noqa: S311 (a simulation)
        index = (day - self._first_day).days
        start, end = day_start(merchant, day), day_start(merchant, day + timedelta(days=1))
        length = int((end - start).total_seconds())
        mean = merchant.weekday_orders[day.weekday()]
        count = max(28, min(62, round(rng.gauss(mean, 5))))
        offsets = [int(rng.triangular(0, length - 1, length * 0.75)) for _ in range(count)]
        if rng.random() < 0.4:
            offsets += [rng.randrange(10), length - 1 - rng.randrange(10)]
        if length != DAY:
            offsets += [HOUR + 30 * MINUTE, 2 * HOUR + 30 * MINUTE, 3 * HOUR + 30 * MINUTE]
        orders = []
        for number, offset in enumerate(sorted(offsets)):
            order_id = merchant.id_base + (index + 1) * 100_000 + number * 10
            orders.append(self._order(rng, order_id, 1000 + index * 100 + number, start + timedelta(seconds=offset)))
        drafts = [
            Draft(
                merchant.id_base + (index + 1) * 100_000 + 50_000 + number,
                index * 10 + number + 1,
                start + timedelta(seconds=rng.randrange(length)),
                rng.choice(merchant.products).price * rng.randint(1, 3),
                self._people[-1].email if rng.random() < 0.5 else None,
            )
            for number in range(sum(rng.random() < DRAFT_RATE for _ in range(count)))
        ]
        return Day(orders, drafts)

    def _order(self, rng: Random, order_id: int, number: int, at: datetime) -> tuple[Order, list[Event]]:
        merchant = self.merchant
        region = rng.choices(merchant.regions, merchant.region_weights)[0]
        order = Order(order_id, number, merchant, region, at, at, at, [], [], [])
        kind = rng.random()
        pos = kind < 0.05
        order.test = 0.05 <= kind < 0.065
        if pos:
            order.source_name = "pos"
            order.region = merchant.regions[0]
            if rng.random() < 0.3:  # synced late by a till that was offline
                order.created_at = order.updated_at = at + timedelta(seconds=rng.randint(HOUR, 9 * HOUR))
        else:
            self._identify(rng, order)
            self._visit(rng, order)
        self._fill(rng, order, free_shipping=pos)
        return order, self._fate(rng, order, pos)

    def _identify(self, rng: Random, order: Order) -> None:
        """Somebody new or somebody known; with an account, as a guest, or as a guest despite an account."""
        if self._people and rng.random() < 0.45:
            person = rng.choice(self._people)
        else:
            first, last = rng.choice(self.merchant.first_names), rng.choice(self.merchant.last_names)
            person = Person(
                self.merchant.id_base + 500_000_000_000 + len(self._people),
                first,
                last,
                f"{_ascii(first)}.{_ascii(last)}{len(self._people)}@{rng.choice(('mail', 'post', 'web'))}.example",
            )
            self._people.append(person)
        order.person = person
        order.email = person.email
        guest = rng.random()
        if guest < (0.06 if person.registered_at else 0.15):
            if rng.random() < 0.3:
                order.email = f" {person.email.title()} " if rng.random() < 0.2 else person.email.upper()
        else:
            person.registered_at = person.registered_at or order.created_at
            order.customer_id = person.customer_id

    def _visit(self, rng: Random, order: Order) -> None:
        """The visit that made the sale, some before it, and perhaps a direct one after it."""
        merchant = self.merchant
        deciding = rng.choices(merchant.sources, merchant.source_weights)[0]
        order.true_source = deciding
        ago = [int(rng.paretovariate(0.6) * 5 * MINUTE) % (20 * DAY)]
        sources = [deciding]
        for _ in range(rng.choices((0, 1, 2), (60, 28, 12))[0]):
            sources.append(rng.choice(merchant.sources))
            ago.append(ago[-1] + rng.randint(HOUR, 8 * DAY))
        if deciding is not DIRECT and ago[0] > HOUR and rng.random() < 0.3:
            sources.insert(0, DIRECT)
            ago.insert(0, rng.randint(MINUTE, 50 * MINUTE))
        path = f"/products/{rng.choice(merchant.products).sku.lower()}"
        for number, (source, seconds) in enumerate(zip(sources, ago, strict=True)):
            if seconds <= 30 * DAY:
                order.visits.append(
                    Visit(
                        order.id * 1000 + 800 + number,
                        order.processed_at - timedelta(seconds=seconds),
                        source,
                        merchant.storefront + path + _query(source, rng),
                        source.referrer,
                    )
                )
        order.visits.reverse()

    def _fill(self, rng: Random, order: Order, free_shipping: bool) -> None:
        """Lines, discounts, taxes, shipping, duties and a tip."""
        merchant = self.merchant
        size = rng.choices((1, 2, 3, 4, 5), (46, 27, 15, 8, 4))[0]
        for number, product in enumerate(rng.sample(merchant.products, size)):
            quantity = rng.choices((1, 2, 3, 6), (74, 18, 6, 2))[0]
            line = ordered_line(order.id, number, merchant, order.region, product, product.price, quantity)
            order.lines.append(line)
            if rng.random() < 0.12:
                discount_line(order, line, Discount("Sale item", False, 150_000, 0, selection="EXPLICIT"))
        draw = rng.random()
        if draw < 0.16:
            discount_order(order, Discount("WELCOME10", True, 100_000, 0))
        elif draw < 0.22:
            discount_order(order, Discount("THANKS15", True, 0, 1_500))
        gifted = 0.22 <= draw < 0.228
        if gifted:
            discount_order(order, Discount("GIFTED100", True, 1_000_000, 0))
        for line in order.lines:
            tax_goods(merchant, order.region, line)
            if order.region.dutiable:
                line.duty = line.unit_price * line.quantity * 18 // 100
        if not free_shipping and not gifted:
            title, price = rng.choices(merchant.shipping, (80, 15, 5)[: len(merchant.shipping)])[0]
            draw = rng.random()
            gift = Discount("FREESHIP", True, 1_000_000, 0, "SHIPPING_LINE") if draw < 0.08 else None
            ship(order, title, 0 if draw > 0.7 and title == "Standard" else price, gift)
        if not merchant.taxes_included and not gifted and rng.random() < 0.06:
            order.tip = rng.choice((200, 350, 500, 1_000))
        order.original_total = order.total

    def _fate(self, rng: Random, order: Order, pos: bool) -> list[Event]:
        """How it is paid, sent, edited, returned or cancelled; later events that no longer fit are dropped."""
        at = order.created_at

        def after(low: int, high: int, kind: str, **data: object) -> Event:
            return Event(at + timedelta(seconds=rng.randint(low, high)), kind, data)

        draw = rng.random()
        if pos or order.total == 0:
            return [Event(at, "pay", {"gateway": "cash" if pos else "manual"}), Event(at, "fulfil")]
        if draw < 0.05:
            events = [Event(at, "await_payment")]
            if draw < 0.025:
                events.append(after(DAY, 9 * DAY, "pay"))
            elif draw < 0.032:
                events += [after(DAY, 3 * DAY, "pay", amount=order.total // 2), after(5 * DAY, 20 * DAY, "pay")]
            elif draw < 0.04:
                events.append(after(7 * DAY, 14 * DAY, "cancel", reason="DECLINED"))
            return events
        if draw < 0.12:
            events = [Event(at, "authorize")]
            if draw < 0.06:
                return [*events, after(HOUR, 3 * DAY, "void")]
            if draw < 0.065:
                return [*events, after(7 * DAY, 7 * DAY, "expire")]
            if draw < 0.10 and not order.duties:
                events.append(after(10 * MINUTE, 20 * HOUR, "edit", **self._change(rng)))
            events.append(after(20 * HOUR, 2 * DAY, "capture"))
        else:
            events = [Event(at, "pay", {"gateway": rng.choice(("shopify_payments", "paypal"))})]
        if rng.random() < 0.03:
            return [*events, after(3 * DAY if len(events) > 1 else HOUR, 4 * DAY, "cancel", reason="CUSTOMER")]
        events.append(after(2 * DAY, 4 * DAY, "fulfil"))
        events += self._returns(rng, order)
        return events

    def _change(self, rng: Random) -> dict[str, object]:
        draw = rng.random()
        change: dict[str, object] = {}
        if draw < 0.6:
            change["remove"] = [[rng.randrange(5), rng.choice((1, 1, 9))]]
        if draw > 0.45:
            change["add"] = [{"sku": rng.choice(self.merchant.products).sku}]
        if draw < 0.06:
            change["remove_shipping"] = True
        return change

    def _returns(self, rng: Random, order: Order) -> list[Event]:
        """Nothing for most orders; for the others every kind of refund the vendor knows."""
        draw = rng.random()
        if draw > 0.145:
            return []
        first = order.created_at + timedelta(seconds=rng.randint(4 * DAY, rng.choice((12, 25, 60)) * DAY))
        some = [[rng.randrange(5), rng.randint(1, 2)]]
        if draw < 0.035:
            return [Event(first, "refund", {"full": True})]
        if draw < 0.075:
            return [Event(first, "refund", {"lines": some})]
        if draw < 0.085:
            second = first + timedelta(seconds=rng.randint(DAY, 20 * DAY))
            return [
                Event(first, "refund", {"lines": some, "shipping": "all"}),
                Event(second, "refund", {"full": True}),
            ]
        if draw < 0.095:
            return [Event(first, "refund", {"lines": some, "withheld": 300, "note": "restocking fee"})]
        if draw < 0.110:
            return [Event(first, "refund", {"amount": rng.choice((500, 750)), "note": "goodwill"})]
        if draw < 0.120:
            return [Event(first, "refund", {"shipping": "half", "note": "late parcel"})]
        if draw < 0.128:
            return [Event(first, "refund", {"lines": some, "status": "FAILURE"})]
        if draw < 0.138:
            pending = Event(first, "refund", {"lines": some, "status": "PENDING"})
            outcome = "SUCCESS" if rng.random() < 0.5 else "FAILURE"
            return [pending, Event(first + timedelta(seconds=rng.randint(DAY, 6 * DAY)), "settle", {"status": outcome})]
        return [Event(first, "refund", {"lines": [*some, [rng.randrange(5), 1]], "shipping": "all"})]


def _ascii(name: str) -> str:
    """A name as it stands in an e-mail address."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()


def _query(source: Source, rng: Random) -> str:
    """The landing page's query string: UTM tags when the link has them, and the ad platform's click id."""
    parts = []
    if source.tagged and source is not DIRECT:
        parts += [f"utm_source={source.source}", f"utm_medium={source.medium}"]
        if source.campaign:
            parts.append(f"utm_campaign={source.campaign}")
    if source.click_id:
        parts.append(f"{source.click_id}={rng.getrandbits(64):016x}")
    return "?" + "&".join(parts) if parts else ""
