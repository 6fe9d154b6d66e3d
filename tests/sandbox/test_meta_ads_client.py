"""Meta's own client reads accounts, reports and campaigns of the sandbox, and understands what it refuses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.campaign import Campaign
from facebook_business.adobjects.user import User
from facebook_business.exceptions import FacebookRequestError

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import NOW, Client
from tests.sandbox.meta_ads_reader import CANADA, FIELDS, NORDLICHT, US, account, by_day, counted, official, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

SINCE, UNTIL = "2026-10-19", "2026-11-15"
DELETED = "120210000000000105"


@pytest.fixture(scope="module")
def world() -> Iterator[Client]:
    with serve(create_app(Settings(seed=7, first_day=date(2026, 10, 19), frozen_at=NOW))) as url:
        yield Client(url)


@pytest.fixture
def meta(world: Client) -> Iterator[Client]:
    yield world
    world.admin("DELETE", "/meta_ads")


def rows(client: Client, number: str = US, **asked: Any) -> list[Any]:
    return list(account(client, number, merchant="nordlicht" if number == NORDLICHT else "aurora").get_insights(
        fields=FIELDS, params=by_day(SINCE, UNTIL, limit=100, **asked)
    ))  # fmt: skip


def keys(found: list[Any]) -> list[tuple[str, str]]:
    return [(row["date_start"], row["campaign_id"]) for row in found]


def test_it_reads_accounts(meta: Client) -> None:
    fields = ["account_id", "name", "currency", "timezone_name", "account_status"]
    one = account(meta, CANADA).api_get(fields=fields)
    assert [one[name] for name in fields] == [CANADA, "Aurora Canada", "CAD", "America/Vancouver", 1]
    own = User("me", api=official(meta)).get_ad_accounts(fields=["name"])
    assert [each["id"] for each in own] == [f"act_{US}", f"act_{CANADA}"]
    meta.admin("POST", f"/shops/aurora/ads/accounts/{CANADA}/disable")
    assert account(meta, CANADA).api_get(fields=fields)["account_status"] == 2
    meta.admin("POST", f"/shops/aurora/ads/accounts/{CANADA}/enable")


@pytest.mark.parametrize("number", [US, CANADA, NORDLICHT])
def test_reports_tell_every_campaigns_days(meta: Client, number: str) -> None:
    true, found = truth(meta, number), rows(meta, number)
    assert keys(found) == sorted(true)
    assert any(row.get("action_values") for row in found)
    assert any("action_values" not in row for row in found)
    for row in found:
        own = true[row["date_start"], row["campaign_id"]]
        assert row["date_stop"] == row["date_start"]
        assert (row["campaign_name"], row["objective"], row["account_currency"]) == (
            own["name"], own["type"], own["currency"],
        )  # fmt: skip
        assert Decimal(row["spend"]) == Decimal(own["spend"])
        assert (row["impressions"], row["clicks"]) == (str(own["impressions"]), str(own["clicks"]))
        for kind in ("purchase", "omni_purchase", "offsite_conversion.fb_pixel_purchase"):
            assert counted(row, "actions", kind) == Decimal(own["conversions"])
            assert counted(row, "action_values", kind) == Decimal(own["value"])


def test_pages_make_up_the_whole(meta: Client) -> None:
    whole, calls = rows(meta), meta.admin("GET", f"/meta_ads/usage/{US}")["calls"]
    cursor = account(meta).get_insights(fields=FIELDS, params=by_day(SINCE, UNTIL, limit=30))
    assert [dict(row) for row in cursor] == [dict(row) for row in whole]
    assert meta.admin("GET", f"/meta_ads/usage/{US}")["calls"] - calls == -(-len(whole) // 30)


def test_deleted_campaigns_are_only_there_when_they_are_asked_for(meta: Client) -> None:
    every, live = keys(rows(meta)), keys(rows(meta, filtering=[]))
    gone = {key for key in every if key[1] == DELETED}
    assert gone
    assert sorted({*live, *gone}) == every
    assert not gone & set(live)
    # The account's own figures are those of all its campaigns.
    (total,) = account(meta).get_insights(fields=["spend"], params={"time_range": {"since": SINCE, "until": UNTIL}})
    assert Decimal(total["spend"]) == sum(Decimal(row["spend"]) for row in truth(meta).values())
    assert (total["date_start"], total["date_stop"], "campaign_id" in total) == (SINCE, UNTIL, False)


def test_weeks_are_sums_of_their_days(meta: Client) -> None:
    asked = by_day("2026-10-26", "2026-11-11", time_increment=7)
    found = list(account(meta).get_insights(fields=["campaign_id", "spend", "actions"], params=asked))
    ends = {(row["date_start"], row["date_stop"]) for row in found}
    assert ends == {("2026-10-26", "2026-11-01"), ("2026-11-02", "2026-11-08"), ("2026-11-09", "2026-11-11")}
    true = truth(meta)
    for row in found:
        days = [
            own
            for (day, campaign), own in true.items()
            if campaign == row["campaign_id"] and row["date_start"] <= day <= row["date_stop"]
        ]
        assert Decimal(row["spend"]) == sum(Decimal(own["spend"]) for own in days)
        assert counted(row, "actions") == sum(Decimal(own["conversions"]) for own in days)


def test_runs_bring_the_same_rows(meta: Client) -> None:
    run = account(meta).get_insights_async(fields=FIELDS, params=by_day(SINCE, UNTIL))
    seen = []
    while not seen or seen[-1][0] != "Job Completed":
        run = run.api_get()
        seen.append((run["async_status"], run["async_percent_completion"]))
    assert seen == [("Job Not Started", 0), ("Job Running", 50), ("Job Running", 100), ("Job Completed", 100)]
    meta.admin("POST", f"/shops/aurora/ads/campaigns/{DELETED}/rename", {"name": "Renamed since"})
    found = [dict(row) for row in run.get_result(params={"limit": 20})]
    assert {row["campaign_name"] for row in found if row["campaign_id"] == DELETED} == {"Summer clearance"}
    now = [dict(row) for row in rows(meta)]
    assert {row["campaign_name"] for row in now if row["campaign_id"] == DELETED} == {"Renamed since"}
    assert [row | {"campaign_name": ""} for row in found] == [row | {"campaign_name": ""} for row in now]


def test_it_reads_campaigns(meta: Client) -> None:
    fields = ["name", "effective_status", "objective"]
    listed = account(meta).get_campaigns(fields=fields, params={"limit": 2})
    assert {one["id"]: one["effective_status"] for one in listed} == {
        "120210000000000101": "ACTIVE",
        "120210000000000102": "ACTIVE",
        "120210000000000103": "PAUSED",
        "120210000000000104": "ACTIVE",
    }
    assert listed.total() == 4
    paused = account(meta).get_campaigns(params={"effective_status": ["PAUSED", "DELETED"]})
    assert [one["id"] for one in paused] == ["120210000000000103"]
    # A deleted one is known by its own id, and only by that.
    assert Campaign(DELETED, api=official(meta)).api_get(fields=fields)["effective_status"] == "DELETED"
    found = Campaign.get_by_ids([DELETED, "120210000000000201"], fields=["name"], api=official(meta))
    assert {one["id"] for one in found} == {DELETED, "120210000000000201"}


def test_what_is_forgotten_is_not_known_any_more(meta: Client) -> None:
    campaign = "120220000000000104"
    known = Campaign(campaign, api=official(meta, "nordlicht"))
    assert known.api_get(fields=["name"])["name"] == "Sommer"
    assert campaign in {key[1] for key in keys(rows(meta, NORDLICHT))}
    meta.admin("POST", f"/shops/nordlicht/ads/campaigns/{campaign}/delete", {"forget": True})
    with pytest.raises(FacebookRequestError) as refused:
        known.api_get(fields=["name"])
    assert (refused.value.api_error_code(), refused.value.api_error_subcode()) == (100, 33)
    assert campaign not in {key[1] for key in keys(rows(meta, NORDLICHT))}


def test_it_proves_the_secret_of_its_app(meta: Client) -> None:
    meta.admin("POST", "/meta_ads/tokens/aurora", {"requires_proof": True})
    assert account(meta, app_secret="meta_secret_aurora").api_get(fields=["name"])["name"] == "Aurora US"
    for secret in ("meta_secret_nordlicht", None):
        with pytest.raises(FacebookRequestError, match="appsecret_proof") as refused:
            AdAccount(f"act_{US}", api=official(meta, app_secret=secret)).api_get(fields=["name"])
        assert (refused.value.http_status(), refused.value.api_error_code()) == (400, 100)


def test_it_understands_refusals(meta: Client) -> None:
    meta.admin("POST", "/meta_ads/limits", {"days": 7, "timeout": 2})
    with pytest.raises(FacebookRequestError) as refused:
        rows(meta)
    told = refused.value
    assert (told.http_status(), told.api_error_code(), told.api_error_subcode()) == (500, 2, 1504038)
    assert told.api_transient_error() is True
    meta.admin("POST", "/meta_ads/tokens/aurora", {"invalid": 463})
    with pytest.raises(FacebookRequestError) as refused:
        rows(meta)
    assert (refused.value.api_error_type(), refused.value.api_error_subcode()) == ("OAuthException", 463)
