"""The funnel of a whole month equals a second computation, and its page tells the truth of one channel and day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from tests.dbt.whole_merchant import MERCHANT, whole_merchant
from tests.e2e.independent_ads import meta_days
from tests.e2e.independent_funnel import STAGES, funnel
from tests.e2e.independent_ga4 import Property
from tributary.channels.ga4.streams import GA4
from tributary.channels.google_ads.streams import GOOGLE_ADS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.meta_ads.streams import META_ADS
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dbt.conftest import Dbt
    from tests.dbt.whole_merchant import WholeMerchant
    from tests.e2e.independent_business import Business
    from tests.e2e.independent_funnel import Table

    Rows = list[tuple[str, ...]]

pytestmark = pytest.mark.timeout(300)

FIRST_DAY = date(2026, 10, 19)
NOW = datetime(2026, 11, 18, 15, 7, 11, tzinfo=UTC)
PAGE = ROOT / "docs" / "funnel.md"
BY_HAND = date(2026, 10, 19), "meta_ads"
FACEBOOK = ("facebook", "paid_social")
"""Source and medium of all visits that are by hand."""

READ = {
    *("orders", "returns", "cancellations", "statements", "statement_transactions", "shop_performance"),
    *("videos", "video_details", "metrics", "profiles", "events", "days", "campaign_values", "flow_values"),
    *("sessions", "funnel_events", "transactions"),
}
"""The streams of the shops, the mails and the website that a funnel takes."""


@pytest.fixture(scope="module")
def merchant(module_warehouse_url: str, dbt: Dbt, dbt_target: Path) -> Iterator[WholeMerchant]:
    """A month of the sandbox's aurora: what its funnel is made of, read and built."""
    manifest = dbt_target / "build" / "manifest.json"
    with whole_merchant(module_warehouse_url, dbt, manifest, FIRST_DAY, NOW) as merchant:
        merchant.sync(META_ADS, GOOGLE_ADS, TIKTOK_ADS)
        merchant.sync(SHOPIFY, KLAVIYO, TIKTOK_SHOP, GA4, only=READ)
        merchant.build("+fct_funnel")
        yield merchant


@pytest.fixture(scope="module")
def business(merchant: WholeMerchant) -> Business:
    return merchant.second_opinion()


@pytest.fixture(scope="module")
def told(business: Business) -> Table:
    """What the vendors' own answers come to."""
    return funnel(business)


@pytest.fixture(scope="module")
def built(merchant: WholeMerchant) -> Table:
    with merchant.conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("select * from build.fct_funnel where merchant_id = %s", [MERCHANT]).fetchall()
    found = {(row["date_day"], row["channel"], row["stage"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_row_equals_an_independent_computation(built: Table, told: Table) -> None:
    wrong = {
        key: (built.get(key), told.get(key))
        for key in built.keys() | told.keys()
        if key not in built or key not in told or any(built[key][name] != value for name, value in told[key].items())
    }
    assert wrong == {}
    # It says something only if every source tells something, and something is told by nobody.
    sources = {"meta_ads", "google_ads", "tiktok_ads", "klaviyo", "tiktok_shop", "ga4", "orders", None}
    assert {row["told_by"] for row in told.values()} == sources
    assert {row["is_final"] for row in told.values()} == {True, False}
    assert len(told) > 30 * 8 * len(STAGES)


def test_what_dbt_holds_of_it_is_held(merchant: WholeMerchant, dbt: Dbt) -> None:
    result = dbt("test", "--select", "fct_funnel", "int_ga4__funnel", "int_ga4__funnel_days")
    assert result.success, [r.message for r in result.result if r.status != "pass"]
    assert sum(r.node.resource_type == "unit_test" for r in result.result) == 4


def tables() -> dict[str, Rows]:
    """The page's tables by the heading above each."""
    found: dict[str, Rows] = {}
    for part in re.split(r"^#+ ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
        if lines:
            found[part.splitlines()[0]] = [tuple(cell.strip(" `") for cell in line) for line in lines[2:]]
    return found


def test_the_page_names_who_tells_each_stage(told: Table) -> None:
    told_by: dict[tuple[str, str], set[str]] = {}
    for (_, channel, stage), row in told.items():
        told_by.setdefault((channel, stage), set()).update({row["told_by"]} - {None})
    channels = {channel for channel, _ in told_by}
    expected = {(channel, *(" ".join(told_by[channel, stage]) for stage in STAGES)) for channel in channels}
    assert set(tables()["Who tells what"]) == expected


def answers(merchant: WholeMerchant, business: Business) -> dict[str, Rows]:
    """What the vendors say of the channel's day, row by row."""
    (on, channel), env = BY_HAND, merchant.environment()
    website = Property(env["SANDBOX_URL"], env["GA4_AURORA_KEYFILE"], env["GA4_AURORA_PROPERTY_ID"])
    came = ("sessionSource", "sessionMedium", "sessionCampaignName")

    def of_ga4(dimension: str, metric: str) -> Rows:
        rows = website.rows(str(on), str(on), (dimension, *came), (metric,))
        return [(told, count) for (told, *source, _), (count,) in rows if tuple(source) == FACEBOOK]

    return {
        "Awareness": [
            (day.account, day.campaign, str(day.impressions)) for day in meta_days(env, MERCHANT, on, on)
        ],
        "Visit": of_ga4("landingPage", "sessions"),
        "Product view, add to cart, checkout": of_ga4("eventName", "eventCount"),
        "Purchase": [
            (order.id, f"{order.at:%F %T}", f"{touch.at:%F %T}", touch.origin.source, touch.origin.medium)
            for order in business.clicked[on, channel]
            if (touch := business.credits[order.key].touch)
        ],
    }  # fmt: skip


def test_the_page_quotes_what_the_vendors_answer(merchant: WholeMerchant, business: Business) -> None:
    quoted, told = tables(), answers(merchant, business)
    assert {part: sorted(quoted[part]) for part in told} == {part: sorted(rows) for part, rows in told.items()}


def test_the_day_adds_up_by_hand(built: Table) -> None:
    quoted = tables()
    steps = dict(quoted["Product view, add to cart, checkout"])
    by_hand = {
        "awareness": sum(int(impressions) for *_, impressions in quoted["Awareness"]),
        "visit": sum(int(sessions) for _, sessions in quoted["Visit"]),
        "product_view": int(steps["view_item"]),
        "add_to_cart": int(steps["add_to_cart"]),
        "checkout": int(steps["begin_checkout"]),
        "purchase": len(quoted["Purchase"]),
    }
    published = [built[(*BY_HAND, stage)] for stage in STAGES]
    assert {row["stage"]: row["contacts"] for row in published if row["contacts"] is not None} == by_hand
    columns = ("stage", "told_by", "contacts", "previous_stage", "conversion", "drop_off")
    assert quoted["The mart"] == [
        tuple("" if row[name] is None else str(row[name]) for name in columns) for row in published
    ]


def test_the_page_writes_its_sums_out() -> None:
    """Each line `1 + 2 = 3`, or `1 / 2 = 0.5`, is right."""
    sums: list[Any] = re.findall(r"^    ([\d +/.]+) = ([\d.]+)$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(sums) >= 7
    for left, right in sums:
        if "/" in left:
            part, whole = left.split(" / ")
            assert f"{int(part) / int(whole):.6f}" == right, left
        else:
            assert sum(int(number) for number in left.split(" + ")) == int(right), left
