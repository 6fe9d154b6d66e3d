"""Reads one of the shop's collections: by a time, by ids, or a dead letter again; always through the same checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tributary.channels.records import UnacceptableError, reject
from tributary.channels.shopify.records import find_id
from tributary.channels.shopify.shapes import Connection
from tributary.declaration import Page, Record, Reject
from tributary.http import BrokenResponse, Cut, PagingError, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tributary.channels.answer import Answer
    from tributary.channels.shopify.api import ShopifyApi

PAGE_SIZE = 250
"""The most that Shopify gives. The sizes of nested collections leave a page's cost below the 1000 points allowed."""
PAGINATION_CAP = 25_000
"""Shopify follows a query's cursor no further than this many objects."""
IDS_AT_ONCE = 100
"""Records asked for by one request; Shopify takes up to 250 ids."""


class _Nodes(msgspec.Struct):
    nodes: list[msgspec.Raw]


_NODES = msgspec.json.Decoder(_Nodes)


@cache
def _page_decoder(field: str) -> msgspec.json.Decoder[Any]:
    """Reads the connection that stands under this name in an answer."""
    shape = msgspec.defstruct("Page", [("connection", Connection[msgspec.Raw])], rename={"connection": field})
    return msgspec.json.Decoder(shape)


@dataclass(frozen=True)
class Axis:
    """A time that Shopify both filters and sorts by."""

    filter: str
    sort_key: str

    def of(self, record: Record) -> datetime:
        """That time of a record."""
        return record.updated_at if self.filter == "updated_at" else record.event_at

    def query(self, start: datetime, end: datetime) -> str:
        """The search for [start, end), widened to whole seconds."""
        until = end + timedelta(microseconds=999_999)
        return f"{self.filter}:>='{seconds(start)}' AND {self.filter}:<'{seconds(until)}'"


CHANGED = Axis("updated_at", "UPDATED_AT")
CREATED = Axis("created_at", "CREATED_AT")


@dataclass(frozen=True)
class Accepted:
    """A record that staging can cast, with its children by their stream."""

    record: Record
    children: Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Collection:
    """How the records of one kind are asked for and checked."""

    kind: str
    """The vendor's type, as in its global ids."""
    field: str
    """The vendor's name for all of them."""
    by_time: str
    """The operation that pages through them."""
    by_id: str
    """The operation that takes their global ids."""
    accept: Callable[[ShopifyApi, bytes, bool], Accepted]
    """Checks a payload and completes what is cut in it; raises UnacceptableError. The flag: see `decoded`."""
    children: tuple[str, ...] = ()
    variables: Callable[[ShopifyApi], Mapping[str, object]] = lambda api: {}
    """What both operations have to know beside the window or the ids."""


def read(api: ShopifyApi, collection: Collection, axis: Axis, start: datetime, end: datetime) -> Iterator[Page]:
    """Rows outside the window may come along: the search index is approximate, and loading them does no harm."""
    query = axis.query(start, end)
    seen, latest = 0, start

    def fetch(after: str | None) -> Cut[Page | None]:
        if seen + PAGE_SIZE > PAGINATION_CAP:
            return Cut(None, (), None)
        return _cut(api, collection, {"query": query, "sortKey": axis.sort_key, "first": PAGE_SIZE, "after": after})

    for page in follow(fetch):
        if page is None:
            if seconds(latest) <= seconds(start):
                what = f"More than {PAGINATION_CAP} {collection.field} have the same {axis.filter}, {seconds(latest)}"
                raise PagingError(what, remedy="Shopify's paging cannot pass them; read this window in bulk.")
            yield from read(api, collection, axis, latest, end)
            return
        yield page
        seen += len(page.records) + len(page.rejects)
        latest = max([latest, *map(axis.of, page.records)])


def read_by_id(api: ShopifyApi, collection: Collection, ids: Sequence[str]) -> Iterator[Page]:
    """The records as they are now, whatever the search index says; those that exist no more are in `Page.gone`."""
    for start in range(0, len(ids), IDS_AT_ONCE):
        chunk = ids[start : start + IDS_AT_ONCE]
        global_ids = [f"gid://shopify/{collection.kind}/{record_id}" for record_id in chunk]
        answer, nodes = nodes_by_id(api, collection.by_id, global_ids, **collection.variables(api))
        gone = [record_id for record_id, node in zip(chunk, nodes, strict=True) if is_null(node)]
        found = answer.slices(node for node in nodes if not is_null(node))
        yield to_page(api, collection, found, sound=answer.flaw is None, gone=gone)


def nodes_by_id(
    api: ShopifyApi, operation: str, ids: Sequence[str], **variables: object
) -> tuple[Answer, list[msgspec.Raw]]:
    """What stands behind each of these global ids, in their order: null where there is nothing any more."""
    answer = api.execute(operation, {"ids": ids, **variables})
    nodes = answer.read(_NODES).nodes
    if len(nodes) != len(ids):
        raise BrokenResponse(f"Shopify answered {len(nodes)} nodes to {len(ids)} ids", where=answer.where)
    return answer, nodes


def to_page(
    api: ShopifyApi, collection: Collection, payloads: Iterable[bytes], *, sound: bool, gone: Sequence[str] = ()
) -> Page:
    """Payloads as records, the unacceptable ones as rejects."""
    records: list[Record] = []
    rejects: list[Reject] = []
    children: dict[str, list[Record]] = {name: [] for name in collection.children}
    for payload in payloads:
        try:
            accepted = collection.accept(api, payload, sound)
        except UnacceptableError as error:
            rejects.append(reject(payload, str(error), find_id))
        else:
            records.append(accepted.record)
            for name, found in accepted.children.items():
                children[name] += found
    return Page(records, rejects, children, gone)


def is_null(value: msgspec.Raw) -> bool:
    """Whether a raw object is JSON's null instead; told by its length, which spares a copy."""
    return len(memoryview(value)) == len(b"null")


def seconds(moment: datetime) -> str:
    """As Shopify writes times, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cut(api: ShopifyApi, collection: Collection, window: dict[str, Any]) -> Cut[Page | None]:
    answer = api.execute(collection.by_time, {**window, **collection.variables(api)})
    found: Connection[msgspec.Raw] = answer.read(_page_decoder(collection.field)).connection
    page = to_page(api, collection, answer.slices(found.nodes), sound=answer.flaw is None)
    if found.page_info.has_next_page and found.page_info.end_cursor is None:
        raise BrokenResponse(f"Shopify says that {collection.field} go on but not where", where=answer.where)
    # A record that changes while pages are read comes again, legitimately, with a later time.
    keys = [(record.record_id, record.updated_at) for record in page.records] + [r.payload for r in page.rejects]
    return Cut(page, keys, found.page_info.end_cursor if found.page_info.has_next_page else None, answer.where)
