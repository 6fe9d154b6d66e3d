"""Orders: by the time of their last change, by the time they were created, and by their ids."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tributary.channels.records import Kind, chunks
from tributary.channels.tiktok_shop.order_shapes import ORDER
from tributary.channels.tiktok_shop.reading import id_at, missing, paged, rows_of, window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.answer import Answer
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import Page

SEARCH = "/order/202309/orders/search"
DETAIL = "/order/202507/orders"
BUDGET = "orders"
PAGE_SIZE = 100
"""The most that TikTok gives."""
IDS_AT_ONCE = 50

ORDERS = Kind(ORDER, id_at("id"))


def search(api: TikTokShopApi, axis: str, start: datetime, end: datetime, paging: dict[str, str]) -> Answer:
    """One page of the orders whose time of this name lies in the window, oldest first."""
    since, until = window(start, end)
    # Without an order of its own the search answers the newest first, so that every new order would shift its pages.
    query = {**paging, "sort_field": axis, "sort_order": "ASC"}
    return api.post(SEARCH, query, {f"{axis}_ge": since, f"{axis}_lt": until}, budget=BUDGET)


def changed_orders(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Orders by the time of their last change of status."""
    return _read(api, "update_time", start, end)


def orders_that_happened(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Orders by the time they were created."""
    return _read(api, "create_time", start, end)


def orders_by_id(api: TikTokShopApi, ids: Sequence[str]) -> Iterator[Page]:
    """Orders as they are now."""
    for chunk in chunks(ids, IDS_AT_ONCE):
        answer = api.get(DETAIL, {"ids": ",".join(chunk)}, budget=BUDGET)
        page = ORDERS.page(rows_of(answer, "orders"))
        yield replace(page, gone=missing(chunk, [page]))


def _read(api: TikTokShopApi, axis: str, start: datetime, end: datetime) -> Iterator[Page]:
    return map(ORDERS.page, paged(partial(search, api, axis, start, end), "orders", PAGE_SIZE))
