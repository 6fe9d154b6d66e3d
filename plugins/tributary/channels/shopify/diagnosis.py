"""Says whether a shop can be read, and if not, exactly what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.http import HttpError

if TYPE_CHECKING:
    from tributary.channels.shopify.api import ShopifyApi


class _Shop(msgspec.Struct, rename="camel"):
    name: str
    myshopify_domain: str
    iana_timezone: str
    currency_code: str


class _Connected(msgspec.Struct):
    shop: _Shop


_CONNECTED = msgspec.json.Decoder(_Connected)

_OPTIONAL_SCOPES = {
    "read_all_orders": "Shopify shows only the last 60 days of orders: ask Shopify to grant it before reading older "
    "history",
    "read_customers": "the stream customers cannot be read",
    "read_products": "the stream products cannot be read",
    "read_inventory": "the cost of variants stays unknown",
    "read_reports": "the shop's own gross sales cannot be asked for, so control totals compare the number of orders "
    "only",
}


def diagnose(api: ShopifyApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        shop = api.execute("Shop").read(_CONNECTED).shop
        if "read_orders" not in api.scopes:
            return False, (
                f"Connected to {shop.name}, but the token lacks the access scope read_orders. "
                "Add it to the app's scopes and install the app again."
            )
        # A sync's own query: it also finds out whether customers and products may be read.
        api.execute("Orders", {"query": "", "sortKey": "UPDATED_AT", "first": 1})
    except HttpError as error:
        return False, str(error)
    message = (
        f"Connected to {shop.name} ({shop.myshopify_domain}): time zone {shop.iana_timezone}, currency "
        f"{shop.currency_code}, API version {api.served_version}."
    )
    if api.served_version != api.version:
        message += (
            f" Version {api.version} was asked for and is no longer (or not yet) served: put a supported one into "
            "the field API version."
        )
    for scope, consequence in _OPTIONAL_SCOPES.items():
        if scope not in api.scopes:
            message += f" Without the access scope {scope} {consequence}."
    return True, message
