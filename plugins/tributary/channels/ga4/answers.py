"""One page of a report, as it was answered, checked against what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.json_format import MessageToDict

from tributary.channels.ga4.records import day
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from google.analytics.data_v1beta.types import RunReportResponse

    from tributary.channels.ga4.reports import Report


@dataclass(frozen=True)
class Answer:
    """One page of one day's report."""

    on: date
    row_count: int
    """Of the whole day, whatever the page's size."""
    metadata: Mapping[str, Any]
    """What the report says of itself, in the vendor's JSON; what does not hold is left out."""
    rows: list[tuple[str, dict[str, str]]] = field(repr=False)
    """Dates as they were sent, and values under the names of their fields."""
    where: str

    @property
    def time_zone(self) -> ZoneInfo:
        """The property's; its days begin there."""
        name = self.metadata.get("timeZone")
        try:
            return ZoneInfo(str(name))
        except (ZoneInfoNotFoundError, ValueError):
            raise BrokenResponse(f"The property's time zone is {name!r}, which is none", where=self.where) from None


def answered(response: RunReportResponse, report: Report, on: date, where: str) -> Answer:
    """The page; BrokenResponse when it is not of what was asked for."""
    # The protocol's own message: the client's wrapper around it makes each value a slow one.
    told = type(response).pb(response)
    dimensions = [header.name for header in told.dimension_headers]
    metrics = [header.name for header in told.metric_headers]
    if dimensions != ["date", *report.dimensions] or metrics != list(report.metrics):
        # Something that is no report, such as an empty object, must not pass for a day without rows.
        what = f"The report {report.name} came with other fields than were asked for: {dimensions + metrics}"
        raise BrokenResponse(what[:500], where=where)
    rows = []
    for row in told.rows:
        named = [value.value for value in row.dimension_values]
        counted = [value.value for value in row.metric_values]
        if len(named) != len(dimensions) or len(counted) != len(metrics):
            what = f"A row of the report {report.name} has {len(named)} dimensions and {len(counted)} metrics"
            raise BrokenResponse(what, where=where)
        _check_day(named[0], on, where)
        rows.append((named[0], dict(zip(dimensions[1:] + metrics, named[1:] + counted, strict=True))))
    metadata = {name: value for name, value in MessageToDict(told.metadata).items() if value}
    return Answer(on, told.row_count, metadata, rows, where)


def _check_day(text: str, on: date, where: str) -> None:
    try:
        found = day(text)
    except ValueError:
        return  # No date at all is one row's fault.
    if found != on:
        raise BrokenResponse(f"The report of {on} came with a row of {found}", where=where)
