"""Spend as it is published equals what the platforms end up saying, after all the days on which they correct it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels import google_ads_road, meta_ads_road
from tests.channels.google_ads_road import GoogleAds
from tests.channels.tiktok_ads_road import tiktok_ads
from tests.e2e.independent_ads import converted, rates_of
from tributary.channels.fx.file import RatesFile
from tributary.channels.fx.streams import FX
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.paths import ROOT
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.dbt.conftest import Dbt, Rows

FIRST_DAY = date(2026, 9, 20)
BEGIN = datetime(2026, 10, 10, 15, tzinfo=UTC)
A_WEEK = timedelta(days=7)
WEEKS = 6
ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin"}
CURRENCIES = {"aurora": "USD", "nordlicht": "EUR"}
RATES = ROOT / "include" / "sandbox" / "fx_rates.csv"
RESTATED_FOR = {"meta": 28, "google": 30, "tiktok": 28}
RENAMED = [("aurora", "120210000000000102"), ("aurora", "20110000102"), ("aurora", "1810000000000101")]
DELETED = [("nordlicht", "120220000000000102"), ("nordlicht", "20220000102"), ("aurora", "1810000000000103")]
FORGOTTEN = [("aurora", "120210000000000201"), ("aurora", "20110000101"), ("aurora", "1810000000000102")]

Key = tuple[str, str, str, str, str]
"""Merchant, platform, account, campaign, day."""


class Figures(NamedTuple):
    """What is said of a campaign's day; GMV Max tells neither impressions nor clicks."""

    currency: str
    account_spend: Decimal
    impressions: int | None
    clicks: int | None
    conversions: Decimal
    account_value: Decimal


@dataclass
class Story:
    """Six weeks of syncs, and what was true when."""

    before: dict[Key, Figures]
    """When the platforms forgot some campaigns."""
    now: dict[Key, Figures]
    final: dict[Key, Figures]
    names: dict[Key, str]
    today: dict[str, date]
    """Where each account is."""


def told(sandbox: GoogleAds, final: bool = False) -> list[tuple[Key, dict[str, Any]]]:
    return [
        ((merchant, row["platform"], row["account"], row["campaign"], row["day"]), row)
        for merchant in ZONES
        for row in sandbox.admin(f"/shops/{merchant}/ads/truth{'?final=1' if final else ''}", method="GET")
    ]


def figures(rows: list[tuple[Key, dict[str, Any]]]) -> dict[Key, Figures]:
    return {
        key: Figures(
            row["currency"],
            Decimal(row["spend"]),
            None if row["kind"] == "gmv_max" else row["impressions"],
            None if row["kind"] == "gmv_max" else row["clicks"],
            Decimal(row["conversions"]),
            Decimal(row["value"]),
        )
        for key, row in rows
    }


def sync_all(sandbox: GoogleAds, connect: Callable[[], psycopg.Connection]) -> None:
    """Every channel of both merchants, until the sandbox's now."""
    now = datetime.fromisoformat(sandbox.admin("/clock", method="GET")["now"])
    start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    accounts = {"aurora": (meta_ads_road.US, meta_ads_road.CANADA), "nordlicht": ("202000000000001",)}
    for merchant in ZONES:
        meta = meta_ads_road.Road(merchant, sandbox, connect, start=start)
        meta.sync(api=meta.api(f"EAA_sandbox_{merchant}_0123456789abcdef", accounts=accounts[merchant]))
        google = google_ads_road.Road(merchant, sandbox, connect, start=start)
        google.sync(api=google.api(merchant))
        for api in (*meta.made, *google.made):
            api.close()
        sync_stream(connect, RatesFile(RATES, lambda: now), FX, FX.stream("rates"), merchant, now, start)
    with closing(tiktok_ads(sandbox.url, now=lambda: now)) as tiktok:
        for stream in TIKTOK_ADS.streams:
            sync_stream(connect, tiktok, TIKTOK_ADS, stream, "aurora", None, start)


@pytest.fixture(scope="module")
def story(conn: psycopg.Connection, module_warehouse_url: str, dbt: Dbt) -> Iterator[Story]:
    """Campaigns are deleted and forgotten after the first sync, and renamed on the way; six weekly ones follow."""
    app = create_app(Settings(first_day=FIRST_DAY, frozen_at=BEGIN, grpc_port=0))
    with serve(app) as url:
        sandbox = GoogleAds(url, app.state.grpc_address)

        def connect() -> psycopg.Connection:
            return psycopg.connect(module_warehouse_url)

        sync_all(sandbox, connect)
        before = figures(told(sandbox))
        for merchant, campaign in DELETED:
            sandbox.admin(f"/shops/{merchant}/ads/campaigns/{campaign}/delete")
        for merchant, campaign in FORGOTTEN:
            sandbox.admin(f"/shops/{merchant}/ads/campaigns/{campaign}/delete", {"forget": True})
        for week in range(WEEKS):
            for merchant, campaign in RENAMED if week == WEEKS // 2 else ():
                sandbox.admin(f"/shops/{merchant}/ads/campaigns/{campaign}/rename", {"name": f"{campaign}, renamed"})
            sandbox.admin("/clock", {"advance_seconds": int(A_WEEK.total_seconds())})
            sync_all(sandbox, connect)
        rows = told(sandbox)
        result = dbt("run", "--select", "+fct_ad_spend")
        assert result.success, result.exception
        today = {key[2]: date.fromisoformat(key[4]) for key, _ in sorted(rows, key=lambda one: one[0][4])}
        yield Story(
            before, figures(rows), figures(told(sandbox, final=True)), {key: row["name"] for key, row in rows}, today
        )


@pytest.fixture(scope="module")
def published(story: Story, rows: Rows) -> dict[Key, dict[str, Any]]:
    """The mart as it was built."""
    found = rows("select * from build.fct_ad_spend")
    return {
        (
            row["merchant_id"],
            row["channel"].removesuffix("_ads"),
            row["account_id"],
            row["campaign_id"],
            str(row["date_day"]),
        ): row
        for row in found
    }


def shown(row: dict[str, Any]) -> Figures:
    return Figures(
        row["account_currency"],
        row["account_spend"],
        row["impressions"],
        row["clicks"],
        row["claimed_conversions"],
        row["account_claimed_value"],
    )


def is_forgotten(key: Key) -> bool:
    return (key[0], key[3]) in FORGOTTEN


def test_every_campaigns_day_is_what_its_platform_says_now(story: Story, published: dict[Key, Any]) -> None:
    kept = {key: figures for key, figures in story.before.items() if is_forgotten(key)}
    assert len(kept) > 40
    assert {key[1] for key in kept} == {"meta", "google", "tiktok"}
    assert len(story.now) > 900
    assert {key: shown(row) for key, row in published.items()} == story.now | kept


def test_a_final_day_is_what_its_platform_says_in_the_end(story: Story, published: dict[Key, Any]) -> None:
    def is_over(key: Key) -> bool:
        age = story.today[key[2]] - date.fromisoformat(key[4])
        return age >= timedelta(days=RESTATED_FOR[key[1]])

    assert {key for key, row in published.items() if row["is_final"]} == set(filter(is_over, published))
    ended = {key: figures for key, figures in story.final.items() if is_over(key)}
    assert len(ended) > 400
    assert {key: shown(row) for key, row in published.items() if is_over(key) and not is_forgotten(key)} == ended
    # The days were corrected on the way, so that a single reading would have been wrong.
    assert sum(story.before[key] != ended[key] for key in story.before.keys() & ended.keys()) > 100


def test_money_stands_in_the_merchants_currency_by_the_rate_of_its_day(published: dict[Key, Any]) -> None:
    rates = rates_of(RATES)
    pairs = set()
    for (merchant, *_, day), row in published.items():
        wanted = CURRENCIES[merchant]
        pairs.add((row["account_currency"], wanted))
        assert row["currency"] == wanted
        for ours, theirs in (("spend", "account_spend"), ("claimed_value", "account_claimed_value")):
            exact = converted(row[theirs], row["account_currency"], wanted, date.fromisoformat(day), rates)
            assert row[ours] == exact, (merchant, day, row["campaign_id"])
    assert pairs == {("USD", "USD"), ("CAD", "USD"), ("USD", "EUR"), ("EUR", "EUR")}


def test_days_of_another_clock_are_flagged(published: dict[Key, Any]) -> None:
    zones = {(key[0], row["account_time_zone"], row["is_merchant_day"]) for key, row in published.items()}
    assert zones == {
        ("aurora", "America/New_York", True),
        ("aurora", "America/Vancouver", False),
        ("nordlicht", "America/Los_Angeles", False),
        ("nordlicht", "Europe/Berlin", True),
    }


def test_a_renamed_campaign_is_one_campaign_and_a_deleted_one_keeps_its_days(
    story: Story, published: dict[Key, Any]
) -> None:
    for merchant, campaign in RENAMED:
        days = {
            key[4]: row["campaign_name"] for key, row in published.items() if (key[0], key[3]) == (merchant, campaign)
        }
        # What was read before, and is not read again, has the name that it had.
        assert days[min(days)] != days[max(days)] == f"{campaign}, renamed"
    for merchant, campaign in DELETED:
        days_before = {key for key in story.before if (key[0], key[3]) == (merchant, campaign)}
        assert len(days_before) > 5
        assert days_before & published.keys() == days_before & story.now.keys()
