"""Metrics: the kinds of events, few enough to be read whole each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.klaviyo.records import Dated, Item, and_gone, item_id, only, that_happened
from tributary.channels.records import Kind
from tributary.declaration import Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.declaration import Page

BUDGET = "metrics"
PAGE_SIZE = 200
"""What Klaviyo gives; it cannot be asked for more."""


class _Attributes(Dated, gc=False):
    name: str | None = None


METRICS = Kind(msgspec.json.Decoder(Item[_Attributes]), item_id)


def all_metrics(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """All metrics as they are now: Klaviyo has no filter for their times."""
    return map(METRICS.page, api.pages("/api/metrics", {}, budget=BUDGET))


def one_reading(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """However long the window, it is one reading."""
    yield Slice(start, end, all_metrics)


def metrics_created(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Metrics of [start, end)."""
    return that_happened(all_metrics(api, start, end), start, end)


def metrics_by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """These metrics as they are now."""
    now = api.now()
    return and_gone(only(all_metrics(api, now, now), set(ids)), ids)
