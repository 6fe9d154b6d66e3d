"""Which shops a token stands for, with the ciphers that the other endpoints want."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.tiktok_shop.endpoint import Asked, Endpoint

if TYPE_CHECKING:
    from sandbox.tiktok_shop.access import AuthorisedShop


def shops(asked: Asked) -> dict[str, Any]:
    return {"shops": [_view(shop) for shop in asked.authorised]}


def _view(shop: AuthorisedShop) -> dict[str, Any]:
    return {
        "cipher": shop.cipher,
        "code": shop.code,
        "id": shop.id,
        "name": shop.name,
        "region": shop.region,
        "seller_type": "CROSS_BORDER",
    }


ENDPOINTS = (
    Endpoint("GET", "/authorization/202309/shops", shops, needs_cipher=False, scope="seller.authorization.info"),
)
