"""Orders with their refunds and visits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tributary.channels.records import UnacceptableError, decoded
from tributary.channels.shopify.horizon import check_visible, surely_gone
from tributary.channels.shopify.nested import completed, is_cut
from tributary.channels.shopify.order_shapes import ORDER, VISIT, Order
from tributary.channels.shopify.reading import CHANGED, Accepted, Axis, Collection, read, read_by_id, to_page
from tributary.channels.shopify.records import children
from tributary.channels.shopify.refund_shapes import REFUND, Refund

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page, Record

TRANSACTIONS_LISTED = 250
"""`transactions(first:)`: a plain list without a cursor, so a full one may be cut and nothing can complete it."""

_PROCESSED = Axis("processed_at", "PROCESSED_AT")


@dataclass(frozen=True, slots=True)
class Checked:
    """An order that staging can cast, with its refunds and its visits."""

    order: Order
    refunds: Sequence[Refund]
    record: Record
    children: dict[str, list[Record]]


def check(payload: bytes, sound: bool) -> Checked:
    """The order and its children as records; the payloads are slices of the vendor's bytes."""
    order, record = decoded(ORDER, payload, sound)
    if len(order.transactions) >= TRANSACTIONS_LISTED:
        raise UnacceptableError(
            f"it has {TRANSACTIONS_LISTED} transactions or more, and Shopify lists no more than that"
        )
    refunds, refund_records = children(record, "refunds", REFUND, order.refunds)
    visits = order.visits()
    _, visit_records = children(record, "customerJourneySummary.moments.nodes", VISIT, visits.nodes if visits else ())
    return Checked(order, refunds, record, {"refunds": refund_records, "visits": visit_records})


def accept(api: ShopifyApi, payload: bytes, sound: bool) -> Accepted:
    """An order, completed where its page cut it."""
    checked = check(payload, sound)
    if is_cut(checked):
        checked = check(completed(api, checked), sound=True)
    return Accepted(checked.record, checked.children)


ORDERS = Collection("Order", "orders", "Orders", "OrdersById", accept, ("refunds", "visits"))


def changed_orders(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Orders by the time of their last change, refunds and edits included."""
    check_visible(api, start)
    yield from read(api, ORDERS, CHANGED, start, end)


def orders_that_happened(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Orders by the time they were processed, however late they changed."""
    check_visible(api, start)
    yield from read(api, ORDERS, _PROCESSED, start, end)


def orders_by_id(api: ShopifyApi, ids: Sequence[str]) -> Iterator[Page]:
    """Orders as they are now."""
    for page in read_by_id(api, ORDERS, ids):
        yield replace(page, gone=surely_gone(api, page.gone)) if page.gone else page


def replayed_order(api: ShopifyApi, payload: bytes) -> Page:
    """A dead letter's bytes as a page of one order, or of one reject."""
    return to_page(api, ORDERS, [payload], sound=False)
