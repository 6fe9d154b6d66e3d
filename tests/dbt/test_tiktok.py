"""TikTok Shop in the marts: its money rules, its refunds on two clocks, its buyers, and its copies in Shopify."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.dbt import shop, tiktok
from tests.dbt.conftest import make_scope
from tests.dbt.tiktok import cancelled, counted, listed, order, returned, saved, settled, shop_day, unit
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.warehouse.raw_table import identity_expression

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows

MARTS = (
    "fct_orders",
    "fct_order_lines",
    "fct_refunds",
    "fct_revenue",
    "fct_aov",
    "fct_daily_metrics",
    "fct_tiktok_videos",
)
EDITED, EDITED_TO = "R31", "R32"

ORDERS = [
    # 60.00 of goods and a gift; the platform paid 8.00 of them and 2.00 of the shipping, and remits the tax itself.
    order(
        "T1",
        "2026-09-01T15:00:00",
        unit("11", "40.00", seller="4.00", platform="5.00", tax="2.48"),
        unit("12", "20.00", platform="3.00", tax="1.36"),
        unit("13", "9.00", seller="9.00", gift=True),
        shipping="9.00",
        shipping_seller="1.00",
        shipping_cofunded="2.00",
        shipping_platform="2.00",
    ),
    # One of two units was cancelled before it was sent.
    order("T2", "2026-09-02T15:00:00", unit("21", "30.00", platform="6.00"), unit("22", "10.00"), buyer="u2"),
    cancelled("C21", "T2", "2026-09-02T20:00:00", "24.00", "21"),
    # A return that was edited, so that there are two, both complete.
    order("T3", "2026-09-02T16:00:00", unit("31", "50.00", seller="5.00", platform="5.00"), buyer="u3", shipping="4"),
    returned(EDITED, "T3", "2026-09-06T10:00:00", "40.00", following=EDITED_TO),
    returned(EDITED_TO, "T3", "2026-09-07T10:00:00", "38.00", shipping="4", platform="5.00", previous=EDITED),
    # Goods sent anew, and a request that was turned down.
    order("T4", "2026-09-03T15:00:00", unit("41", "25.00"), buyer="u4"),
    returned("R41", "T4", "2026-09-08T10:00:00", "25.00", kind="REPLACEMENT"),
    returned("R42", "T4", "2026-09-09T10:00:00", "25.00", status="REFUND_OR_RETURN_REQUEST_REJECT"),
    # Cancelled as a whole after a return: it leaves both clocks, with its refund.
    order("T5", "2026-09-04T15:00:00", unit("51", "15.00"), unit("52", "15.00"), buyer="u5", status="CANCELLED"),
    returned("R51", "T5", "2026-09-05T10:00:00", "15.00"),
    cancelled("C51", "T5", "2026-09-05T12:00:00", "15.00", "52"),
    # No sales, and one that nobody has paid.
    order("T6", "2026-09-05T15:00:00", unit("61", "70.00"), buyer="u6", is_sample_order=True),
    order("T7", "2026-09-05T15:00:00", unit("71", "70.00"), buyer="u4", is_replacement_order=True),
    order("T8", "2026-09-05T15:00:00", unit("81", "70.00"), buyer="u4", is_exchange_order=True),
    order("T9", "2026-09-05T15:00:00", unit("91", "70.00"), buyer="u9", paid=False, status="UNPAID"),
    # A refund that a statement settles ten days later, and another one that waits for the next.
    order("T10", "2026-09-03T16:00:00", unit("101", "20.00"), unit("102", "20.00"), buyer="u6"),
    returned("R101", "T10", "2026-09-06T18:00:00", "20.00"),
    returned("R102", "T10", "2026-09-18T18:00:00", "5.00"),
    settled("S1", "2026-09-10T00:00:00", "T10", "3.10"),
    settled("S2", "2026-09-16T00:00:00", "T10", "-0.60", refunded="-20.00"),
    settled("S3", "2026-09-17T00:00:00", "T10", "0.00", refunded="-1.00"),
    # The buyer of T2 again, and another one whose every cent goes back.
    order("T11", "2026-09-20T15:00:00", unit("111", "12.00"), buyer="u2"),
    order("T12", "2026-09-20T16:00:00", unit("121", "12.00", platform="2.00"), buyer="u12"),
    returned("R121", "T12", "2026-09-21T10:00:00", "10.00", platform="2.00"),
]
ELSEWHERE = [
    order("T1", "2026-09-01T15:00:00", unit("11", "9.00"), buyer="u1"),
    order("M1", "2026-09-01T15:00:00", unit("12", "9.00"), buyer="u1"),
    returned("R32", "T1", "2026-09-07T10:00:00", "7.00"),
    settled("S2", "2026-09-16T00:00:00", "T1", "1.00", refunded="-7.00"),
]
DUMMY = "u1@scs.tiktokw.us"


def fee(amount: str, *, tax: str = "0.00", currency: str = "USD") -> shop.Payload:
    """What Shopify charges for a payment."""
    return {
        "amount": {"amount": amount, "currencyCode": currency},
        "taxAmount": {"amount": tax, "currencyCode": currency},
    }


def shopify(order_id: int, day: str, *, of: str | None = None, source: str = "web", **more: Any) -> shop.Payload:
    """An order of Shopify, written by TikTok's connector when it is the copy `of` another."""
    tags = ["vip", *([f"TikTokOrderID:{of}"] if of else [])]
    refunds = more.pop("refunds", ())
    customer = more.pop("customer", None)
    plain = shop.order(
        order_id,
        f"{day}T15:05:00Z",
        shop.line(order_id, "5.00"),
        total="5.00",
        email=more.pop("email", DUMMY),
        refunds=refunds,
        customer=customer,
    )
    return plain | {"tags": tags, "sourceName": source} | more


IN_SHOPIFY = [
    shopify(1, "2026-09-01", of="T1"),
    shopify(2, "2026-09-02", of="T99", email="nobody@example.com"),
    shopify(3, "2026-09-03", source="tiktok", email="nobody@example.com"),
    # The original does not count: then nor does its copy, with its refund.
    shopify(5, "2026-09-04", of="T5", refunds=(shop.refund(51, "2026-09-06T12:00:00Z", ("5.00", "SUCCESS")),)),
    # Of another merchant's order.
    shopify(6, "2026-09-05", of="M1"),
    # Addresses that a marketplace hands out are nobody's; a copy's own tell nothing of Shopify's customers.
    shopify(7, "2026-09-06", email="b1@marketplace.amazon.com"),
    shopify(8, "2026-09-07", email="b1@marketplace.amazon.com", customer=70),
    shopify(9, "2026-09-08", of="T98", email="ann@example.com", customer=77),
    shopify(10, "2026-09-09", email="ann@example.com"),
    # Fees of successful payments, of a gateway that tells none, and in a currency that cannot be added.
    shopify(
        11,
        "2026-09-10",
        transactions=[
            {"status": "SUCCESS", "fees": [fee("0.40"), fee("0.05", tax="0.01")]},
            {"status": "SUCCESS", "fees": []},
            {"status": "FAILURE", "fees": [fee("9.00")]},
        ],
    ),
    shopify(12, "2026-09-10", transactions=[{"status": "SUCCESS", "fees": []}]),
    shopify(13, "2026-09-11", transactions=[{"status": "SUCCESS", "fees": [fee("1.00"), fee("1", currency="EUR")]}]),
]
VIDEOS = [
    listed("7", "2026-09-01", posted="2026-09-01T18:00:00+00:00", title="@Ann.shop asks +4915112345678", orders=2),
    counted("7", "2026-09-01", 10, 2, 1, views=100.0, clicks=9),
    counted("7", "2026-09-02", 7, 2, 3, views=50, clicks=4),
    listed("8", "2026-09-02", posted="2026-08-30T18:00:00+00:00"),
    counted("8", "2026-09-02", 90, 9, 8, views=30),
    counted("8", "2026-09-03", 99, 9, 9, views=20),
    saved("8", "2026-09-02", 40, posted="2026-08-30T18:00:00"),
    saved("8", "2026-09-03", 38, posted="2026-08-30T18:00:00"),
    shop_day("2026-09-01", orders=3, gmv="60.00"),
    shop_day("2026-09-04", orders=1, gmv="20.00"),
]


@pytest.fixture(scope="module")
def built(conn: Connection, dbt: Dbt) -> Connection:
    """Both sales channels of one merchant, and a second merchant with the same ids; built, with dbt's tests passed."""
    tiktok.load(conn, "aurora", *ORDERS, *VIDEOS)
    tiktok.load(conn, "withtax", *ELSEWHERE)
    shop.load(conn, "aurora", *IN_SHOPIFY)
    result = dbt("build")
    assert result.success, [r.message for r in result.result if r.status not in ("success", "pass")]
    return conn


def one(rows: Rows, order_id: str, channel: str = "tiktok_shop", merchant_id: str = "aurora") -> dict[str, Any]:
    [found] = rows(
        "select * from build.fct_orders where merchant_id = %s and order_id = %s and sales_channel = %s",
        merchant_id,
        order_id,
        channel,
    )
    return found


def money(row: dict[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in names)


@pytest.mark.usefixtures("built")
def test_platform_money_is_the_sellers_and_marketplace_tax_is_not(rows: Rows) -> None:
    found = one(rows, "T1")
    names = ("gross_sales", "discounts", "shipping", "tax_charged", "total_price", "refunds", "revenue")
    assert money(found, *names) == ("60.00", "4.00", "6.00", "0.00", "62.00", "0.00", "62.00")
    assert (found["quantity"], found["financial_status"], found["is_counted"]) == (3, "COMPLETED", True)
    lines = rows(
        "select * from build.fct_order_lines where merchant_id = 'aurora' and order_id = 'T1' order by line_id"
    )
    assert [(line["line_id"], line["product_name"], str(line["gross_sales"])) for line in lines] == [
        ("11", "Thing 11 - Blue", "40.00"),
        ("12", "Thing 12 - Blue", "20.00"),
        ("13", "Thing 13 - Blue", "0.00"),
    ]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("order_id", "is_counted", "refunds", "revenue"),
    [
        ("T2", True, "30.00", "10.00"),
        ("T3", True, "47.00", "2.00"),
        ("T4", True, "0.00", "25.00"),
        ("T5", False, "15.00", "0.00"),
        ("T6", False, "0.00", "0.00"),
        ("T7", False, "0.00", "0.00"),
        ("T8", False, "0.00", "0.00"),
        ("T9", False, "0.00", "0.00"),
        ("T10", True, "25.00", "15.00"),
        ("T12", True, "12.00", "0.00"),
    ],
)
def test_what_counts_and_what_went_back(
    rows: Rows, order_id: str, is_counted: bool, refunds: str, revenue: str
) -> None:
    found = one(rows, order_id)
    assert (found["is_counted"], *money(found, "refunds", "revenue")) == (is_counted, refunds, revenue)


@pytest.mark.usefixtures("built")
def test_the_statement_says_when_money_went_back(rows: Rows) -> None:
    refunds = rows(
        "select refund_id, date_day, is_final, is_counted, quantity, refunds from build.fct_refunds "
        "where merchant_id = 'aurora' and sales_channel = 'tiktok_shop' order by refund_id"
    )
    assert [tuple(row.values()) for row in refunds] == [
        ("C21", date(2026, 9, 2), False, True, 1, Decimal("30.00")),
        # Midnight UTC of the statement is the evening before in New York.
        ("R101", date(2026, 9, 15), True, True, 1, Decimal("20.00")),
        ("R102", date(2026, 9, 18), False, True, 1, Decimal("5.00")),
        ("R121", date(2026, 9, 21), False, True, 1, Decimal("12.00")),
        (EDITED_TO, date(2026, 9, 7), False, True, 1, Decimal("47.00")),
        ("R51", date(2026, 9, 5), False, False, 1, Decimal("15.00")),
    ]
    [cash] = rows(
        "select refunds, refunds_cash from build.fct_revenue "
        "where merchant_id = 'aurora' and sales_channel = 'tiktok_shop' and date_day = '2026-09-15'"
    )
    assert tuple(cash.values()) == (Decimal("0.00"), Decimal("20.00"))


@pytest.mark.usefixtures("built")
def test_fees_are_unknown_until_they_are_settled(rows: Rows) -> None:
    assert [one(rows, order_id)["fees"] for order_id in ("T10", "T11")] == [Decimal("2.50"), None]
    assert [one(rows, str(order_id), "shopify")["fees"] for order_id in (11, 12, 13)] == [Decimal("0.46"), None, None]
    days = rows(
        "select date_day, fees from build.fct_daily_metrics where merchant_id = 'aurora' and date_day in "
        "('2026-09-03', '2026-09-10', '2026-09-20') order by date_day"
    )
    assert [row["fees"] for row in days] == [Decimal("2.50"), Decimal("0.46"), None]


@pytest.mark.usefixtures("built")
def test_merchants_with_the_same_ids_never_meet(rows: Rows) -> None:
    found = one(rows, "T1", merchant_id="withtax")
    assert money(found, "gross_sales", "refunds", "fees", "revenue") == ("9.00", "7.00", "1.00", "2.00")
    [refund] = rows("select * from build.fct_refunds where merchant_id = 'withtax'")
    assert (refund["order_id"], refund["date_day"], refund["is_final"]) == ("T1", date(2026, 9, 16), True)
    assert found["customer_key"] != one(rows, "T1")["customer_key"]


@pytest.mark.usefixtures("built")
def test_a_copy_counts_until_its_original_is_there(rows: Rows) -> None:
    found = rows(
        "select order_id, mirrors_channel, mirrors_order_id, is_counted, revenue from build.fct_orders "
        "where merchant_id = 'aurora' and sales_channel = 'shopify' order by length(order_id), order_id limit 6"
    )
    assert [tuple(row.values()) for row in found] == [
        ("1", "tiktok_shop", "T1", False, Decimal("0.00")),
        ("2", "tiktok_shop", "T99", True, Decimal("5.00")),
        ("3", "tiktok_shop", None, True, Decimal("5.00")),
        ("5", "tiktok_shop", "T5", False, Decimal("0.00")),
        ("6", "tiktok_shop", "M1", True, Decimal("5.00")),
        ("7", None, None, True, Decimal("5.00")),
    ]
    [refund] = rows("select is_counted from build.fct_refunds where merchant_id = 'aurora' and refund_id = '51'")
    assert not refund["is_counted"]
    lines = rows(
        "select order_id from build.fct_order_lines where merchant_id = 'aurora' and sales_channel = 'shopify' "
        "and not is_counted order by 1"
    )
    assert [line["order_id"] for line in lines] == ["1", "5"]


@pytest.mark.usefixtures("built")
def test_a_day_adds_its_channels_and_takes_each_sale_once(rows: Rows) -> None:
    channels = rows(
        "select revenue.sales_channel, revenue.orders, revenue.revenue, aov.aov, aov.median_order_value "
        "from build.fct_revenue as revenue join build.fct_aov as aov using (merchant_id, date_day, sales_channel) "
        "where revenue.merchant_id = 'aurora' and revenue.date_day = '2026-09-02' order by 1"
    )
    assert [tuple(row.values()) for row in channels] == [
        ("shopify", 1, Decimal("5.00"), Decimal("5.00"), Decimal("5.00")),
        ("tiktok_shop", 2, Decimal("12.00"), Decimal("6.00"), Decimal("6.00")),
    ]
    days = rows(
        "select orders, revenue, aov, median_order_value from build.fct_daily_metrics "
        "where merchant_id = 'aurora' and date_day in ('2026-09-01', '2026-09-02') order by date_day"
    )
    assert [tuple(row.values()) for row in days] == [
        (1, Decimal("62.00"), Decimal("62.00"), Decimal("62.00")),
        (3, Decimal("17.00"), Decimal("5.67"), Decimal("5.00")),
    ]
    totals = rows(
        "select sales_channel, orders from intermediate.int_day_totals "
        "where merchant_id = 'aurora' and date_day = '2026-09-01' order by 1"
    )
    assert [tuple(row.values()) for row in totals] == [("shopify", 1), ("tiktok_shop", 1)]


@pytest.mark.usefixtures("built")
def test_who_buys_on_tiktok_is_known_by_tiktok_alone(rows: Rows) -> None:
    def kind(order_id: str, channel: str = "tiktok_shop") -> tuple[bool, bool, bool]:
        found = one(rows, order_id, channel)
        return found["customer_key"] is not None, found["is_new_customer"], found["is_returning_customer"]

    # A sample is nobody's first order; whose first order went back whole was never new.
    assert [kind(order_id) for order_id in ("T2", "T11", "T10", "T12")] == [
        (True, True, False),
        (True, False, True),
        (True, True, False),
        (True, False, False),
    ]
    assert one(rows, "T2")["customer_key"] == one(rows, "T11")["customer_key"]
    # A copy and an address of a marketplace name nobody, and a customer's copy is not their first order.
    assert [kind(order_id, "shopify") for order_id in ("1", "2", "3", "7", "9")] == [(False, False, False)] * 5
    assert [kind(order_id, "shopify") for order_id in ("8", "10")] == [(True, True, False)] * 2


@pytest.mark.usefixtures("built")
def test_videos_gain_by_the_day(rows: Rows) -> None:
    found = rows(
        "select video_id, date_day, title, views, likes, comments, shares, saves, product_clicks, orders, likes_total, "
        "saves_total, is_final from build.fct_tiktok_videos where merchant_id = 'aurora' order by 1, 2"
    )
    assert [tuple(row.values()) for row in found] == [
        ("7", date(2026, 9, 1), "[contact] asks [contact]", 100, 10, 2, 1, None, 9, 2, 10, None, True),
        ("7", date(2026, 9, 2), None, 50, -3, 0, 2, None, 4, None, 7, None, False),
        ("8", date(2026, 9, 2), "A video", 30, None, None, None, None, 0, 0, 90, 40, False),
        ("8", date(2026, 9, 3), None, 20, 9, 0, 1, -2, 0, None, 99, 38, False),
    ]
    assert rows("select distinct username, currency, gmv, api_version from build.fct_tiktok_videos order by 1") == [
        {"username": "aurora.outdoor", "currency": "USD", "gmv": Decimal("12.50"), "api_version": "202509"},
        {"username": None, "currency": "USD", "gmv": Decimal("12.50"), "api_version": "202509"},
    ]
    claimed = rows(
        "select impressions, engagements, clicks, orders, claimed_value "
        "from intermediate.int_tiktok_shop__channel_daily where merchant_id = 'aurora' order by measured_at"
    )
    assert [tuple(row.values()) for row in claimed] == [
        (100, 13, 9, 3, Decimal("60.00")),
        (None, None, None, 1, Decimal("20.00")),
    ]


def test_a_restated_day_is_told_anew(built: Connection, rows: Rows, dbt: Dbt) -> None:
    video = "merchant_id = 'aurora' and record_id = '7/2026-09-01'"
    built.execute(
        f"update raw.tiktok_shop_video_details set payload = jsonb_set(payload, '{{traffic,likes}}', '6') where {video}"
    )
    built.commit()
    assert dbt("run", "--select", "fct_tiktok_videos", build_schema="build").success
    found = rows("select likes from build.fct_tiktok_videos where video_id = '7' order by date_day")
    assert [row["likes"] for row in found] == [6, 1]


def test_a_scope_gives_the_rows_of_a_full_build(built: Connection, dbt: Dbt, rows: Rows) -> None:
    """Of the day on which a return stood, the day of the statement, days of copies, and a day of videos."""
    days = ("2026-09-02", "2026-09-06", "2026-09-09", "2026-09-15")
    make_scope(built, "backfill_1", days, "aurora")
    assert dbt("run", build_schema="backfill_1").success
    for mart in MARTS:
        of_scope = f"select * from backfill_1.{mart}"
        of_everything = f"select facts.* from build.{mart} as facts join backfill_1.scope using (merchant_id, date_day)"
        assert rows(of_scope), mart
        for one_way, other_way in ((of_scope, of_everything), (of_everything, of_scope)):
            assert rows(f"({one_way}) except all ({other_way})") == [], mart


def test_a_merchants_day_is_read_by_index(built: Connection) -> None:
    """Through every view, and from each of the tables whose times a mart shows."""
    built.execute("set local enable_seqscan = off")
    read = {
        ("int_orders", "ordered_at"): {"shopify_orders", "tiktok_shop_orders"},
        ("int_order_lines", "ordered_at"): {"shopify_orders", "tiktok_shop_orders"},
        ("int_refunds", "refunded_at"): {
            "shopify_refunds",
            "tiktok_shop_returns",
            "tiktok_shop_cancellations",
            "tiktok_shop_statement_transactions",
        },
        ("int_tiktok_shop__videos", "measured_at"): {"tiktok_shop_video_details"},
        ("int_tiktok_shop__channel_daily", "measured_at"): {"tiktok_shop_shop_performance"},
    }
    for (model, at), tables in read.items():
        plan = explain(
            built,
            f"select * from intermediate.{model} "
            f"where merchant_id = 'aurora' and {at} >= '2026-11-01' and {at} < '2026-11-02'",
        )
        assert "Seq Scan" not in plan, plan
        for table in tables:
            assert f"{table}_by_event" in plan, plan
        if model == "int_orders":
            # An order's returns, cancellations and settlements, and the original of a copy.
            for stream in ("returns", "cancellations", "statement_transactions"):
                assert f"tiktok_shop_{stream}_is_tiktok_order_" in plan, plan
            assert "tiktok_shop_orders_pkey" in plan, plan
    built.rollback()


def test_staging_looks_up_as_raw_indexes(built: Connection) -> None:
    built.execute("set local enable_seqscan = off")
    asked = {
        ("orders", "tiktok_buyer"): "stg_tiktok_shop__order_identities where buyer_id",
        ("returns", "tiktok_order"): "stg_tiktok_shop__returns where order_id",
        ("cancellations", "tiktok_order"): "stg_tiktok_shop__cancellations where order_id",
        ("statement_transactions", "tiktok_order"): "stg_tiktok_shop__statement_transactions where order_id",
    }
    for (stream, kind), question in asked.items():
        plan = explain(built, f"select 1 from staging.{question} = 'x' and merchant_id = 'aurora'")
        assert f"tiktok_shop_{stream}_is_{kind}_" in plan, plan
    built.rollback()
    assert {(stream.name, kind) for stream in TIKTOK_SHOP.streams for kind in (*stream.identities, *stream.links)} == {
        *asked,
        ("orders", "tiktok_order"),
    }


def test_the_declared_original_of_a_copy_is_the_one_that_staging_reads(built: Connection) -> None:
    expression = identity_expression(SHOPIFY.stream("orders").links["tiktok_order"]).as_string(built)
    told = built.execute(
        f"select record_id, {expression} from raw.shopify_orders where merchant_id = 'aurora'"  # type: ignore[arg-type]
    ).fetchall()
    read = built.execute(
        "select order_id, mirrors_order_id from staging.stg_shopify__orders where merchant_id = 'aurora'"
    ).fetchall()
    built.rollback()
    assert sorted(told) == sorted(read)
    assert dict(told)["1"] == "T1"


def explain(conn: Connection, query: str) -> str:
    return str(conn.execute(f"explain {query}").fetchall())  # type: ignore[arg-type]
