"""What a shop has besides orders, as the Admin API's objects; see `views` for how they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business.money import vendor_text
from sandbox.business.order import PPM
from sandbox.clock import iso
from sandbox.shopify.access import require
from sandbox.shopify.pages import connection
from sandbox.shopify.values import MoneyBag, View, gid, money

if TYPE_CHECKING:
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from sandbox.business.catalogue import CatalogueProduct, Variant
    from sandbox.business.merchants import Merchant
    from sandbox.business.simulator import Draft
    from sandbox.shop import Shop
    from sandbox.shopify.access import Grant, Info


def product(shop: Shop, item: CatalogueProduct, grant: Grant) -> View:
    rows = [(f"{one.position:06d}", one.id) for one in item.variants]
    by_id = {one.id: one for one in item.variants}
    only = len(item.variants) == 1
    return {
        "__typename": "Product",
        "id": gid("Product", item.id),
        "legacyResourceId": str(item.id),
        "title": item.title,
        "handle": item.handle,
        "description": item.title,
        "descriptionHtml": f"<p>{item.title}</p>",
        "vendor": item.vendor,
        "productType": item.product_type,
        "tags": list(item.tags),
        "status": item.status,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
        "publishedAt": iso(item.created_at) if item.status == "ACTIVE" else None,
        "isGiftCard": False,
        "hasOnlyDefaultVariant": only,
        "hasOutOfStockVariants": False,
        "totalInventory": 100 * len(item.variants),
        "tracksInventory": True,
        "templateSuffix": None,
        "onlineStoreUrl": f"{shop.merchant.storefront}/products/{item.handle}" if item.status == "ACTIVE" else None,
        "variantsCount": {"count": len(item.variants), "precision": "EXACT"},
        "variants": lambda info, **arguments: connection(
            rows, lambda number: variant(shop, by_id[number], grant), arguments
        ),
    }


def variant(shop: Shop, item: Variant, grant: Grant) -> View:
    of = shop.products[item.product_id]
    only = len(of.variants) == 1

    def inventory(info: Info) -> View:
        require(info, grant, "read_inventory")
        return inventory_item(shop, item, grant)

    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", item.id),
        "legacyResourceId": str(item.id),
        "title": item.title,
        "displayName": f"{of.title} - {item.title}",
        "sku": item.sku,
        "barcode": None,
        "price": vendor_text(item.price),
        "compareAtPrice": None,
        "position": item.position,
        "taxable": item.taxable,
        "availableForSale": of.status == "ACTIVE",
        "inventoryPolicy": "DENY",
        "inventoryQuantity": 100,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
        "selectedOptions": [{"name": "Title" if only else "Size", "value": item.title}],
        "product": lambda info: product(shop, of, grant),
        "inventoryItem": inventory,
    }


def inventory_item(shop: Shop, item: Variant, grant: Grant) -> View:
    return {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", item.inventory_item_id),
        "legacyResourceId": str(item.inventory_item_id),
        "sku": item.sku,
        "tracked": True,
        "requiresShipping": True,
        "countryCodeOfOrigin": None,
        "harmonizedSystemCode": None,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
        "unitCost": money(item.cost, shop.merchant.currency) if item.cost is not None else None,
        "variant": lambda info: variant(shop, item, grant),
    }


def customer(shop: Shop, number: int) -> View:
    """An account; what it bought counts its real orders, cancelled ones included (inferred)."""
    account = shop.customers()[number]
    person = account.person
    bought = [order for order in account.orders if not order.test]
    return {
        "__typename": "Customer",
        "id": gid("Customer", account.id),
        "legacyResourceId": str(account.id),
        "firstName": person.first_name,
        "lastName": person.last_name,
        "displayName": f"{person.first_name} {person.last_name}",
        "email": person.email,
        "defaultEmailAddress": {
            "emailAddress": person.email,
            "validFormat": True,
            "marketingState": "NOT_SUBSCRIBED",
            "openTrackingLevel": "UNKNOWN",
        },
        "phone": None,
        "defaultPhoneNumber": None,
        "createdAt": iso(account.created_at),
        "updatedAt": iso(account.updated_at),
        "numberOfOrders": str(len(bought)),
        "amountSpent": lambda info: money(
            sum(order.received - order.refunded for order in bought), shop.merchant.currency
        ),
        "state": "ENABLED" if len(bought) > 1 else "DISABLED",
        "verifiedEmail": True,
        "tags": ["returning"] if len(bought) > 1 else [],
        "locale": "de" if shop.merchant.taxes_included else "en",
        "productSubscriberStatus": "NEVER_SUBSCRIBED",
        "dataSaleOptOut": False,
        "taxExempt": False,
        "taxExemptions": [],
        "note": None,
    }


def draft(item: Draft, merchant: Merchant) -> View:
    total = MoneyBag(item.total, merchant.currency, merchant.currency, PPM)
    return {
        "__typename": "DraftOrder",
        "id": gid("DraftOrder", item.id),
        "legacyResourceId": str(item.id),
        "name": f"#D{item.number}",
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.created_at),
        "completedAt": None,
        "status": "OPEN",
        "email": item.email,
        "currencyCode": merchant.currency,
        "totalPriceSet": total,
        "subtotalPriceSet": total,
        "order": None,
    }


def shop_itself(merchant: Merchant, offset: timedelta, abbreviation: str) -> View:
    zone: ZoneInfo = merchant.zone
    return {
        "__typename": "Shop",
        "id": gid("Shop", merchant.id_base // 1_000_000),
        "name": merchant.name,
        "myshopifyDomain": merchant.domain,
        "primaryDomain": {"host": merchant.storefront.removeprefix("https://"), "url": merchant.storefront},
        "url": merchant.storefront,
        "email": f"owner@{merchant.merchant_id}.example",
        "currencyCode": merchant.currency,
        "ianaTimezone": zone.key,
        "timezoneAbbreviation": abbreviation,
        "timezoneOffsetMinutes": int(offset.total_seconds() // 60),
        "taxesIncluded": merchant.taxes_included,
        "taxShipping": True,
        "weightUnit": "KILOGRAMS" if merchant.taxes_included else "POUNDS",
        "plan": {"publicDisplayName": "Shopify Plus", "partnerDevelopment": False, "shopifyPlus": True},
    }
