"""A report: rows of the website's tables, filtered, grouped, ordered and cut into pages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text
from sandbox.business.website import TABLES, Day, users
from sandbox.ga4.fields import DIMENSIONS, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from sandbox.business.website import Website
    from sandbox.business.website_visits import Figures
    from sandbox.ga4.request import DateRange, OrderBy, ReportRequest

    Row = tuple[tuple[str, ...], list[int]]


def run(website: Website, asked: ReportRequest, now: datetime) -> dict[str, Any]:
    """The answer to a report's request, without its quota."""
    days = {day: website.day(day, now) for day in _days(website, asked.ranges, now)}
    rows = _ordered(_rows(website, asked, days), asked)
    several = len(asked.ranges) > 1
    dimensions = [*asked.dimensions, "dateRange"] if several else asked.dimensions
    answer: dict[str, Any] = {
        "dimensionHeaders": [{"name": name} for name in dimensions],
        "metricHeaders": [{"name": name, "type": METRICS[name].type} for name in asked.metrics],
        "rows": [
            {
                "dimensionValues": [{"value": value} for value in values],
                "metricValues": [
                    {"value": _text(name, number)} for name, number in zip(asked.metrics, numbers, strict=True)
                ],
            }
            for values, numbers in rows[asked.offset : asked.offset + asked.limit]
        ],
        "rowCount": len(rows),
        "metadata": _metadata(website, asked, days),
        "kind": "analyticsData#runReport",
    }
    return {name: value for name, value in answer.items() if value}


def cost(asked: ReportRequest, rows: int) -> int:
    """The tokens that a report takes: more for more dimensions, days and rows."""
    days = sum((one.end - one.start).days + 1 for one in asked.ranges)
    return min(15, 3 + len(asked.dimensions) + days // 10 + rows // 50)


def _days(website: Website, ranges: list[DateRange], now: datetime) -> Iterator[date]:
    for one in ranges:
        day = max(one.start, website.first_day)
        while day <= min(one.end, website.today(now)):
            yield day
            day += timedelta(days=1)


def _rows(website: Website, asked: ReportRequest, days: dict[date, Day]) -> list[Row]:
    """Rows by their dimensions; one without any figure is none."""
    groups: dict[tuple[str, ...], list[Figures]] = {}
    used = {*asked.dimensions, *asked.filtered}
    keys = TABLES[asked.table][0]
    for one in asked.ranges:
        for day, seen in days.items():
            if not one.start <= day <= one.end:
                continue
            table = seen.listed() if "landingPage" in used else seen.tables[asked.table]
            for key, figures in table.items():
                parts = dict(zip(keys, key, strict=True))
                values = {name: " / ".join(parts[part] for part in DIMENSIONS[name].keys) for name in used}
                if "date" in used:
                    values["date"] = day.strftime("%Y%m%d")
                if asked.passes(values):
                    group = tuple(values[name] for name in asked.dimensions)
                    groups.setdefault((*group, one.name) if len(asked.ranges) > 1 else group, []).append(figures)
    rows = [(values, [_value(asked.table, name, group) for name in asked.metrics]) for values, group in groups.items()]
    return [row for row in rows if any(row[1])]


def _value(table: str, name: str, group: list[Figures]) -> int:
    metric = METRICS[name]
    numbers = [figures[metric.counters[table]] for figures in group]
    if not metric.of_people:
        return sum(numbers)
    people = users(numbers)
    return people - people // 30 if name == "activeUsers" else people


def _ordered(rows: list[Row], asked: ReportRequest) -> list[Row]:
    """As asked for; otherwise by the first metric, the largest first."""
    rows = sorted(rows, key=lambda row: (-row[1][0], row[0]))
    for order in reversed(asked.order):
        rows.sort(key=lambda row, order=order: _rank(row, order, asked), reverse=order.desc)  # type: ignore[misc]
    return rows


def _rank(row: Row, order: OrderBy, asked: ReportRequest) -> Any:
    if order.is_metric:
        return row[1][asked.metrics.index(order.field)]
    value = row[0][asked.dimensions.index(order.field)]
    if order.order_type == "NUMERIC":
        return (value.isdecimal(), int(value) if value.isdecimal() else 0)
    return value.lower() if order.order_type == "CASE_INSENSITIVE_ALPHANUMERIC" else value


def _text(name: str, number: int) -> str:
    """As Google prints numbers: amounts without needless zeros."""
    if METRICS[name].type != "TYPE_CURRENCY":
        return str(number)
    return decimal_text(number).rstrip("0").rstrip(".")


def _metadata(website: Website, asked: ReportRequest, days: dict[date, Day]) -> dict[str, Any]:
    """Currency and time zone, and what is wrong with the figures of reports in detail."""
    told: dict[str, Any] = {"currencyCode": website.merchant.currency, "timeZone": str(website.merchant.zone)}
    if "landingPage" in {*asked.dimensions, *asked.filtered}:
        if any(seen.has_other() for seen in days.values()):
            told["dataLossFromOtherRow"] = True
        if any(seen.is_thresholded for seen in days.values()):
            told["subjectToThresholding"] = True
        sampled = [seen for seen in days.values() if seen.is_sampled]
        if sampled:
            events = sum(figures["sessions"] for seen in sampled for figures in seen.tables["sessions"].values()) * 9
            told["samplingMetadatas"] = [{"samplesReadCount": str(events * 4 // 5), "samplingSpaceSize": str(events)}]
    return told
