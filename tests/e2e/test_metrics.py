"""Every metric of every day through a real scheduler, judged by a computation that shares no code."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.e2e.independent_business import Business, read
from tests.e2e.independent_metrics import KEYS, differences, tables

if TYPE_CHECKING:
    from tests.e2e.conftest import Road
    from tests.e2e.independent_metrics import Row, Table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200, func_only=True)]

MERCHANTS = ("aurora", "nordlicht")
FORGOTTEN = "1810000000000101"
"""The campaign that an ad platform may have deleted for good."""


def published(road: Road, mart: str, merchant: str) -> list[Row]:
    with psycopg.connect(road.env["WAREHOUSE_URL"], row_factory=dict_row) as conn:
        return conn.execute(f"select * from marts.{mart} where merchant_id = %s".encode(), [merchant]).fetchall()


def second_opinion(road: Road, merchant: str) -> Business:
    """All that the vendors tell now, and what an ad platform told of a campaign before it forgot it."""
    ((first,),) = road.sql("select history_start from ops.merchants where merchant_id = %s", merchant)
    now = datetime.fromisoformat(road.sandbox("GET", "clock")["now"])
    # The sandbox counts calls by its own clock, which stands still: this reader's are not what is tested.
    road.sandbox("POST", "klaviyo/limits/reports", {"burst": 1000, "steady": 1000, "daily": 1000})
    business = read(road.env, merchant, first, now, road.tiktok() if merchant == "aurora" else None)
    road.sandbox("DELETE", "klaviyo/limits")
    known = {one["campaign"] for one in road.sandbox("GET", f"shops/{merchant}/ads/campaigns")}
    for row in published(road, "fct_ad_spend", merchant):
        if row["campaign_id"] == FORGOTTEN and FORGOTTEN not in known:
            business.claims[row["date_day"], row["channel"]].add(
                impressions=row["impressions"],
                clicks=row["clicks"],
                spend=row["spend"],
                orders=row["claimed_conversions"],
                value=row["claimed_value"],
            )
    return business


@pytest.fixture(scope="module")
def businesses(road: Road) -> dict[str, Business]:
    """What other tests have changed is published first."""
    assert road.cycle()["transform"] == "success"
    return {merchant: second_opinion(road, merchant) for merchant in MERCHANTS}


@pytest.fixture(scope="module")
def wanted(businesses: dict[str, Business]) -> dict[str, dict[str, Table]]:
    """What the marts of each merchant must hold."""
    return {merchant: tables(business) for merchant, business in businesses.items()}


@pytest.mark.parametrize("mart", KEYS)
@pytest.mark.parametrize("merchant", MERCHANTS)
def test_every_row_of_every_mart_equals_an_independent_computation(
    road: Road, wanted: dict[str, dict[str, Table]], merchant: str, mart: str
) -> None:
    theirs = wanted[merchant][mart]
    assert len(theirs) > 80
    assert differences(mart, published(road, mart, merchant), theirs) == {}


def test_there_is_something_of_everything(businesses: dict[str, Business], wanted: dict[str, dict[str, Table]]) -> None:
    """What never happens in the sandbox would be equal too."""
    rules = {credit.rule for business in businesses.values() for credit in business.credits.values()}
    assert rules == {"native", "last_click", "ga4_session", "direct"}
    told = wanted["aurora"]["fct_attribution_ledger"].values()
    assert {row["touch_channel"] for row in told if row["is_last_click"]} >= {"tiktok_shop", "shopify", "ga4"}
    assert {row["rule"] for row in told} >= {"click", "too_old", "direct", "same_click", "click_known"}
    days = wanted["aurora"]["fct_daily_metrics"].values()
    for metric in ("roas", "mer", "cac", "cost_of_goods", "contribution_margin", "fees", "repeat_rate"):
        assert len({day[metric] for day in days} - {None, Decimal(0)}) > 60, metric
    no_costs = wanted["nordlicht"]["fct_daily_metrics"].values()
    assert {(day["cost_of_goods"], day["cost_coverage"]) for day in no_costs} <= {(None, Decimal(0)), (None, None)}
