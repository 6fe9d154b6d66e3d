"""Days told by ShopifyQL: the same orders, counted by another road."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.sandbox.reader import read_orders, sales

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin"}
QUERY = """query($query: String!) {shopifyqlQuery(query: $query) {
    parseErrors tableData {columns {name dataType displayName} rows}}}"""


def report(client: Client, query: str, shop: str = "aurora") -> dict[str, Any]:
    told: dict[str, Any] = client.ask(QUERY, {"query": query}, shop=shop)["shopifyqlQuery"]
    return told


def rows(client: Client, query: str, shop: str = "aurora") -> list[dict[str, str]]:
    told = report(client, query, shop)
    assert told["parseErrors"] == []
    found: list[dict[str, str]] = told["tableData"]["rows"]
    return found


@pytest.mark.parametrize(("shop", "zone"), [*ZONES.items(), ("nordlicht", "America/Los_Angeles")])
def test_every_day_is_what_its_orders_add_up_to(sandbox: Client, shop: str, zone: str) -> None:
    orders: Counter[str] = Counter()
    gross_sales: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order in read_orders(sandbox, shop, "test:false"):
        day = datetime.fromisoformat(order["processedAt"]).astimezone(ZoneInfo(zone)).date().isoformat()
        orders[day] += 1
        gross_sales[day] += sales(order)[0]
    modifier = "" if zone == ZONES[shop] else f" WITH TIMEZONE '{zone}'"
    query = "FROM orders SHOW orders, gross_sales TIMESERIES day SINCE 2026-10-01 UNTIL 2026-11-30" + modifier
    told = rows(sandbox, query, shop)
    first = date(2026, 10, 1)
    assert [row["day"] for row in told] == [(first + timedelta(days=n)).isoformat() for n in range(61)]
    assert {row["day"]: int(row["orders"]) for row in told if row["orders"] != "0"} == orders
    assert {row["day"]: Decimal(row["gross_sales"]) for row in told if row["orders"] != "0"} == gross_sales
    assert {(row["orders"], row["gross_sales"]) for row in told if row["day"] > "2026-11-20"} == {("0", "0.00")}


@pytest.mark.parametrize(
    "query",
    [
        "from orders show gross_sales, orders timeseries day since 2026-11-09 until 2026-11-11",
        "FROM orders\n  SHOW gross_sales,orders\n  SINCE 2026-11-09 UNTIL 2026-11-11\n  TIMESERIES day",
        "FROM orders SHOW gross_sales , orders GROUP BY day TIMESERIES day SINCE 2026-11-09 UNTIL 2026-11-11",
        "FROM orders SHOW gross_sales, orders GROUP  BY day SINCE 2026-11-09 UNTIL 2026-11-11",
    ],
)
def test_a_query_may_be_written_in_many_ways(sandbox: Client, query: str) -> None:
    asked = "FROM orders SHOW gross_sales, orders TIMESERIES day SINCE 2026-11-09 UNTIL 2026-11-11"
    assert rows(sandbox, query) == rows(sandbox, asked)
    assert len(rows(sandbox, asked)) == 3


def test_columns_come_as_they_were_asked_for(sandbox: Client) -> None:
    told = report(sandbox, "FROM orders SHOW gross_sales, orders TIMESERIES day SINCE 2026-11-09 UNTIL 2026-11-09")
    columns = told["tableData"]["columns"]
    assert [(column["name"], column["dataType"]) for column in columns] == [
        ("day", "DAY_TIMESTAMP"),
        ("gross_sales", "MONEY"),
        ("orders", "INTEGER"),
    ]
    [row] = told["tableData"]["rows"]
    assert list(row) == ["day", "gross_sales", "orders"]
    assert all(isinstance(value, str) for value in row.values())


def test_grouping_leaves_out_the_days_without_orders(sandbox: Client) -> None:
    told = rows(sandbox, "FROM orders SHOW orders GROUP BY day SINCE 2026-10-01 UNTIL 2026-10-20")
    assert [row["day"] for row in told] == ["2026-10-19", "2026-10-20"]


def test_unpaid_and_cancelled_orders_count_and_tests_do_not(fresh: Client) -> None:
    query = "FROM orders SHOW orders, gross_sales TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-01"
    at = {"processed_at": "2026-11-01T17:00:00Z", "price": "10.00", "discount": "1.00", "shipping": "5.00"}
    assert rows(fresh, query) == [{"day": "2026-11-01", "orders": "0", "gross_sales": "0.00"}]
    fresh.admin("POST", "/shops/aurora/orders", {**at, "financial_status": "PENDING"})
    cancelled = fresh.admin("POST", "/shops/aurora/orders", at)
    fresh.admin("POST", f"/shops/aurora/orders/{cancelled['id']}/cancel")
    fresh.admin("POST", "/shops/aurora/orders", {**at, "test": True})
    assert rows(fresh, query) == [{"day": "2026-11-01", "orders": "2", "gross_sales": "20.00"}]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "begins with FROM and SHOW"),
        ("SELECT 1", "begins with FROM and SHOW"),
        ("FROM orders SHOW orders SHOW orders", "each clause once"),
        ("FROM sales SHOW orders TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-02", "no table 'sales'"),
        ("FROM orders SHOW net_sales TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-02", "'net_sales' not found"),
        ("FROM orders SHOW orders TIMESERIES month SINCE 2026-11-01 UNTIL 2026-11-02", "by day only"),
        ("FROM orders SHOW orders SINCE 2026-11-01 UNTIL 2026-11-02", "by day only"),
        ("FROM orders SHOW orders TIMESERIES day SINCE -30d UNTIL today", "a date like"),
        ("FROM orders SHOW orders TIMESERIES day SINCE 2026-11-01", "wants UNTIL"),
        ("FROM orders SHOW orders TIMESERIES day SINCE 2026-11-03 UNTIL 2026-11-02", "ends before it begins"),
        ("FROM orders SHOW orders WHERE test = true TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-02", "WHERE"),
        ("FROM orders SHOW orders TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-02 WITH TOTALS", "WITH TOTALS"),
        (
            "FROM orders SHOW orders TIMESERIES day SINCE 2026-11-01 UNTIL 2026-11-02 WITH TIMEZONE 'Europe/Bonn'",
            "no time zone 'Europe/Bonn'",
        ),
    ],
)
def test_what_is_not_understood_is_a_parse_error(sandbox: Client, query: str, says: str) -> None:
    told = report(sandbox, query)
    assert told["tableData"] is None
    [error] = told["parseErrors"]
    assert says in error
