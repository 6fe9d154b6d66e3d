"""The marts over real records: every branch of the money rules, both clocks, and a scope beside a full build."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.dbt.conftest import make_scope
from tests.dbt.shop import Payload, business, line, load, order, refund, shipping
from tests.e2e.independent import FIGURES, business_days

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows

ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin", "withtax": "Asia/Tokyo"}
MARTS = (
    "fct_orders",
    "fct_order_lines",
    "fct_refunds",
    "fct_revenue",
    "fct_aov",
    "fct_daily_metrics",
    "dim_customers",
    "fct_cohorts",
)

AURORA = [
    # A return five days later of one of two units, and an edit that took the third out.
    order(
        1,
        "2026-09-01T16:00:00Z",
        line(11, "20.00", 3, current=1, discount="6.00", tax="5.40", rate=0.1),
        shipping_lines=(shipping("5.00"), shipping("9.00", removed=True)),
        refunds=(refund(101, "2026-09-06T16:00:00Z", ("19.80", "SUCCESS"), lines=((11, 1, "18.00", "1.80"),)),),
        total="44.60",
        tax="3.60",
        status="PARTIALLY_REFUNDED",
        customer=7,
        email="ann@example.com",
    ),
    # Goods came back without money: nothing is refunded.
    order(
        2,
        "2026-09-02T16:00:00Z",
        line(21, "10.00", 1, current=0),
        refunds=(refund(201, "2026-09-03T16:00:00Z", ("10.00", "FAILURE"), lines=((21, 1, "10.00", "0.00"),)),),
        total="10.00",
    ),
    # Cancelled: it leaves both clocks with its refund, and its refund's day still has a row.
    order(
        3,
        "2026-09-03T16:00:00Z",
        line(31, "50.00", 1, current=0),
        refunds=(refund(301, "2026-09-04T16:00:00Z", ("50.00", "SUCCESS"), lines=((31, 1, "50.00", "0.00"),)),),
        total="50.00",
        status="REFUNDED",
        cancelled_at="2026-09-04T16:00:00Z",
    ),
    order(4, "2026-09-05T16:00:00Z", line(41, "60.00"), total="60.00", test=True),
    order(5, "2026-09-05T17:00:00Z", line(51, "70.00"), total="70.00", status="PENDING"),
    # Either side of midnight in New York, on the night the clocks go back.
    order(6, "2026-11-02T04:59:59Z", line(61, "1.00"), total="1.00"),
    order(7, "2026-11-02T05:00:00Z", line(71, "2.00"), total="2.00"),
    # A guest of before the account, and a full refund that keeps the shipping.
    order(8, "2026-08-01T16:00:00Z", line(81, "30.00"), total="30.00", email=" ANN@example.com "),
    order(
        9,
        "2026-08-02T16:00:00Z",
        line(91, "30.00", 1, current=0),
        shipping_lines=(shipping("4.00"),),
        refunds=(
            refund(
                901,
                "2026-08-02T18:00:00Z",
                ("30.00", "SUCCESS"),
                ("1.00", "FAILURE"),
                lines=((91, 1, "30.00", "0.00"),),
            ),
        ),
        total="34.00",
        status="REFUNDED",
        email="bob@example.com",
    ),
    # Paid with 66.00, then one of three units taken out: the 22.00 too much went back bit by bit, around a return.
    order(
        10,
        "2026-08-03T16:00:00Z",
        line(101, "20.00", 3, current=1, tax="6.00", rate=0.1),
        refunds=(
            refund(1003, "2026-08-06T16:00:00Z", ("10.00", "SUCCESS")),
            refund(1001, "2026-08-04T16:00:00Z", ("15.00", "SUCCESS")),
            refund(1002, "2026-08-05T16:00:00Z", ("24.00", "SUCCESS"), lines=((101, 1, "20.00", "2.00"),)),
        ),
        total="44.00",
        tax="4.00",
        received="66.00",
        status="PARTIALLY_REFUNDED",
    ),
]
WITH_TAX = [
    order(
        1,
        "2026-09-01T14:59:59Z",
        line(11, "20.00", current=0, tax="2.00", rate=0.1),
        refunds=(refund(101, "2026-09-01T15:00:00Z", ("5.50", "SUCCESS"), lines=((11, 1, "5.00", "0.50"),)),),
        total="22.00",
        tax="2.00",
        customer=7,
        email="ann@example.com",
    )
]


@pytest.fixture(scope="module")
def shops(conn: Connection, dbt: Dbt) -> dict[str, list[Payload]]:
    """What each merchant sold, loaded and built, with dbt's own tests passed."""
    shops = {
        "aurora": AURORA + business(1, 1_000, 250, taxes_included=False, currency="USD"),
        "nordlicht": business(2, 1_000, 250, taxes_included=True, currency="EUR"),
        "withtax": WITH_TAX + business(3, 1_000, 50, taxes_included=False, currency="USD"),
    }
    for merchant_id, orders in shops.items():
        load(conn, merchant_id, *orders)
    result = dbt("build")
    assert result.success, [r.message for r in result.result if r.status not in ("success", "pass")]
    assert sum(r.node.resource_type == "unit_test" for r in result.result) >= 10
    return shops


def flat(item: Payload) -> Payload:
    """Connections as plain lists, as the independent reader has them."""
    item = json.loads(json.dumps(item))
    for field in ("lineItems", "shippingLines"):
        item[field] = item[field]["nodes"]
    for part in item["refunds"]:
        for field in ("refundLineItems", "refundShippingLines", "transactions"):
            part[field] = part[field]["nodes"]
    return item


@pytest.mark.parametrize("merchant_id", ZONES)
def test_every_day_equals_an_independent_computation(
    shops: dict[str, list[Payload]], rows: Rows, merchant_id: str
) -> None:
    expected = business_days(map(flat, shops[merchant_id]), ZONES[merchant_id], merchant_id == "withtax")
    columns = ", ".join(FIGURES)
    built = rows(f"select date_day, {columns} from build.fct_daily_metrics where merchant_id = %s", merchant_id)
    assert len(expected) > 15
    assert {row.pop("date_day"): row for row in built} == expected


def one(rows: Rows, order_id: str, merchant_id: str = "aurora") -> dict[str, Any]:
    [found] = rows("select * from build.fct_orders where merchant_id = %s and order_id = %s", merchant_id, order_id)
    return found


@pytest.mark.usefixtures("shops")
def test_an_edited_and_partly_returned_order(rows: Rows) -> None:
    found = one(rows, "1")
    amounts = {
        name: found[name]
        for name in ("quantity", "gross_sales", "discounts", "shipping", "tax_charged", "refunds", "tax", "revenue")
    }
    assert amounts == {
        "quantity": 2,
        "gross_sales": Decimal("40.00"),
        "discounts": Decimal("4.00"),
        "shipping": Decimal("5.00"),
        "tax_charged": Decimal("3.60"),
        "refunds": Decimal("18.00"),
        "tax": Decimal("1.80"),
        "revenue": Decimal("23.00"),
    }


@pytest.mark.usefixtures("shops")
@pytest.mark.parametrize(
    ("order_id", "is_counted", "revenue"),
    [("2", True, "10.00"), ("3", False, "0.00"), ("4", False, "0.00"), ("5", False, "0.00"), ("9", True, "4.00")],
)
def test_what_counts(rows: Rows, order_id: str, is_counted: bool, revenue: str) -> None:
    found = one(rows, order_id)
    assert (found["is_counted"], found["revenue"]) == (is_counted, Decimal(revenue))
    assert found["gross_sales"] > 0


@pytest.mark.usefixtures("shops")
def test_a_refund_is_on_its_own_day_and_knows_its_orders(rows: Rows) -> None:
    [found] = rows("select * from build.fct_refunds where merchant_id = 'aurora' and refund_id = '101'")
    assert (found["date_day"], found["order_date_day"]) == (date(2026, 9, 6), date(2026, 9, 1))
    assert (found["refunds"], found["tax_refunded"]) == (Decimal("18.00"), Decimal("1.80"))
    [cancelled] = rows("select * from build.fct_refunds where merchant_id = 'aurora' and refund_id = '301'")
    assert not cancelled["is_counted"]


@pytest.mark.usefixtures("shops")
def test_an_overpayment_that_went_back_is_no_refund(rows: Rows) -> None:
    found = one(rows, "10")
    assert (found["refunds"], found["tax_refunded"], found["revenue"]) == (
        Decimal("25.00"),
        Decimal("2.00"),
        Decimal("15.00"),
    )
    by_day = rows(
        "select refund_id, overpayment_returned, refunds from build.fct_refunds "
        "where merchant_id = 'aurora' and order_id = '10' order by date_day"
    )
    assert [tuple(row.values()) for row in by_day] == [
        ("1001", Decimal("15.00"), Decimal("0.00")),
        ("1002", Decimal("2.00"), Decimal("20.00")),
        ("1003", Decimal("5.00"), Decimal("5.00")),
    ]


@pytest.mark.usefixtures("shops")
def test_midnight_is_the_merchants_on_the_night_the_clocks_go_back(rows: Rows) -> None:
    assert one(rows, "6")["date_day"] == date(2026, 11, 1)
    assert one(rows, "7")["date_day"] == date(2026, 11, 2)


@pytest.mark.usefixtures("shops")
def test_a_guest_is_the_customer_who_owns_the_email_in_the_same_shop_only(rows: Rows) -> None:
    guest, member, elsewhere = one(rows, "8"), one(rows, "1"), one(rows, "1", "withtax")
    assert guest["customer_key"] == member["customer_key"] != elsewhere["customer_key"]
    assert (guest["is_new_customer"], member["is_new_customer"]) == (True, False)
    assert (guest["is_returning_customer"], member["is_returning_customer"]) == (False, True)
    assert elsewhere["is_new_customer"]
    assert not one(rows, "9")["is_new_customer"]
    nobody = one(rows, "6")
    assert (nobody["customer_key"], nobody["is_new_customer"], nobody["is_returning_customer"]) == (None, False, False)


@pytest.mark.usefixtures("shops")
def test_net_tax_is_revenue_where_the_merchant_says_so(rows: Rows) -> None:
    found = {
        row["date_day"]: row
        for row in rows("select * from build.fct_revenue where merchant_id = 'withtax' and date_day < '2026-10-01'")
    }
    sold, returned = found[date(2026, 9, 1)], found[date(2026, 9, 2)]
    assert (sold["revenue"], sold["revenue_cash"]) == (Decimal("16.50"), Decimal("22.00"))
    assert (returned["revenue"], returned["revenue_cash"]) == (Decimal("0.00"), Decimal("-5.50"))


def test_a_scope_gives_the_rows_of_a_full_build(
    shops: dict[str, list[Payload]], conn: Connection, dbt: Dbt, rows: Rows
) -> None:
    days = ("2026-08-01", "2026-09-01", "2026-09-06", "2026-10-20", "2026-10-25", "2026-11-01")
    make_scope(conn, "backfill_1", days, "aurora", "nordlicht")
    assert dbt("run", build_schema="backfill_1").success
    for mart in MARTS:
        of_scope = f"select * from backfill_1.{mart}"
        of_everything = f"select facts.* from build.{mart} as facts join backfill_1.scope using (merchant_id, date_day)"
        assert rows(of_scope), mart
        for one_way, other_way in ((of_scope, of_everything), (of_everything, of_scope)):
            assert rows(f"({one_way}) except all ({other_way})") == [], mart


def test_a_day_is_read_by_index(shops: dict[str, list[Payload]], conn: Connection) -> None:
    """A predicate on the event's time reaches raw through every view."""
    conn.execute("set local enable_seqscan = off")
    for model, at in (("orders", "ordered_at"), ("order_lines", "ordered_at"), ("refunds", "refunded_at")):
        plan = str(
            conn.execute(
                f"""
                explain select 1 from intermediate.int_{model}
                where merchant_id = 'aurora' and {at} >= '2026-11-01' and {at} < '2026-11-02'
                """
            ).fetchall()
        )
        assert "_by_event" in plan, plan
    conn.rollback()
