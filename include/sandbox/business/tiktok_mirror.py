"""The copy of a TikTok order that an app puts into the merchant's Shopify shop: the same sale, told a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business.order import Discount, Event, Order, Person, Shipping, discount_order, ordered_line
from sandbox.business.tiktok_order import ORDER_BASE

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sandbox.business.tiktok_order import TikTokOrder, Unit

CUSTOMER_BASE = 700_000_000_000


def copied(original: TikTokOrder, at: datetime) -> Order:
    """The order as the app copies it: the seller's prices and discounts, no taxes, and nobody's real address."""
    merchant, region = original.merchant, original.region
    day, number = divmod((original.id - ORDER_BASE) // 1000, 1000)
    # Shopify's ids grow with time: this one comes after those of the shop's own orders of that day.
    order_id = merchant.id_base + (day + 1) * 100_000 + 1000 + number * 10
    order = Order(order_id, original.number, merchant, region, at, original.created_at, at, [], [], [])
    order.source_name, order.tags = "tiktok", (f"TikTokOrderID:{original.id}",)
    first, last = merchant.first_names, merchant.last_names
    buyer = original.buyer
    customer_id = merchant.id_base + CUSTOMER_BASE + buyer
    names = first[buyer % len(first)], last[buyer // len(first) % len(last)]
    order.person = Person(customer_id, *names, original.email)
    order.customer_id, order.email = customer_id, original.email
    for number, units in enumerate(_lines(original)):
        product, price = units[0].product, units[0].price
        order.lines.append(ordered_line(order_id, number, merchant, region, product, price, len(units)))
    if original.seller_discount:
        discount_order(order, Discount("TikTok Shop", False, 0, original.seller_discount))
    fee = original.shipping
    charged = fee.original - fee.seller_discount - fee.cofunded_discount
    order.shipping.append(Shipping(order.child_id(), "TikTok Shop", charged, [], []))
    order.original_total = order.total
    return order


def followed(original: TikTokOrder, event: Event | None, delay: timedelta) -> list[Event]:
    """What happens to the copy when something happens to the original: it is paid, cancelled, or loses units."""
    assert original.mirror is not None
    if event is None:
        return [Event(original.mirror.created_at, "await_payment", {"gateway": "TikTok Shop"})]
    if event.kind == "pay":
        return [Event(event.at + delay, "pay")]
    if event.kind not in ("cancel", "cancel_status"):
        return []
    if original.status == "CANCELLED":
        return [Event(event.at + delay, "cancel", {"reason": "OTHER"})]
    one = next(one for one in original.cancellations if one.key == event.data["key"])
    if not one.is_refunded:
        return []
    lines = _lines(original)
    gone = [[number, sum(unit in units for unit in one.units)] for number, units in enumerate(lines)]
    return [Event(event.at + delay, "refund", {"lines": [line for line in gone if line[1]], "note": "cancelled"})]


def _lines(original: TikTokOrder) -> list[list[Unit]]:
    """Shopify knows quantities: the units of a product are one line, and a gift is a line of its own."""
    lines: dict[tuple[str, int], list[Unit]] = {}
    for unit in original.units:
        lines.setdefault((unit.product.sku, unit.price), []).append(unit)
    return list(lines.values())
