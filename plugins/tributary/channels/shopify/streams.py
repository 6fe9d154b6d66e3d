"""What Shopify gives Tributary, and how each stream is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tributary.channels.shopify import shapes
from tributary.channels.shopify.nested import completed, is_cut
from tributary.channels.shopify.records import UnacceptableError, check, reject
from tributary.declaration import Channel, Page, Record, Reject, Stream
from tributary.http import BrokenResponse, Cut, PagingError, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.channels.shopify.api import ShopifyApi

ORDERS_A_PAGE = 250
"""The most that Shopify gives. The sizes of nested collections leave the page's cost below the 1000 points allowed."""
PAGINATION_CAP = 25_000
"""Shopify follows a query's cursor no further than this many objects."""


@dataclass(frozen=True)
class _Axis:
    """A time of an order that Shopify both filters and sorts by."""

    filter: str
    sort_key: str

    def of(self, record: Record) -> datetime:
        return record.updated_at if self.filter == "updated_at" else record.event_at

    def query(self, start: datetime, end: datetime) -> str:
        until = end + timedelta(microseconds=999_999)
        return f"{self.filter}:>='{_seconds(start)}' AND {self.filter}:<'{_seconds(until)}'"


_CHANGED = _Axis("updated_at", "UPDATED_AT")
_HAPPENED = _Axis("processed_at", "PROCESSED_AT")


def changed_orders(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Orders by the time of their last change, refunds and edits included."""
    return _read(api, _CHANGED, start, end)


def orders_that_happened(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Orders by the time they were processed, however late they changed."""
    return _read(api, _HAPPENED, start, end)


def _read(api: ShopifyApi, axis: _Axis, start: datetime, end: datetime) -> Iterator[Page]:
    """Rows outside the window may come along: the search index is approximate, and loading them does no harm."""
    query = axis.query(start, end)
    seen, latest = 0, start

    def fetch(after: str | None) -> Cut[Page | None]:
        if seen + ORDERS_A_PAGE > PAGINATION_CAP:
            return Cut(None, (), None)
        return _page(api, axis, query, after)

    for page in follow(fetch):
        if page is None:
            if _seconds(latest) <= _seconds(start):
                what = f"More than {PAGINATION_CAP} orders have the same {axis.filter}, {_seconds(latest)}"
                raise PagingError(what, remedy="Shopify's paging cannot pass them; read this window in bulk.")
            yield from _read(api, axis, latest, end)
            return
        yield page
        seen += len(page.records) + len(page.rejects)
        latest = max([latest, *map(axis.of, page.records)])


def _page(api: ShopifyApi, axis: _Axis, query: str, after: str | None) -> Cut[Page | None]:
    variables = {"query": query, "sortKey": axis.sort_key, "first": ORDERS_A_PAGE, "after": after}
    answer = api.execute("Orders", variables)
    orders = answer.read(shapes.ORDERS).orders
    records: list[Record] = []
    refunds: list[Record] = []
    rejects: list[Reject] = []
    for payload in answer.slices(orders.nodes):
        try:
            checked = check(payload, sound=answer.flaw is None)
            if is_cut(checked):
                checked = check(completed(api, checked), sound=True)
        except UnacceptableError as error:
            rejects.append(reject(payload, str(error)))
        else:
            records.append(checked.record)
            refunds += checked.children
    if orders.page_info.has_next_page and orders.page_info.end_cursor is None:
        raise BrokenResponse("Shopify says that orders go on but not where", where=answer.where)
    # An order that changes while pages are read comes again, legitimately, with a later time.
    keys = [(record.record_id, record.updated_at) for record in records] + [refused.payload for refused in rejects]
    following = orders.page_info.end_cursor if orders.page_info.has_next_page else None
    return Cut(Page(records, rejects, {"refunds": refunds}), keys, following)


def _seconds(moment: datetime) -> str:
    """As Shopify writes times, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


ORDERS = Stream(
    name="orders",
    changed=changed_orders,
    happened=orders_that_happened,
    cursor="updated_at",
    # A busy shop's week is some ten thousand orders, which is what one transaction moves well.
    slice_length=timedelta(days=7),
    # Shopify's search index lags behind its records by minutes; re-reading what did not change costs little.
    look_back=timedelta(hours=1),
    budget="graphql",
    children=("refunds",),
    # A guest's e-mail may turn out to be a known customer's, so orders are recomputed along both.
    identities={
        "customer": "payload -> 'customer' ->> 'legacyResourceId'",
        "email": "nullif(lower(btrim(payload ->> 'email')), '')",
    },
)

SHOPIFY = Channel(
    name="shopify",
    conn_type="shopify",
    hook="tributary.channels.shopify.hook.ShopifyHook",
    schedule="@hourly",
    pool="shopify",
    streams=(ORDERS,),
)
