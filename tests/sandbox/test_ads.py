"""The world's advertising: days that grow, are restated and become final, and what can be made to happen to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.business.ads import COUNTERS, Row
from sandbox.business.ads_plans import PLATFORMS, RESTATED_DAYS
from sandbox.clock import parse_instant
from sandbox.world import Settings, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.business.ads import Ads
    from sandbox.business.ads_plans import Account
    from sandbox.shop import Shop
    from tests.sandbox.conftest import Client

FIRST = date(2026, 9, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(40)]
NOW = parse_instant("2026-10-11T12:00:00Z")
MERCHANTS = ("aurora", "nordlicht")
RENAMED = "120210000000000101"
GONE = "120210000000000102"


def _shop(merchant: str, first_day: date = FIRST, seed: int = 7) -> Shop:
    shop = World(Settings(seed=seed, first_day=first_day, frozen_at=NOW)).shop(f"{merchant}.myshopify.com")
    assert shop is not None
    return shop


SHOPS = {merchant: _shop(merchant) for merchant in MERCHANTS}
ADS = {merchant: shop.ads for merchant, shop in SHOPS.items()}
ACCOUNTS = [
    (merchant, account) for merchant in MERCHANTS for name in PLATFORMS for account in ADS[merchant].accounts(name)
]
every_account = pytest.mark.parametrize(("merchant", "account"), ACCOUNTS, ids=lambda one: getattr(one, "name", one))


def _seen(ads: Ads, account: Account, day: date, age: int, hour: int = 12) -> list[Row]:
    """A day as it looked so many days later, at that hour of the account's clock."""
    now = datetime.combine(day + timedelta(days=age), time(hour), account.zone).astimezone(UTC)
    return ads.rows(account, day, day, now)


def _figures(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [(row.day, row.campaign.campaign_id, *(getattr(row, name) for name in COUNTERS)) for row in rows]


def test_every_merchant_has_the_accounts_agreed_on() -> None:
    """Aurora advertises everywhere, in two currencies; Nordlicht is not on TikTok, and pays Meta in dollars."""
    told = {
        (merchant, one.platform, one.account_id): (one.currency, one.zone.key, one.manager_id)
        for merchant, one in ACCOUNTS
    }
    assert told == {
        ("aurora", "meta", "101000000000001"): ("USD", "America/New_York", None),
        ("aurora", "meta", "101000000000002"): ("CAD", "America/Vancouver", None),
        ("aurora", "google", "1110000001"): ("USD", "America/New_York", "1110000009"),
        ("aurora", "tiktok", "7110000000000000001"): ("USD", "America/New_York", None),
        ("nordlicht", "meta", "202000000000001"): ("USD", "America/Los_Angeles", None),
        ("nordlicht", "google", "2220000001"): ("EUR", "Europe/Berlin", None),
    }


def test_the_same_seed_tells_the_same_and_another_one_something_else() -> None:
    account, first = ADS["aurora"].account("101000000000001"), NOW.date() - timedelta(days=7)
    told = [_figures(_shop("aurora", first, seed).ads.rows(account, first, NOW.date(), NOW)) for seed in (7, 7, 8)]
    assert told[0] == told[1] != told[2]


@every_account
def test_a_day_changes_for_weeks_and_then_never_again(merchant: str, account: Account) -> None:
    ads, most = ADS[merchant], RESTATED_DAYS[account.platform]
    changed_at = set()
    for day in DAYS:
        looks = [_figures(_seen(ads, account, day, age)) for age in range(1, most + 1)]
        changed_at |= {age for age, (one, other) in enumerate(pairwise(looks), 2) if one != other}
        assert looks[-1] == _figures(_seen(ads, account, day, most, hour=0)) == _figures(ads.final(account, day, day))
    assert {2, 3, 4} <= changed_at
    assert max(changed_at) >= most - 4


@given(number=st.integers(0, len(DAYS) - 1), age=st.integers(30, 3000), hour=st.integers(0, 23))
def test_what_is_final_stays(number: int, age: int, hour: int) -> None:
    for merchant, account in ACCOUNTS:
        final = ADS[merchant].final(account, DAYS[number], DAYS[number])
        assert _figures(_seen(ADS[merchant], account, DAYS[number], age, hour)) == _figures(final)


def test_days_vanish_others_appear_and_claims_come_and_go() -> None:
    """Each of these happens somewhere; a reader who never looks back gets all of them wrong."""
    first, final = {}, {}
    for merchant, account in ACCOUNTS:
        for day in DAYS:
            first |= {(row.day, row.campaign.campaign_id): row for row in _seen(ADS[merchant], account, day, 1)}
            final |= {(row.day, row.campaign.campaign_id): row for row in ADS[merchant].final(account, day, day)}
    both = [(first[key], final[key]) for key in first.keys() & final.keys()]
    assert first.keys() - final.keys()
    assert final.keys() - first.keys()
    assert any(one.spend_micros > other.spend_micros for one, other in both)
    assert any(one.conversions_micros < other.conversions_micros for one, other in both)
    assert any(one.conversions_micros > other.conversions_micros for one, other in both)


@every_account
def test_today_grows_and_tomorrow_is_not_there(merchant: str, account: Account) -> None:
    day = DAYS[20]
    looks = [sum(row.spend_micros for row in _seen(ADS[merchant], account, day, 0, hour)) for hour in (1, 9, 15, 23)]
    assert 0 < looks[0] < looks[1] < looks[2] < looks[3]
    assert _seen(ADS[merchant], account, day, -1, 23) == []
    assert ADS[merchant].rows(account, FIRST - timedelta(days=9), FIRST - timedelta(days=1), NOW) == []


@every_account
def test_amounts_are_told_as_finely_as_the_platform_does(merchant: str, account: Account) -> None:
    rows = ADS[merchant].final(account, FIRST, DAYS[-1])
    whole = account.platform != "google"
    for counter, unit in (("spend_micros", 10_000), ("value_micros", 10_000), ("conversions_micros", 1_000_000)):
        assert whole == all(getattr(row, counter) % unit == 0 for row in rows), counter


def test_platforms_claim_more_orders_than_came_by_them() -> None:
    """Meta, over both accounts: what the shop knows of a source, and what the platform says."""
    shop = SHOPS["aurora"]
    sources = [order.true_source for order in shop.orders.values() if not order.test]
    came = sum(source is not None and source.source == "facebook" for source in sources)
    claimed = sum(
        row.conversions_micros
        for account in shop.ads.accounts("meta")
        for row in shop.ads.final(account, FIRST, NOW.date())
    )
    assert came < claimed / 1_000_000 < 2 * came


def test_a_deleted_campaign_delivers_nothing_more_and_keeps_its_past() -> None:
    account = ADS["aurora"].account("101000000000001")
    (campaign,) = [one for one in ADS["aurora"].campaigns(account, NOW) if one.status == "deleted"]
    days = [row.day for row in ADS["aurora"].final(account, FIRST, DAYS[-1]) if row.campaign == campaign]
    assert days == DAYS[:3]
    early = datetime.combine(DAYS[1], time(12), UTC)
    assert {one.status for one in ADS["aurora"].campaigns(account, early)} == {"active"}


def _truth(client: Client, merchant: str = "aurora", query: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    told = client.admin("GET", f"/shops/{merchant}/ads/truth{query}")
    return {(one["day"], one["campaign"]): one for one in told}


def test_what_happens_to_campaigns_is_seen_at_once_and_after_a_restart(
    start: Callable[..., Client], tmp_path: Path
) -> None:
    client = start(state=tmp_path)
    before, others = _truth(client), _truth(client, "nordlicht")
    ads = "/shops/aurora/ads"
    client.admin("POST", f"{ads}/campaigns/{RENAMED}/rename", {"name": "Autumn"})
    client.admin("POST", f"{ads}/campaigns/{RENAMED}/delete")
    client.admin("POST", f"{ads}/campaigns/{GONE}/delete", {"forget": True})
    client.admin("POST", f"{ads}/accounts/101000000000002/disable")
    client.admin("POST", f"{ads}/days/2026-11-12/20110000101/adjust", {"counter": "spend", "by": "-1.25"})

    after = _truth(client)
    assert {key for key in before if key not in after} == {key for key in before if key[1] == GONE}
    assert after.keys() <= before.keys()
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {key for key in after if key[1] == RENAMED} | {("2026-11-12", "20110000101")}
    adjusted = ("2026-11-12", "20110000101")
    assert float(after[adjusted]["spend"]) == pytest.approx(float(before[adjusted]["spend"]) - 1.25)
    renamed = after["2026-11-13", RENAMED]
    assert renamed == before["2026-11-13", RENAMED] | {"name": "Autumn"}
    assert _truth(client, "nordlicht") == others

    told = {one["campaign"]: one for one in client.admin("GET", f"{ads}/campaigns?platform=meta")}
    assert GONE not in told
    assert (told[RENAMED]["name"], told[RENAMED]["status"]) == ("Autumn", "deleted")

    again = start(state=tmp_path)
    assert _truth(again) == after
    assert {one["campaign"]: one for one in again.admin("GET", f"{ads}/campaigns?platform=meta")} == told
    client.admin("POST", "/clock", {"advance_seconds": 86_400})
    assert {key[1] for key in _truth(client) if key[0] == "2026-11-16"}.isdisjoint({RENAMED, GONE})


def test_the_truth_can_be_asked_for_a_part_and_for_the_end(fresh: Client) -> None:
    every, day = _truth(fresh), _truth(fresh, query="?platform=google&day=2026-11-13")
    assert day == {key: one for key, one in every.items() if key[0] == "2026-11-13" and one["platform"] == "google"}
    assert {one["account"] for one in _truth(fresh, query="?account=101000000000002").values()} == {"101000000000002"}
    final = _truth(fresh, query="?final")
    fresh.admin("POST", "/clock", {"advance_seconds": 31 * 86_400})
    assert {key: one for key, one in _truth(fresh).items() if key in final and key[0] < "2026-11-15"} == {
        key: one for key, one in final.items() if key[0] < "2026-11-15"
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/campaigns/123/rename", {"name": "x"}, 404, "there is no campaign '123'"),
        (f"/campaigns/{RENAMED}/rename", {"name": ""}, 400, "is not a name"),
        (f"/campaigns/{RENAMED}/delete", {"forget": "yes"}, 400, "neither true nor false"),
        ("/accounts/5/disable", None, 404, "there is no ad account '5'"),
        (f"/days/2026-11-13/{RENAMED}/adjust", {"counter": "likes", "by": 1}, 400, "no counter 'likes'"),
        (f"/days/2026-11-13/{RENAMED}/adjust", {"counter": "clicks", "by": "1.5"}, 400, "finer than"),
        (f"/days/2026-11-13/{RENAMED}/adjust", {"counter": "spend", "by": "much"}, 400, "is not a number"),
        (f"/days/2026-12-24/{RENAMED}/adjust", {"counter": "clicks", "by": 1}, 400, "there is nothing of 2026-12-24"),
    ],
)
def test_what_cannot_happen_is_said(
    sandbox: Client, path: str, body: dict[str, Any] | None, status: int, says: str
) -> None:
    assert says in sandbox.admin("POST", f"/shops/aurora/ads{path}", body, status)["error"]
