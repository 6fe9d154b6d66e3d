"""Advertising through a real scheduler: spend in two currencies, a rate that is missing, campaigns that are no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.heard import incidents
from tests.e2e.independent_ads import bank_rates, converted, google_days, meta_days, tiktok_days
from tests.e2e.test_metrics import FORGOTTEN

if TYPE_CHECKING:
    from fractions import Fraction

    from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200, func_only=True)]

CURRENCIES = {"aurora": "USD", "nordlicht": "EUR"}
FIGURES = (
    "currency",
    "spend",
    "claimed_value",
    "account_currency",
    "account_spend",
    "impressions",
    "clicks",
    "claimed_conversions",
    "account_claimed_value",
)
CANADA = "101000000000002"
RENAMED, DELETED = "120210000000000102", "20110000102"
A_DAY = timedelta(days=1)

Spend = dict[tuple[str, str, str, str], tuple[Any, ...]]
"""Channel, account, campaign and day -> the figures."""


def today(road: Road) -> date:
    return datetime.fromisoformat(road.sandbox("GET", "clock")["now"]).date()


def bank(road: Road, first: date) -> dict[date, dict[str, Fraction]]:
    return bank_rates(f"{road.env['SANDBOX_URL']}/ecb", first - 6 * A_DAY)


def published(road: Road, merchant: str) -> Spend:
    rows = road.sql(
        f"""
        select channel, account_id, campaign_id, date_day::text, {", ".join(FIGURES)}
        from marts.fct_ad_spend where merchant_id = %s
        """,
        merchant,
    )
    return {(channel, account, campaign, day): tuple(told) for channel, account, campaign, day, *told in rows}


def second_opinion(road: Road, merchant: str) -> Spend:
    ((first,),) = road.sql("select history_start from ops.merchants where merchant_id = %s", merchant)
    last, wanted = today(road) + A_DAY, CURRENCIES[merchant]
    rates = bank(road, first)
    read = {
        "meta_ads": meta_days(road.env, merchant, first, last),
        "google_ads": google_days(road.env, road.env["SANDBOX_URL"], merchant, first, last),
        "tiktok_ads": tiktok_days(road.env, merchant, first, last) if merchant == "aurora" else (),
    }
    return {
        (channel, day.account, day.campaign, day.on): (
            wanted,
            *(converted(amount, day.currency, wanted, date.fromisoformat(day.on), rates)
              for amount in (day.spend, day.value)),
            *(day.currency, day.spend, day.impressions, day.clicks, day.conversions, day.value),
        )
        for channel, days in read.items()
        for day in days
    }  # fmt: skip


def publications(road: Road) -> set[tuple[Any, ...]]:
    return set(road.sql("select build_id, merchant_id, date_day from ops.publications"))


@pytest.mark.parametrize("merchant", sorted(CURRENCIES))
def test_every_campaigns_day_equals_an_independent_reading_in_both_currencies(road: Road, merchant: str) -> None:
    ours = published(road, merchant)
    assert len(ours) > 400
    assert ours == second_opinion(road, merchant)


def test_a_merchant_without_a_platform_has_no_rows_of_it(road: Road) -> None:
    assert {channel for channel, *_ in published(road, "nordlicht")} == {"meta_ads", "google_ads"}


@dataclass(frozen=True)
class Held:
    """What happened while a rate was missing."""

    quoted_on: date
    before: dict[str, Spend]
    states: dict[str, str]
    after: dict[str, Spend]
    told: list[str]


@pytest.fixture(scope="module")
def held(road: Road) -> Held:
    """The bank takes a day's Canadian rate back; aurora has an account in Canada."""
    quoted_on = max(day for day in bank(road, today(road) - 9 * A_DAY) if day <= today(road) - 2 * A_DAY)
    rates = road.sandbox("GET", f"fx/rates/{quoted_on}")["rates"]
    before = {merchant: published(road, merchant) for merchant in CURRENCIES}
    road.sandbox("POST", f"fx/rates/{quoted_on}", {"rates": {name: rates[name] for name in rates if name != "CAD"}})
    with road.listening() as said:
        states = road.follow("ingest_fx")
    after = {merchant: published(road, merchant) for merchant in CURRENCIES}
    return Held(quoted_on, before, states, after, [one["text"] for one in incidents(said)])


def test_a_missing_rate_holds_its_merchant_back_and_is_told_in_words(held: Held) -> None:
    assert held.states["ingest_fx"] == "success", held.states
    assert held.states["transform"] == "failed"
    assert held.states["merchant.gate[aurora]"] == "failed"
    assert held.states["merchant.publish[nordlicht]"] == "success"
    assert held.after == held.before
    (message,) = held.told
    for word in ("aurora", "exchange rate", "CAD", str(held.quoted_on), "raw.fx_rates", "nordlicht", "Next:"):
        assert word in message, message


def test_what_a_platform_deleted_or_forgot_stays_and_what_it_renamed_is_the_same(road: Road, held: Held) -> None:
    """The rate is there again, so all that waited is published, together with what happened meanwhile."""
    forgotten = {key: figures for key, figures in held.before["aurora"].items() if key[2] == FORGOTTEN}
    assert len(forgotten) > 20
    corrected = today(road) - 12 * A_DAY
    road.sandbox("DELETE", f"fx/rates/{held.quoted_on}")
    campaigns = "shops/aurora/ads/campaigns"
    road.sandbox("POST", f"{campaigns}/{RENAMED}/rename", {"name": "Carts, renamed"})
    road.sandbox("POST", f"{campaigns}/{DELETED}/delete", {})
    road.sandbox("POST", f"{campaigns}/{FORGOTTEN}/delete", {"forget": True})
    correction = {"counter": "spend", "by": "-1.25"}
    road.sandbox("POST", f"shops/nordlicht/ads/days/{corrected}/20220000102/adjust", correction)
    before = publications(road)

    states = road.follow_all("ingest_fx", "ingest_meta_ads", "ingest_google_ads", "ingest_tiktok_ads")

    assert set(states.values()) <= {"success", "skipped"}, states
    assert published(road, "aurora") == second_opinion(road, "aurora") | forgotten
    assert published(road, "nordlicht") == second_opinion(road, "nordlicht")
    assert published(road, "nordlicht") != held.before["nordlicht"]
    new = {(merchant, day) for _, merchant, day in publications(road) - before}
    days_without_cad = {held.quoted_on + n * A_DAY for n in range(4)}
    assert {day for merchant, day in new if merchant == "nordlicht"} <= {corrected, *days_without_cad}
    assert ("nordlicht", corrected) in new
    names = road.sql(
        "select distinct campaign_name from marts.fct_ad_spend where campaign_id = %s and date_day > %s",
        *(RENAMED, today(road) - 20 * A_DAY),
    )
    assert names == [("Carts, renamed",)]
