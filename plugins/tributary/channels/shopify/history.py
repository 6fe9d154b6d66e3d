"""The history of orders: by pages where those are quicker, by bulk operations where they are not."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.shopify.bulk import Patience, bring, usable
from tributary.channels.shopify.horizon import check_visible
from tributary.channels.shopify.jsonl import families, joined
from tributary.channels.shopify.nested import REFUNDS_AT_ONCE
from tributary.channels.shopify.orders import ORDERS, changed_orders, orders_by_id
from tributary.channels.shopify.reading import CHANGED, PAGE_SIZE, is_null, nodes_by_id, to_page
from tributary.declaration import Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.channels.shopify.bulk_query import Shape
    from tributary.channels.shopify.jsonl import Family
    from tributary.declaration import Page

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
SHORT = timedelta(days=14)
"""A window up to this long is paged without a question: every sync but the first, and those after a long outage."""
ORDERS_IN_BULK = 50_000
"""About as many orders as one transaction should move; a day is not divided."""
PAGE_POINTS = 500.0
"""What Shopify charges for a page of ordinary orders. It wants more to be there beforehand, and gives the rest back."""
PAGE_SECONDS = 3.0
"""What a page takes where points do not matter."""
OPERATION_SECONDS = 300.0
"""What a bulk operation takes before its orders are here: its turn, its run, its file."""

_WINDOW = re.compile(r"updated_at:>='([^']+)' AND updated_at:<'([^']+)'")


class _Count(msgspec.Struct):
    count: int


class _Counted(msgspec.Struct, rename="camel"):
    orders_count: _Count


_COUNTED = msgspec.json.Decoder(_Counted)


def slices(api: ShopifyApi, start: datetime, end: datetime, patience: Patience | None = None) -> Iterator[Slice]:
    """Cuts a sync's window into weeks that are paged, or a long history into stretches that are read in bulk.

    Bulk ends a day before the window does, at midnight UTC: a sync that goes on after an interruption then asks for
    the same stretches again, and takes over what an earlier one started.
    """
    patience = patience or Patience()
    first, last = _midnight(start + DAY - timedelta.resolution), _midnight(end - DAY)
    if end - start <= SHORT or not _bulk_pays(api, first, last):
        yield from _weeks(start, end)
        return
    yield from _weeks(start, first)
    ends = _stretches(api)
    while first < last:
        stop = ends.get(first, last + DAY)
        if stop > last:
            stop = _reach(api, first, last)
        yield Slice(first, stop, partial(orders_in_bulk, patience=patience))
        first = stop
    yield from _weeks(last, end)


def orders_in_bulk(api: ShopifyApi, start: datetime, end: datetime, patience: Patience) -> Iterator[Page]:
    """Orders by the time of their last change, out of a bulk operation's file.

    What an operation that ran some hours ago has missed is no loss: it changed after the window, and comes with a
    later one.
    """
    # The parser of GraphQL takes a while to import, and only a long history needs it.
    from tributary.channels.shopify.bulk_query import bulk_query, order_shape

    check_visible(api, start)
    with TemporaryFile() as file:
        size = bring(api, bulk_query(CHANGED.query(start, end)), file, patience)
        for part in families(file, size):
            yield from _pages(api, part, order_shape())


def _pages(api: ShopifyApi, part: Sequence[Family], shape: Shape) -> Iterator[Page]:
    """Through the same checks as pages; orders whose refunds are gone since the file was written are read anew."""
    refunds = _refunds(api, [refund_id for family in part for refund_id in family.refund_ids()])
    anew: list[str] = []
    for at in range(0, len(part), PAGE_SIZE):
        payloads = []
        for family in part[at : at + PAGE_SIZE]:
            if refunds.keys() >= set(family.refund_ids()):
                payloads.append(joined(family, shape, refunds))
            else:
                anew.append(family.gid().rpartition("/")[2])
        yield to_page(api, ORDERS, payloads, sound=False)
    yield from orders_by_id(api, anew)


def _refunds(api: ShopifyApi, ids: Sequence[str]) -> dict[str, bytes]:
    """Refunds as the paged query shows them, by their ids; bulk refuses the connections inside of them."""
    found: dict[str, bytes] = {}
    for at in range(0, len(ids), REFUNDS_AT_ONCE):
        chunk = ids[at : at + REFUNDS_AT_ONCE]
        answer, nodes = nodes_by_id(api, "Refunds", chunk)
        known = [(refund_id, node) for refund_id, node in zip(chunk, nodes, strict=True) if not is_null(node)]
        payloads = answer.slices(node for _, node in known)
        found |= dict(zip((refund_id for refund_id, _ in known), payloads, strict=True))
    return found


def _bulk_pays(api: ShopifyApi, start: datetime, end: datetime) -> bool:
    """Whether the orders of the window come sooner in bulk than by pages, at this shop's rate of points."""
    if start >= end:
        return False
    orders = _count(api, start, end)
    paged = ceil(orders / PAGE_SIZE) * max(PAGE_SECONDS, PAGE_POINTS / api.restore_rate)
    in_bulk = ceil(orders / ORDERS_IN_BULK) * OPERATION_SECONDS
    log.info("%d orders to read: about %.0f s by pages, %.0f s in bulk", orders, paged, in_bulk)
    return paged > in_bulk


def _stretches(api: ShopifyApi) -> dict[datetime, datetime]:
    """The windows of operations that an interrupted sync left behind: counts have moved since, windows must not."""
    from tributary.channels.shopify.bulk_query import bulk_query

    found: dict[datetime, datetime] = {}
    for operation in usable(api):
        if window := _WINDOW.search(operation.query):
            start, end = map(datetime.fromisoformat, window.groups())
            if operation.text() == bulk_query(CHANGED.query(start, end)):
                found.setdefault(start, end)
    return found


def _reach(api: ShopifyApi, start: datetime, end: datetime) -> datetime:
    """The end of a stretch of about as many orders as one operation should bring."""
    reach = start + DAY
    while reach < end:
        further = min(start + 2 * (reach - start), end)
        if _count(api, start, further) > ORDERS_IN_BULK:
            break
        reach = further
    return reach


def _count(api: ShopifyApi, start: datetime, end: datetime) -> int:
    answer = api.execute("OrdersInWindow", {"query": CHANGED.query(start, end)})
    return answer.read(_COUNTED).orders_count.count


def _weeks(start: datetime, end: datetime) -> Iterator[Slice]:
    while start < end:
        yield Slice(start, min(start + WEEK, end), changed_orders)
        start += WEEK


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
