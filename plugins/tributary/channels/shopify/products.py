"""Products with their variants: what is sold, for how much, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import decoded
from tributary.channels.shopify.parts import with_parts
from tributary.channels.shopify.reading import CHANGED, CREATED, Accepted, Collection, read, read_by_id, to_page
from tributary.channels.shopify.records import children
from tributary.channels.shopify.shapes import Amount, Connection, Key, PlainMoney, Time, instant
from tributary.declaration import Record, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page


BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
LONG = timedelta(days=14)


class _InventoryItem(msgspec.Struct, rename="camel", gc=False):
    unit_cost: PlainMoney | None


class Variant(msgspec.Struct, rename="camel", gc=False):
    """What can be put into a cart."""

    legacy_resource_id: Key
    created_at: Time
    title: str
    sku: str | None
    barcode: str | None
    price: Amount
    inventory_item: _InventoryItem | None = None
    """Not there when the token may not see it."""

    def key(self) -> str:
        """Its id within the product."""
        return self.legacy_resource_id

    def happened_at(self) -> datetime:
        """When it was created."""
        return instant("createdAt", self.created_at)


class Product(msgspec.Struct, rename="camel", gc=False):
    """A product. Its variants stay raw: they are records of their own, cut from the same bytes."""

    id: str
    legacy_resource_id: Key
    created_at: Time
    updated_at: Time
    title: str
    handle: str
    product_type: str
    vendor: str
    status: str
    variants: Connection[msgspec.Raw]

    def record(self, payload: bytes) -> Record:
        """The product as a record, at the time it was created."""
        created_at, updated_at = instant("createdAt", self.created_at), instant("updatedAt", self.updated_at)
        return Record(self.legacy_resource_id, created_at, updated_at, payload)


_PRODUCT = msgspec.json.Decoder(Product, strict=False)
_VARIANT = msgspec.json.Decoder(Variant, strict=False)
_PARTS = {"variants": "ProductVariants"}


def _variables(api: ShopifyApi) -> dict[str, object]:
    return {"cost": "read_inventory" in api.scopes}


def accept(api: ShopifyApi, payload: bytes, sound: bool) -> Accepted:
    """A product, with all of its variants however many there are."""
    product, record = decoded(_PRODUCT, payload, sound)
    if product.variants.page_info.has_next_page:
        whole = msgspec.json.encode(with_parts(api, product.id, payload, _PARTS, **_variables(api)))
        product, record = decoded(_PRODUCT, whole, sound=True)
    _, variants = children(record, "variants.nodes", _VARIANT, product.variants.nodes)
    return Accepted(record, {"variants": variants})


PRODUCTS = Collection("Product", "products", "Products", "ProductsById", accept, ("variants",), _variables)


def changed_products(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Products by the time of their last change; a variant's change is its product's."""
    return read(api, PRODUCTS, CHANGED, start, end)


def catalogue(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """A long window, as the first, is read as the whole catalogue: what did not change for years is sold today."""
    yield Slice(start, end, changed_products if end - start < LONG else _whole_catalogue)


def _whole_catalogue(api: ShopifyApi, _: datetime, end: datetime) -> Iterator[Page]:
    return read(api, PRODUCTS, CHANGED, BEGINNING, end)


def products_created(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Products by the time they were created."""
    return read(api, PRODUCTS, CREATED, start, end)


def products_by_id(api: ShopifyApi, ids: Sequence[str]) -> Iterator[Page]:
    """Products as they are now."""
    return read_by_id(api, PRODUCTS, ids)


def replayed_product(api: ShopifyApi, payload: bytes) -> Page:
    """A dead letter's bytes as a page of one product, or of one reject."""
    return to_page(api, PRODUCTS, [payload], sound=False)
