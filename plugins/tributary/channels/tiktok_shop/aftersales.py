"""Returns and cancellations: what buyers get back, and what is never sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import Kind, chunks
from tributary.channels.tiktok_shop.reading import id_at, missing, paged, window
from tributary.channels.tiktok_shop.shapes import Amount, Currency, Id, Seconds, instant
from tributary.declaration import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tributary.channels.answer import Answer
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import Page

BUDGET = "returns"
PAGE_SIZE = 50
"""The most that TikTok gives of either."""


class Refund(msgspec.Struct, gc=False):
    """What the buyer gets back, with the taxes that the platform had collected."""

    currency: Currency | None = None
    refund_total: Amount = None
    refund_subtotal: Amount = None
    refund_shipping_fee: Amount = None
    refund_tax: Amount = None
    retail_delivery_fee: Amount = None
    buyer_service_fee: Amount = None


class Discount(msgspec.Struct, gc=False):
    """The discounts that are taken back with a refund."""

    product_seller_discount: Amount = None
    product_platform_discount: Amount = None
    shipping_fee_seller_discount: Amount = None
    shipping_fee_platform_discount: Amount = None


class ReturnShipping(msgspec.Struct, gc=False):
    """Who paid for sending it back."""

    seller_paid_return_shipping_fee: Amount = None
    platform_paid_return_shipping_fee: Amount = None
    buyer_paid_return_shipping_fee: Amount = None


class PartialRefund(msgspec.Struct, gc=False):
    """What the seller offered instead of everything."""

    amount: Amount = None


class ReturnedUnit(msgspec.Struct, gc=False):
    """One unit of an order that comes back."""

    return_line_item_id: Id
    order_line_item_id: Id
    sku_id: str | None = None
    refund_amount: Refund | None = None


class Return(msgspec.Struct, gc=False):
    """A request for money back, with or without the goods. An edited one goes on in a return of its own."""

    return_id: Id
    order_id: Id
    create_time: Seconds
    update_time: Seconds
    return_status: str | None = None
    return_type: str | None = None
    pre_return_id: str | None = None
    next_return_id: str | None = None
    refund_amount: Refund | None = None
    discount_amount: list[Discount] | None = None
    shipping_fee_amount: list[ReturnShipping] | None = None
    partial_refund: PartialRefund | None = None
    return_line_items: list[ReturnedUnit] | None = None

    def record(self, payload: bytes) -> Record:
        """The return as a record, at its last change: when the money went back, nothing says more exactly."""
        changed_at = instant(self.update_time)
        return Record(self.return_id, changed_at, changed_at, payload)


class CancelledUnit(msgspec.Struct, gc=False):
    """One unit of an order that is not sent."""

    order_line_item_id: Id
    cancel_line_item_id: str | None = None
    sku_id: str | None = None
    refund_amount: Refund | None = None


class Cancellation(msgspec.Struct, gc=False):
    """A request to cancel an order, or some of its units."""

    cancel_id: Id
    order_id: Id
    create_time: Seconds
    update_time: Seconds
    cancel_status: str | None = None
    cancel_type: str | None = None
    refund_amount: Refund | None = None
    cancel_line_items: list[CancelledUnit] | None = None

    def record(self, payload: bytes) -> Record:
        """The cancellation as a record, at its last change."""
        changed_at = instant(self.update_time)
        return Record(self.cancel_id, changed_at, changed_at, payload)


@dataclass(frozen=True)
class Search:
    """One of the two searches; they differ in their names alone."""

    path: str
    rows: str
    ids: str
    """The filter that takes ids."""
    kind: Kind

    def changed(self, api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
        """By the time of their last change, oldest first."""
        since, until = window(start, end)
        yield from self._pages(api, {"update_time_ge": since, "update_time_lt": until})

    def by_id(self, api: TikTokShopApi, ids: Sequence[str]) -> Iterator[Page]:
        """As they are now."""
        for chunk in chunks(ids, PAGE_SIZE):
            pages = list(self._pages(api, {self.ids: chunk}))
            yield from pages[:-1]
            yield replace(pages[-1], gone=missing(chunk, pages))

    def _pages(self, api: TikTokShopApi, wanted: Mapping[str, object]) -> Iterator[Page]:
        return map(self.kind.page, paged(partial(self._ask, api, wanted), self.rows, PAGE_SIZE))

    def _ask(self, api: TikTokShopApi, wanted: Mapping[str, object], paging: dict[str, str]) -> Answer:
        query = {**paging, "sort_field": "update_time", "sort_order": "ASC"}
        return api.post(self.path, query, wanted, budget=BUDGET)


RETURNS = Search(
    "/return_refund/202309/returns/search",
    "return_orders",
    "return_ids",
    Kind(msgspec.json.Decoder(Return), id_at("return_id")),
)
CANCELLATIONS = Search(
    "/return_refund/202309/cancellations/search",
    "cancellations",
    "cancel_ids",
    Kind(msgspec.json.Decoder(Cancellation), id_at("cancel_id")),
)
