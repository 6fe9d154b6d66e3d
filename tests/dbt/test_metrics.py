"""The metrics over real records, each figure computed by hand: spend, returns, costs, and claims beside sales."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.dbt import ads, ga4, klaviyo, shop, tiktok
from tests.dbt.shop import line, order, refund

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows
    from tests.dbt.tiktok import Row

MODELS = "+fct_aov +fct_cac +fct_daily_metrics +fct_reconciliation"
FIRST = date(2026, 9, 1)
SOLD, RETURNED, QUIET, FREE, ZERO, NO_RATE = (str(FIRST + timedelta(days=number)) for number in range(6))
"""
Everything at once; only a refund; only spend; only an order; an order and spend of 0; spend that cannot be converted.
"""
OWN, ABROAD = ads.account("101"), ads.account("102", zone="America/Los_Angeles")
SEARCH = ads.account("111", "EUR")
SOURCES = [
    ("google", "cpc", "google_ads", True, "google_ads"),
    ("facebook", "cpc", "meta_ads", True, "meta_ads"),
    ("poster", "cpc", "paid_other", True, None),
    ("tiktok_shop", "*", "tiktok_shop", False, None),
]

ORDERS = [
    # Two units at 20 and one of which nobody knows the cost.
    order(1, f"{SOLD}T16:00:00Z", line(1, "40.00", 2), line(2, "20.00"), total="100.00", customer=1),
    order(
        2,
        f"{SOLD}T17:00:00Z",
        line(3, "60.00"),
        refunds=(refund(21, f"{RETURNED}T16:00:00Z", ("20.00", "SUCCESS")),),
        total="60.00",
        customer=2,
    ),
    order(3, f"{SOLD}T18:00:00Z", line(4, "40.00"), total="40.00", email="ann@example.com"),
    order(4, f"{FREE}T16:00:00Z", line(1, "50.00"), total="50.00", customer=1),
    order(5, f"{ZERO}T16:00:00Z", line(5, "20.00"), total="20.00", customer=5, status="PARTIALLY_PAID"),
    order(6, f"{NO_RATE}T16:00:00Z", line(6, "10.00"), total="10.00"),
]
CLICKS = {"1": ("google", "cpc"), "2": ("poster", "cpc"), "4": ("google", "cpc"), "5": ("facebook", "cpc")}
MAIL: dict[str, Any] = {"delivered": 90, "opens": 30, "clicks": 9, "conversions": 2, "conversion_value": 80.0}
TOLD = [
    tiktok.order("T1", f"{SOLD}T15:00:00", tiktok.unit("9", "30.00")),
    tiktok.settled("S1", f"{RETURNED}T00:00:00", "T1", "2.00"),
    tiktok.shop_day(SOLD, orders=1, gmv="30.00"),
    # Thirty dollars of two accounts, and ten euros at 1.20.
    ads.meta(SOLD, OWN, "1", "25.00", purchases={"omni_purchase": "2"}, values={"omni_purchase": "150.00"}),
    ads.meta(SOLD, ABROAD, "2", "5.00"),
    ads.google(SOLD, SEARCH, "3", 10_000_000, conversions=1.5, value=100.0),
    ads.rates(SOLD, USD="1.2"),
    ads.meta(QUIET, OWN, "1", "7.00"),
    ads.read("meta_ads_campaign_days", str(date.fromisoformat(QUIET) + timedelta(days=28)), OWN),
    ads.meta(ZERO, OWN, "1", "0.00"),
    ads.meta(NO_RATE, OWN, "1", "5.00"),
    ads.google(NO_RATE, SEARCH, "3", 10_000_000),
    ga4.report("days", SOLD),
    ga4.report("sessions", SOLD),
    ga4.total(SOLD, 50),
    ga4.visits(SOLD, 50, "google", "cpc", "spring", engaged=20, orders=3, value="190"),
    klaviyo.account_day(SOLD),
    klaviyo.campaign("m1", f"{SOLD}T14:00:00", name="Spring", recipients=100, **MAIL),
]


def visited(order_id: str, source: str, medium: str, hours: int = 1) -> Row:
    """A visit, so many hours before the order."""
    [ordered] = [one["processedAt"] for one in ORDERS if one["legacyResourceId"] == order_id]
    at = tiktok.moment(ordered[:19]) - timedelta(hours=hours)
    return "shopify_visits", f"{order_id}/{hours}", at, {"utmParameters": {"source": source, "medium": medium}}


@pytest.fixture(scope="module")
def built(conn: Connection, dbt: Dbt) -> Connection:
    """A week of one merchant and a day of another with the same ids, built, with dbt's tests passed."""
    for merchant_id in ("aurora", "nordlicht"):
        conn.cursor().executemany(
            "insert into ops.traffic_sources (merchant_id, source, medium, channel, is_paid, ad_platform) "
            "values (%s, %s, %s, %s, %s, %s)",
            [(merchant_id, *source) for source in SOURCES],
        )
    conn.cursor().executemany(
        "insert into ops.product_costs (merchant_id, sku, valid_from, unit_cost) values (%s, %s, %s, %s)",
        [("aurora", "SKU-1", "2026-01-01", 20), ("aurora", "SKU-1", FREE, 35), ("nordlicht", "SKU-2", "2026-01-01", 7)],
    )
    shop.load(conn, "aurora", *ORDERS)
    tiktok.load(conn, "aurora", *TOLD, *(visited(order_id, *click) for order_id, click in CLICKS.items()))
    # An earlier click, and a direct visit.
    tiktok.load(conn, "aurora", visited("1", "facebook", "cpc", hours=2), visited("6", "", ""))
    shop.load(conn, "nordlicht", order(1, f"{SOLD}T10:00:00Z", line(1, "11.00"), total="11.00", currency="EUR"))
    tiktok.load(conn, "nordlicht", ads.meta(SOLD, ads.account("101", "EUR"), "1", "3.00"))
    result = dbt("build", "--select", MODELS, "--exclude-resource-type", "unit_test")
    assert result.success, result.exception or [
        (r.node.name, r.message) for r in result.result if r.status != "success"
    ]
    tests = Path(__file__).parents[2] / "dbt" / "tests"
    assert {r.node.name for r in result.result} >= {path.stem for path in tests.glob("*.sql")}
    return conn


def figures(rows: Rows, mart: str, key: str, columns: str, merchant_id: str = "aurora") -> dict[str, str]:
    """The rows of a mart as text, "-" for null, by day and key."""
    found = rows(f"select date_day, {key}, {columns} from build.{mart} where merchant_id = %s", merchant_id)
    told = [["-" if value is None else str(value) for value in row.values()] for row in found]
    return {f"{day} {of}": " ".join(values) for day, of, *values in told}


@pytest.mark.usefixtures("built")
def test_a_day_in_money(rows: Rows) -> None:
    """Both clocks, the refund on either; costs, fees and spend taken off; days without orders or without spend."""
    columns = "orders, revenue, revenue_cash, fees, cost_of_goods, cost_coverage, spend, contribution_margin, is_final"
    assert figures(rows, "fct_daily_metrics", "currency", columns) == {
        f"{SOLD} USD": "4 210.00 230.00 2.00 40.00 0.347826 42.000000 126.00 False",
        f"{RETURNED} USD": "0 0.00 -20.00 - - - 0.000000 0.00 True",
        f"{QUIET} USD": "0 0.00 0.00 - - - 7.000000 -7.00 True",
        f"{FREE} USD": "1 50.00 50.00 - 35.00 1.000000 0.000000 15.00 True",
        f"{ZERO} USD": "1 20.00 20.00 - - 0.000000 0.000000 20.00 False",
        f"{NO_RATE} USD": "1 10.00 10.00 - - 0.000000 - - False",
    }
    assert figures(rows, "fct_daily_metrics", "currency", columns, "nordlicht") == {
        f"{SOLD} EUR": "1 11.00 11.00 - - 0.000000 3.000000 8.00 False"
    }


@pytest.mark.usefixtures("built")
def test_a_day_in_ratios(rows: Rows) -> None:
    """What has no base is null: no orders, no spend, spend of 0, no new customers, a missing exchange rate."""
    columns = (
        "attributed_orders, attributed_revenue, attribution_rate, attribution_coverage, roas, mer, new_customers, cac, "
        "returning_customers, returning_orders, new_revenue, returning_revenue, repeat_rate, refund_rate, "
        "is_merchant_day"
    )
    assert figures(rows, "fct_daily_metrics", "currency", columns) == {
        f"{SOLD} USD": "2 140.00 0.750000 0.750000 3.333333 5.000000 4 10.50 0 0 210.00 0.00 0.000000 0.086957 False",
        f"{RETURNED} USD": "0 0.00 - - - - 0 - 0 0 0.00 0.00 - - True",
        f"{QUIET} USD": "0 0.00 - - 0.000000 0.000000 0 - 0 0 0.00 0.00 - - True",
        f"{FREE} USD": "1 50.00 1.000000 1.000000 - - 0 - 1 1 0.00 50.00 1.000000 0.000000 True",
        f"{ZERO} USD": "1 20.00 1.000000 1.000000 - - 1 0.00 0 0 20.00 0.00 0.000000 0.000000 True",
        f"{NO_RATE} USD": "0 0.00 0.000000 1.000000 - - 0 - 0 0 0.00 0.00 0.000000 0.000000 True",
    }


@pytest.mark.usefixtures("built")
def test_what_a_paid_channel_returns_and_a_new_customer_costs(rows: Rows) -> None:
    returned = figures(
        rows, "fct_roas", "channel", "spend, attributed_orders, attributed_revenue, roas, is_final, is_merchant_day"
    )
    assert returned == {
        f"{SOLD} meta_ads": "30.000000 0 0.00 0.000000 False False",
        f"{SOLD} google_ads": "12.000000 1 100.00 8.333333 False True",
        f"{SOLD} paid_other": "- 1 40.00 - False True",
        f"{QUIET} meta_ads": "7.000000 0 0.00 0.000000 True True",
        f"{FREE} google_ads": "- 1 50.00 - False True",
        f"{ZERO} meta_ads": "0.000000 1 20.00 - False True",
        f"{NO_RATE} meta_ads": "5.000000 0 0.00 0.000000 False True",
        f"{NO_RATE} google_ads": "- 0 0.00 - False True",
    }
    cost = figures(rows, "fct_cac", "channel", "new_customers, cac")
    assert cost.keys() == returned.keys()
    assert {key: told for key, told in cost.items() if not told.startswith("0 -")} == {
        f"{SOLD} google_ads": "1 12.00",
        f"{SOLD} paid_other": "1 -",
        f"{ZERO} meta_ads": "1 0.00",
    }


@pytest.mark.usefixtures("built")
def test_every_channel_says_what_it_can(rows: Rows) -> None:
    columns = (
        "impressions, engagements, clicks, spend, claimed_orders, claimed_value, claimed_currency, "
        "attributed_orders, attributed_revenue, new_customers"
    )
    told = figures(rows, "fct_channel_daily", "channel", columns)
    assert {key: figure for key, figure in told.items() if key.startswith(SOLD)} == {
        f"{SOLD} meta_ads": "200 - 6 30.000000 2.000000 150.000000 USD 0 0.00 0",
        f"{SOLD} google_ads": "100 - 3 12.000000 1.500000 120.000000 USD 1 100.00 1",
        f"{SOLD} email": "90 30 9 - 2.000000 80.000000 USD 0 0.00 0",
        f"{SOLD} website": "- 20 50 - 3.000000 190.000000 USD - - -",
        f"{SOLD} tiktok_shop": "- - - - 1.000000 30.000000 USD 1 30.00 1",
        f"{SOLD} paid_other": "- - - - - - - 1 40.00 1",
        f"{SOLD} direct": "- - - - - - - 1 40.00 1",
    }
    assert told[f"{NO_RATE} google_ads"] == "100 - 3 - 0.000000 - USD 0 0.00 0"


@pytest.mark.usefixtures("built")
def test_what_other_models_credit_stands_beside_the_claims(rows: Rows) -> None:
    """An advertisement of Meta's came before the last click of an order of 100.00."""
    columns = (
        "attributed_orders, first_click_orders, first_click_revenue, linear_orders, linear_revenue, "
        "position_based_orders, position_based_revenue, time_decay_orders, time_decay_revenue"
    )
    told = figures(rows, "fct_reconciliation", "claimant", columns)
    assert {key: figure for key, figure in told.items() if key.startswith(SOLD)} == {
        f"{SOLD} meta_ads": "0 1.000000 100.000000 0.500000 50.000000 0.500000 50.000000 0.498969 49.896853",
        f"{SOLD} google_ads": "1 0.000000 0.000000 0.500000 50.000000 0.500000 50.000000 0.501031 50.103147",
        f"{SOLD} email": "0" + 4 * " 0.000000 0.000000",
        f"{SOLD} website": "-" + 4 * " - -",
        f"{SOLD} tiktok_shop": "1" + 4 * " 1.000000 30.000000",
    }


@pytest.mark.usefixtures("built")
def test_claims_stand_beside_the_shop(rows: Rows) -> None:
    """Without the website 6.5 orders are claimed of 4: at least 2.5 of them twice. One came by nobody's click."""
    columns = (
        "claimed_orders, attributed_orders, orders, revenue, claimed_share, unattributed_orders, unattributed_share, "
        "overlap_orders, overlap_share"
    )
    told = figures(rows, "fct_reconciliation", "claimant", columns)
    of_the_day = "1 0.250000 2.500000 0.625000"
    assert {key: figure for key, figure in told.items() if key.startswith(SOLD)} == {
        f"{SOLD} meta_ads": f"2.000000 0 4 210.00 0.500000 {of_the_day}",
        f"{SOLD} google_ads": f"1.500000 1 4 210.00 0.375000 {of_the_day}",
        f"{SOLD} email": f"2.000000 0 4 210.00 0.500000 {of_the_day}",
        f"{SOLD} website": f"3.000000 - 4 210.00 0.750000 {of_the_day}",
        f"{SOLD} tiktok_shop": f"1.000000 1 4 210.00 0.250000 {of_the_day}",
    }
    assert told[f"{QUIET} meta_ads"] == "0.000000 0 0 0.00 - 0 - 0.000000 -"


def test_a_merchants_day_of_every_channel_is_read_by_index(built: Connection) -> None:
    built.execute("set local enable_seqscan = off")
    plan = "\n".join(
        line
        for (line,) in built.execute(
            "explain select * from intermediate.int_channel_daily where merchant_id = 'aurora' "
            "and measured_at >= '2026-09-01 04:00+00' and measured_at < '2026-09-02 04:00+00'"
        )
    )
    built.rollback()
    tables = ("meta_ads_campaign_days", "google_ads_campaign_days", "tiktok_ads_campaign_days", "ga4_days")
    for table in (*tables, "klaviyo_days", "tiktok_shop_shop_performance"):
        assert f"{table}_by_event" in plan, plan
    assert set(re.findall(r"Seq Scan on (\w+)", plan)) <= {"merchants"}, plan


@pytest.fixture(scope="module")
def marts(built: Connection, dbt_target: Path) -> dict[str, dict[str, Any]]:
    """Every mart of the project as dbt parsed it."""
    manifest = json.loads((dbt_target / "build" / "manifest.json").read_text())
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["original_file_path"].startswith("models/marts")
    }


def test_every_metric_says_how_it_is_computed_and_where_it_ends(marts: dict[str, dict[str, Any]]) -> None:
    """The page of metrics is made of this."""
    metrics = {
        (mart, name): column
        for mart, node in marts.items()
        if "/metrics/" in node["original_file_path"] or mart in ("fct_channel_daily", "fct_reconciliation")
        for name, column in node["columns"].items()
        if column["data_type"].startswith(("numeric", "bigint"))
    }
    assert len(metrics) > 80
    for key, column in metrics.items():
        for part in ("formula", "limits"):
            assert re.fullmatch(r"\S.+[.]\n?", column["config"]["meta"].get(part, "")), (key, part)


def test_money_is_exact(marts: dict[str, dict[str, Any]]) -> None:
    """No column is a binary fraction, and every amount is numeric of a declared scale."""
    money = re.compile(
        r"spend|value|revenue|sales|discounts|shipping|refunds|tax|duties|tips|fees|price|cost|cac|aov|gmv|margin"
    )
    for mart, node in marts.items():
        for name, column in node["columns"].items():
            kind = column["data_type"]
            assert not re.match(r"real|float|double|money", kind), (mart, name)
            is_amount = money.search(name) and not re.search(r"_(rate|share)$|^(is|has)_", name)
            if is_amount and kind not in ("text", "boolean"):
                assert re.fullmatch(r"numeric\(38, (2|6)\)", kind), (mart, name, kind)
