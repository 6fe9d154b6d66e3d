"""An order of TikTok Shop from a plain description, for what tests want to see happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business.order import Event
from sandbox.business.tiktok_order import ORDER_BASE, ShippingFee, TikTokOrder, Unit
from sandbox.clock import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.merchants import Merchant
    from sandbox.business.tiktok_sales import TikTokSales

FIELDS = {
    "lines", "buyer", "kind", "status", "shipping", "shipping_seller_discount", "shipping_platform_discount",
    "shipping_cofunded_discount", "delivery_fee", "mirrored", "mirror_delay", "hidden_until",
}  # fmt: skip
LINE_FIELDS = {"sku", "price", "units", "seller_discount", "platform_discount", "gift"}
COURSE = {
    "UNPAID": (),
    "ON_HOLD": ("pay",),
    "AWAITING_SHIPMENT": ("pay", "release"),
    "IN_TRANSIT": ("pay", "release", "ship"),
    "DELIVERED": ("pay", "release", "ship", "deliver"),
    "COMPLETED": ("pay", "release", "ship", "deliver", "complete"),
}
SERIAL = 90_000_000


def place(sales: TikTokSales, at: datetime, spec: dict[str, Any]) -> TikTokOrder:
    """A new order now; money in cents, every field optional.

    `lines` is a list of {sku, price, units, seller_discount, platform_discount, gift} with amounts for each unit.
    `status` is how far it has come (AWAITING_SHIPMENT if not said). A `mirrored` order is in Shopify `mirror_delay`
    seconds later; the API shows the order only from `hidden_until` on.
    """
    order = _new(sales.merchant, sales.placed, at, spec)
    course = COURSE.get(spec.get("status", "AWAITING_SHIPMENT"))
    if course is None:
        raise ValueError(f"an order cannot be placed as {spec['status']!r}; use one of {list(COURSE)}")
    hidden_until = parse_instant(spec["hidden_until"]) if "hidden_until" in spec else None
    sales.placed += 1
    sales.show(order, at)
    for kind in course:
        sales.react(order, Event(at, kind))
    if hidden_until is not None:
        order.hidden = True
        sales.happen_later(order, Event(hidden_until, "appear"))
    return order


def _new(merchant: Merchant, number: int, at: datetime, spec: dict[str, Any]) -> TikTokOrder:
    if merchant.tiktok is None:
        raise LookupError(f"{merchant.domain} does not sell on TikTok Shop")
    _check(spec, FIELDS, "a TikTok order")
    region = merchant.tiktok.regions[0]
    rate = sum(rate for _, rate in region.rates)
    order_id = ORDER_BASE + (SERIAL + number) * 1000
    fee = ShippingFee(
        int(spec.get("shipping", 0)),
        int(spec.get("shipping_seller_discount", 0)),
        int(spec.get("shipping_platform_discount", 0)),
        int(spec.get("shipping_cofunded_discount", 0)),
        rate,
    )
    buyer = int(spec.get("buyer", merchant.tiktok.buyers + number))
    order = TikTokOrder(order_id, 950_000 + number, merchant, region, buyer, at, at, [], fee)
    order.kind, order.delivery_fee = spec.get("kind", "NORMAL"), int(spec.get("delivery_fee", 0))
    if order.kind not in ("NORMAL", "SAMPLE"):
        raise ValueError(f"an order of kind {order.kind!r} cannot be placed; a return makes replacements and exchanges")
    for item in spec.get("lines") or [{}]:
        _check(item, LINE_FIELDS, "a line")
        product = merchant.product(item["sku"]) if "sku" in item else merchant.products[0]
        gift = bool(item.get("gift", False))
        for _ in range(int(item.get("units", 1))):
            unit = Unit(order_id + 1 + len(order.units), product, 0 if gift else int(item.get("price", product.price)))
            unit.seller_discount = int(item.get("seller_discount", 0))
            unit.platform_discount = int(item.get("platform_discount", 0))
            unit.tax_rate, unit.is_gift = rate if product.taxable else 0, gift
            order.units.append(unit)
    if fee.fee < 0 or any(unit.sale_price < 0 for unit in order.units):
        raise ValueError("discounts of a unit or of the shipping are more than it costs")
    if spec.get("mirrored"):
        order.mirror_delay = int(spec.get("mirror_delay", 0))
    return order


def _check(spec: dict[str, Any], known: set[str], what: str) -> None:
    if set(spec) - known:
        raise ValueError(f"{what} has no field {sorted(set(spec) - known)}; it has {sorted(known)}")
