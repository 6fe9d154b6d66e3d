"""What was sent to people and what they did: the events of some metrics, each moment read twice.

Klaviyo shows an event up to four days after it happened, and some with a time that has not come yet. So every moment is
read when it has come, and once more four days later; what lies in the future is left for its own time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from tributary.channels.klaviyo.event_shapes import EVENT, event_id, metric_id
from tributary.channels.klaviyo.reading import all_of, moment
from tributary.channels.klaviyo.refusals import NotThere
from tributary.channels.records import Kind, Rows
from tributary.declaration import Page, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi

PATH = "/api/events"
BUDGET = "events"
BUDGET_BY_ID = "event"
PAGE_SIZE = 1000
"""The most that Klaviyo gives."""
METRICS = (
    "Received Email",
    "Opened Email",
    "Clicked Email",
    "Received SMS",
    "Clicked SMS",
    "Received Push",
    "Opened Push",
    "Unsubscribed",
    "Unsubscribed from Email Marketing",
    "Unsubscribed from SMS Marketing",
    "Placed Order",
)
"""The names of the metrics that are read; an account without one of them has no such events."""
LOOK_BACK = timedelta(hours=1)
SLICE = timedelta(days=7)
LATENESS = timedelta(days=4)
"""How long after it happened an event may become visible."""


class _One(msgspec.Struct):
    data: msgspec.Raw


_ONE = msgspec.json.Decoder(_One)
KIND = Kind(EVENT, event_id)
replayed = KIND.replayed


def changed(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The events of the window, as far as their time has come: one list for each metric."""
    end = min(end, api.now())
    if start >= end:
        return
    of_window = f"greater-or-equal(datetime,{moment(start)})", f"less-than(datetime,{moment(end)})"
    for metric, name in _metrics(api).items():
        params = {
            "filter": all_of(f'equals(metric_id,"{metric}")', *of_window),
            "sort": "datetime",
            "page[size]": str(PAGE_SIZE),
        }
        for rows in api.pages(PATH, params, budget=BUDGET):
            yield _page(rows, name)


happened = changed


def history(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """First what has become visible late, then the window itself.

    In this order a sync that breaks off leaves nothing out: the checkpoint moves with the window alone.
    """
    end = min(end, api.now())
    yield from _slices(start - LATENESS, min(start, end - LATENESS))
    yield from _slices(start, end)


def by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """Events one by one: the list cannot be asked for ids."""
    names = _metrics(api)
    for one in ids:
        try:
            answer = api.get(f"{PATH}/{quote(one, safe='')}", {}, budget=BUDGET_BY_ID)
        except NotThere:
            yield Page((), gone=[one])
            continue
        event = answer.read(_ONE).data
        yield _page(Rows(list(answer.slices([event])), answer.flaw is None), names.get(metric_id(event), ""))


def _metrics(api: KlaviyoApi) -> dict[str, str]:
    """Id -> name; a name that several integrations use has several ids."""
    known = api.metric_ids()
    return {metric: name for name in METRICS for metric in known.get(name, ())}


def _slices(start: datetime, end: datetime) -> Iterator[Slice]:
    while start < end:
        yield Slice(start, min(start + SLICE, end), changed)
        start += SLICE


def _page(rows: Rows, metric: str) -> Page:
    head = b'{"metric":%b,"event":' % msgspec.json.encode(metric)
    return KIND.page(Rows([b"%b%b}" % (head, event) for event in rows.payloads], rows.sound))
