"""What can happen to an order of TikTok Shop once it is placed: units are cancelled, returned, replaced, paid back.

What an event asks for is clipped to the units that are still free, and an event that cannot do anything leaves the
order untouched. None of this changes the order's `update_time`, unless the order as a whole is cancelled: that time is
the one of the last change of its status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business.money import split
from sandbox.business.tiktok_order import (
    REFUNDED_CANCELLATION,
    REFUNDED_RETURN,
    Cancellation,
    Money,
    Return,
)

if TYPE_CHECKING:
    from sandbox.business.order import Event
    from sandbox.business.tiktok_order import TikTokOrder, Unit

BEFORE_SHIPMENT = {"UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "AWAITING_COLLECTION"}
RETURNABLE = {"IN_TRANSIT", "DELIVERED", "COMPLETED"}
CANCELLATION_STATUSES = {
    "CANCELLATION_REQUEST_PENDING",
    "CANCELLATION_REQUEST_SUCCESS",
    "CANCELLATION_REQUEST_CANCELLED",
    REFUNDED_CANCELLATION,
}
TURNED_DOWN = {
    "REFUND_OR_RETURN_REQUEST_REJECT",
    "REJECT_RECEIVE_PACKAGE",
    "RETURN_OR_REFUND_REQUEST_CANCEL",
    "REPLACEMENT_REQUEST_REJECT",
    "REPLACEMENT_REQUEST_CANCEL",
    "CANCELLATION_REQUEST_CANCELLED",
}
REFUND_STATUSES = {
    "RETURN_OR_REFUND_REQUEST_PENDING",
    "REFUND_OR_RETURN_REQUEST_REJECT",
    "AWAITING_BUYER_SHIP",
    "BUYER_SHIPPED_ITEM",
    "REJECT_RECEIVE_PACKAGE",
    "RETURN_OR_REFUND_REQUEST_SUCCESS",
    "RETURN_OR_REFUND_REQUEST_CANCEL",
    "AWAITING_BUYER_RESPONSE",
    REFUNDED_RETURN,
}
REPLACEMENT_STATUSES = {
    "REPLACEMENT_REQUEST_PENDING",
    "REPLACEMENT_REQUEST_REJECT",
    "REPLACEMENT_REQUEST_CANCEL",
    "REPLACEMENT_REQUEST_COMPLETE",
}


def cancel(order: TikTokOrder, event: Event) -> bool:
    """Open a cancellation of `units` or, without them, of the whole order: {key, units, role, reason, status}."""
    if order.status not in BEFORE_SHIPMENT:
        return False
    free = [unit for unit in order.units if not unit.in_aftersales]
    units = free
    if "units" in event.data:
        wanted = {number % len(order.units) for number in event.data["units"]}
        units = [unit for number, unit in enumerate(order.units) if number in wanted and unit in free and unit.price]
        if all(unit in units for unit in order.units if unit.price and not unit.cancelled_by):
            return False
    elif any(one.status == "CANCELLATION_REQUEST_PENDING" for one in order.cancellations):
        return False
    if not units or any(one.key == event.data["key"] for one in order.cancellations):
        return False
    amounts = [_unit_money(unit) for unit in units]
    if "units" not in event.data:
        amounts[0].shipping, amounts[0].delivery_fee = order.shipping.fee, order.delivery_fee
        amounts[0].tax += order.shipping.tax
    if order.paid_at is None:
        amounts = [Money() for _ in units]
    role, reason = event.data.get("role", "BUYER"), event.data.get("reason", "ecom_order_to_ship_canceled_reason_mind")
    status = "CANCELLATION_REQUEST_PENDING"
    opened = Cancellation(event.data["key"], order, units, amounts, role, reason, status, event.at, event.at)
    order.cancellations.append(opened)
    for unit in units:
        unit.in_aftersales = True
    _set_cancellation(opened, event.data.get("status", status), event)
    return True


def cancel_status(order: TikTokOrder, event: Event) -> bool:
    """The seller or the buyer answers: {key, status}."""
    found = next((one for one in order.cancellations if one.key == event.data["key"]), None)
    if found is None or found.status in (*TURNED_DOWN, REFUNDED_CANCELLATION):
        return False
    return _set_cancellation(found, event.data["status"], event)


def _set_cancellation(cancellation: Cancellation, status: str, event: Event) -> bool:
    order = cancellation.order
    if status not in CANCELLATION_STATUSES:
        raise ValueError(f"a cancellation has no status {status!r}; it has {sorted(CANCELLATION_STATUSES)}")
    if status in ("CANCELLATION_REQUEST_SUCCESS", REFUNDED_CANCELLATION) and order.status != "CANCELLED":
        if order.status not in BEFORE_SHIPMENT and not cancellation.units[0].cancelled_by:
            status = "CANCELLATION_REQUEST_CANCELLED"  # the parcel was faster
        else:
            for unit in cancellation.units:
                unit.cancelled_by, unit.cancel_reason = cancellation.role, cancellation.reason
            if all(unit.cancelled_by for unit in order.units):
                order.status, order.updated_at, order.cancelled_at = "CANCELLED", event.at, event.at
                order.cancelled_by, order.cancel_reason = cancellation.role, cancellation.reason
    for unit in cancellation.units if status in TURNED_DOWN else ():
        unit.in_aftersales = False
    cancellation.status, cancellation.updated_at = status, event.at
    return True


def send_back(order: TikTokOrder, event: Event) -> bool:
    """Open a return: {key, units, type, role, reason, status, shipping, amount, exchange}."""
    data = event.data
    kind = data.get("type", "RETURN_AND_REFUND")
    if kind not in ("REFUND", "RETURN_AND_REFUND", "REPLACEMENT"):
        raise ValueError(f"there is no return type {kind!r}; use REFUND, RETURN_AND_REFUND or REPLACEMENT")
    free = [unit for unit in order.units if not unit.in_aftersales and unit.price]
    if "units" in data:
        wanted = {number % len(order.units) for number in data["units"]}
        free = [unit for number, unit in enumerate(order.units) if number in wanted and unit in free]
    taken = any(one.key == data["key"] for one in order.returns)
    if order.status not in RETURNABLE or order.kind != "NORMAL" or not free or taken:
        return False
    first = "REPLACEMENT_REQUEST_PENDING" if kind == "REPLACEMENT" else "RETURN_OR_REFUND_REQUEST_PENDING"
    opened = Return(
        data["key"],
        order,
        free,
        [],
        data.get("role", "BUYER"),
        data.get("reason", "ecom_order_delivered_refund_and_return_reason_no_longer_needed"),
        first,
        event.at,
        event.at,
        kind=kind,
        exchange=bool(data.get("exchange")),
    )
    opened.amounts = _return_amounts(opened, bool(data.get("shipping")))
    order.returns.append(opened)
    for unit in free:
        unit.in_aftersales = True
    if data.get("amount"):
        _propose(opened, int(data["amount"]))
    return _set_return(opened, data.get("status", first), event)


def return_status(order: TikTokOrder, event: Event) -> bool:
    """A return goes on: {key, status, amount}, where `amount` is what the seller proposes to pay back instead."""
    found = next((one for one in order.returns if one.key == event.data["key"]), None)
    if found is None or found.edited_to is not None or not found.is_open:
        return False
    if event.data.get("amount"):
        _propose(found, int(event.data["amount"]))
    if event.data.get("buyer_rejected"):
        found.buyer_rejected = True
    return _set_return(found, event.data["status"], event)


def _set_return(one: Return, status: str, event: Event) -> bool:
    known = REPLACEMENT_STATUSES if one.kind == "REPLACEMENT" else REFUND_STATUSES
    if status not in known:
        raise ValueError(f"a {one.kind} has no status {status!r}; it has {sorted(known)}")
    one.status, one.updated_at = status, event.at
    for unit in one.units if status in TURNED_DOWN else ():
        unit.in_aftersales = False
    earlier = one.edited_from
    if earlier is not None and status == REFUNDED_RETURN:  # the vendor closes both, and pays once
        earlier.status, earlier.updated_at = status, event.at
    return True


def edit_return(order: TikTokOrder, event: Event) -> bool:
    """The buyer changes an open return, which makes another that takes its place: {key, new_key, type, status}."""
    found = next((one for one in order.returns if one.key == event.data["key"]), None)
    if found is None or not found.is_open or found.edited_to is not None or found.kind == "REPLACEMENT":
        return False
    first = "RETURN_OR_REFUND_REQUEST_PENDING"
    edited = Return(
        event.data["new_key"],
        order,
        found.units,
        found.amounts,
        found.role,
        found.reason,
        first,
        event.at,
        event.at,
        kind=event.data.get("type", "REFUND"),
        edited_from=found,
    )
    found.edited_to, found.status, found.updated_at = edited, "RETURN_OR_REFUND_REQUEST_CANCEL", event.at
    order.returns.append(edited)
    return _set_return(edited, event.data.get("status", first), event)


def _propose(one: Return, amount: int) -> None:
    """The seller offers some money, and the buyer keeps the goods."""
    amount = min(amount, sum(unit.sale_price for unit in one.units))
    one.partial, one.kind = amount, "REFUND"
    parts = split(amount, [unit.sale_price for unit in one.units])
    one.amounts = [Money(subtotal=part) for part in parts]


def _return_amounts(one: Return, shipping: bool) -> list[Money]:
    if one.kind == "REPLACEMENT":
        return [Money() for _ in one.units]
    amounts = [_unit_money(unit) for unit in one.units]
    fee = one.order.shipping
    paid_back = any(other.money.shipping or other.money.shipping_platform_discount for other in one.order.returns)
    if shipping and not paid_back:
        amounts[0].shipping, amounts[0].shipping_platform_discount = fee.fee, fee.platform_discount
        amounts[0].shipping_seller_discount = fee.seller_discount
        amounts[0].tax += fee.tax
    return amounts


def _unit_money(unit: Unit) -> Money:
    return Money(
        subtotal=unit.sale_price,
        tax=unit.tax,
        seller_discount=unit.seller_discount,
        platform_discount=unit.platform_discount,
    )
