"""The deterministic life of a merchant's TikTok Shop: each business day's orders, and what later happens to them.

As in the merchant's own shop, everything follows from (seed, merchant, first day), and an order is simulated with all
its later events; those that no longer fit when their time comes are dropped.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sandbox.business.order import Event
from sandbox.business.simulator import DAY, HOUR, MINUTE, day_start
from sandbox.business.tiktok_order import ORDER_BASE, REFUNDED_RETURN, ShippingFee, TikTokOrder, Unit
from sandbox.business.tiktok_settlement import RESERVE_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.business.merchants import Merchant, Region

PENDING, SHIP_BACK, SENT_BACK, SUCCESS = (
    "RETURN_OR_REFUND_REQUEST_PENDING", "AWAITING_BUYER_SHIP", "BUYER_SHIPPED_ITEM", "RETURN_OR_REFUND_REQUEST_SUCCESS",
)  # fmt: skip
COURSES: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (30, "RETURN_AND_REFUND", (SHIP_BACK, SENT_BACK, SUCCESS, REFUNDED_RETURN)),
    (20, "REFUND", (SUCCESS, REFUNDED_RETURN)),
    (8, "REFUND", ("REFUND_OR_RETURN_REQUEST_REJECT",)),
    (6, "RETURN_AND_REFUND", (SHIP_BACK, SENT_BACK, "REJECT_RECEIVE_PACKAGE")),
    (6, "RETURN_AND_REFUND", (SHIP_BACK, "RETURN_OR_REFUND_REQUEST_CANCEL")),
    (9, "RETURN_AND_REFUND", ("AWAITING_BUYER_RESPONSE", SUCCESS, REFUNDED_RETURN)),
    (4, "RETURN_AND_REFUND", ("AWAITING_BUYER_RESPONSE", "RETURN_OR_REFUND_REQUEST_CANCEL")),
    (8, "RETURN_AND_REFUND", ("edit", SUCCESS, REFUNDED_RETURN)),
    (6, "REPLACEMENT", ("REPLACEMENT_REQUEST_COMPLETE",)),
    (2, "REPLACEMENT", ("REPLACEMENT_REQUEST_REJECT",)),
    (1, "REPLACEMENT", ("REPLACEMENT_REQUEST_CANCEL",)),
)
"""How returns go, with how often."""
WITHDRAWN = "RETURN_OR_REFUND_REQUEST_CANCEL"


def in_transit(at: datetime, rng: Random) -> list[Event]:
    """How a parcel that may be shipped from `at` on gets to the buyer."""
    arranged = at + timedelta(seconds=rng.randint(6 * HOUR, 40 * HOUR))
    collected = arranged + timedelta(seconds=rng.randint(4 * HOUR, 20 * HOUR))
    delivered = collected + timedelta(seconds=rng.randint(2 * DAY, 6 * DAY))
    completed = delivered + timedelta(seconds=rng.randint(5 * DAY, 8 * DAY))
    return [
        Event(arranged, "arrange"),
        Event(collected, "ship"),
        Event(delivered, "deliver"),
        Event(completed, "complete"),
    ]


class TikTokSimulator:
    """Makes the days of one merchant, in order."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self._merchant = merchant
        self._seed = seed
        self._first_day = first_day
        self._next_day = first_day

    def until(self, instant: datetime) -> Iterator[tuple[TikTokOrder, list[Event]]]:
        """The orders of the days not made yet that have begun by that instant."""
        while self._merchant.tiktok is not None and day_start(self._merchant, self._next_day) <= instant:
            yield from self._day(self._next_day)
            self._next_day += timedelta(days=1)

    def _day(self, day: date) -> Iterator[tuple[TikTokOrder, list[Event]]]:
        merchant = self._merchant
        assert merchant.tiktok is not None
        rng = Random(f"{self._seed}/{merchant.merchant_id}/tiktok/{day.isoformat()}")  # noqa: S311 (a simulation)
        start, end = day_start(merchant, day), day_start(merchant, day + timedelta(days=1))
        length = int((end - start).total_seconds())
        index = (day - self._first_day).days
        mean = merchant.tiktok.daily_orders
        count = max(mean // 2, min(2 * mean, round(rng.gauss(mean, mean / 5))))
        offsets = sorted(int(rng.triangular(0, length - 1, length * 0.8)) for _ in range(count))
        for number, offset in enumerate(offsets):
            order_id = ORDER_BASE + (index * 1000 + number) * 1000
            shop_number = 1000 + index * 100 + 70 + number
            yield self._order(rng, order_id, shop_number, start + timedelta(seconds=offset))

    def _order(self, rng: Random, order_id: int, number: int, at: datetime) -> tuple[TikTokOrder, list[Event]]:
        seller = self._merchant.tiktok
        assert seller is not None
        region = rng.choice(seller.regions)
        buyer = rng.randrange(seller.buyers)
        order = TikTokOrder(order_id, number, self._merchant, region, buyer, at, at, [], ShippingFee())
        if rng.random() < 0.025:
            order.kind = "SAMPLE"
        self._fill(rng, order, region)
        order.affiliate_rate = rng.choice((0, 0, 0, 100_000, 150_000))
        if rng.random() < seller.mirrored:
            order.mirror_delay = rng.randint(MINUTE, 20 * MINUTE)
        return order, self._fate(rng, order)

    def _fill(self, rng: Random, order: TikTokOrder, region: Region) -> None:
        """Units with who takes how much off them, a gift now and then, shipping, taxes and Colorado's fee."""
        products = rng.sample(self._merchant.products, rng.choices((1, 2, 3), (70, 22, 8))[0])
        seller_percent = rng.choice((0, 0, 0, 10, 15, 30))
        platform_amount = rng.choice((0, 0, 0, 0, 200, 350))
        rate = sum(rate for _, rate in region.rates)
        for product in products[:1] if order.kind == "SAMPLE" else products:
            for _ in range(1 if order.kind == "SAMPLE" else rng.choices((1, 2, 3), (80, 14, 6))[0]):
                unit = Unit(order.id + 1 + len(order.units), product, product.price)
                unit.seller_discount = product.price * seller_percent // 100
                unit.platform_discount = platform_amount
                if order.kind == "SAMPLE":
                    unit.seller_discount, unit.platform_discount = product.price, 0
                unit.tax_rate = rate if product.taxable else 0
                order.units.append(unit)
        if order.kind == "SAMPLE":
            return
        if rng.random() < 0.08:
            gift = min(self._merchant.products, key=lambda product: product.price)
            order.units.append(Unit(order.id + 1 + len(order.units), gift, 0, is_gift=True))
        fee = 595
        seller, platform, cofunded = rng.choices(
            ((0, 0, 0), (fee, 0, 0), (0, fee, 0), (200, 150, 0), (0, 0, fee), (0, 200, 395)),
            (40, 12, 18, 10, 12, 8),
        )[0]
        order.shipping = ShippingFee(fee, seller, platform, cofunded, rate if region.taxes_shipping else 0)
        if region.province == "CO":
            order.delivery_fee = 28

    def _fate(self, rng: Random, order: TikTokOrder) -> list[Event]:
        at = order.created_at

        def after(low: int, high: int) -> datetime:
            return at + timedelta(seconds=rng.randint(low, high))

        events = []
        draw = rng.random()
        if order.kind == "NORMAL" and draw < 0.08:
            if draw < 0.03:
                overdue = {"role": "SYSTEM", "reason": "ecom_order_system_cancel_payment_overdue"}
                return [Event(at + timedelta(hours=48), "cancel", {"key": 0, **overdue, "status": _REFUNDED})]
            if draw < 0.04:
                return [Event(after(HOUR, 30 * HOUR), "cancel", {"key": 0, "status": _REFUNDED})]
            at = after(10 * MINUTE, 40 * HOUR)
        events.append(Event(at, "pay"))
        at = after(DAY, 3 * DAY) if rng.random() < 0.08 else at + timedelta(hours=1)
        events.append(Event(at, "release"))
        if order.kind == "NORMAL":
            events += self._cancellations(rng, order, at)
        way = in_transit(at, rng)
        if len(order.units) > 1 and rng.random() < 0.3:
            events.append(Event(at + (way[0].at - at) / 2, "ship_part"))
        events += way
        delivered = way[2].at
        settled = delivered + timedelta(seconds=rng.randint(4 * DAY, 7 * DAY))
        events.append(Event(settled, "settle"))
        events += self._returns(rng, order, delivered, way[3].at)
        events += self._postings(rng, order, settled)
        return [Event(event.at.replace(microsecond=0), event.kind, event.data) for event in events]

    def _cancellations(self, rng: Random, order: TikTokOrder, at: datetime) -> list[Event]:
        """Before it is shipped: by the buyer, who may think better of it, or by the seller; whole or in part."""
        draw = rng.random()
        asked = at + timedelta(seconds=rng.randint(-HOUR, 5 * HOUR))
        answered = asked + timedelta(seconds=rng.randint(HOUR, 12 * HOUR))
        paid_back = answered + timedelta(seconds=rng.randint(HOUR, 12 * HOUR))
        first = Event(asked, "cancel", {"key": 0})
        approved = [
            Event(answered, "cancel_status", {"key": 0, "status": "CANCELLATION_REQUEST_SUCCESS"}),
            Event(paid_back, "cancel_status", {"key": 0, "status": _REFUNDED}),
        ]
        if draw < 0.05:
            return [first, *approved]
        if draw < 0.07:
            first.data |= {"role": "SELLER", "reason": "seller_cancel_reason_out_of_stock"}
            return [Event(asked, "cancel", {**first.data, "status": "CANCELLATION_REQUEST_SUCCESS"}), approved[1]]
        if draw < 0.09:
            return [first, Event(answered, "cancel_status", {"key": 0, "status": "CANCELLATION_REQUEST_CANCELLED"})]
        if len(order.units) > 1 and draw < 0.2:
            first.data["units"] = [rng.randrange(len(order.units))]
            return [first, *approved]
        return []

    def _returns(self, rng: Random, order: TikTokOrder, delivered: datetime, completed: datetime) -> list[Event]:
        """Nothing for most orders; for the others every course that the vendor knows."""
        draw = rng.random()
        if draw < 0.03:  # the platform pays back, long after the order is closed
            at = completed + timedelta(seconds=rng.randint(2 * DAY, 15 * DAY))
            return [Event(at, "return", {"key": 0, "type": "REFUND", "role": "OPERATOR", "status": REFUNDED_RETURN})]
        if draw > 0.21:
            return []
        at = delivered + timedelta(seconds=rng.randint(6 * HOUR, rng.choice((4, 10, 16)) * DAY))
        events = self._course(rng, order, at, 1)
        if rng.random() < 0.25:  # and something else later
            events += self._course(rng, order, events[-1].at + timedelta(seconds=rng.randint(DAY, 4 * DAY)), 2)
        return events

    def _course(self, rng: Random, order: TikTokOrder, at: datetime, key: int) -> list[Event]:
        _, kind, steps = rng.choices(COURSES, [weight for weight, _, _ in COURSES])[0]
        asked: dict[str, object] = {"key": key, "type": kind}
        if len(order.units) > 1 and rng.random() < 0.6:
            asked["units"] = [rng.randrange(len(order.units))]
        elif rng.random() < 0.5:
            asked["shipping"] = True
        if kind == "REPLACEMENT":
            asked["exchange"] = rng.random() < 0.4
        events = [Event(at, "return", asked)]
        offered = order.sub_total // (3 * len(order.units))
        for step in steps:
            at += timedelta(seconds=rng.randint(6 * HOUR, 3 * DAY))
            if step == "edit":
                events.append(Event(at, "edit_return", {"key": key, "new_key": key + 10}))
                key += 10
                continue
            data: dict[str, object] = {"key": key, "status": step}
            if step == "AWAITING_BUYER_RESPONSE":
                data["amount"] = offered
            if step == WITHDRAWN and "AWAITING_BUYER_RESPONSE" in steps:
                data["buyer_rejected"] = True
            events.append(Event(at, "return_status", data))
        return events

    def _postings(self, rng: Random, order: TikTokOrder, settled: datetime) -> list[Event]:
        """Now and then an adjustment, or money that is held back for some days."""
        draw = rng.random()
        if order.kind == "SAMPLE":
            return [Event(settled, "post", {"kind": "SAMPLE_SHIPPING_FEE", "adjustment": 480})]
        at = settled + timedelta(seconds=rng.randint(HOUR, 4 * DAY))
        if draw < 0.02:
            return [Event(at, "post", {"kind": "SHIPPING_FEE_ADJUSTMENT", "adjustment": rng.choice((85, 140))})]
        if draw < 0.035:
            return [Event(at, "post", {"kind": "LOGISTICS_REIMBURSEMENT", "adjustment": -rng.choice((500, 900))})]
        if draw < 0.06:
            held = order.sub_total // 10
            later = settled + RESERVE_TIME
            return [
                Event(settled + timedelta(seconds=1), "post", {"kind": "RESERVE", "reserve": -held}),
                Event(later, "post", {"kind": "RESERVE", "reserve": held}),
            ]
        return []


_REFUNDED = "CANCELLATION_REQUEST_COMPLETE"
