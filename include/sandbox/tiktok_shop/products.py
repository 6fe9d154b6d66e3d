"""The shop's catalogue as it is listed on TikTok Shop; the vendor's fields as its newer client knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text
from sandbox.business.tiktok_order import listed_id
from sandbox.tiktok_shop.endpoint import Asked, Endpoint, page
from sandbox.tiktok_shop.filters import choice, instant, seconds, texts

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.catalogue import CatalogueProduct

STATUSES = {"ACTIVE": "ACTIVATE", "ARCHIVED": "SELLER_DEACTIVATED", "DRAFT": "DRAFT", "UNLISTED": "SELLER_DEACTIVATED"}
KNOWN = (
    "ALL", "DRAFT", "PENDING", "FAILED", "ACTIVATE", "SELLER_DEACTIVATED", "PLATFORM_DEACTIVATED", "FREEZE", "DELETED",
)  # fmt: skip


def search(asked: Asked) -> dict[str, Any]:
    status = choice(asked.body, "status", KNOWN, "ALL")
    skus = texts(asked.body, "seller_skus")
    found = [
        product
        for product in asked.shop.products.values()
        if status in ("ALL", STATUSES[product.status])
        and (not skus or skus & {variant.sku for variant in product.variants})
        and _is_within(asked, "create_time", product.created_at)
        and _is_within(asked, "update_time", product.updated_at)
    ]
    products, following, count = page(asked, found, default=20, most=100, required=True)
    return {
        "products": [_view(asked, product) for product in products],
        "next_page_token": following,
        "total_count": count,
    }


def _is_within(asked: Asked, name: str, at: datetime) -> bool:
    """Both ends of a range are part of it, unlike those of the other searches; a missing one is open."""
    low, high = instant(asked.body, f"{name}_ge"), instant(asked.body, f"{name}_le")
    return (low is None or seconds(at) >= low) and (high is None or seconds(at) <= high)


def _view(asked: Asked, product: CatalogueProduct) -> dict[str, Any]:
    merchant = asked.shop.merchant
    return {
        "id": str(listed_id(product.id)),
        "title": product.title,
        "status": STATUSES[product.status],
        "create_time": seconds(product.created_at),
        "update_time": seconds(product.updated_at),
        "sales_regions": ["US"],
        "has_draft": False,
        "is_not_for_sale": False,
        "audit": {"status": "APPROVED" if product.status == "ACTIVE" else "NONE", "pre_approved_reasons": []},
        "product_sync_fail_reasons": [],
        "skus": [
            {
                "id": str(listed_id(variant.id)),
                "seller_sku": variant.sku,
                "price": {"currency": merchant.currency, "tax_exclusive_price": decimal_text(variant.price)},
                "inventory": [{"warehouse_id": merchant.tiktok.warehouse_id, "quantity": 100}]
                if merchant.tiktok
                else [],
                "status_info": {"status": "NORMAL"},
            }
            for variant in product.variants
        ],
    }


ENDPOINTS = (Endpoint("POST", "/product/202502/products/search", search, scope="seller.product.basic"),)
