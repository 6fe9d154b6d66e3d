"""Control totals: what the shop says of its days by another road than the sync."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from tributary.channels.shopify.horizon import SCOPE, visible_from
from tributary.channels.shopify.reading import seconds
from tributary.declaration import DayTotal
from tributary.http import BrokenResponse, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.shopify.api import ShopifyApi

DAYS_AT_ONCE = 31
"""Counts asked for by one request; each costs a point or so of the 1000 allowed."""


class _Count(msgspec.Struct):
    count: int
    precision: str


class _Row(msgspec.Struct):
    day: str
    gross_sales: Decimal


class _Table(msgspec.Struct):
    rows: list[_Row]


class _Report(msgspec.Struct, rename="camel"):
    parse_errors: list[str]
    table_data: _Table | None


class _Sales(msgspec.Struct, rename={"report": "shopifyqlQuery"}):
    report: _Report


_COUNTS = msgspec.json.Decoder(dict[str, _Count])
_SALES = msgspec.json.Decoder(_Sales, strict=False)


def control_totals(api: ShopifyApi, time_zone: str, days: Sequence[date]) -> Iterator[DayTotal]:
    """The totals of the shop's business days, as many of them as the token can see."""
    zone = ZoneInfo(time_zone)
    visible = _visible(api, zone, days)
    for start in range(0, len(visible), DAYS_AT_ONCE):
        chunk = visible[start : start + DAYS_AT_ONCE]
        counts, gross_sales = _counts(api, zone, chunk), _gross_sales(api, time_zone, chunk)
        for day in chunk:
            yield DayTotal(day, counts[day], gross_sales.get(day))


def counting(zone: ZoneInfo, days: Sequence[date]) -> str:
    """The document that counts the orders of each day."""
    fields = [
        f"{_alias(day)}: ordersCount(query: {_quoted(_window(zone, day))}, limit: null) {{ count precision }}"
        for day in days
    ]
    return "query OrderCounts {\n  " + "\n  ".join(fields) + "\n}"


def _visible(api: ShopifyApi, zone: ZoneInfo, days: Sequence[date]) -> list[date]:
    horizon = visible_from(api)
    if horizon is None:
        return sorted(set(days))
    # The day after the horizon's own is whole, but may fall over the edge before it has been read again.
    first = horizon.astimezone(zone).date() + timedelta(days=2)
    visible = sorted(day for day in set(days) if day >= first)
    if len(visible) < len(set(days)):
        api.warn_once(
            f"Control totals before {first} cannot be asked for: the token lacks the access scope {SCOPE}, so Shopify "
            "does not count those orders."
        )
    return visible


def _counts(api: ShopifyApi, zone: ZoneInfo, days: Sequence[date]) -> dict[date, int]:
    answer = api.execute("OrderCounts", document=counting(zone, days))
    found = answer.read(_COUNTS)
    counts = {}
    for day in days:
        count = found[_alias(day)]
        if count.precision != "EXACT":
            what = f"Shopify counted the orders of {day} as {count.precision} {count.count}, which is no total"
            raise BrokenResponse(what, where=answer.where)
        counts[day] = count.count
    return counts


def _gross_sales(api: ShopifyApi, time_zone: str, days: Sequence[date]) -> dict[date, Decimal]:
    if "read_reports" not in api.scopes:
        api.warn_once(
            "The token lacks the access scope read_reports, so the shop's own gross sales cannot be asked for: its "
            "days are compared by their number of orders alone."
        )
        return {}
    answer = api.execute(
        "DailySales",
        {
            "query": f"FROM orders SHOW orders, gross_sales TIMESERIES day SINCE {days[0]} UNTIL {days[-1]} "
            f"WITH TIMEZONE '{time_zone}'"
        },
    )
    report = answer.read(_SALES).report
    if report.table_data is None or report.parse_errors:
        what = f"Shopify does not understand the ShopifyQL: {'; '.join(report.parse_errors)}"
        raise RequestRefused(what, where=answer.where)
    return {date.fromisoformat(row.day[:10]): row.gross_sales for row in report.table_data.rows}


def _window(zone: ZoneInfo, day: date) -> str:
    start, end = _begin(zone, day), _begin(zone, day + timedelta(days=1))
    return f"processed_at:>='{seconds(start)}' AND processed_at:<'{seconds(end)}'"


def _begin(zone: ZoneInfo, day: date) -> datetime:
    """The day's first moment there: it may be 23 or 25 hours before the next."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _alias(day: date) -> str:
    return f"day_{day:%Y_%m_%d}"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
