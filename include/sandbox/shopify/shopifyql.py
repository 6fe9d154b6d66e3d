"""ShopifyQL, as far as control totals need it: orders and gross sales of the `orders` dataset, by day.

    FROM orders SHOW orders, gross_sales TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-07 WITH TIMEZONE 'Europe/Berlin'

The dataset has a row per order, on the day that the order was processed; test and deleted orders are not in it, pending
and cancelled ones are. TIMESERIES gives every day of the range, GROUP BY only the days that have orders. Gross sales
are those before discounts, returns and taxes. Everything else is a parse error that says so. Inferred, not published:
that edits change gross sales, that values are strings, the wording of the errors, and that clauses may come in any
order after SHOW (the reference puts SINCE and UNTIL first, the admin's own reports put them last).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.business.money import decimal_text
from sandbox.business.truth import line_amounts

if TYPE_CHECKING:
    from sandbox.shop import Shop

COLUMNS = {"day": ("DAY_TIMESTAMP", "Day"), "orders": ("INTEGER", "Orders"), "gross_sales": ("MONEY", "Gross sales")}
CLAUSES = re.compile(
    r"\b(FROM|SHOW|TIMESERIES|GROUP\s+BY|SINCE|UNTIL|WITH|WHERE|DURING|COMPARE\s+TO|HAVING|ORDER\s+BY|LIMIT|VISUALIZE)\b",
    re.IGNORECASE,
)
KNOWN = {"FROM", "SHOW", "TIMESERIES", "GROUP BY", "SINCE", "UNTIL", "WITH"}
TIME_ZONE = re.compile(r"TIMEZONE\s+'([^']+)'", re.IGNORECASE)
LONGEST = 10_000
"""Days; a range beyond it is a mistyped year."""


class NotUnderstoodError(ValueError):
    """The query is outside of what the sandbox understands."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a query asks for."""

    metrics: list[str]
    first: date
    last: date
    zone: ZoneInfo
    every_day: bool


def answer(query: str, shop: Shop) -> dict[str, Any]:
    """The response to a ShopifyQL query."""
    try:
        report = parse(query, shop.merchant.zone)
    except NotUnderstoodError as error:
        return {"parseErrors": [str(error)], "parseWarnings": [], "tableData": None}
    names = ["day", *report.metrics]
    columns = [
        {"name": name, "dataType": COLUMNS[name][0], "displayName": COLUMNS[name][1], "columnOrigin": "REQUESTED"}
        for name in names
    ]
    rows = [{name: row[name] for name in names} for row in _rows(report, shop)]
    return {"parseErrors": [], "parseWarnings": [], "tableData": {"columns": columns, "rows": rows}}


def parse(query: str, shop_zone: ZoneInfo) -> Report:
    """Read a query; what is outside of the subset raises `NotUnderstoodError`."""
    before, *parts = CLAUSES.split(query)
    names = [re.sub(r"\s+", " ", name.upper()) for name in parts[::2]]
    clauses = dict(zip(names, (text.strip() for text in parts[1::2]), strict=True))
    if before.strip() or len(clauses) != len(names) or names[:2] != ["FROM", "SHOW"]:
        raise NotUnderstoodError("Line 1: a query begins with FROM and SHOW, and has each clause once.")
    for name in names:
        if name not in KNOWN:
            raise NotUnderstoodError(f"Line 1: the sandbox does not simulate {name}.")
    if clauses["FROM"].lower() != "orders":
        raise NotUnderstoodError(f"Line 1: the sandbox has no table '{clauses['FROM']}'; it has orders.")
    metrics = [name.strip().lower() for name in clauses["SHOW"].split(",")]
    for name in metrics:
        if name not in ("orders", "gross_sales"):
            raise NotUnderstoodError(f"Line 1: Column '{name}' not found; the sandbox has orders and gross_sales.")
    dimensions = [clauses[name].lower() for name in ("TIMESERIES", "GROUP BY") if name in clauses]
    if dimensions not in (["day"], ["day", "day"]):
        raise NotUnderstoodError("Line 1: the sandbox groups by day only; write TIMESERIES day.")
    first, last = (_day(clauses, name) for name in ("SINCE", "UNTIL"))
    if not 0 <= (last - first).days < LONGEST:
        raise NotUnderstoodError(f"Line 1: the range from {first} to {last} ends before it begins, or is too long.")
    zone = _zone(clauses["WITH"]) if "WITH" in clauses else shop_zone
    return Report(metrics, first, last, zone, "TIMESERIES" in clauses)


def _day(clauses: dict[str, str], name: str) -> date:
    try:
        return date.fromisoformat(clauses[name])
    except (KeyError, ValueError):
        raise NotUnderstoodError(f"Line 1: the sandbox wants {name} with a date like 2026-11-01.") from None


def _zone(modifier: str) -> ZoneInfo:
    named = TIME_ZONE.fullmatch(modifier)
    if named is None:
        raise NotUnderstoodError(f"Line 1: the sandbox does not simulate WITH {modifier}.")
    try:
        return ZoneInfo(named[1])
    except (ZoneInfoNotFoundError, ValueError):
        raise NotUnderstoodError(f"Line 1: there is no time zone '{named[1]}'.") from None


def _rows(report: Report, shop: Shop) -> list[dict[str, str]]:
    orders: defaultdict[date, int] = defaultdict(int)
    gross_sales: defaultdict[date, int] = defaultdict(int)
    for order in shop.orders.values():
        day = order.processed_at.astimezone(report.zone).date()
        if not order.test and report.first <= day <= report.last:
            orders[day] += 1
            gross_sales[day] += sum(line_amounts(shop.merchant, line)[0] for line in order.lines)
    length = (report.last - report.first).days + 1
    days = [report.first + timedelta(days=number) for number in range(length)]
    return [
        {"day": day.isoformat(), "orders": str(orders[day]), "gross_sales": decimal_text(gross_sales[day])}
        for day in days
        if report.every_day or orders[day]
    ]
