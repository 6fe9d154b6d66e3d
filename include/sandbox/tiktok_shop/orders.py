"""Orders: the search, and orders by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text
from sandbox.business.tiktok_order import product_id, sku_id
from sandbox.tiktok_shop.endpoint import Asked, Endpoint, Refused, page
from sandbox.tiktok_shop.filters import choice, flag, in_order, seconds, texts, within

if TYPE_CHECKING:
    from sandbox.business.tiktok_order import TikTokOrder, Unit

STATUSES = (
    "UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "PARTIALLY_SHIPPING", "AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED",
    "COMPLETED", "CANCELLED",
)  # fmt: skip
WITHOUT_RECIPIENT = {"UNPAID", "ON_HOLD"}
MOST_IDS = 50
PACKAGE = {
    "AWAITING_COLLECTION": "PROCESSING",
    "PARTIALLY_SHIPPING": "PROCESSING",
    "IN_TRANSIT": "FULFILLING",
    "DELIVERED": "COMPLETED",
    "COMPLETED": "COMPLETED",
}


def search(asked: Asked) -> dict[str, Any]:
    """Newest first unless asked otherwise; there is no snapshot between pages."""
    body = asked.body
    status = choice(body, "order_status", STATUSES)
    shipping = choice(body, "shipping_type", ("TIKTOK", "SELLER"))
    requested = flag(body, "is_buyer_request_cancel")
    warehouses = texts(body, "warehouse_ids", most=100)
    buyer = body.get("buyer_user_id")
    if buyer is not None and not isinstance(buyer, str):
        raise Refused(36009022, "Invalid buyer_user_id: expected a string", 400)
    rows = within(body, asked.shop.tiktok.orders, "create_time", lambda order: order.created_at)
    rows = within(body, rows, "update_time", lambda order: order.updated_at)
    rows = [
        order
        for order in rows
        if (status is None or order.status == status)
        and (shipping is None or shipping == "TIKTOK")
        and (requested is None or _requests_cancel(order) == requested)
        and (not warehouses or _warehouse(order) in warehouses)
        and (buyer is None or order.user_id == buyer)
    ]
    rows = in_order(
        asked,
        rows,
        "DESC",
        {
            "create_time": lambda order: (order.created_at, order.id),
            "update_time": lambda order: (order.updated_at, order.id),
        },
    )
    found, following, total = page(asked, rows, default=20, most=100, required=True)
    return {"orders": [order_view(order) for order in found], "next_page_token": following, "total_count": total}


def by_ids(asked: Asked) -> dict[str, Any]:
    """The orders that there are of those asked for."""
    ids = [number for number in asked.query.get("ids", "").split(",") if number]
    if not ids:
        raise Refused(36009004, "Required parameter ids is missing", 400)
    if len(ids) > MOST_IDS:
        raise Refused(36009004, f"Invalid ids: {len(ids)} values, the maximum is {MOST_IDS}", 400)
    if not all(number.isdigit() for number in ids):
        raise Refused(36009022, "Invalid ids: not an order ID", 400)
    orders = {str(order.id): order for order in asked.shop.tiktok.orders}
    return {"orders": [order_view(orders[number]) for number in dict.fromkeys(ids) if number in orders]}


def order_view(order: TikTokOrder) -> dict[str, Any]:
    """An order as the vendor writes it; what does not apply is left out."""
    view: dict[str, Any] = {
        "id": str(order.id),
        "status": order.status,
        "create_time": seconds(order.created_at),
        "update_time": seconds(order.updated_at),
        "user_id": order.user_id,
        "order_type": "NORMAL",
        "fulfillment_type": "FULFILLMENT_BY_SELLER",
        "shipping_type": "TIKTOK",
        "delivery_option_name": "Standard Shipping",
        "delivery_type": "HOME_DELIVERY",
        "payment_method_name": "Credit card",
        "warehouse_id": _warehouse(order),
        "is_cod": False,
        "is_on_hold_order": order.status == "ON_HOLD",
        "is_sample_order": order.kind == "SAMPLE",
        "is_replacement_order": order.kind == "REPLACEMENT",
        "is_exchange_order": order.kind == "EXCHANGE",
        "is_buyer_request_cancel": _requests_cancel(order),
        "has_updated_recipient_address": False,
        "buyer_message": "",
        "payment": _payment(order),
        "line_items": [_line_item(order, unit) for unit in order.units],
        "packages": [{"id": _package(order)}] if order.shipped_at else [],
    }
    if order.source_id is not None:
        view["replaced_order_id" if order.kind == "REPLACEMENT" else "exchange_source_order_id"] = str(order.source_id)
    if order.cancelled_at is not None:
        view |= {"cancel_reason": order.cancel_reason, "cancellation_initiator": order.cancelled_by}
    times = {
        "paid_time": order.paid_at,
        "cancel_time": order.cancelled_at,
        "rts_time": order.shipped_at,
        "collection_time": order.collected_at,
        "delivery_time": order.delivered_at,
    }
    view |= {name: seconds(at) for name, at in times.items() if at is not None}
    if order.shipped_at is not None:
        view |= {"tracking_number": _tracking(order), "shipping_provider": "USPS"}
    if order.status not in WITHOUT_RECIPIENT and order.paid_at is not None:
        view |= {"buyer_email": order.email, "recipient_address": _recipient(order)}
    return view


def _payment(order: TikTokOrder) -> dict[str, str]:
    shipping = order.shipping
    amounts = {
        "total_amount": order.total,
        "sub_total": order.sub_total,
        "original_total_product_price": order.original_price,
        "seller_discount": order.seller_discount,
        "platform_discount": order.platform_discount,
        "shipping_fee": shipping.fee,
        "original_shipping_fee": shipping.original,
        "shipping_fee_seller_discount": shipping.seller_discount,
        "shipping_fee_platform_discount": shipping.platform_discount,
        "shipping_fee_cofunded_discount": shipping.cofunded_discount,
        "tax": order.product_tax + shipping.tax,
        "product_tax": order.product_tax,
        "shipping_fee_tax": shipping.tax,
        "retail_delivery_fee": order.delivery_fee,
    }
    return {"currency": order.merchant.currency} | {name: decimal_text(amount) for name, amount in amounts.items()}


def _line_item(order: TikTokOrder, unit: Unit) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": str(unit.id),
        "product_id": str(product_id(unit.product)),
        "product_name": unit.product.title,
        "sku_id": str(sku_id(unit.product)),
        "sku_name": "Default",
        "sku_type": "NORMAL",
        "seller_sku": unit.product.sku,
        "currency": order.merchant.currency,
        "original_price": decimal_text(unit.price),
        "sale_price": decimal_text(unit.sale_price),
        "seller_discount": decimal_text(unit.seller_discount),
        "platform_discount": decimal_text(unit.platform_discount),
        "is_gift": unit.is_gift,
        "gift_retail_price": decimal_text(unit.product.price if unit.is_gift else 0),
        "is_dangerous_good": False,
        "display_status": _display_status(order, unit),
        "package_status": PACKAGE.get(order.status, "TO_FULFILL") if not unit.cancelled_by else "CANCELLED",
        "item_tax": [
            {
                "tax_type": "SALES_TAX",
                "tax_amount": decimal_text(unit.tax),
                "tax_rate": f"{unit.tax_rate / 1_000_000:.4f}",
            }
        ],
    }
    if unit.cancelled_by:
        view |= {"cancel_user": unit.cancelled_by, "cancel_reason": unit.cancel_reason}
    if unit.shipped:
        view |= {"package_id": _package(order), "tracking_number": _tracking(order)}
    return view


def _display_status(order: TikTokOrder, unit: Unit) -> str:
    if unit.cancelled_by:
        return "CANCELLED"
    if order.status == "PARTIALLY_SHIPPING":
        return "AWAITING_COLLECTION" if unit.shipped else "AWAITING_SHIPMENT"
    return "AWAITING_SHIPMENT" if order.status == "ON_HOLD" else order.status


def _recipient(order: TikTokOrder) -> dict[str, Any]:
    """Names and telephone numbers as the platform's own logistics shows them to sellers: not at all."""
    region, street = order.region, "*** *** **"
    name = f"{order.merchant.first_names[order.buyer % len(order.merchant.first_names)][0]}***"
    levels = (("L0", "Country", "United States"), ("L1", "State", region.province), ("L2", "City", region.city))
    return {
        "name": name,
        "first_name": name,
        "last_name": "",
        "phone_number": f"(+1){order.buyer % 10}** *** **{order.buyer % 100:02d}",
        "address_detail": street,
        "address_line1": street,
        "full_address": f"{street}, {region.city}, {region.province}, United States",
        "postal_code": f"{10_000 + order.buyer:05d}",
        "region_code": region.country,
        "district_info": [
            {"address_level": level, "address_level_name": kind, "address_name": place} for level, kind, place in levels
        ],
    }


def _requests_cancel(order: TikTokOrder) -> bool:
    return any(one.status == "CANCELLATION_REQUEST_PENDING" and one.role == "BUYER" for one in order.cancellations)


def _warehouse(order: TikTokOrder) -> str:
    return order.merchant.tiktok.warehouse_id if order.merchant.tiktok else ""


def _package(order: TikTokOrder) -> str:
    return str(order.id + 900)


def _tracking(order: TikTokOrder) -> str:
    return f"9400{order.id}"


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/order/202309/orders/search", search, scope="seller.order.info"),
    Endpoint("GET", "/order/202309/orders", by_ids, scope="seller.order.info"),
    Endpoint("GET", "/order/202507/orders", by_ids, scope="seller.order.info"),
)
