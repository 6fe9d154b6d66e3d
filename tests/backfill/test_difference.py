"""What a backfill would change, against figures worked out by hand: each day below tells what was planted on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.backfill.rows import asked
from tests.dbt import ads, conftest, shop, tiktok
from tests.dbt.touches import visit
from tributary.backfill.comparing.card import card, headline
from tributary.backfill.comparing.difference import compare
from tributary.backfill.state import load
from tributary.warehouse.errors import IncompatibleMart
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.mart_table import prepare_mart
from tributary.warehouse.settings.files import TRAFFIC_SOURCES, load_rows
from tributary.warehouse.settings.tables import apply_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from tests.dbt.conftest import Dbt
    from tests.dbt.shop import Payload
    from tributary.backfill.state import Backfill

# A warehouse of its own and dbt on it, as tests of models have them.
module_warehouse_url, conn = conftest.module_warehouse_url, conftest.conn
dbt, dbt_target = conftest.dbt, conftest.dbt_target

GOLDEN = Path(__file__).with_name("card.md")
CONFIG = Path(__file__).parents[2] / "include" / "config"
MODELS = ["dim_customers", "fct_ad_spend", "fct_attributed_orders", "fct_daily_metrics", "fct_orders"]
RANGE = [f"2026-08-{day}" for day in (31,)] + [f"2026-09-0{day}" for day in range(1, 6)]
OUTSIDE = ["2026-09-06", "2026-09-07"]
EMAIL = "ann.secret@example.com"

Measure = tuple[Any, Any]


def sold(order_id: int, day: str, price: str, customer: int | None, hour: int = 16) -> Payload:
    at = f"{day}T{hour}:00:00Z"
    return shop.order(order_id, at, shop.line(order_id * 10, price), total=price, customer=customer, email=EMAIL)


BEFORE = [
    sold(100, "2026-08-31", "10.00", 9),
    sold(101, "2026-09-01", "100.00", 1),
    sold(102, "2026-09-01", "50.00", 2),
    sold(103, "2026-09-02", "80.00", 3),
    sold(104, "2026-09-02", "20.00", 4),
    sold(105, "2026-09-03", "60.00", 5),
    sold(106, "2026-09-04", "40.00", 6),
    sold(107, "2026-09-05", "35.00", 7),
    sold(108, "2026-09-06", "30.00", 8),
]
AFTER = [
    # One too many on the 1st, of a customer of that day; and one on the 3rd.
    sold(109, "2026-09-01", "25.00", 1, hour=18),
    sold(111, "2026-09-03", "12.00", 11),
    # On the 2nd another total, and one that moves to the 3rd.
    sold(103, "2026-09-02", "95.00", 3),
    sold(104, "2026-09-03", "20.00", 4),
    # Outside the range: another total, and a day that was not there.
    sold(108, "2026-09-06", "35.00", 8),
    sold(110, "2026-09-07", "15.00", 10),
]
GONE = [107]
"""With it the whole of the 5th."""


def plant(conn: Connection) -> None:
    apply_rows(conn, TRAFFIC_SOURCES, load_rows(CONFIG, TRAFFIC_SOURCES, []))
    shop.load(conn, "aurora", *BEFORE)
    shop.load(conn, "nordlicht", sold(100, "2026-09-01", "70.00", 1))
    account, at = ads.account("1"), datetime(2026, 9, 1, 15, tzinfo=UTC)
    told = [
        visit(102, "a", at, "google", "cpc", "spring"),
        ads.read("meta_ads_campaign_days", "2026-09-01", account),
        ads.meta("2026-09-01", account, "7", "30.00"),
        ads.rates("2026-09-01", USD="1.1"),
    ]
    tiktok.load(conn, "aurora", *told)


def change(conn: Connection) -> None:
    """What a backfill finds."""
    known = [*GONE, *(int(order["legacyResourceId"]) for order in AFTER)]
    conn.execute("delete from raw.shopify_orders where record_id = any(%s)", ([*map(str, known)],))
    conn.execute("delete from raw.meta_ads_campaign_days where record_id like '%%/7'")
    shop.load(conn, "aurora", *AFTER)
    shop.load(conn, "nordlicht", sold(101, "2026-09-01", "70.00", 1))
    tiktok.load(conn, "aurora", ads.meta("2026-09-01", ads.account("1"), "7", "45.00"))
    # The 4th: an order that was direct came by a mail.
    tiktok.load(conn, "aurora", visit(106, "b", datetime(2026, 9, 4, 15, tzinfo=UTC), "klaviyo", "email", "autumn"))


def publish(conn: Connection, manifest: Path) -> None:
    for model in read_marts(manifest):
        if model.name in [*MODELS, "fct_revenue"]:
            prepare_mart(conn, model, "build")
            columns = sql.SQL(", ").join(map(sql.Identifier, model.columns))
            conn.execute(
                sql.SQL("insert into {} ({columns}) select {columns} from {}").format(
                    sql.Identifier("marts", model.name), sql.Identifier("build", model.name), columns=columns
                )
            )
    conn.commit()


@pytest.fixture(scope="module")
def backfill(conn: Connection, dbt: Dbt, manifest: Path) -> Backfill:
    """A backfill of aurora that was built, beside the marts that readers have, and compared."""
    plant(conn)
    selected = ["--select", *(f"+{name}" for name in MODELS), "+fct_revenue"]
    conftest.make_scope(conn, "build", [*RANGE, *OUTSIDE])
    assert dbt("run", *selected).success
    publish(conn, manifest)
    change(conn)
    made = asked(
        conn,
        models=MODELS,
        first_day=date.fromisoformat(RANGE[0]),
        last_day=date.fromisoformat(RANGE[-1]),
        mode="reread",
        channels=["shopify", "meta_ads"],
        needs_approval=True,
        reason="Orders of *early* September <b>are missing</b>",
        incident="INC-42 | checkout",
        requested_at=datetime(2026, 9, 10, 8, 30, tzinfo=UTC),
    )
    conftest.make_scope(conn, made.build_schema, [*RANGE, *OUTSIDE], "aurora")
    conn.execute(f"create table {made.build_schema}.asked (merchant_id text, date_day date)".encode())
    days = "insert into {}.asked select 'aurora', unnest(%s::date[])"
    conn.execute(days.format(made.build_schema).encode(), (RANGE,))
    conn.commit()
    assert dbt("run", *selected, build_schema=made.build_schema).success
    compare(conn, made, manifest)
    conn.commit()
    return load(conn, made.backfill_id)


@pytest.fixture
def undone(conn: Connection) -> Iterator[None]:
    """What the test does to the warehouse is taken back."""
    conn.rollback()
    yield
    conn.rollback()


def measured(conn: Connection, day: str) -> dict[str, Measure]:
    """What was kept of a day: its figures, and those of channels as `direct orders`."""
    query = """
        select measure, channel, is_asked, old, new
        from ops.backfill_differences
        where merchant_id = 'aurora' and date_day = %s
    """
    rows = conn.execute(query, (day,)).fetchall()
    assert {is_asked for _, _, is_asked, _, _ in rows} == {day in RANGE}
    return {f"{channel} {measure}".strip(): (old, new) for measure, channel, _, old, new in rows}


def same(value: str | None) -> Measure:
    return (value and Decimal(value), value and Decimal(value))


def moved(old: str | None, new: str | None) -> Measure:
    return (old and Decimal(old), new and Decimal(new))


def figures(**told: Measure) -> dict[str, Measure]:
    """A day without spend, unless it is told."""
    return {"spend": same("0"), "roas": same(None), "paid_revenue": same("0"), **told}


def credited(channel: str, orders: Measure, revenue: Measure) -> dict[str, Measure]:
    return {f"{channel} attributed_orders": orders, f"{channel} attributed_revenue": revenue}


DAYS = {
    "2026-08-31": figures(revenue=same("10"), orders=same("1"), aov=same("10"), cac=same("0"), new_customers=same("1"))
    | credited("direct", same("1"), same("10")),
    # 100 + 50, and 25 more; spend 30 -> 45; 50 of it through google_ads; two new customers as before.
    "2026-09-01": figures(
        revenue=moved("150", "175"),
        orders=moved("2", "3"),
        aov=moved("75", "58.33"),
        spend=moved("30", "45"),
        roas=moved("1.666667", "1.111111"),
        paid_revenue=same("50"),
        cac=moved("15", "22.50"),
        new_customers=same("2"),
    )
    | credited("direct", moved("1", "2"), moved("100", "125"))
    | credited("google_ads", same("1"), same("50")),
    "2026-09-02": figures(
        revenue=moved("100", "95"),
        orders=moved("2", "1"),
        aov=moved("50", "95"),
        cac=same("0"),
        new_customers=moved("2", "1"),
    )
    | credited("direct", moved("2", "1"), moved("100", "95")),
    "2026-09-03": figures(
        revenue=moved("60", "92"),
        orders=moved("1", "3"),
        aov=moved("60", "30.67"),
        cac=same("0"),
        new_customers=moved("1", "3"),
    )
    | credited("direct", moved("1", "3"), moved("60", "92")),
    "2026-09-04": figures(revenue=same("40"), orders=same("1"), aov=same("40"), cac=same("0"), new_customers=same("1"))
    | credited("direct", moved("1", None), moved("40", None))
    | credited("email", moved(None, "1"), moved(None, "40")),
    "2026-09-05": {
        "revenue": moved("35", None),
        "orders": moved("1", None),
        "aov": moved("35", None),
        "spend": moved("0", None),
        "roas": same(None),
        "cac": moved("0", None),
        "new_customers": moved("1", None),
        "paid_revenue": moved("0", None),
    }
    | credited("direct", moved("1", None), moved("35", None)),
    "2026-09-06": figures(
        revenue=moved("30", "35"), orders=same("1"), aov=moved("30", "35"), cac=same("0"), new_customers=same("1")
    )
    | credited("direct", same("1"), moved("30", "35")),
    "2026-09-07": {
        "revenue": moved(None, "15"),
        "orders": moved(None, "1"),
        "aov": moved(None, "15"),
        "spend": moved(None, "0"),
        "roas": same(None),
        "cac": moved(None, "0"),
        "new_customers": moved(None, "1"),
        "paid_revenue": moved(None, "0"),
    }
    | credited("direct", moved(None, "1"), moved(None, "15")),
}


@pytest.mark.usefixtures("backfill")
@pytest.mark.parametrize("day", DAYS)
def test_a_day_moves_as_it_was_planted(conn: Connection, day: str) -> None:
    assert measured(conn, day) == DAYS[day]


@pytest.mark.usefixtures("backfill")
def test_nobody_else_is_compared(conn: Connection) -> None:
    query = "select merchant_id, date_day::text from ops.backfill_differences group by 1, 2"
    assert set(conn.execute(query).fetchall()) == {("aurora", day) for day in DAYS}
    assert conn.execute("select distinct merchant_id from ops.backfill_rows").fetchall() == [("aurora",)]


# Added, removed, changed. A row that moves to another day leaves one and comes to the other.
ROWS = {
    # Customer 1 has ordered once more.
    ("dim_customers", "2026-09-01"): (0, 0, 1),
    ("dim_customers", "2026-09-02"): (0, 1, 1),
    ("dim_customers", "2026-09-03"): (2, 0, 0),
    ("dim_customers", "2026-09-04"): (0, 0, 1),
    ("dim_customers", "2026-09-05"): (0, 1, 0),
    ("dim_customers", "2026-09-06"): (0, 0, 1),
    ("dim_customers", "2026-09-07"): (1, 0, 0),
    ("fct_ad_spend", "2026-09-01"): (0, 0, 1),
    ("fct_attributed_orders", "2026-09-01"): (1, 0, 0),
    ("fct_attributed_orders", "2026-09-02"): (0, 1, 1),
    ("fct_attributed_orders", "2026-09-03"): (2, 0, 0),
    ("fct_attributed_orders", "2026-09-04"): (0, 0, 1),
    ("fct_attributed_orders", "2026-09-05"): (0, 1, 0),
    ("fct_attributed_orders", "2026-09-06"): (0, 0, 1),
    ("fct_attributed_orders", "2026-09-07"): (1, 0, 0),
    ("fct_daily_metrics", "2026-09-01"): (0, 0, 1),
    ("fct_daily_metrics", "2026-09-02"): (0, 0, 1),
    ("fct_daily_metrics", "2026-09-03"): (0, 0, 1),
    # Nothing but the share of orders that are credited to somebody.
    ("fct_daily_metrics", "2026-09-04"): (0, 0, 1),
    ("fct_daily_metrics", "2026-09-05"): (0, 1, 0),
    ("fct_daily_metrics", "2026-09-06"): (0, 0, 1),
    ("fct_daily_metrics", "2026-09-07"): (1, 0, 0),
    ("fct_orders", "2026-09-01"): (1, 0, 0),
    ("fct_orders", "2026-09-02"): (0, 1, 1),
    ("fct_orders", "2026-09-03"): (2, 0, 0),
    ("fct_orders", "2026-09-05"): (0, 1, 0),
    ("fct_orders", "2026-09-06"): (0, 0, 1),
    ("fct_orders", "2026-09-07"): (1, 0, 0),
}


def counted(conn: Connection) -> dict[tuple[str, str], tuple[int, int, int]]:
    found = conn.execute("select mart, date_day::text, added, removed, changed from ops.backfill_rows").fetchall()
    return {(mart, day): tuple(counts) for mart, day, *counts in found}


@pytest.mark.usefixtures("backfill")
def test_rows_come_go_and_change(conn: Connection) -> None:
    assert counted(conn) == ROWS
    outside = conn.execute("select distinct date_day::text from ops.backfill_rows where not is_asked order by 1")
    assert [day for (day,) in outside] == OUTSIDE


@pytest.mark.usefixtures("undone")
def test_the_card_reads_as_it_should(conn: Connection, backfill: Backfill) -> None:
    at = datetime(2026, 9, 10, 9, 0, tzinfo=UTC)
    conn.execute("update ops.backfills set compared_at = %s where backfill_id = %s", (at, backfill.backfill_id))
    assert card(conn, backfill.backfill_id) == GOLDEN.read_text()


def test_the_headline_is_a_line(conn: Connection, backfill: Backfill) -> None:
    assert headline(conn, backfill.backfill_id) == (
        "aurora revenue 395.00 -> 412.00 USD (+4.3 %), orders 8 -> 9; 6 days asked, 2 more move"
    )


def test_nobody_is_named(conn: Connection, backfill: Backfill) -> None:
    keys = [key for (key,) in conn.execute("select distinct customer_key from marts.fct_orders").fetchall()]
    assert len(keys) > 5
    kept = conn.execute(
        "select one::text from ops.backfill_differences as one union all select two::text from ops.backfill_rows as two"
    ).fetchall()
    shown = "\n".join([card(conn, backfill.backfill_id), headline(conn, backfill.backfill_id), *map(str, kept)])
    assert not [secret for secret in (EMAIL, "#10", *keys) if secret in shown]


@pytest.mark.usefixtures("undone")
def test_a_repeated_comparison_replaces(conn: Connection, backfill: Backfill, manifest: Path) -> None:
    schema = backfill.build_schema
    before = counted(conn), measured(conn, "2026-09-01")
    compare(conn, backfill, manifest)
    assert (counted(conn), measured(conn, "2026-09-01")) == before
    copy = f"delete from {schema}.{{mart}}; insert into {schema}.{{mart}} select * from marts.{{mart}}"
    for mart in MODELS:
        conn.execute((copy.format(mart=mart) + " where merchant_id = 'aurora'").encode())
    compare(conn, backfill, manifest)
    assert counted(conn) == {}
    assert conn.execute("select count(*) from ops.backfill_differences where old is distinct from new").fetchone() == (
        0,
    )
    assert "**Nothing changes:**" in card(conn, backfill.backfill_id)
    assert headline(conn, backfill.backfill_id) == "nothing changes; 6 days asked"


@pytest.mark.usefixtures("undone")
def test_only_chosen_marts_are_compared(conn: Connection, backfill: Backfill, manifest: Path) -> None:
    chosen = "update ops.backfills set models = '{fct_orders,fct_revenue}' where backfill_id = %s"
    conn.execute(chosen, (backfill.backfill_id,))
    compare(conn, load(conn, backfill.backfill_id), manifest)
    assert {mart for mart, _ in counted(conn)} == {"fct_orders", "fct_revenue"}
    assert conn.execute("select count(*) from ops.backfill_differences").fetchone() == (0,)
    assert "so only rows are told" in card(conn, backfill.backfill_id)
    # 8 of fct_orders, and the days of fct_revenue but the 31st and the 4th.
    assert headline(conn, backfill.backfill_id) == "14 rows of 2 marts change; 6 days asked, 2 more move"


@pytest.mark.usefixtures("undone")
def test_a_mart_that_nobody_has_yet_is_added(conn: Connection, backfill: Backfill, manifest: Path) -> None:
    conn.execute("drop table marts.fct_daily_metrics, marts.fct_attributed_orders")
    compare(conn, backfill, manifest)
    assert counted(conn)["fct_daily_metrics", "2026-08-31"] == (1, 0, 0)
    assert measured(conn, "2026-09-01")["revenue"] == moved(None, "175")
    assert measured(conn, "2026-09-01")["direct attributed_orders"] == moved(None, "2")
    assert "`fct_daily_metrics` as a whole, so all of its rows are added" in card(conn, backfill.backfill_id)


@pytest.mark.usefixtures("undone")
def test_a_new_column_is_told_and_not_compared(conn: Connection, backfill: Backfill, manifest: Path) -> None:
    conn.execute("alter table marts.fct_orders drop column order_name")
    conn.execute("alter table marts.fct_orders alter column revenue type numeric(38, 3)")
    compare(conn, backfill, manifest)
    assert {key: rows for key, rows in counted(conn).items() if key[0] == "fct_orders"} == {
        key: rows for key, rows in ROWS.items() if key[0] == "fct_orders"
    }
    told = "`fct_orders`: its new `order_name`, `revenue`, so only what it had before was compared"
    assert told in card(conn, backfill.backfill_id)


@pytest.mark.usefixtures("undone")
def test_a_key_of_another_type_is_refused(conn: Connection, backfill: Backfill, manifest: Path) -> None:
    conn.execute("alter table marts.fct_orders drop column order_id")
    with pytest.raises(IncompatibleMart, match=r"fct_orders: column 'order_id' of its key .*full rebuild"):
        compare(conn, backfill, manifest)


def test_all_of_it_is_of_one_moment(
    conn: Connection, backfill: Backfill, manifest: Path, module_warehouse_url: str
) -> None:
    """What is published while it compares is seen nowhere, and is newer than the moment that is kept."""
    first, *_, last = (model.name for model in read_marts(manifest) if model.name in MODELS)
    before = counted(conn)
    conn.rollback()

    def compare_there() -> None:
        with psycopg.connect(module_warehouse_url) as own:
            compare(own, backfill, manifest)

    with psycopg.connect(module_warehouse_url) as other, ThreadPoolExecutor() as thread:
        other.execute(f"lock table marts.{first}".encode())
        comparison = thread.submit(compare_there)
        while not conn.execute("select 1 from pg_locks where not granted").fetchone():
            conn.rollback()
        conn.rollback()
        (published_at,) = other.execute(
            f"update marts.{last} set metric_version = 99 returning clock_timestamp()".encode()
        ).fetchone() or (None,)
        other.commit()
        comparison.result()
    assert counted(conn) == before
    compared_at = load(conn, backfill.backfill_id).compared_at
    conn.execute(f"update marts.{last} set metric_version = 1".encode())
    conn.commit()
    assert compared_at
    assert compared_at < published_at
