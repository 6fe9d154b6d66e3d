"""The sandbox's TikTok Shop from outside: who may ask, and what goes wrong when told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tributary.channels.tiktok_shop.api import App, TikTokShopApi

if TYPE_CHECKING:
    from tests.channels.shopify_sandbox import Sandbox

APP = App("sandbox_app", "sandbox_app_secret_aurora_0123456789")
ACCESS_TOKEN = "TTP_access_aurora_0"
REFRESH_TOKEN = "TTP_refresh_aurora_0"
SHOP_ID = "7495000000000000001"
ORDERS = "/order/202309/orders/search"
SHOPS = "/authorization/202309/shops"

MakeTikTok = Callable[..., TikTokShopApi]


def fault(
    sandbox: Sandbox, kind: str, route: str = "/*/20????/*", times: int | None = 1, skip: int = 0, **options: Any
) -> None:
    """Lets the next requests to the API go wrong."""
    sandbox.fault(kind, times, skip, route, **options)
