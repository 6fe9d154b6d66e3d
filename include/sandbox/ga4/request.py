"""A report's request, read and checked as Google checks it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.ga4.fields import known, table_of
from sandbox.ga4.filters import compiled
from sandbox.ga4.refusals import Refused, invalid

if TYPE_CHECKING:
    from sandbox.ga4.filters import Test

MOST_DIMENSIONS, MOST_METRICS, MOST_RANGES = 9, 10, 4
DEFAULT_LIMIT, MOST_ROWS = 10_000, 250_000
NAMES = {
    "property", "dimensions", "metrics", "dateRanges", "dimensionFilter", "limit", "offset", "orderBys",
    "keepEmptyRows", "returnPropertyQuota",
}  # fmt: skip
NOT_SIMULATED = {"metricFilter", "metricAggregations", "currencyCode", "cohortSpec", "comparisons"}
AGO = re.compile(r"(\d+)daysAgo")


@dataclass(frozen=True, slots=True)
class DateRange:
    name: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class OrderBy:
    field: str
    is_metric: bool
    order_type: str
    desc: bool


@dataclass(frozen=True, slots=True)
class ReportRequest:
    dimensions: list[str]
    metrics: list[str]
    ranges: list[DateRange]
    passes: Test
    filtered: set[str]
    """The dimensions that the filter looks at."""
    table: str
    limit: int
    offset: int
    order: list[OrderBy]
    wants_quota: bool


def read(body: dict[str, Any], today: date) -> ReportRequest:
    """What is asked for, with dates as they are in the property's time zone."""
    if unknown := sorted(set(body) - NAMES - NOT_SIMULATED):
        raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.')
    if unusual := sorted(name for name in NOT_SIMULATED if body.get(name)):
        raise Refused("UNIMPLEMENTED", f"The sandbox does not simulate {unusual[0]}.")
    dimensions, metrics = fields(body)
    if not metrics:
        raise invalid("Requests must have at least one metric.")
    passes, filtered = compiled(body.get("dimensionFilter"))
    ranges = body.get("dateRanges", [])
    if not 1 <= len(ranges) <= MOST_RANGES:
        raise invalid(f"Requests must have 1 to {MOST_RANGES} dateRanges. This request has {len(ranges)}.")
    limit, offset = _number(body, "limit") or DEFAULT_LIMIT, _number(body, "offset")
    if limit < 0 or offset < 0:
        raise invalid(f"The limit {limit} and the offset {offset} must not be negative.")
    return ReportRequest(
        dimensions,
        metrics,
        [_range(asked, number, today) for number, asked in enumerate(ranges)],
        passes,
        filtered,
        table_of([*dimensions, *sorted(filtered)], metrics),
        min(limit, MOST_ROWS),
        offset,
        [_order_by(asked, dimensions, metrics) for asked in body.get("orderBys", [])],
        bool(body.get("returnPropertyQuota")),
    )


def fields(body: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The names of the dimensions and metrics asked for."""
    found = []
    for kind, most in (("dimension", MOST_DIMENSIONS), ("metric", MOST_METRICS)):
        names = [known(asked.get("name"), kind) for asked in body.get(f"{kind}s", [])]
        if len(names) > most:
            raise invalid(f"Requests are limited to {most} {kind}s. This request has {len(names)} {kind}s.")
        if twice := [name for name in names if names.count(name) > 1]:
            raise invalid(f"Requests must not name a {kind} twice. This request names {twice[0]} more than once.")
        found.append(names)
    return found[0], found[1]


def _range(asked: dict[str, Any], number: int, today: date) -> DateRange:
    start, end = (_date(asked, name, today) for name in ("startDate", "endDate"))
    if end < start:
        raise invalid(f"The dateRange's endDate {end} is before its startDate {start}.")
    return DateRange(asked.get("name") or f"date_range_{number}", start, end)


def _date(asked: dict[str, Any], name: str, today: date) -> date:
    text = str(asked.get(name, ""))
    ago = {"today": 0, "yesterday": 1}.get(text)
    if found := AGO.fullmatch(text):
        ago = int(found[1])
    try:
        if ago is not None:
            return today - timedelta(days=ago)
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise invalid(
            f"Invalid {name}: {text}. The date must be in the format YYYY-MM-DD, NdaysAgo, yesterday or today."
        ) from None


def _number(body: dict[str, Any], name: str) -> int:
    try:
        return int(body.get(name, 0))
    except (ValueError, TypeError):
        raise invalid(f"Invalid value at '{name}' (TYPE_INT64), {body[name]!r}") from None


def _order_by(asked: dict[str, Any], dimensions: list[str], metrics: list[str]) -> OrderBy:
    desc = bool(asked.get("desc"))
    if "metric" in asked:
        name = asked["metric"].get("metricName")
        order_type, allowed = "NUMERIC", metrics
    elif "dimension" in asked:
        name = asked["dimension"].get("dimensionName")
        order_type, allowed = asked["dimension"].get("orderType", "ALPHANUMERIC"), dimensions
        if isinstance(order_type, int):
            order_type = ("", "ALPHANUMERIC", "CASE_INSENSITIVE_ALPHANUMERIC", "NUMERIC")[order_type]
    else:
        raise Refused("UNIMPLEMENTED", "The sandbox orders by a dimension or a metric only.")
    if name not in allowed:
        raise invalid(f"The orderBys name {name}, which the request's dimensions and metrics do not include.")
    return OrderBy(name, allowed is metrics, order_type, desc)
