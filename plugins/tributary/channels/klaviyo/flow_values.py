"""What each message of each flow brought on each day."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.klaviyo.report_shapes import FLOW_VALUES, STATISTICS
from tributary.channels.klaviyo.reports import BUDGET, context, dates, figures, members, report
from tributary.channels.klaviyo.whole_days import slices_at_noon, standing
from tributary.channels.payloads import neutralised, slices
from tributary.channels.records import Kind, Rows
from tributary.declaration import Page, Reject, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi

__all__ = ["BUDGET", "LOOK_BACK", "SLICE", "by_id", "changed", "happened", "history", "replayed"]

LOOK_BACK = timedelta(days=30)
"""Conversions are credited to the day of the message; a month is more than most accounts' conversion windows."""
MOST_DAYS = 60
"""The longest series by day that Klaviyo gives."""
SLICE = timedelta(days=MOST_DAYS)
GROUP_BY = ("flow_id", "flow_name", "flow_message_id", "flow_message_name", "send_channel")
_NOTHING = re.compile(rb"-?0(\.0+)?|null")


class _Series(msgspec.Struct):
    groupings: msgspec.Raw
    statistics: dict[str, list[msgspec.Raw]]


class _Of(msgspec.Struct):
    flow_message_id: str
    send_channel: str


class _Row(msgspec.Struct):
    groupings: _Of


class _Identified(msgspec.Struct):
    date: str
    row: _Row


_SERIES = msgspec.json.Decoder(_Series)
_IDENTIFIED = msgspec.json.Decoder(_Identified)


def _find_id(payload: bytes) -> str:
    found = _IDENTIFIED.decode(payload)
    return f"{found.date}/{found.row.groupings.flow_message_id}/{found.row.groupings.send_channel}"


KIND = Kind(FLOW_VALUES, _find_id)
replayed = KIND.replayed


def changed(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The days that stand in the window."""
    for part in standing(start, end).parts(MOST_DAYS):
        for found in report(api, "flow-series-report", part, GROUP_BY, interval="daily"):
            places = dates(found.date_times, part, api.account().time_zone, found.where)
            held = context(api)
            for result in found.rows.payloads:
                yield _days(result, places, held, sound=found.rows.sound)


happened = changed


def history(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """Whole days, today included, as many at a time as one call gives."""
    return slices_at_noon(api, start, end, MOST_DAYS, changed)


def by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """Nothing is there that its days do not show."""
    yield Page((), gone=ids)


def _days(result: bytes, places: Mapping[date, int], held: bytes, *, sound: bool) -> Page:
    """A message's series as a row for each day that has a figure."""
    clean = result if sound else neutralised(result)
    try:
        series = _SERIES.decode(clean)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Page((), [Reject(None, f"The message cannot be told: {error}", result)])
    [groupings] = slices(result, clean, [series.groupings])
    rows = []
    for day, place in places.items():
        told = figures(series.statistics, STATISTICS, place)
        if len(told) == len(STATISTICS) and all(map(_NOTHING.fullmatch, told.values())):
            continue
        row = b'{"groupings":%b,"statistics":{%b}}' % (groupings, members(told))
        rows.append(b'{"date":"%b",%b,"row":%b}' % (str(day).encode(), held, row))
    return KIND.page(Rows(rows, sound))
