"""Products with their SKUs: what is sold, and for how much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import Kind
from tributary.channels.tiktok_shop.reading import id_at, paged, picked, window
from tributary.channels.tiktok_shop.shapes import Amount, Id, Seconds, instant
from tributary.declaration import Record, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.answer import Answer
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import Page

SEARCH = "/product/202502/products/search"
BUDGET = "products"
PAGE_SIZE = 100
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
LONG = timedelta(days=14)


class _Price(msgspec.Struct, gc=False):
    currency: str | None = None
    sale_price: Amount = None
    tax_exclusive_price: Amount = None


class Sku(msgspec.Struct, gc=False):
    """What can be put into a cart."""

    id: Id
    seller_sku: str | None = None
    price: _Price | None = None


class Product(msgspec.Struct, gc=False):
    """A product with all of its SKUs."""

    id: Id
    create_time: Seconds
    update_time: Seconds
    title: str | None = None
    status: str | None = None
    skus: list[Sku] | None = None

    def record(self, payload: bytes) -> Record:
        """The product as a record, at the time it was created."""
        return Record(self.id, instant(self.create_time), instant(self.update_time), payload)


PRODUCTS = Kind(msgspec.json.Decoder(Product), id_at("id"))


def changed_products(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Products by the time of their last change."""
    return _read(api, "update_time", start, end)


def products_created(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Products by the time they were created."""
    return _read(api, "create_time", start, end)


def catalogue(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """A long window, as the first, is read as the whole catalogue: what did not change for years is sold today."""
    yield Slice(start, end, changed_products if end - start < LONG else _whole_catalogue)


def products_by_id(api: TikTokShopApi, ids: Sequence[str]) -> Iterator[Page]:
    """Products as they are now. The search takes no ids, so they are looked for in the whole catalogue."""
    return picked(_whole_catalogue(api, BEGINNING, api.now() + timedelta(days=1)), ids)


def _whole_catalogue(api: TikTokShopApi, _: datetime, end: datetime) -> Iterator[Page]:
    return _read(api, "update_time", BEGINNING, end)


def _read(api: TikTokShopApi, axis: str, start: datetime, end: datetime) -> Iterator[Page]:
    return map(PRODUCTS.page, paged(partial(_search, api, axis, start, end), "products", PAGE_SIZE))


def _search(api: TikTokShopApi, axis: str, start: datetime, end: datetime, paging: dict[str, str]) -> Answer:
    since, until = window(start, end)
    # Unlike the other searches, this one takes no order and includes the end.
    return api.post(SEARCH, paging, {f"{axis}_ge": since, f"{axis}_le": until}, budget=BUDGET)
