"""Customers, cohorts and products over real records, and what happens to their days when something else changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.dbt import tiktok
from tests.dbt.shop import Payload, line, load, order, refund, shipping
from tributary.channels import CHANNELS
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows

MODELS = ("dim_customers", "fct_cohorts", "dim_products")


def sold(number: int, at: str, price: str, **told: Any) -> Payload:
    """An order of one unit."""
    return order(number, at, line(number * 10, price), total=price, **told)


def given_back(number: int, at: str, price: str, on: str, **told: Any) -> Payload:
    """An order that was refunded in full."""
    item = (number * 10, 1, price, "0.00")
    return order(
        number,
        at,
        line(number * 10, price, current=0),
        total=price,
        status="REFUNDED",
        refunds=(refund(number, on, (price, "SUCCESS"), lines=(item,)),),
        **told,
    )


FIRST, LATER = "2026-09-10T16:00:00Z", "2026-10-10T16:00:00Z"
BEFORE = [
    # The last second of August in New York, the first of September, and the night the clocks go back.
    sold(1, "2026-09-01T03:59:59Z", "10.00", customer=1),
    sold(2, "2026-09-01T04:00:00Z", "20.00", customer=1),
    sold(3, "2026-11-01T05:30:00Z", "1.00", customer=1),
    sold(4, "2026-11-01T06:30:00Z", "2.00", customer=1),
    # Given back: a customer that never is new, though one order later was kept.
    given_back(11, FIRST, "30.00", LATER, customer=2),
    sold(12, LATER, "40.00", customer=2),
    # Paid for by a discount of 100 %.
    order(21, FIRST, line(210, "50.00", discount="50.00"), total="0.00", customer=3),
    # Only tests, and nobody.
    sold(31, FIRST, "60.00", customer=4, test=True),
    sold(32, FIRST, "61.00"),
    # A test before the first order.
    sold(41, "2026-09-09T16:00:00Z", "62.00", customer=5, test=True),
    sold(42, FIRST, "63.00", customer=5),
    # Each of those to whom something happens has days of their own, so that nobody else's change brings theirs.
    sold(51, "2026-09-11T16:00:00Z", "100.00", customer=51),
    sold(61, "2026-09-12T16:00:00Z", "100.00", customer=61),
    sold(62, "2026-10-12T16:00:00Z", "200.00", customer=61),
    sold(71, "2026-09-13T16:00:00Z", "100.00", customer=71),
    sold(72, "2026-10-13T16:00:00Z", "200.00", customer=71),
    sold(81, "2026-09-14T16:00:00Z", "100.00", email="gus@example.com"),
    sold(91, "2026-09-15T16:00:00Z", "100.00", customer=91),
    # New on a day that somebody else's change touches, and ordering on others: discounted, refunded in part, cancelled,
    # and as a guest.
    sold(101, "2026-09-11T17:00:00Z", "1.00", customer=100, email="eve@example.com"),
    order(
        102,
        "2026-12-05T16:00:00Z",
        line(1021, "20.00", 2, discount="5.00"),
        line(1022, "7.50"),
        shipping_lines=(shipping("4.00"),),
        total="46.50",
        status="PARTIALLY_REFUNDED",
        customer=100,
        refunds=(refund(102, "2026-12-09T16:00:00Z", ("6.25", "SUCCESS")),),
    ),
    sold(103, "2026-12-06T16:00:00Z", "80.00", customer=100, cancelled_at="2026-12-07T16:00:00Z"),
    sold(104, "2026-12-07T16:00:00Z", "0.50", email="Eve@example.com"),
]
WITH_TAX = [
    sold(201, "2026-09-20T03:00:00Z", "10.00", customer=1),
    order(
        202, "2026-12-20T03:00:00Z", line(2021, "10.00", tax="1.00", rate=0.1), total="11.00", tax="1.00", customer=1
    ),
]
# Who it is, what happens to an order of theirs, and then: the first order, its day, whether they were new, and orders
# and revenue so far.
CHANGES: dict[str, tuple[str, Payload, tuple[str, str, bool, int, str]]] = {
    "a later order": (
        "shopify:51",
        sold(52, "2026-10-11T16:00:00Z", "7.00", customer=51),
        ("51", "2026-09-11", True, 2, "107.00"),
    ),
    "a refund of a later order": (
        "shopify:61",
        given_back(62, "2026-10-12T16:00:00Z", "200.00", "2026-11-12T16:00:00Z", customer=61),
        ("61", "2026-09-12", True, 2, "100.00"),
    ),
    "a cancellation of the first order": (
        "shopify:71",
        sold(71, "2026-09-13T16:00:00Z", "100.00", customer=71, cancelled_at="2026-11-13T16:00:00Z"),
        ("71", "2026-09-13", False, 1, "200.00"),
    ),
    "a guest's new account": (
        "shopify:81",
        sold(82, "2026-10-14T16:00:00Z", "300.00", customer=81, email="gus@example.com"),
        ("81", "2026-09-14", True, 2, "400.00"),
    ),
    "an earlier order": (
        "shopify:91",
        sold(92, "2026-08-15T16:00:00Z", "9.00", customer=91),
        ("92", "2026-08-15", True, 2, "109.00"),
    ),
}
PRODUCTS = (
    ("shopify_products", "1", "2026-08-20T03:00:00Z", {"title": "Mug", "productType": "Kitchen", "vendor": "",
     "status": "ACTIVE", "handle": "mug"}),
    ("shopify_variants", "1/11", "2026-08-20T03:00:00Z", {"title": "Blue", "sku": "MUG-B", "price": "9.50"}),
    ("shopify_variants", "1/12", "2026-09-25T16:00:00Z", {"title": "Red", "sku": "", "price": "9.00"}),
    ("shopify_products", "10", "2026-09-01T16:00:00Z", {"title": "Pen", "productType": "", "vendor": "Inky",
     "status": "DRAFT", "handle": "pen"}),
    ("shopify_variants", "10/11", "2026-09-01T16:00:00Z", {"title": "Default Title", "sku": "PEN", "price": "1.00"}),
    ("tiktok_shop_products", "7", "2026-09-01T16:00:00Z", {"title": "Mug", "status": "ACTIVATE", "skus": [
        {"id": "71", "seller_sku": "MUG-B", "price": {"currency": "USD", "tax_exclusive_price": "9.25"}},
        {"id": "72", "seller_sku": "", "price": {"currency": "USD", "tax_exclusive_price": ""}},
    ]}),
)  # fmt: skip
DAYS = {(8, 15), (8, 19), (9, 15), (9, 20), (9, 25), (11, 12)}
DAYS |= {(month, day) for month in (9, 10) for day in (11, 12, 13, 14)}
"""Those that the changes touch."""


@dataclass
class World:
    """What was published, by builds of the days that changes touched alone."""

    conn: Connection
    dbt: Dbt
    rows: Rows

    def build(self, *others: str) -> None:
        """Views hold nothing: once made, they need not be made again."""
        result = self.dbt("run", "--select", *(",".join((f"+{model}", *others)) for model in MODELS))
        assert result.success, [r.message for r in result.result if r.status != "success"]

    def change(self, merchant_id: str, payload: Payload) -> None:
        """What a sync would write of an order that is new, or changed."""
        number, at = payload["legacyResourceId"], payload["processedAt"]
        with self.conn.transaction():
            self.conn.execute(
                """
                insert into ops.changes
                    (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload)
                select asked.merchant_id, 'shopify', 'orders', asked.record_id,
                    case when old.record_id is null then 'insert' else 'update' end, old.event_at, asked.at, old.payload
                from (values (%s, %s, %s::timestamptz)) as asked (merchant_id, record_id, at)
                left join raw.shopify_orders as old using (merchant_id, record_id)
                """,
                (merchant_id, number, at),
            )
            self.conn.execute(
                """
                insert into ops.changes (merchant_id, channel, stream, record_id, operation, new_event_at)
                select %s, 'shopify', 'refunds', %s || '/' || (refund ->> 'legacyResourceId'), 'insert',
                    (refund ->> 'processedAt')::timestamptz
                from jsonb_array_elements(%s::jsonb) as refund
                """,
                (merchant_id, number, json.dumps(payload["refunds"])),
            )
            self.conn.execute(
                "delete from raw.shopify_orders where merchant_id = %s and record_id = %s", (merchant_id, number)
            )
        load(self.conn, merchant_id, payload)

    def reprice(self, merchant_id: str, variant: str, price: str) -> None:
        """What a sync would write of a variant that costs something else."""
        self.conn.execute(
            """
            insert into ops.changes
                (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload)
            select merchant_id, 'shopify', 'variants', record_id, 'update', event_at, event_at, payload
            from raw.shopify_variants
            where merchant_id = %s and record_id = %s
            """,
            (merchant_id, variant),
        )
        self.conn.execute(
            """
            update raw.shopify_variants
            set payload = payload || jsonb_build_object('price', %s::text)
            where merchant_id = %s and record_id = %s
            """,
            (price, merchant_id, variant),
        )
        self.conn.commit()

    def publish_changes(self) -> set[tuple[int, int]]:
        """Build the days that the changes touch, and put them in the place of those published: which they are."""
        assert open_build(self.conn, "build", CHANNELS)
        self.conn.commit()
        self.build("config.materialized:table+")
        for model in MODELS:
            self.conn.execute(
                f"delete from published.{model} where (merchant_id, date_day) in "
                "(select merchant_id, date_day from build.scope)"
            )
            self.conn.execute(f"insert into published.{model} select * from build.{model}")
        self.conn.commit()
        return {(row["date_day"].month, row["date_day"].day) for row in self.rows("select date_day from build.scope")}


@pytest.fixture(scope="module")
def world(conn: Connection, dbt: Dbt, rows: Rows) -> World:
    """A first full build, and then every change, each built on the days that it touches."""
    world = World(conn, dbt, rows)
    load(conn, "aurora", *BEFORE)
    load(conn, "nordlicht", sold(51, FIRST, "100.00", customer=51), sold(81, FIRST, "5.00", email="gus@example.com"))
    load(conn, "withtax", *WITH_TAX)
    tiktok.load(
        conn,
        "aurora",
        tiktok.order("9001", FIRST.removesuffix("Z"), tiktok.unit("1", "15.00"), buyer="51"),
        tiktok.order("9002", LATER.removesuffix("Z"), tiktok.unit("2", "25.00"), buyer="51"),
    )
    tiktok.load(conn, "aurora", *((table, key, datetime.fromisoformat(at), body) for table, key, at, body in PRODUCTS))
    conn.execute(
        """
        insert into ops.product_costs (merchant_id, sku, valid_from, unit_cost)
        values ('aurora', 'SKU-1021', '2026-01-01', 4.5), ('aurora', 'SKU-1021', '2026-12-05', 5.25),
            ('aurora', 'SKU-1021', '2026-12-06', 6), ('withtax', 'SKU-1022', '2026-01-01', 99)
        """
    )
    conn.commit()
    world.build()
    conn.execute("create schema published")
    for model in MODELS:
        conn.execute(f"create table published.{model} as select * from build.{model}")
    conn.commit()
    for _, payload, _ in CHANGES.values():
        world.change("aurora", payload)
    world.reprice("aurora", "1/12", "12.00")
    world.change("withtax", sold(203, "2026-09-20T04:00:00Z", "5.00", customer=2))
    assert world.publish_changes() == DAYS
    conn.execute("drop table build.scope cascade")
    conn.commit()
    world.build("config.materialized:table+")
    return world


def customer(world: World, first_order: str, merchant_id: str = "aurora") -> dict[str, Any]:
    [found] = world.rows(
        "select * from published.dim_customers where merchant_id = %s and first_order_id = %s", merchant_id, first_order
    )
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_any_order_reaches_the_day_of_the_first(world: World, change: str) -> None:
    identity, _, (first, day, is_new, orders, revenue) = CHANGES[change]
    found = customer(world, first)
    [key] = world.rows("select ops.customer_key('aurora', %s) as key", identity)
    assert found["customer_key"] == key["key"]
    assert (found["date_day"], found["is_new_customer"]) == (date.fromisoformat(day), is_new)
    assert (found["orders"], found["revenue"]) == (orders, Decimal(revenue))


@pytest.mark.parametrize(
    ("first", "is_new", "orders", "revenue", "refunds", "channel"),
    [
        ("1", True, 4, "33.00", "0.00", "direct"),
        ("11", False, 2, "40.00", "30.00", "direct"),
        ("21", True, 1, "0.00", "0.00", "direct"),
        ("42", True, 1, "63.00", "0.00", "direct"),
        ("71", False, 1, "200.00", "0.00", None),
        ("9001", True, 2, "40.00", "0.00", "tiktok_shop"),
    ],
)
def test_a_customer_is_worth_what_counted_orders_brought(
    world: World, first: str, is_new: bool, orders: int, revenue: str, refunds: str, channel: str | None
) -> None:
    found = customer(world, first)
    assert (found["is_new_customer"], found["orders"], found["first_channel"]) == (is_new, orders, channel)
    assert (found["revenue"], found["refunds"]) == (Decimal(revenue), Decimal(refunds))


def test_orders_on_days_that_are_not_built_are_worth_the_same(world: World) -> None:
    found = customer(world, "101")
    assert (found["orders"], found["revenue"], found["refunds"]) == (3, Decimal("41.75"), Decimal("6.25"))
    found = customer(world, "201", "withtax")
    assert (found["orders"], found["revenue"]) == (2, Decimal("21.00"))


def test_who_is_a_customer(world: World) -> None:
    """Nobody by tests alone, nor without a name; nobody twice, whoever they became."""
    found = world.rows("select first_order_id from published.dim_customers where merchant_id = 'aurora' order by 1")
    assert [row["first_order_id"] for row in found] == sorted(
        ["1", "11", "21", "42", "51", "61", "71", "81", "92", "101", "9001"]
    )
    [elsewhere] = world.rows(
        "select sum(orders) as orders from published.dim_customers where merchant_id = 'nordlicht'"
    )
    assert elsewhere["orders"] == 2


def test_cohorts_follow_the_merchants_months(world: World) -> None:
    found = world.rows(
        """
        select date_day, first_channel, month_number, new_customers, active_customers, orders, revenue::text
        from published.fct_cohorts
        where merchant_id = 'aurora'
        order by date_day, first_channel, month_number
        """
    )
    assert [tuple(row.values()) for row in found] == [
        (date(2026, 8, 15), "direct", 0, 1, 1, 1, "9.00"),
        (date(2026, 8, 15), "direct", 1, 0, 1, 1, "100.00"),
        (date(2026, 8, 31), "direct", 0, 1, 1, 1, "10.00"),
        (date(2026, 8, 31), "direct", 1, 0, 1, 1, "20.00"),
        (date(2026, 8, 31), "direct", 3, 0, 1, 2, "3.00"),
        (date(2026, 9, 10), "direct", 0, 2, 2, 2, "63.00"),
        (date(2026, 9, 10), "tiktok_shop", 0, 1, 1, 1, "15.00"),
        (date(2026, 9, 10), "tiktok_shop", 1, 0, 1, 1, "25.00"),
        (date(2026, 9, 11), "direct", 0, 2, 2, 2, "101.00"),
        (date(2026, 9, 11), "direct", 1, 0, 1, 1, "7.00"),
        (date(2026, 9, 11), "direct", 3, 0, 1, 2, "40.75"),
        (date(2026, 9, 12), "direct", 0, 1, 1, 1, "100.00"),
        (date(2026, 9, 12), "direct", 1, 0, 1, 1, "0.00"),
        (date(2026, 9, 14), "direct", 0, 1, 1, 1, "100.00"),
        (date(2026, 9, 14), "direct", 1, 0, 1, 1, "300.00"),
    ]


def test_an_order_costs_what_is_known_of_its_lines(world: World) -> None:
    orders = "select cost_of_goods, costed_sales, is_final from build.fct_orders"
    [found] = world.rows(f"{orders} where merchant_id = 'aurora' and order_id = '102'")
    assert found == {"cost_of_goods": Decimal("10.50"), "costed_sales": Decimal("40.00"), "is_final": True}
    [found] = world.rows(f"{orders} where merchant_id = 'aurora' and order_id = '101'")
    assert found == {"cost_of_goods": None, "costed_sales": Decimal("0.00"), "is_final": True}


def test_a_product_stands_on_its_own_day_with_its_variants(world: World) -> None:
    found = world.rows(
        """
        select date_day, sales_channel, product_id, variant_id, product_name, variant_name, sku, product_type, vendor,
            status, price::text, currency
        from published.dim_products
        order by sales_channel, product_id, variant_id
        """
    )
    august, september = date(2026, 8, 19), date(2026, 9, 1)
    assert [tuple(row.values()) for row in found] == [
        (august, "shopify", "1", "11", "Mug", "Blue", "MUG-B", "Kitchen", None, "ACTIVE", "9.50", "USD"),
        (august, "shopify", "1", "12", "Mug", "Red", None, "Kitchen", None, "ACTIVE", "12.00", "USD"),
        (september, "shopify", "10", "11", "Pen", None, "PEN", None, "Inky", "DRAFT", "1.00", "USD"),
        (september, "tiktok_shop", "7", "71", "Mug", None, "MUG-B", None, None, "ACTIVATE", "9.25", "USD"),
        (september, "tiktok_shop", "7", "72", "Mug", None, None, None, None, "ACTIVATE", None, "USD"),
    ]


def test_the_days_built_alone_are_those_of_a_full_build(world: World) -> None:
    for model in MODELS:
        assert world.rows(f"table published.{model}"), model
        for one_way, other_way in (("published", "build"), ("build", "published")):
            assert world.rows(f"table {one_way}.{model} except all table {other_way}.{model}") == [], model
