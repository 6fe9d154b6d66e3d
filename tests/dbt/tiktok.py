"""Records as TikTok Shop would send them, small enough to read: the parts that matter to a test are its arguments."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

Payload = dict[str, Any]
Row = tuple[str, str, datetime, Payload]
"""The stream, the record's id and time, and what the vendor sent."""


def moment(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def unit(
    unit_id: str, price: str, *, seller: str = "0", platform: str = "0", gift: bool = False, tax: str = "0"
) -> Payload:
    """One unit of an order; there are no quantities."""
    return {
        "id": unit_id,
        "product_id": f"P{unit_id}",
        "sku_id": f"S{unit_id}",
        "seller_sku": f"SKU-{unit_id}",
        "product_name": f"Thing {unit_id}",
        "sku_name": "Blue",
        "original_price": price,
        "seller_discount": seller,
        "platform_discount": platform,
        "is_gift": gift,
        "item_tax": [{"tax_type": "SALES_TAX", "tax_amount": tax}],
    }


def order(
    order_id: str,
    at: str,
    *units: Payload,
    buyer: str = "u1",
    status: str = "COMPLETED",
    paid: bool = True,
    shipping: str = "0",
    shipping_seller: str = "0",
    shipping_cofunded: str = "0",
    shipping_platform: str = "0",
    **flags: bool,
) -> Row:
    """An order whose payment follows from its units as the vendor documents it, tax on top."""
    sold = [one for one in units if not one["is_gift"]]
    fee = Decimal(shipping) - Decimal(shipping_seller) - Decimal(shipping_cofunded) - Decimal(shipping_platform)
    total = {name: sum(Decimal(one[name]) for one in sold) for name in ("original_price", "seller_discount")}
    platform = sum(Decimal(one["platform_discount"]) for one in sold)
    tax = sum(Decimal(one["item_tax"][0]["tax_amount"]) for one in sold)
    sub_total = total["original_price"] - total["seller_discount"] - platform
    created = moment(at)
    payment = {
        "currency": "USD",
        "original_total_product_price": str(total["original_price"]),
        "seller_discount": str(total["seller_discount"]),
        "platform_discount": str(platform),
        "sub_total": str(sub_total),
        "original_shipping_fee": shipping,
        "shipping_fee_seller_discount": shipping_seller,
        "shipping_fee_cofunded_discount": shipping_cofunded,
        "shipping_fee_platform_discount": shipping_platform,
        "shipping_fee": str(fee),
        "tax": str(tax),
        "total_amount": str(sub_total + fee + tax),
        "small_order_fee": "",
    }
    body = {
        "id": order_id,
        "user_id": buyer,
        "status": status,
        "create_time": int(created.timestamp()),
        "update_time": int(created.timestamp()),
        "paid_time": int(created.timestamp()) if paid else 0,
        "payment": payment,
        "line_items": list(units),
        **flags,
    }
    return "tiktok_shop_orders", order_id, created, body


def returned(
    return_id: str,
    order_id: str,
    at: str,
    subtotal: str,
    *,
    shipping: str = "0",
    platform: str = "0",
    shipping_platform: str = "0",
    kind: str = "RETURN_AND_REFUND",
    status: str = "RETURN_OR_REFUND_REQUEST_COMPLETE",
    units: int = 1,
    previous: str = "",
    following: str = "",
) -> Row:
    """A return; `following` is what it was edited to."""
    body = {
        "return_id": return_id,
        "order_id": order_id,
        "return_type": kind,
        "return_status": status,
        "pre_return_id": previous,
        "next_return_id": following,
        "refund_amount": {"currency": "USD", "refund_subtotal": subtotal, "refund_shipping_fee": shipping},
        "discount_amount": [
            {"product_platform_discount": platform, "shipping_fee_platform_discount": ""},
            {"product_platform_discount": "", "shipping_fee_platform_discount": shipping_platform},
        ],
        "return_line_items": [{"return_line_item_id": f"{return_id}{number}"} for number in range(units)],
    }
    return "tiktok_shop_returns", return_id, moment(at), body


def cancelled(
    cancel_id: str,
    order_id: str,
    at: str,
    subtotal: str,
    *units: str,
    shipping: str = "0",
    status: str = "CANCELLATION_REQUEST_COMPLETE",
) -> Row:
    """A cancellation of these units."""
    body = {
        "cancel_id": cancel_id,
        "order_id": order_id,
        "cancel_type": "BUYER_CANCEL",
        "cancel_status": status,
        "refund_amount": {"currency": "USD", "refund_subtotal": subtotal, "refund_shipping_fee": shipping},
        "cancel_line_items": [{"order_line_item_id": one} for one in units],
    }
    return "tiktok_shop_cancellations", cancel_id, moment(at), body


def settled(statement_id: str, at: str, order_id: str, fees: str, *, refunded: str = "0") -> Row:
    """A transaction of a statement; `refunded` is the price of the goods whose refund it settles."""
    body = {
        "id": f"{statement_id}{order_id}",
        "type": "ORDER",
        "order_id": order_id,
        "fee_tax_amount": fees,
        "revenue_amount": "",
        "revenue_breakdown": {"refund_subtotal_before_discount_amount": refunded},
    }
    return "tiktok_shop_statement_transactions", f"{statement_id}/{body['id']}", moment(at), body


def noon(day: str) -> datetime:
    """Where a day of the vendor stands."""
    return datetime.combine(date.fromisoformat(day), time(12), UTC)


def shop_day(day: str, *, orders: int = 0, gmv: str = "0") -> Row:
    """A day of the shop."""
    sales = {"gmv": {"overall": {"amount": gmv, "currency": "USD"}}, "orders_count": orders, "items_sold": orders}
    return "tiktok_shop_shop_performance", f"shop/{day}", noon(day), {"start_date": day, "sales": sales}


def listed(video_id: str, day: str, *, posted: str, title: str = "A video", orders: int = 0) -> Row:
    """A row of the list of videos."""
    body = {
        "id": video_id,
        "title": title,
        "username": "aurora.outdoor",
        "video_post_time": posted,
        "sku_orders": orders,
        "views": 0,
        "gmv": {"amount": "0.00", "currency": "USD"},
    }
    return "tiktok_shop_videos", f"{video_id}/{day}", noon(day), body


def counted(
    video_id: str, day: str, likes: int, comments: int, shares: int, *, views: float = 0, clicks: int = 0
) -> Row:
    """A day of a video: totals of likes, comments and shares, and its own views and clicks."""
    body = {
        "start_date": day,
        "traffic": {"views": views, "likes": likes, "comments": comments, "shares": shares},
        "sales": {
            "overall": {"gmv": {"amount": "12.50", "currency": "USD"}, "items_sold": 1, "product_clicks": clicks}
        },
    }
    return "tiktok_shop_video_details", f"{video_id}/{day}", noon(day), body


def saved(video_id: str, day: str, favorites: int | None, *, posted: str) -> Row:
    """A reading of the organic counters."""
    body = {
        "measured_on": day,
        "video": {"item_id": video_id, "create_time": int(moment(posted).timestamp()), "favorites": favorites},
    }
    return "tiktok_organic_videos", f"{video_id}/{day}", noon(day), body


def load(conn: Connection, merchant_id: str, *rows: Row) -> None:
    """Put records into raw as a sync would."""
    with conn.cursor() as cursor:
        for table, record_id, at, body in rows:
            cursor.execute(
                f"""
                insert into raw.{table}
                    (merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id)
                values (%s, %s, %s, %s, %s, '', '202509', gen_random_uuid())
                """,  # type: ignore[arg-type]
                (merchant_id, record_id, at, at, json.dumps(body)),
            )
    conn.commit()
