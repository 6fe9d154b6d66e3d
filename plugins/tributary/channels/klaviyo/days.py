"""The conversions of each day by the day they happened on, beside the reports' days of the messages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.klaviyo.report_shapes import CONVERSION_DAY
from tributary.channels.klaviyo.reports import context, dates, figures, members
from tributary.channels.klaviyo.whole_days import Days, slices_at_noon, standing
from tributary.channels.records import Kind, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.declaration import Page, Slice

PATH = "/api/metric-aggregates"
BUDGET = "aggregates"
LOOK_BACK = timedelta(days=7)
"""Events come up to four days late; with a day more than the days are restated for, each is read when it is final."""
MOST_DAYS = 60
SLICE = timedelta(days=MOST_DAYS)
MEASUREMENTS = ("count", "sum_value", "unique")


class _Row(msgspec.Struct):
    measurements: dict[str, list[msgspec.Raw]]


class _Attributes(msgspec.Struct):
    dates: list[str]
    data: list[_Row]


class _Data(msgspec.Struct):
    attributes: _Attributes


class _Aggregates(msgspec.Struct):
    data: _Data


class _Dated(msgspec.Struct):
    date: str


_AGGREGATES = msgspec.json.Decoder(_Aggregates)
_DATED = msgspec.json.Decoder(_Dated)
_NONE = msgspec.Raw(b"0")
KIND = Kind(CONVERSION_DAY, lambda payload: _DATED.decode(payload).date)
replayed = KIND.replayed


def changed(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The days that stand in the window, those without a conversion too."""
    for part in standing(start, end).parts(MOST_DAYS):
        yield _page(api, part)


happened = changed


def history(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """Whole days, today included."""
    return slices_at_noon(api, start, end, MOST_DAYS, changed)


def by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """Nothing: a window shows each of its days."""
    yield from ()


def _page(api: KlaviyoApi, days: Days) -> Page:
    zone = api.account().time_zone
    start, end = days.bounds()
    attributes = {
        "metric_id": api.conversion_metric(),
        "measurements": MEASUREMENTS,
        "interval": "day",
        "filter": [f"greater-or-equal(datetime,{start})", f"less-than(datetime,{end})"],
        "timezone": zone.key,
    }
    body = {"data": {"type": "metric-aggregate", "attributes": attributes}}
    answer = api.post(PATH, body, budget=BUDGET)
    found = answer.read(_AGGREGATES).data.attributes
    places = dates(found.dates, days, zone, answer.where)
    held = context(api)
    # Nothing is asked for group by group, so there is one row of measurements; without any event there is none.
    series = found.data[0].measurements if found.data else dict.fromkeys(MEASUREMENTS, [_NONE] * len(found.dates))
    rows = [
        b'{"date":"%b",%b,%b}' % (str(day).encode(), held, members(figures(series, MEASUREMENTS, place)))
        for day, place in places.items()
    ]
    return KIND.page(Rows(rows, answer.flaw is None))
