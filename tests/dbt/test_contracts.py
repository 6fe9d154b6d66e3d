"""The contracts of the gate: silent on good data, and each blocking check seen to block."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.dbt import ads, ga4, klaviyo, tiktok
from tests.dbt.shop import line, load, order, refund
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS
from tributary.quality.gate import verify

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Connection

    from tests.dbt.conftest import Dbt
    from tributary.quality.finding import Finding

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


# Freshness tells of the syncs: no build makes it, and there is no text in it.
BUILT = sorted({path.stem for path in MART_CONTRACTS.glob("*.yml")} - {"fct_freshness"})
SHOP, SEARCH = ads.account("101"), ads.account("111", "EUR")
MAIL = {"delivered": 9, "opens_unique": 3, "clicks_unique": 1, "conversion_uniques": 1, "conversion_value": 10.0}

VARIANT = {"legacyResourceId": "71", "title": "Blue", "sku": "SKU-71", "price": "10.00"}
PRODUCT = (
    (
        "shopify_products",
        "7",
        TODAY - timedelta(days=12),
        {"legacyResourceId": "7", "title": "Tent", "status": "ACTIVE", "variants": {"nodes": [VARIANT]}},
    ),
    ("shopify_variants", "7/71", TODAY - timedelta(days=12), VARIANT),
)


@pytest.fixture(scope="module")
def built(conn: Connection, dbt: Dbt) -> Connection:
    """Ten good days of two merchants, built."""
    conn.execute("insert into ops.traffic_sources values ('aurora', 'tiktok_shop', '*', 'tiktok_shop', false, null)")
    for merchant_id, currency in (("aurora", "USD"), ("nordlicht", "EUR")):
        for day in range(3, 13):
            load(
                conn,
                merchant_id,
                order(
                    day,
                    ago(day),
                    line(day, "10.00", 2, current=1),
                    refunds=(refund(day, ago(day - 1), ("10.00", "SUCCESS"), lines=((day, 1, "10.00", "0.00"),)),),
                    total="20.00",
                    email=f"person{day}@example.com",
                    currency=currency,
                ),
            )
    sold = tiktok.order("T1", ago(12)[:19], tiktok.unit("1", "12.00", seller="2.00"), shipping="3.00")
    tiktok.load(conn, "aurora", sold)
    tiktok.load(conn, "aurora", *PRODUCT)
    for day in range(3, 13):
        tiktok.load(
            conn,
            "aurora",
            tiktok.listed(f"9{day}", ago(day)[:10], posted=ago(day)),
            tiktok.counted(f"9{day}", ago(day)[:10], 3, 2, 1, views=9),
            *(ga4.report(name, ago(day)[:10]) for name in ("days", "sessions", "funnel_events")),
            ga4.total(ago(day)[:10], 5),
            ga4.visits(ago(day)[:10], 5, "google", "cpc", "spring", engaged=3, orders=1, value="10.00"),
            klaviyo.account_day(ago(day)[:10]),
            klaviyo.campaign(f"m{day}", ago(day)[:19], name="Spring", recipients=10, **MAIL),
            klaviyo.flow("w1", ago(day)[:10], name="Welcome", recipients=10, **MAIL),
            *(ads.read(f"{name}_ads_campaign_days", ago(day)[:10], SHOP) for name in ("meta", "tiktok")),
            ads.read("google_ads_campaign_days", ago(day)[:10], SEARCH),
            ads.read("tiktok_ads_gmv_max_days", ago(day)[:10], SHOP),
            ads.meta(ago(day)[:10], SHOP, "1", "10.00", purchases={"omni_purchase": "2"}),
            ads.google(ago(day)[:10], SEARCH, "2", 5_000_000),
            ads.tiktok(ago(day)[:10], SHOP, "3", "10.00"),
            ads.gmv_max(ago(day)[:10], SHOP, "4", "10.00"),
            ads.rates(ago(day)[:10], USD="1.0873"),
        )
    assert dbt("run").success
    # Without the constraints of the build schema, so that every check can be shown what it must catch.
    conn.execute("create schema gated")
    for model in (*BUILT, "day_over_day", "spend_day_over_day", "untagged_touches", "daily_anomalies"):
        conn.execute(f"create table gated.{model} as select * from build.{model}")
    conn.commit()
    return conn


def gate(conn: Connection, folder: Path, merchant_id: str = "aurora", dataset: str = "*") -> list[Finding]:
    """What the contracts say; the gate rolls back what the test did to the data on this connection."""
    schema = "raw" if folder == RAW_CONTRACTS else "gated"
    found = verify(conn, sorted(folder.glob(f"{dataset}.yml")), {"schema": schema, "merchant_id": merchant_id})
    assert found
    return found


def objections(findings: list[Finding]) -> set[tuple[str, str, str]]:
    return {(f.outcome, f.dataset, f.check) for f in findings if f.outcome != "passed"}


@pytest.mark.parametrize("folder", [RAW_CONTRACTS, MART_CONTRACTS], ids=["raw", "marts"])
@pytest.mark.parametrize("merchant_id", ["aurora", "nordlicht", "withtax"])
def test_good_data_passes_and_so_does_none(built: Connection, folder: Path, merchant_id: str) -> None:
    assert objections(gate(built, folder, merchant_id)) == set()


ONE_TOO_MANY = "insert into gated.{0} select * from gated.{0} where merchant_id = 'aurora' limit 1"
UNDER_ANOTHER_ID = """
insert into gated.{0}
select (jsonb_populate_record(orders, '{{"order_id": "9005"}}')).*
from gated.{0} as orders where merchant_id = 'aurora' and order_id = '5'
"""
BLOCKING = [
    ("fct_orders", "No order is there twice", ONE_TOO_MANY),
    ("fct_orders", "No order is there under two ids", UNDER_ANOTHER_ID),
    ("fct_order_lines", "No line is there twice", ONE_TOO_MANY),
    ("fct_refunds", "No refund is there twice", ONE_TOO_MANY),
    ("fct_revenue", "No day of a sales channel is there twice", ONE_TOO_MANY),
    ("fct_aov", "No day of a sales channel is there twice", ONE_TOO_MANY),
    ("fct_daily_metrics", "No day is there twice", ONE_TOO_MANY),
    ("fct_orders", "Every order has its id", "update gated.{0} set order_id = null where order_id = '5'"),
    ("fct_order_lines", "Every line has its order", "update gated.{0} set order_id = null where order_id = '5'"),
    ("fct_refunds", "Every refund has its order id", "update gated.{0} set order_id = null where order_id = '5'"),
    (
        "fct_orders",
        "Orders are in the merchant's own currency",
        "update gated.{0} set currency = 'CAD' where order_id = '5'",
    ),
    (
        "fct_orders",
        "The currency of orders is known",
        "update gated.{0} set currency = null where order_id in ('5', '6')",
    ),
    (
        "fct_orders",
        "The payment status of orders is known",
        "update gated.{0} set financial_status = null where order_id in ('5', '6')",
    ),
    (
        "fct_orders",
        "The total of orders is known",
        "update gated.{0} set total_price = null where order_id in ('5', '6')",
    ),
    (
        "fct_order_lines",
        "The amounts of lines are known",
        "update gated.{0} set gross_sales = null where order_id in ('5', '6')",
    ),
    (
        "fct_refunds",
        "The refunded order is known",
        "update gated.{0} set order_date_day = null where order_id in ('5', '6')",
    ),
    (
        "fct_tiktok_videos",
        "No day of a video is there twice",
        ONE_TOO_MANY,
    ),
    (
        "fct_tiktok_videos",
        "The views of videos are known",
        "update gated.{0} set views = null where video_id in ('95', '96')",
    ),
    ("fct_website_sessions", "No source, medium, campaign and landing page is there twice on a day", ONE_TOO_MANY),
    (
        "fct_website_sessions",
        "The sessions of the website are known",
        "update gated.{0} set sessions = null where date_day = current_date - 5",
    ),
    ("fct_email_campaigns", "No message is there twice on a day", ONE_TOO_MANY),
    (
        "fct_email_campaigns",
        "The deliveries of messages are known",
        "update gated.{0} set delivered = null where kind = 'flow'",
    ),
    ("fct_ad_spend", "No campaign is there twice on a day", ONE_TOO_MANY),
    (
        "fct_ad_spend",
        "The spend of every campaign is known",
        "update gated.{0} set account_spend = null where campaign_id = '3' and date_day = current_date - 5",
    ),
    (
        "fct_ad_spend",
        "Every ad account's currency has an exchange rate",
        "update gated.{0} set fx_rate = null where campaign_id = '2' and date_day = current_date - 5",
    ),
    ("fct_roas", "No day of a paid channel is there twice", ONE_TOO_MANY),
    (
        "fct_roas",
        "A channel without spend has no ROAS, and one with spend has",
        "update gated.{0} set roas = null where spend > 0",
    ),
    (
        "fct_roas",
        "A channel without spend has no ROAS, and one with spend has",
        "update gated.{0} set spend = null where channel = 'meta_ads'",
    ),
    ("fct_cac", "No day of a paid channel is there twice", ONE_TOO_MANY),
    (
        "fct_cac",
        "A channel without new customers has no CAC, and one with new customers and spend has",
        "update gated.{0} set cac = 1 where new_customers = 0",
    ),
    (
        "fct_cac",
        "A channel without new customers has no CAC, and one with new customers and spend has",
        "update gated.{0} set new_customers = 1 where channel = 'meta_ads'",
    ),
    ("fct_attributed_orders", "No order is credited twice", ONE_TOO_MANY),
    (
        "fct_attributed_orders",
        "No touch is credited with an order before it",
        "update gated.{0} set occurred_at = ordered_at + interval '1 second' where order_id = 'T1'",
    ),
    (
        "fct_attributed_orders",
        "The credited revenue of a day is the revenue of its orders",
        "update gated.{0} set attributed_revenue = attributed_revenue - 0.01 where order_id = '5'",
    ),
    ("fct_attribution_credits", "No step of an order is credited twice by a model", ONE_TOO_MANY),
    (
        "fct_attribution_credits",
        "The credits of each order are 1 together by each model",
        "update gated.{0} set credit = credit - 0.0000000001 where order_id = '5' and model = 'linear'",
    ),
    (
        "fct_attribution_credits",
        "The credits of each order are 1 together by each model",
        "delete from gated.{0} where order_id = '5' and model = 'time_decay'",
    ),
    (
        "fct_attribution_credits",
        "The credited revenue of each order is its revenue by each model",
        "update gated.{0} set credited_revenue = credited_revenue + 0.000001 where order_id = '5' and step = 1",
    ),
    (
        "fct_attribution_credits",
        "No touch is credited with an order before it",
        "update gated.{0} set occurred_at = ordered_at + interval '1 second' where order_id = 'T1'",
    ),
    ("fct_customer_journeys", "No order has two journeys", ONE_TOO_MANY),
    (
        "fct_customer_journeys",
        "The journeys of a day are those of its orders",
        "delete from gated.{0} where order_id = '5'",
    ),
    (
        "fct_customer_journeys",
        "The journeys of a day are those of its orders",
        "update gated.{0} set revenue = revenue - 0.01 where order_id = '5'",
    ),
    (
        "fct_customer_journeys",
        "No journey goes on after its order",
        "update gated.{0} set last_touch_at = ordered_at + interval '1 second' where order_id = 'T1'",
    ),
    ("dim_customers", "No customer is there twice", ONE_TOO_MANY),
    (
        "dim_customers",
        "Every customer has a first order",
        "update gated.{0} set first_order_id = null where date_day = current_date - 5",
    ),
    ("dim_products", "No product is there twice", ONE_TOO_MANY),
    ("dim_products", "Every product has its id", "update gated.{0} set product_id = null where variant_id = '71'"),
    ("fct_cohorts", "No cohort is there twice", ONE_TOO_MANY),
    (
        "fct_cohorts",
        "Everybody in a cohort is new once",
        "update gated.{0} set new_customers = 2 where date_day = current_date - 5",
    ),
    ("fct_channel_daily", "No day of a channel is there twice", ONE_TOO_MANY),
    (
        "fct_channel_daily",
        "The orders credited to the channels of a day are the orders of the day",
        "delete from gated.{0} where channel = 'direct' and date_day = current_date - 5",
    ),
    (
        "fct_channel_daily",
        "The orders credited to the channels of a day are the orders of the day",
        "update gated.{0} set attributed_revenue = attributed_revenue + 0.01 where channel = 'direct'",
    ),
    ("fct_funnel", "No stage of a channel's day is there twice", ONE_TOO_MANY),
    (
        "fct_funnel",
        "The purchases of the channels of a day are the orders of the day",
        "update gated.{0} set contacts = contacts + 1 where stage = 'purchase' and date_day = current_date - 5",
    ),
    (
        "fct_funnel",
        "The purchases of the channels of a day are the orders of the day",
        "delete from gated.{0} where channel = 'direct' and date_day = current_date - 5",
    ),
    (
        "fct_funnel",
        "Every channel's day has all seven stages, each told by one source or by none",
        "delete from gated.{0} where stage = 'engagement' and date_day = current_date - 5",
    ),
    (
        "fct_funnel",
        "Every channel's day has all seven stages, each told by one source or by none",
        "update gated.{0} set contacts = 0 where told_by is null and date_day = current_date - 5",
    ),
    ("fct_reconciliation", "No day of a claimant is there twice", ONE_TOO_MANY),
    (
        "fct_aov",
        "A day without orders has no average, and one with orders has",
        "update gated.{0} set aov = null where orders > 0",
    ),
    (
        "fct_daily_metrics",
        "Revenue of a closed day is not negative",
        "update gated.{0} set revenue = -0.01 where date_day = current_date - 5",
    ),
]
UNUSUAL = "insert into gated.daily_anomalies values ('aurora', current_date - 5, '{0}', 4, 9, 1, 6, 12, '{1}')"
PII = "No e-mail address or phone number is in the table"
TEXT = {
    "fct_orders": "order_name",
    "fct_order_lines": "product_name",
    "fct_refunds": "refund_id",
    "fct_tiktok_videos": "title",
    "fct_website_sessions": "landing_page",
    "fct_email_campaigns": "message_name",
    "fct_ad_spend": "campaign_name",
    "fct_attributed_orders": "campaign",
    "fct_touchpoints": "campaign",
    "fct_attribution_ledger": "campaign",
    "fct_attribution_credits": "campaign",
    "fct_customer_journeys": "path",
    "dim_customers": "first_campaign",
    "dim_products": "product_name",
    "fct_roas": "channel",
    "fct_cac": "channel",
    "fct_channel_daily": "channel",
    "fct_funnel": "channel",
    "fct_reconciliation": "claimant",
}


@pytest.mark.parametrize(("mart", "check", "damage"), BLOCKING, ids=[f"{b[0]}-{b[1]}" for b in BLOCKING])
def test_a_blocking_check_holds_its_merchant_back(built: Connection, mart: str, check: str, damage: str) -> None:
    built.execute(damage.format(mart) + ("" if "insert" in damage else " and merchant_id = 'aurora'"))
    found = gate(built, MART_CONTRACTS, dataset=mart)
    assert ("failed", mart, check) in objections(found)
    assert [finding.check for finding in found if finding.outcome != "passed" and not finding.remedy] == []


def test_another_merchant_is_not_held_back(built: Connection) -> None:
    built.execute("update gated.fct_daily_metrics set revenue = -1 where merchant_id = 'aurora'")
    assert objections(gate(built, MART_CONTRACTS, "nordlicht")) == set()


def test_the_running_day_may_be_negative(built: Connection) -> None:
    built.execute(
        "update gated.fct_daily_metrics set date_day = current_date + 1, revenue = -1 where date_day = current_date - 5"
    )
    assert ("failed", "fct_daily_metrics", "Revenue of a closed day is not negative") not in objections(
        gate(built, MART_CONTRACTS, dataset="fct_daily_metrics")
    )


@pytest.mark.parametrize("mart", BUILT)
@pytest.mark.parametrize("text", ["Ann <ann.b+c@shop.example.com>", "call +4915112345678"])
def test_personal_data_in_any_text_column_blocks(built: Connection, mart: str, text: str) -> None:
    column = TEXT.get(mart, "currency")
    built.execute(f"update gated.{mart} set {column} = %s where merchant_id = 'aurora'", (text,))
    assert ("failed", mart, PII) in objections(gate(built, MART_CONTRACTS, dataset=mart))


@pytest.mark.parametrize("mart", ["fct_website_sessions", "fct_email_campaigns"])
@pytest.mark.parametrize("text", ["/u/ann%40example.com", "/u?of=ann%2540example.com"])
def test_an_escaped_address_blocks_too(built: Connection, mart: str, text: str) -> None:
    built.execute(f"update gated.{mart} set {TEXT[mart]} = %s where merchant_id = 'aurora'", (text,))
    assert ("failed", mart, PII) in objections(gate(built, MART_CONTRACTS, dataset=mart))


@pytest.mark.parametrize("text", ["SKU+12", "2026-11-01 00:00:00+00", "50+ 12345678 pieces", "buy @ home", "+1"])
def test_text_that_only_looks_like_personal_data_passes(built: Connection, text: str) -> None:
    built.execute("update gated.fct_order_lines set product_name = %s", (text,))
    assert objections(gate(built, MART_CONTRACTS, dataset="fct_order_lines")) == set()


@pytest.mark.parametrize(
    ("mart", "check", "damage"),
    [
        (
            "fct_daily_metrics",
            "Revenue of a closed day is at most 5 times that of the day before",
            "update gated.day_over_day set revenue = 5.01 * revenue_day_before where date_day = current_date - 5",
        ),
        (
            "fct_daily_metrics",
            "Orders of a closed day are at most 3 times those of the day before",
            "update gated.day_over_day set orders = 3 * orders_day_before + 1 where date_day = current_date - 5",
        ),
        (
            "fct_ad_spend",
            "Spend of a closed day is at most 2 times that of the day before",
            "update gated.spend_day_over_day set spend = 2.01 * spend_day_before where date_day = current_date - 5",
        ),
        (
            "fct_daily_metrics",
            "Orders of a closed day are what their weekday usually brings",
            UNUSUAL.format("orders", "low"),
        ),
        (
            "fct_daily_metrics",
            "Orders of a closed day are what their weekday usually brings",
            UNUSUAL.format("orders", "high"),
        ),
        (
            "fct_daily_metrics",
            "The average order of a closed day is within its usual range",
            UNUSUAL.format("aov", "high"),
        ),
        (
            "fct_touchpoints",
            "At least half of the touches of a closed day have a utm_source",
            "insert into gated.untagged_touches values ('aurora', current_date - 5, 20, 11)",
        ),
    ],
)
def test_a_jump_warns(built: Connection, mart: str, check: str, damage: str) -> None:
    built.execute(damage)
    assert objections(gate(built, MART_CONTRACTS, dataset=mart)) == {("warned", mart, check)}


@pytest.mark.parametrize(
    ("mart", "check", "damage"),
    [
        (
            "fct_orders",
            "The components of an order add up to the shop's total",
            "update gated.fct_orders set tips = 0.01 where order_id = '5'",
        ),
        (
            "fct_orders",
            "The units of a TikTok Shop order add up to what its payment says that the seller is due",
            "update gated.fct_orders set discounts = 2.01 where order_id = 'T1'",
        ),
        (
            "fct_orders",
            "No order counts that is only the copy of one in another channel",
            "update gated.fct_orders set mirrors_channel = 'tiktok_shop' where order_id = '5'",
        ),
        (
            "fct_tiktok_videos",
            "No count of a day and no total is negative",
            "update gated.fct_tiktok_videos set likes = -5, saves = -1, likes_total = -1 where video_id = '95'",
        ),
        (
            "fct_tiktok_videos",
            "Amounts of videos are in the merchant's own currency",
            "update gated.fct_tiktok_videos set currency = 'GBP' where video_id = '95'",
        ),
        (
            "fct_website_sessions",
            "No figure of the website is negative",
            "update gated.fct_website_sessions set claimed_value = -0.01 where date_day = current_date - 5",
        ),
        (
            "fct_website_sessions",
            "The website's values are in the merchant's own currency",
            "update gated.fct_website_sessions set currency = 'GBP' where date_day = current_date - 5",
        ),
        (
            "fct_website_sessions",
            "The website's days are the merchant's days",
            "update gated.fct_website_sessions set is_merchant_day = false where date_day = current_date - 5",
        ),
        (
            "fct_website_sessions",
            "The website's days are the merchant's days",
            "update gated.fct_website_sessions set is_merchant_day = null where date_day = current_date - 5",
        ),
        (
            "fct_website_sessions",
            "GA4 withheld no rows of few people",
            "update gated.fct_website_sessions set is_thresholded = true where date_day = current_date - 5",
        ),
        (
            "fct_website_sessions",
            "GA4 estimated nothing from samples",
            "update gated.fct_website_sessions set is_sampled = true where date_day = current_date - 5",
        ),
        (
            "fct_website_sessions",
            "GA4 put no rows together as (other)",
            "update gated.fct_website_sessions set has_data_loss = true where date_day = current_date - 5",
        ),
        (
            "fct_email_campaigns",
            "No count of a message is negative",
            "update gated.fct_email_campaigns set bounces = -1 where date_day = current_date - 5",
        ),
        (
            "fct_email_campaigns",
            "Rates of messages are between 0 and 1",
            "update gated.fct_email_campaigns set click_to_open_rate = 1.000001 where date_day = current_date - 5",
        ),
        (
            "fct_email_campaigns",
            "Rates of messages are between 0 and 1",
            "update gated.fct_email_campaigns set conversion_rate = -0.000001 where date_day = current_date - 5",
        ),
        (
            "fct_email_campaigns",
            "Values of messages are in the merchant's own currency",
            "update gated.fct_email_campaigns set currency = 'GBP' where date_day = current_date - 5",
        ),
        (
            "fct_email_campaigns",
            "The account's days are the merchant's days",
            "update gated.fct_email_campaigns set is_merchant_day = false where date_day = current_date - 5",
        ),
        (
            "fct_ad_spend",
            "No spend is negative",
            "update gated.fct_ad_spend set spend = -0.000001 where campaign_id = '1' and date_day = current_date - 5",
        ),
        (
            "fct_ad_spend",
            "The ad accounts' days are the merchant's days",
            "update gated.fct_ad_spend set is_merchant_day = false where date_day = current_date - 5",
        ),
        (
            "fct_attributed_orders",
            "Every credited source is in the list of traffic sources",
            "update gated.fct_attributed_orders set in_taxonomy = false where order_id = 'T1'",
        ),
        (
            "fct_attributed_orders",
            "At least half of the orders of a closed day say where they came from",
            """
            insert into gated.fct_attributed_orders
                (merchant_id, date_day, sales_channel, order_id, rule, in_taxonomy, attributed_revenue)
            select 'aurora', current_date - 5, 'shopify', 'X' || number, 'direct', true, 0
            from generate_series(1, 19) as number
            """,
        ),
    ],
)
def test_what_does_not_add_up_warns(built: Connection, mart: str, check: str, damage: str) -> None:
    built.execute(damage)
    assert objections(gate(built, MART_CONTRACTS, dataset=mart)) == {("warned", mart, check)}


@pytest.mark.parametrize(
    ("mart", "change"),
    [
        (
            "fct_orders",
            "update gated.fct_orders set mirrors_channel = 'tiktok_shop', is_counted = false where order_id = '5'",
        ),
        ("fct_tiktok_videos", "update gated.fct_tiktok_videos set likes = -5, saves = -1 where video_id = '95'"),
        (
            "fct_orders",
            f"{UNDER_ANOTHER_ID.format('fct_orders')}; update gated.fct_orders set is_counted = order_id <> '9005'",
        ),
        (
            "fct_orders",
            "update gated.fct_orders set order_name = '[contact]' where merchant_id = 'aurora'",
        ),
        ("fct_daily_metrics", UNUSUAL.format("orders", "too little history")),
        ("fct_daily_metrics", UNUSUAL.format("orders", "promotion")),
        ("fct_daily_metrics", UNUSUAL.format("orders", "provisional")),
        (
            "fct_touchpoints",
            """
            insert into gated.untagged_touches values
            ('aurora', current_date - 5, 20, 10), ('aurora', current_date - 6, 19, 19)
            """,
        ),
    ],
    ids=[
        "a copy that does not count",
        "likes that were taken back",
        "a copy that was cancelled",
        "orders of the same masked name",
        "a day with too little before it",
        "a promotion",
        "a day that is not read to its end",
        "half of the touches, or few, without tags",
    ],
)
def test_what_is_as_it_should_be_passes(built: Connection, mart: str, change: str) -> None:
    built.execute(change)
    assert objections(gate(built, MART_CONTRACTS, dataset=mart)) == set()


@pytest.mark.parametrize(
    ("outcome", "dataset", "check", "damage"),
    [
        (
            "failed",
            "shopify_orders",
            "Every order has its id",
            "update raw.shopify_orders set payload = payload - 'legacyResourceId' where record_id = '5'",
        ),
        (
            "failed",
            "shopify_orders",
            "Less than a tenth of orders lack their payment status",
            "update raw.shopify_orders set payload = payload - 'displayFinancialStatus' where record_id in ('5', '6')",
        ),
        (
            "failed",
            "shopify_orders",
            "Less than a tenth of orders lack their total",
            "update raw.shopify_orders set payload = payload - 'totalPriceSet' where record_id in ('5', '6')",
        ),
        (
            "failed",
            "shopify_orders",
            "Less than a tenth of orders lack their currency",
            "update raw.shopify_orders set payload = payload - 'currencyCode' where record_id in ('5', '6')",
        ),
        (
            "failed",
            "shopify_orders",
            "Less than a tenth of orders lack their lines",
            "update raw.shopify_orders set payload = payload - 'lineItems' where record_id in ('5', '6')",
        ),
        (
            "warned",
            "shopify_orders",
            "Less than a twentieth of online orders lack the customer's e-mail",
            "update raw.shopify_orders set payload = payload - 'email' where record_id = '5'",
        ),
        (
            "failed",
            "shopify_refunds",
            "Every refund has its id",
            "update raw.shopify_refunds set payload = payload - 'legacyResourceId' where record_id = '5/5'",
        ),
        (
            "failed",
            "shopify_refunds",
            "Less than a tenth of refunds lack their transactions",
            "update raw.shopify_refunds set payload = payload - 'transactions' where record_id in ('5/5', '6/6')",
        ),
        (
            "failed",
            "shopify_refunds",
            "Every refund has its order",
            "delete from raw.shopify_orders where merchant_id = 'aurora' and record_id = '5'",
        ),
    ],
)
def test_raw_is_judged(built: Connection, outcome: str, dataset: str, check: str, damage: str) -> None:
    built.execute(damage)
    assert objections(gate(built, RAW_CONTRACTS, dataset=dataset)) == {(outcome, dataset, check)}


def test_every_check_has_a_name_and_a_remedy() -> None:
    for path in (*RAW_CONTRACTS.glob("*.yml"), *MART_CONTRACTS.glob("*.yml")):
        contract = yaml.safe_load(path.read_text())
        checks = [*contract["checks"], *(check for column in contract["columns"] for check in column.get("checks", ()))]
        assert checks, path
        for check in checks:
            [body] = check.values()
            assert body["name"], path
            assert body["attributes"]["remedy"].strip(), f"{path}: {body['name']}"


def test_the_last_seven_closed_days_are_built_or_published(built: Connection, dbt: Dbt) -> None:
    """What a build was about does not decide what is told: what an hour before warned of is still true."""
    built.execute("create schema backfill_2")
    built.execute(
        """
        create table backfill_2.scope as
        select
            gen_random_uuid() as build_id, merchant_id, current_date - 5 as date_day,
            (current_date - 5)::timestamp at time zone time_zone as starts_at,
            (current_date - 4)::timestamp at time zone time_zone as ends_at
        from ops.merchants where merchant_id = 'aurora'
        """
    )
    for mart in ("fct_daily_metrics", "fct_ad_spend"):
        built.execute(f"create table marts.{mart} as select * from build.{mart}")
    built.execute("update marts.fct_daily_metrics set revenue = 1.50")
    built.execute("update marts.fct_ad_spend set spend = 2")
    built.execute("insert into ops.promotions values ('aurora', current_date - 4, current_date - 4, 'Sale')")
    built.commit()
    models = ("day_over_day", "spend_day_over_day", "daily_anomalies")
    assert dbt("run", "--select", *(f"+{model}" for model in models), build_schema="backfill_2").success

    def known(query: str) -> dict[int, object]:
        return dict(built.execute(f"select current_date - date_day, {query}").fetchall())

    revenues = known("revenue::float || ' after ' || revenue_day_before::float from backfill_2.day_over_day")
    spends = known("spend::float || ' after ' || spend_day_before::float from backfill_2.spend_day_over_day")
    verdicts = known("verdict from backfill_2.daily_anomalies where metric = 'orders'")
    built.rollback()
    # Five hours a day the merchant's yesterday is the day before that of the server.
    yesterday = (TODAY.date() - (datetime.now(ZoneInfo("America/New_York")).date() - timedelta(days=1))).days
    judged = range(yesterday, yesterday + 7)
    # orders and spend end 3 days ago, refunds a day later
    revenue_days, spend_days = ({*range(newest, 9)} & {*judged} - {4} for newest in (2, 3))
    assert revenues == {day: "10 after 1.5" if day == 5 else "1.5 after 1.5" for day in revenue_days}
    assert spends == {day: "35.4365 after 8" if day == 5 else "8 after 8" for day in spend_days}
    assert verdicts == {day: "promotion" if day == 4 else "provisional" for day in judged}
