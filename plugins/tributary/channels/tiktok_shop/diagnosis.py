"""Says whether a shop can be read, and if not, exactly what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tributary.channels.tiktok_shop.refusals import PERMISSION_MISSING, has_code
from tributary.channels.vendor_tokens import ENDS_SOON
from tributary.http import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tributary.channels.answer import Answer
    from tributary.channels.tiktok_shop.api import TikTokShopApi

_TOLERATED_SKEW = 60.0
_REMEDY = (
    "Enable their permission package for the app in Partner Center, let the seller authorise the app again, and put "
    "the new refresh token into the field Refresh token."
)


@dataclass(frozen=True)
class _Family:
    """Streams that need the same permission, and the cheapest request that needs it too."""

    streams: str
    ask: Callable[[TikTokShopApi], Answer]


def _shop_performance(api: TikTokShopApi) -> Answer:
    today = api.now().date()
    days = {"start_date_ge": f"{today - timedelta(days=2)}", "end_date_lt": f"{today - timedelta(days=1)}"}
    return api.get("/analytics/202509/shop/performance", days, budget="analytics")


def _statements(api: TikTokShopApi) -> Answer:
    query = {"sort_field": "statement_time", "page_size": "1"}
    return api.get("/finance/202309/statements", query, budget="finance")


_ORDERS = _Family(
    "orders",
    lambda api: api.post("/order/202309/orders/search", {"page_size": "1"}, _last_day(api), budget="orders"),
)
_OTHERS = (
    _Family(
        "returns and cancellations",
        lambda api: api.post(
            "/return_refund/202309/returns/search", {"page_size": "10"}, _last_day(api), budget="returns"
        ),
    ),
    _Family("statements and statement_transactions", _statements),
    _Family(
        "products",
        lambda api: api.post("/product/202502/products/search", {"page_size": "1"}, {}, budget="products"),
    ),
    _Family("shop_performance, videos and video_details", _shop_performance),
)


def diagnose(api: TikTokShopApi, authorisation_ends: Callable[[], datetime | None]) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test.

    `authorisation_ends` is asked after TikTok has answered; None says that the connection has no refresh token.
    """
    try:
        shop = api.shop
        if not _may_read(_ORDERS, api):
            return False, f"Connected to {shop.name}, but the stream orders cannot be read. {_REMEDY}"
        unreadable = [family.streams for family in _OTHERS if not _may_read(family, api)]
    except HttpError as error:
        return False, str(error)
    message = f"Connected to {shop.name} (id {shop.id}): region {shop.region}, seller type {shop.seller_type}."
    if unreadable:
        message += f" The streams {', '.join(unreadable)} cannot be read. {_REMEDY}"
    return True, message + _end(authorisation_ends(), api.now()) + _clocks(api.skew_seconds)


def _may_read(family: _Family, api: TikTokShopApi) -> bool:
    try:
        family.ask(api)
    except HttpError as error:
        if has_code(error, PERMISSION_MISSING):
            return False
        raise
    return True


def _last_day(api: TikTokShopApi) -> dict[str, object]:
    return {"update_time_ge": int((api.now() - timedelta(days=1)).timestamp())}


def _end(ends: datetime | None, now: datetime) -> str:
    if ends is None:
        return " The access token lasts a week at most and is never renewed: put in a refresh token instead."
    message = f" The authorisation ends on {ends:%Y-%m-%d}"
    if ends - now >= ENDS_SOON:
        return f"{message}."
    return (
        f"{message}, in {(ends - now).days} days: let the seller authorise the app again before, and put the new "
        "refresh token into the field Refresh token."
    )


def _clocks(ahead: float) -> str:
    if abs(ahead) <= _TOLERATED_SKEW:
        return ""
    return (
        f" This machine's clock is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} TikTok's; requests are "
        "signed with TikTok's time, but set the clock (by NTP)."
    )
