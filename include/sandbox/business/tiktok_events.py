"""Everything that can happen to an order of TikTok Shop: one reducer serves simulated and injected events alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business import tiktok_aftersales as aftersales
from sandbox.business.tiktok_order import Posting

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.order import Event
    from sandbox.business.tiktok_order import TikTokOrder

STEPS = {
    "release": ({"ON_HOLD"}, "AWAITING_SHIPMENT"),
    "ship_part": ({"AWAITING_SHIPMENT"}, "PARTIALLY_SHIPPING"),
    "arrange": ({"AWAITING_SHIPMENT", "PARTIALLY_SHIPPING"}, "AWAITING_COLLECTION"),
    "ship": ({"ON_HOLD", "AWAITING_SHIPMENT", "PARTIALLY_SHIPPING", "AWAITING_COLLECTION"}, "IN_TRANSIT"),
    "deliver": ({"IN_TRANSIT"}, "DELIVERED"),
    "complete": ({"DELIVERED"}, "COMPLETED"),
}
"""From which statuses an event leads to which."""


def apply(order: TikTokOrder, event: Event) -> bool:
    """Let the event happen; False when it cannot, and then nothing changed."""
    if event.kind in STEPS:
        return _step(order, event)
    return _REACTIONS[event.kind](order, event)


def _step(order: TikTokOrder, event: Event) -> bool:
    before, after = STEPS[event.kind]
    if order.status not in before:
        return False
    order.status, order.updated_at = after, event.at
    if event.kind in ("ship_part", "arrange", "ship"):
        order.shipped_at = order.shipped_at or event.at
        for unit in order.units[:1] if event.kind == "ship_part" else order.units:
            unit.shipped = not unit.cancelled_by
    if event.kind == "ship":
        order.collected_at = event.at
    if event.kind == "deliver":
        order.delivered_at = event.at
    return True


def _pay(order: TikTokOrder, event: Event) -> bool:
    if order.status != "UNPAID":
        return False
    order.status, order.paid_at, order.updated_at = "ON_HOLD", event.at, event.at
    return True


def _settle(order: TikTokOrder, event: Event) -> bool:
    """The time to object is over; the order is settled as soon as no return is open."""
    if order.status not in ("DELIVERED", "COMPLETED") or order.kind != "NORMAL" or order.may_settle:
        return False
    order.may_settle = True
    return True


def _post(order: TikTokOrder, event: Event) -> bool:
    """A statement holds something beside the order: {kind, adjustment, reserve}."""
    if order.kind == "NORMAL" and order.settled_at is None:
        return False
    data = event.data
    if data.get("reserve", 0) > 0 and not any(posting.reserve < 0 for posting in order.postings):
        return False  # nothing was held back that could be released
    order.postings.append(Posting(data["kind"], data.get("adjustment", 0), data.get("reserve", 0)))
    return True


def _appear(order: TikTokOrder, event: Event) -> bool:
    """The vendor's API shows an order that it held back; it looks changed then, or no reader would ever find it."""
    if not order.hidden:
        return False
    order.hidden, order.updated_at = False, event.at
    return True


_REACTIONS: dict[str, Callable[[TikTokOrder, Event], bool]] = {
    "pay": _pay,
    "settle": _settle,
    "post": _post,
    "appear": _appear,
    "cancel": aftersales.cancel,
    "cancel_status": aftersales.cancel_status,
    "return": aftersales.send_back,
    "return_status": aftersales.return_status,
    "edit_return": aftersales.edit_return,
}
