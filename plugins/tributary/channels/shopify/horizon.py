"""The last 60 days: all that a token without read_all_orders sees of a shop's orders."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.shopify.shapes import Connection, Key
from tributary.http import AuthError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tributary.channels.shopify.api import ShopifyApi

HORIZON = timedelta(days=60)
SCOPE = "read_all_orders"


class _Order(msgspec.Struct, rename="camel"):
    legacy_resource_id: Key


class _Orders(msgspec.Struct):
    orders: Connection[_Order]


_ORDERS = msgspec.json.Decoder(_Orders)


def visible_from(api: ShopifyApi) -> datetime | None:
    """The moment from which the token sees orders; None when it sees all of them."""
    return None if SCOPE in api.scopes else api.now() - HORIZON


def check_visible(api: ShopifyApi, start: datetime) -> None:
    """Refuses to read from before the horizon: Shopify would answer with fewer orders, and say nothing."""
    horizon = visible_from(api)
    if horizon is None:
        return
    if start < horizon:
        first_day = (horizon + timedelta(days=1)).date()
        raise AuthError(
            f"Orders since {start:%Y-%m-%d} were asked for, and without the access scope {SCOPE} Shopify shows those "
            f"of the last {HORIZON.days} days only, since {first_day}",
            remedy=f"Ask Shopify to grant the app {SCOPE} and install it again, or begin the merchant's history within "
            f"that time: history_start {first_day} or later, or history_days {HORIZON.days - 1} or less, in "
            "merchants.yaml.",
        )
    api.warn_once(
        f"Without the access scope {SCOPE} Shopify shows orders of the last {HORIZON.days} days only: refunds and "
        "edits that older orders still get will not be seen. Ask Shopify to grant the app that scope."
    )


def surely_gone(api: ShopifyApi, ids: Sequence[str]) -> list[str]:
    """Of orders that were not found, the ones that the token would see if they existed: ids grow with time."""
    if visible_from(api) is None:
        return list(ids)
    oldest = api.execute("OldestOrder").read(_ORDERS).orders.nodes
    gone = [order_id for order_id in ids if oldest and int(order_id) > int(oldest[0].legacy_resource_id)]
    if len(gone) < len(ids):
        api.warn_once(
            f"{len(ids) - len(gone)} orders that the warehouse knows were not found, and are kept: without the access "
            f"scope {SCOPE} a deleted order looks like one older than {HORIZON.days} days."
        )
    return gone
