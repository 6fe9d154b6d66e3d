"""Counts and sums of one metric's events by their own time, in intervals of a time zone."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from sandbox.klaviyo.documents import time
from sandbox.klaviyo.filters import holds, parsed
from sandbox.klaviyo.published import AGGREGATES
from sandbox.klaviyo.refusals import Refused
from sandbox.klaviyo.reports import chosen
from sandbox.klaviyo.timeframes import YEAR, starts_of

if TYPE_CHECKING:
    from sandbox.business.email import EmailMarketing
    from sandbox.business.email_model import EmailEvent
    from sandbox.klaviyo.filters import Condition

INTERVALS = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly"}


def aggregate(asked: dict[str, Any], marketing: EmailMarketing, now: datetime) -> dict[str, Any]:
    """The aggregate's attributes: the starts of the intervals, and rows of one figure for each."""
    metric = asked.get("metric_id")
    if metric not in {one.id for one in marketing.metrics}:
        raise Refused(404, f"A metric with id '{metric}' does not exist.", pointer="/data/attributes/metric_id")
    measurements = chosen(AGGREGATES, asked, "measurements")
    by = chosen(AGGREGATES, asked, "by") if asked.get("by") else []
    zone = _zone(asked.get("timezone") or "UTC")
    interval = asked.get("interval") or "day"
    if interval not in INTERVALS:
        detail = f"'{interval}' is not an interval; these are: {', '.join(INTERVALS)}."
        raise Refused(400, detail, pointer="/data/attributes/interval")
    low, high, others = _range(asked.get("filter"), zone)
    starts = starts_of(INTERVALS[interval], low, high)
    rows: dict[tuple[str, ...], list[list[EmailEvent]]] = {} if by else {(): [[] for _ in starts]}
    for event in marketing.between(metric, low, high):
        if event.at > now or not all(holds(one, str(event.properties.get(one.field, ""))) for one in others):
            continue
        key = tuple(str(event.properties.get(name, "")) for name in by)
        rows.setdefault(key, [[] for _ in starts])[bisect_right(starts, event.at) - 1].append(event)
    return {
        "dates": [time(one.astimezone(UTC)) for one in starts],
        "data": [
            {
                "dimensions": list(key),
                "measurements": {name: [_measured(name, one) for one in each] for name in measurements},
            }
            for key, each in sorted(rows.items())
        ],
    }


def _measured(name: str, events: list[EmailEvent]) -> float:
    if name == "count":
        return float(len(events))
    if name == "unique":
        return float(len({event.profile for event in events}))
    return float(round(sum(100 * event.properties.get("$value", 0) for event in events))) / 100


def _zone(name: str) -> ZoneInfo:
    if name not in available_timezones():
        raise Refused(400, f"'{name}' is not a time zone.", pointer="/data/attributes/timezone")
    return ZoneInfo(name)


def _range(texts: Any, zone: ZoneInfo) -> tuple[datetime, datetime, list[Condition]]:
    """The time range, which is required, in the query's zone, and the other conditions."""
    pointer = "/data/attributes/filter"
    if not isinstance(texts, list):
        raise Refused(400, "filter must be a list of filters.", pointer=pointer)
    try:
        conditions = [one for text in texts for one in parsed(str(text))]
        bounds = {one.operator: _local(one.value, zone) for one in conditions if one.field == "datetime"}
    except ValueError as error:
        raise Refused(400, str(error), pointer=pointer) from None
    others = [one for one in conditions if one.field != "datetime"]
    allowed = AGGREGATES.asked["properties"]["by"]["items"]["enum"]
    if wrong := [one.field for one in others if one.field not in allowed or one.operator not in ("equals", "any")]:
        raise Refused(400, f"Filters on {wrong} are not supported.", pointer=pointer)
    if set(bounds) != {"greater-or-equal", "less-than"}:
        raise Refused(400, "filter must bound datetime with greater-or-equal and less-than.", pointer=pointer)
    low, high = bounds["greater-or-equal"], bounds["less-than"]
    if not low < high <= low + YEAR:
        raise Refused(400, "The datetime range must not be empty nor longer than 1 year.", pointer=pointer)
    return low, high, others


def _local(text: Any, zone: ZoneInfo) -> datetime:
    """A time of the query's zone, unless it says otherwise."""
    read = datetime.fromisoformat(str(text))
    return read.replace(tzinfo=zone) if read.tzinfo is None else read.astimezone(zone)
