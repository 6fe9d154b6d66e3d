"""No figure tells that people left: marts over the same raw data before and after, and the gap only in who is who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt import shop, stories, tiktok
from tributary.channels import CHANNELS
from tributary.warehouse.personal.erase import Request, erase
from tributary.warehouse.personal.retention import mask_old
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.files import REFERRERS, TRAFFIC_SOURCES, load_rows
from tributary.warehouse.settings.tables import apply_rows

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows

ENDED, ERASED, KEPT = "aurora", "nordlicht", "withtax"
MARTS = {
    "fct_orders": "order_id",
    "fct_attributed_orders": "order_id",
    "dim_customers": "first_order_id",
    "fct_cohorts": "date_day, first_channel, month_number",
}
Figures = dict[tuple[str, str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def before(conn: Connection, dbt: Dbt, rows: Rows) -> Figures:
    """The figures of three merchants with the same buyers."""
    for file in (TRAFFIC_SOURCES, REFERRERS):
        apply_rows(conn, file, load_rows(stories.CONFIG, file, []))
    conn.execute("update ops.merchants set domains = '{aurora.example}'")
    numbers = stories.NUMBERS
    orders = [*stories.ORDERS, *stories.COPIES]
    orders += [stories.sold(number, customer=number) for number in numbers.values()]
    sales = [
        tiktok.order(f"T{number}", "2026-09-10T12:00:00", tiktok.unit(f"{number}1", "40.00"), buyer=f"u{number % 2}")
        for number in range(3)
    ]
    for merchant_id in (ENDED, ERASED, KEPT):
        shop.load(conn, merchant_id, *orders)
        tiktok.load(conn, merchant_id, *stories.visits(), *stories.TOUCHES, *sales)
    conn.execute("delete from ops.changes")
    conn.commit()
    return figures(dbt, rows)


def figures(dbt: Dbt, rows: Rows) -> Figures:
    """Every row of the marts that know people, built anew from what raw holds."""
    assert dbt("run", "--select", *(f"+{mart}" for mart in MARTS)).success
    return {
        (mart, merchant_id): rows(f"select * from build.{mart} where merchant_id = %s order by {order}", merchant_id)
        for mart, order in MARTS.items()
        for merchant_id in (ENDED, ERASED, KEPT)
    }


def test_figures_stay_when_people_leave(before: Figures, conn: Connection, dbt: Dbt, rows: Rows) -> None:
    keys = {row["customer_key"] for row in before["fct_orders", ERASED]} - {None}
    assert len(keys) > 50
    with psycopg.connect(conn.info.dsn, password=conn.info.password) as other:
        assert mask_old(other, CHANNELS, ENDED, "build", stories.NIGHT.replace(year=2036))
        for key in sorted(keys):
            done = erase(other, CHANNELS, Request(ERASED, key, "ann", "all of them asked", is_dry_run=False))
            assert done.outcome == "erased"
    left = rows(
        "select merchant_id, record_id from raw.shopify_orders where merchant_id <> %s"
        " and payload #>> '{customer,legacyResourceId}' not like 'masked:%%'",
        KEPT,
    )
    # Of somebody who is known by a copy alone, marts have no key.
    assert left == [{"merchant_id": ERASED, "record_id": str(stories.COPY)}]

    open_build(conn, "next", CHANNELS)
    conn.commit()
    scoped = rows("select merchant_id, date_day from next.scope")
    assert {row["merchant_id"] for row in scoped} == {ERASED}
    days = {row["date_day"] for row in before["fct_orders", ERASED] if row["customer_key"]}
    assert {row["date_day"] for row in scoped} >= days

    after = figures(dbt, rows)

    for mart in MARTS:
        assert after[mart, KEPT] == before[mart, KEPT]
        assert after[mart, ENDED] == before[mart, ENDED], mart
    renamed = {
        was["customer_key"]: now["customer_key"]
        for was, now in zip(before["fct_orders", ERASED], after["fct_orders", ERASED], strict=True)
    }
    assert len(set(renamed.values())) == len(renamed)
    assert renamed.pop(None) is None
    assert not renamed.keys() & set(renamed.values())
    for mart in MARTS:
        expected = [
            row | ({"customer_key": renamed.get(row["customer_key"])} if "customer_key" in row else {})
            for row in before[mart, ERASED]
        ]
        assert after[mart, ERASED] == expected, mart
