"""Flows: what is sent to each person when something happens to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.klaviyo.reading import all_of, any_id, window
from tributary.channels.klaviyo.records import Dated, Item, and_gone, item_id
from tributary.channels.records import Kind, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.declaration import Page

BUDGET = "flows"
PAGE_SIZE = 50


class _Attributes(Dated, gc=False):
    name: str | None = None
    status: str | None = None
    archived: bool | None = None
    trigger_type: str | None = None


FLOWS = Kind(msgspec.json.Decoder(Item[_Attributes]), item_id)


def changed_flows(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Flows that changed in [start, end)."""
    return _read(api, *window("updated", start, end))


def flows_created(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Flows of [start, end)."""
    return _read(api, *window("created", start, end))


def flows_by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """These flows as they are now."""
    for some in chunks(ids, PAGE_SIZE):
        yield from and_gone(_read(api, any_id(some)), some)


def _read(api: KlaviyoApi, *conditions: str) -> Iterator[Page]:
    for archived in ("false", "true"):
        wanted = all_of(f"equals(archived,{archived})", *conditions)
        query = {"filter": wanted, "sort": "id", "page[size]": str(PAGE_SIZE)}
        yield from map(FLOWS.page, api.pages("/api/flows", query, budget=BUDGET))
