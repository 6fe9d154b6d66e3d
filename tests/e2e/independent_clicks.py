"""A second opinion on last click: the touch that each order is credited to.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.e2e.independent_origins import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.independent_business import Business
    from tests.e2e.independent_orders import Order
    from tests.e2e.independent_settings import Channel
    from tests.e2e.independent_touches import Touch, Touches

Table = dict[tuple[Any, ...], dict[str, Any]]

WINDOW = timedelta(hours=168)
RULES = {"native": "native", "click": "last_click", "ga4_session": "ga4_session"}
"""What a touch counts as, the strongest first -> what an order is credited by."""


@dataclass(frozen=True)
class Credit:
    """What an order is credited to."""

    origin: Origin
    channel: Channel
    rule: str
    touch: Touch | None


def is_in_window(touch: Touch, order: Order) -> bool:
    return order.at - WINDOW <= touch.at <= order.at


def is_candidate(touch: Touch, order: Order) -> bool:
    return is_in_window(touch, order) and not touch.origin.is_direct


def last_clicks(orders: Iterable[Order], touches: Touches) -> dict[tuple[str, str], Credit]:
    """Each counted order's credit."""
    return {order.key: _credit(order, touches) for order in orders if order.is_counted}


def _credit(order: Order, touches: Touches) -> Credit:
    candidates = [touch for touch in touches.of(order) if is_candidate(touch, order)]
    if not candidates:
        direct = Origin("direct", "none", None, "none")
        return Credit(direct, touches.settings.channel("direct", "none"), "direct", None)
    # The visit that a click in a mail led to is the same touch: it comes later and is the last one of both.
    last = min(candidates, key=lambda touch: (list(RULES).index(touch.rule), touch.rank))
    return Credit(last.origin, last.channel, RULES[last.rule], last)


def attributed(business: Business) -> Table:
    """Each counted order and its last click."""
    return {
        order.key: {
            "date_day": business.day(order.at),
            "touchpoint_id": touch.id if touch else None,
            "occurred_at": touch.at if touch else None,
            "source": credit.origin.source,
            "medium": credit.origin.medium,
            "campaign": credit.origin.campaign,
            "channel": credit.channel.name,
            "is_paid": credit.channel.is_paid,
            "ad_platform": credit.channel.ad_platform,
            "in_taxonomy": credit.channel.is_known,
            "is_malformed": touch is not None and touch.told.is_odd,
            "resolved_by": credit.origin.by if touch else None,
            "rule": credit.rule,
            "attributed_revenue": business.worth(order),
            "is_new_customer": business.customers.is_new(order),
            "currency": business.settings.currency,
            "ordered_at": order.at,
        }
        for order in business.orders
        if order.is_counted
        for credit in [business.credits[order.key]]
        for touch in [credit.touch]
    }


def touchpoints(business: Business) -> Table:
    """Each touch, on the day of the order that told of it, or else on its own."""
    return {
        (touch.id,): {
            "date_day": business.day(touch.order.at if touch.order else touch.at),
            "touch_channel": touch.by,
            "sales_channel": touch.order.sales_channel if touch.order else "shopify",
            "order_id": touch.order.id if touch.order else None,
            "occurred_at": touch.at,
            "utm_source": touch.told.source or None,
            "utm_medium": touch.told.medium or None,
            "utm_campaign": touch.told.campaign or None,
            "click_id": touch.told.click_id or None,
            "referrer_domain": touch.told.referrer or None,
            "source": touch.origin.source,
            "medium": touch.origin.medium,
            "campaign": touch.origin.campaign,
            "channel": touch.channel.name,
            "is_paid": touch.channel.is_paid,
            "ad_platform": touch.channel.ad_platform,
            "in_taxonomy": touch.channel.is_known,
            "is_direct": touch.origin.is_direct,
            "is_malformed": touch.told.is_odd,
            "resolved_by": touch.origin.by,
        }
        for touch in business.touches.all()
    }
