"""Klaviyo's reports: of all messages at once over many days, because only 225 may be asked for in a day."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from tributary.channels.klaviyo.limits import REPORTS
from tributary.channels.klaviyo.report_shapes import STATISTICS
from tributary.channels.records import Rows
from tributary.http import BrokenResponse, Cut, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from tributary.channels.answer import Answer
    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.channels.klaviyo.whole_days import Days

BUDGET = REPORTS


class Results(NamedTuple):
    """One page of a report."""

    rows: Rows
    date_times: Sequence[str]
    """Of a series: what each of its values belongs to."""
    where: str


class _Attributes(msgspec.Struct):
    results: list[msgspec.Raw]
    date_times: list[str] = []


class _Data(msgspec.Struct):
    attributes: _Attributes


class _Links(msgspec.Struct):
    next: str | None = None


class _Report(msgspec.Struct):
    data: _Data
    links: _Links | None = None


_REPORT = msgspec.json.Decoder(_Report)


def report(api: KlaviyoApi, kind: str, days: Days, group_by: Sequence[str], **more: str) -> Iterator[Results]:
    """The pages of a report over these days, each of which is a call of the day's 225."""
    start, end = days.bounds()
    attributes = {
        "statistics": STATISTICS,
        "timeframe": {"start": start, "end": end},
        "conversion_metric_id": api.conversion_metric(),
        "group_by": group_by,
        **more,
    }
    body = {"data": {"type": kind, "attributes": attributes}}

    def fetch(cursor: str | None) -> Cut[Results]:
        params = {"page_cursor": cursor} if cursor else {}
        answer = api.post(f"/api/{kind}s", body, budget=BUDGET, params=params)
        found = answer.read(_REPORT)
        rows = Rows(list(answer.slices(found.data.attributes.results)), answer.flaw is None)
        results = Results(rows, found.data.attributes.date_times, answer.where)
        return Cut(results, rows.payloads, _cursor(found.links, answer), answer.where)

    return follow(fetch)


def context(api: KlaviyoApi) -> bytes:
    """What every row is kept with: its figures mean nothing without it. The inside of a JSON object."""
    account = api.account()
    held = {
        "currency": account.currency,
        "time_zone": account.time_zone.key,
        "conversion_metric_id": api.conversion_metric(),
    }
    return msgspec.json.encode(held)[1:-1]


def dates(date_times: Sequence[str], asked: Days, zone: ZoneInfo, where: str) -> dict[date, int]:
    """Where the values of each asked day stand in a series."""
    try:
        positions = {_date(text, zone): number for number, text in enumerate(date_times)}
    except ValueError as error:
        raise BrokenResponse(f"The days of a series cannot be told: {error}", where=where) from None
    if missing := [str(day) for day in asked if day not in positions]:
        what = f"The series from {asked.first} to {asked.last} leaves out {', '.join(missing)}"
        raise BrokenResponse(what, where=where)
    return {day: positions[day] for day in asked}


def figures(series: Mapping[str, Sequence[msgspec.Raw]], names: Sequence[str], place: int) -> dict[str, bytes]:
    """The figures of one day, as the vendor wrote them; what a series lacks is left out, and missed by its shape."""
    return {name: bytes(series[name][place]) for name in names if place < len(series.get(name, ()))}


def members(figures: Mapping[str, bytes]) -> bytes:
    """The inside of a JSON object of these figures."""
    return b",".join(b'"%b":%b' % (name.encode(), figure) for name, figure in figures.items())


def _date(text: str, zone: ZoneInfo) -> date:
    """The account's day that begins then: written by the account's clock, or as the same moment elsewhere."""
    moment = datetime.fromisoformat(text)
    if moment.time() != time():
        moment = moment.astimezone(zone)
        if moment.time() != time():
            raise ValueError(f"{text} is no midnight in {zone.key}")
    return moment.date()


def _cursor(links: _Links | None, answer: Answer) -> str | None:
    if links is None or not links.next:
        return None
    found = parse_qs(urlsplit(links.next).query).get("page_cursor")
    if not found:
        raise BrokenResponse("The report's next page has no page_cursor", where=answer.where)
    return found[0]
