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


class _Scope(msgspec.Struct):
    handle: str


class _Installation(msgspec.Struct, rename="camel"):
    access_scopes: list[_Scope]


class _Connected(msgspec.Struct, rename="camel"):
    shop: _Shop
    current_app_installation: _Installation


_CONNECTED = msgspec.json.Decoder(_Connected)


def diagnose(api: ShopifyApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        found = api.execute("Shop").read(_CONNECTED)
        scopes = {scope.handle for scope in found.current_app_installation.access_scopes}
        if "read_orders" not in scopes:
            return False, (
                f"Connected to {found.shop.name}, but the token lacks the access scope read_orders. "
                "Add it to the app's scopes and install the app again."
            )
        # A sync's own query: it also finds out whether customers and products may be read.
        api.execute("Orders", {"query": "", "sortKey": "UPDATED_AT", "first": 1})
    except HttpError as error:
        return False, str(error)
    shop = found.shop
    message = (
        f"Connected to {shop.name} ({shop.myshopify_domain}): time zone {shop.iana_timezone}, currency "
        f"{shop.currency_code}, API version {api.served_version}."
    )
    if api.served_version != api.version:
        message += (
            f" Version {api.version} was asked for and is no longer (or not yet) served: put a supported one into "
            "the field API version."
        )
    if "read_all_orders" not in scopes:
        message += (
            " Without the access scope read_all_orders Shopify shows only the last 60 days of orders: "
            "ask Shopify to grant it before reading older history."
        )
    return True, message
