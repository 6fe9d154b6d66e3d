"""What comes after a sale: returns, which are searched oldest first, and cancellations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text
from sandbox.business.tiktok_aftersales import CANCELLATION_STATUSES, REFUND_STATUSES, REPLACEMENT_STATUSES
from sandbox.business.tiktok_order import ORDER_BASE, sku_id
from sandbox.tiktok_shop.endpoint import Asked, Endpoint, page
from sandbox.tiktok_shop.filters import in_order, seconds, texts, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.tiktok_order import Aftersale, Cancellation, Money, Return, Unit

LINE_BASE = 4_536_000_000_000_000_000
BY_TIME: dict[str, Callable[[Any], Any]] = {
    "create_time": lambda one: (one.created_at, one.id),
    "update_time": lambda one: (one.updated_at, one.id),
}


def search_returns(asked: Asked) -> dict[str, Any]:
    """Returns by time, order, id, buyer, type and status; an arbitration never happens here."""
    body = asked.body
    ids, orders, buyers = (texts(body, name) for name in ("return_ids", "order_ids", "buyer_user_ids"))
    types = texts(body, "return_types", ("REFUND", "RETURN_AND_REFUND", "REPLACEMENT"))
    statuses = texts(body, "return_status", REFUND_STATUSES | REPLACEMENT_STATUSES)
    proposed = texts(body, "seller_proposed_return_type", ("PARTIAL_REFUND",))
    disputed = texts(body, "arbitration_status", ("IN_PROGRESS", "SUPPORT_BUYER", "SUPPORT_SELLER", "CLOSED"))
    rows = [
        one
        for one in _in_time(asked, asked.shop.tiktok.returns)
        if _is_of(one, ids, orders, buyers)
        and (not types or one.kind in types)
        and (not statuses or one.status in statuses)
        and (not proposed or one.partial is not None)
        and not disputed
    ]
    found, following, total = page(asked, in_order(asked, rows, "ASC", BY_TIME), default=10, least=10, most=50)
    return {"return_orders": [_return(one) for one in found], "next_page_token": following, "total_count": total}


def search_cancellations(asked: Asked) -> dict[str, Any]:
    """Cancellations by time, order, id, buyer, type and status."""
    body = asked.body
    ids, orders, buyers = (texts(body, name) for name in ("cancel_ids", "order_ids", "buyer_user_ids"))
    types = texts(body, "cancel_types", ("CANCEL", "BUYER_CANCEL"))
    # The vendor asks for CANCEL and answers CANCELLED.
    asked_for = texts(body, "cancel_status", CANCELLATION_STATUSES | {"CANCELLATION_REQUEST_CANCEL"})
    statuses = {status.replace("_CANCELLED", "_CANCEL") for status in asked_for}
    rows = [
        one
        for one in _in_time(asked, asked.shop.tiktok.cancellations)
        if _is_of(one, ids, orders, buyers)
        and (not types or _cancel_type(one) in types)
        and (not statuses or one.status.replace("_CANCELLED", "_CANCEL") in statuses)
    ]
    found, following, total = page(asked, in_order(asked, rows, "ASC", BY_TIME), default=10, most=50)
    return {"cancellations": [_cancellation(one) for one in found], "next_page_token": following, "total_count": total}


def _in_time(asked: Asked, rows: list[Any]) -> list[Any]:
    rows = within(asked.body, rows, "create_time", lambda one: one.created_at)
    return within(asked.body, rows, "update_time", lambda one: one.updated_at)


def _is_of(one: Cancellation | Return, ids: set[str], orders: set[str], buyers: set[str]) -> bool:
    return (
        (not ids or str(one.id) in ids)
        and (not orders or str(one.order.id) in orders)
        and (not buyers or one.order.user_id in buyers)
    )


def _cancel_type(one: Cancellation) -> str:
    return "BUYER_CANCEL" if one.role == "BUYER" else "CANCEL"


def _return(one: Return) -> dict[str, Any]:
    money = one.money
    currency = one.order.merchant.currency
    view: dict[str, Any] = {
        "return_id": str(one.id),
        "order_id": str(one.order.id),
        "create_time": seconds(one.created_at),
        "update_time": seconds(one.updated_at),
        "return_type": one.kind,
        "return_status": one.status,
        "role": one.role,
        "return_reason": one.reason,
        "return_reason_text": "Other",
        "is_combined_return": False,
        "can_buyer_keep_item": one.kind == "REFUND",
        "refund_amount": _refund(one, money),
        "discount_amount": [
            {
                "currency": currency,
                "product_seller_discount": decimal_text(money.seller_discount),
                "product_platform_discount": decimal_text(money.platform_discount),
                "shipping_fee_seller_discount": decimal_text(money.shipping_seller_discount),
                "shipping_fee_platform_discount": decimal_text(money.shipping_platform_discount),
            }
        ],
        "shipping_fee_amount": [
            {
                "currency": currency,
                "buyer_paid_return_shipping_fee": "0.00",
                "platform_paid_return_shipping_fee": "0.00",
                "seller_paid_return_shipping_fee": "3.99" if one.kind == "RETURN_AND_REFUND" else "0.00",
            }
        ],
        "return_line_items": [
            {"return_line_item_id": _line_id(one, unit), **_item(one, unit, amount)}
            for unit, amount in zip(one.units, one.amounts, strict=True)
        ],
    }
    if one.kind == "RETURN_AND_REFUND":
        view |= {"return_method": "PLATFORM_SHIPPED", "shipment_type": "PLATFORM", "handover_method": "DROP_OFF"}
    if one.partial is not None:
        view |= {
            "seller_proposed_return_type": "PARTIAL_REFUND",
            "partial_refund": {"amount": decimal_text(one.partial), "currency": currency},
            "buyer_rejected_partial_refund": one.buyer_rejected,
        }
    if one.edited_from is not None:
        view["pre_return_id"] = str(one.edited_from.id)
    if one.edited_to is not None:
        view["next_return_id"] = str(one.edited_to.id)
    return view


def _cancellation(one: Cancellation) -> dict[str, Any]:
    return {
        "cancel_id": str(one.id),
        "order_id": str(one.order.id),
        "create_time": seconds(one.created_at),
        "update_time": seconds(one.updated_at),
        "cancel_type": _cancel_type(one),
        "cancel_status": one.status,
        "role": one.role,
        "cancel_reason": one.reason,
        "cancel_reason_text": "Other",
        "refund_amount": _refund(one, one.money),
        "cancel_line_items": [
            {"cancel_line_item_id": _line_id(one, unit), **_item(one, unit, amount)}
            for unit, amount in zip(one.units, one.amounts, strict=True)
        ],
    }


def _line_id(one: Aftersale, unit: Unit) -> str:
    return str(LINE_BASE + (unit.id - ORDER_BASE) * 100 + one.key)


def _item(one: Aftersale, unit: Unit, amount: Money) -> dict[str, Any]:
    return {
        "order_line_item_id": str(unit.id),
        "sku_id": str(sku_id(unit.product)),
        "sku_name": "Default",
        "seller_sku": unit.product.sku,
        "product_name": unit.product.title,
        "refund_amount": _refund(one, amount),
    }


def _refund(one: Aftersale, money: Money) -> dict[str, str]:
    return {
        "currency": one.order.merchant.currency,
        "refund_total": decimal_text(money.total),
        "refund_subtotal": decimal_text(money.subtotal),
        "refund_shipping_fee": decimal_text(money.shipping),
        "refund_tax": decimal_text(money.tax),
        "retail_delivery_fee": decimal_text(money.delivery_fee),
        "buyer_service_fee": "0.00",
    }


ENDPOINTS: tuple[Endpoint, ...] = tuple(
    Endpoint("POST", f"/return_refund/{version}/{what}/search", handle)
    for version in ("202309", "202602")
    for what, handle in (("returns", search_returns), ("cancellations", search_cancellations))
)
