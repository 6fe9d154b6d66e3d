"""TikTok Ads in raw: every campaign's day as the sandbox's business has it, today and weeks later."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.channels.road import differing
from tests.channels.tiktok_ads_road import (
    ACCOUNT,
    FIRST_DAY,
    GMV_MAX,
    INFO,
    REPORT,
    STORE,
    TOKEN,
    Road,
    Truth,
    advertising,
    coded,
    noon,
)
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.http import AuthError, BrokenResponse, RequestRefused
from tributary.warehouse.errors import TooManyDeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.shopify_sandbox import Sandbox

STREAMS = [stream.name for stream in TIKTOK_ADS.streams]
REPORTS = dict(zip(STREAMS, (REPORT, GMV_MAX), strict=True))
TODAY = date(2026, 11, 20)
A_DAY = timedelta(days=1)
START = noon(FIRST_DAY) - A_DAY

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def still() -> Iterator[Sandbox]:
    """Three weeks of advertising that no test changes."""
    with advertising() as sandbox:
        yield sandbox


@pytest.fixture
def road(request: pytest.FixtureRequest, still: Sandbox, shared_warehouse: str, slept: list[float]) -> Iterator[Road]:
    road = Road(request.node.name, still, lambda: psycopg.connect(shared_warehouse), start=START, slept=slept)
    yield road
    road.no_faults()
    for api in road.made:
        api.close()


@pytest.fixture
def onward(road: Road) -> Iterator[Road]:
    """The same in a world of the test's own, whose time goes on."""
    with advertising(date(2026, 11, 14)) as sandbox:
        yield replace(road, sandbox=sandbox)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_campaigns_day_is_what_the_business_says(stream: str, road: Road) -> None:
    road.sync(stream)
    truth = road.truth(stream)
    assert road.held(stream) == truth
    assert len(truth) > 15
    known = {key.split("/")[2] for key in truth}
    assert known <= set(road.campaigns(stream))
    assert road.days(stream) >= {f"{FIRST_DAY + n * A_DAY}/{ACCOUNT}" for n in range(20)}
    assert f"{TODAY + A_DAY}/{ACCOUNT}" not in road.days(stream)
    assert set(road.raw(stream, "event_at").values()) == {
        noon(date.fromisoformat(key[:10])) for key in road.raw(stream)
    }
    assert set(road.raw(stream, "api_version").values()) == {"v1.3"}
    assert not road.letters(stream)


def test_gmv_max_and_other_campaigns_do_not_mix(road: Road) -> None:
    found = {}
    for stream in STREAMS:
        road.sync(stream)
        found[stream] = {key.split("/")[2] for key in road.held(stream)}
    assert found["campaign_days"]
    assert found["gmv_max_days"]
    assert not found["campaign_days"] & found["gmv_max_days"]


def test_deleted_campaigns_keep_their_days(road: Road) -> None:
    road.sync("campaign_days")
    told = road.sandbox.admin("/shops/aurora/ads/campaigns?platform=tiktok", method="GET")
    deleted = {one["campaign"] for one in told if one["status"] == "deleted"}
    assert deleted & {key.split("/")[2] for key in road.held("campaign_days")}


def test_a_minus_sign_stands_for_nothing(road: Road) -> None:
    road.fault("merged", merge={"data": {"list": {"0": {"metrics": {"clicks": "-", "complete_payment": "-"}}}}})
    road.sync("campaign_days")
    dashes = [
        payload["row"]["metrics"]
        for payload in road.raw("campaign_days").values()
        if "row" in payload and payload["row"]["metrics"]["clicks"] == "-"
    ]
    assert [one["complete_payment"] for one in dashes] == ["-"]
    assert not road.letters("campaign_days")


def test_a_second_sync_changes_nothing(road: Road) -> None:
    for stream in STREAMS:
        road.sync(stream)
        before = road.snapshot(stream)
        road.sync(stream)
        assert not differing(before, road.snapshot(stream))


def test_pages_of_another_size_bring_the_same(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tributary.channels.tiktok_ads.reports.PAGE_SIZE", 7)
    for stream in STREAMS:
        road.sync(stream)
        assert road.held(stream) == road.truth(stream)


def test_four_weeks_of_restatement_end_at_what_is_final(onward: Road) -> None:
    for stream in STREAMS:
        onward.sync(stream)
    for _ in range(11):
        onward.advance(timedelta(days=3, hours=5))
        for stream in STREAMS:
            onward.sync(stream)
    over = onward.now().date() - 29 * A_DAY
    for stream in STREAMS:
        held, final = onward.held(stream), onward.truth(stream, final=True)
        assert held == onward.truth(stream)
        assert _until(held, over) == _until(final, over)
        assert len(_until(final, over)) > 10


def test_a_renamed_campaign_keeps_its_id(onward: Road) -> None:
    for stream in STREAMS:
        onward.sync(stream)
        before = onward.held(stream)
        campaign = next(iter(before)).split("/")[2]
        onward.happens(f"campaigns/{campaign}/rename", name="Another name")
        onward.sync(stream)
        after = onward.held(stream)
        assert after.keys() == before.keys()
        assert after == onward.truth(stream)
        assert {found[2] for key, found in after.items() if key.endswith(campaign)} == {"Another name"}


@pytest.mark.parametrize("forget", [False, True], ids=["deleted", "forgotten"])
def test_a_deleted_campaign_keeps_its_history(forget: bool, onward: Road) -> None:
    for stream in STREAMS:
        onward.sync(stream)
        before = onward.held(stream)
        campaign = next(iter(before)).split("/")[2]
        onward.happens(f"campaigns/{campaign}/delete", forget=forget)
        onward.sync(stream)
        own = {key for key in before if key.endswith(campaign)}
        after = onward.held(stream)
        assert {key: after[key] for key in own} == {key: before[key] for key in own}
        assert any(key.endswith(campaign) for key in onward.truth(stream)) is not forget


def test_a_day_that_vanished_is_gone(onward: Road) -> None:
    for stream in STREAMS:
        onward.sync(stream)
        key, before = next(iter(onward.held(stream).items()))
        on, _, campaign = key.split("/")
        for counter, figure in zip(("spend", "impressions", "clicks", "conversions", "value"), before[3:], strict=True):
            by = str(-figure) if figure is not None else "-1000000"
            onward.happens(f"days/{on}/{campaign}/adjust", counter=counter, by=by)
        assert key not in onward.truth(stream)
        onward.sync(stream)
        assert onward.held(stream) == onward.truth(stream)
        assert f"{on}/{ACCOUNT}" in onward.days(stream)


def test_a_shop_that_may_not_be_read_any_more_keeps_its_history(road: Road) -> None:
    road.sync("gmv_max_days")
    before = road.held("gmv_max_days")
    closed = {"data": {"store_list": {"0": {"is_gmv_max_available": False}}}}
    road.fault("merged", "/open_api/v1.3/gmv_max/store/list/", times=None, merge=closed)
    road.sync("gmv_max_days")
    assert road.held("gmv_max_days") == before


@pytest.mark.parametrize("stream", STREAMS)
def test_a_backfill_brings_a_day_again(stream: str, road: Road) -> None:
    road.sync(stream)
    before = road.snapshot(stream)
    road.query(
        f"with lost as (delete from raw.tiktok_ads_{stream} where merchant_id = %(merchant)s returning 1) select 1"
    )
    road.reread(stream, noon(FIRST_DAY) - 40 * A_DAY, noon(TODAY) + A_DAY)
    assert road.held(stream) == road.truth(stream)
    assert road.snapshot(stream)["raw"].items() >= before["raw"].items()


@pytest.mark.parametrize("stream", STREAMS)
def test_a_range_that_is_too_much_is_read_in_halves(stream: str, road: Road) -> None:
    heavy = coded(50002, "Internal service timed out. Please retry in sometime.")
    road.fault("throttled", REPORTS[stream], times=6, body=heavy)
    road.sync(stream)
    assert not differing(road.snapshot(stream), road.undisturbed(stream, road.now()))


MOVED = {"data": {"page_info": {"total_number": 3}}}


@pytest.mark.parametrize("stream", STREAMS)
def test_nothing_of_pages_that_moved_is_kept(stream: str, road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tributary.channels.tiktok_ads.reports.PAGE_SIZE", 7)
    road.fault("merged", REPORTS[stream], skip=1, merge=MOVED)
    with pytest.raises(BrokenResponse, match="Nothing of these days was kept; they are read again"):
        road.sync(stream)
    assert not road.raw(stream)
    road.sync(stream)
    assert road.held(stream) == road.truth(stream)


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"metrics": {"spend": "12,30"}}, "matching regex"),
    ({"metrics": {"impressions": 7}}, "Expected `str`, got `int` - at `$.row.metrics.impressions`"),
    ({"metrics": {"clicks": "4.5"}}, "at `$.row.metrics.clicks`"),
    ({"metrics": {"total_complete_payment_rate": ""}}, "at `$.row.metrics.total_complete_payment_rate`"),
    ({"metrics": {"campaign_name": "a\x00b"}}, "NUL"),
    ({"dimensions": {"stat_time_day": "2026-13-01 00:00:00"}}, "month must be in 1..12"),
]


@pytest.mark.parametrize(("spoilt", "reason"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_row_that_does_not_fit_is_a_dead_letter_and_the_others_land(
    spoilt: dict[str, Any], reason: str, road: Road
) -> None:
    road.fault("merged", merge={"data": {"list": {"0": spoilt}}})
    with suppress(TooManyDeadLetters):  # One row of a small shop is more than a hundredth; the good ones landed.
        road.sync("campaign_days")
    [(record_id, told, payload)] = road.letters("campaign_days")
    assert reason in told
    assert TOKEN not in told + bytes(payload).decode()
    truth = road.truth("campaign_days")
    [lost] = truth.keys() - road.held("campaign_days").keys()
    assert record_id in (lost, None)
    road.no_faults()
    road.sync("campaign_days")
    assert road.held("campaign_days") == truth


REFUSED = [
    (coded(40105, "Access token is incorrect or has been revoked."), AuthError, "put the new access token into"),
    (coded(40001, f"No permission to operate advertiser: {ACCOUNT}."), AuthError, "field advertiser_ids"),
    (coded(40002, "spent: unknown"), RequestRefused, "TikTok refuses with 40002: spent: unknown"),
]


@pytest.mark.parametrize(("body", "kind", "told"), REFUSED, ids=["token", "permission", "parameters"])
def test_a_refusal_stands_in_the_ledger_with_its_message(
    body: dict[str, Any], kind: type[Exception], told: str, road: Road
) -> None:
    road.fault("throttled", body=body)
    with pytest.raises(kind, match=told):
        road.sync("campaign_days")
    [(error,)] = road.query("select error from ops.syncs where merchant_id = %(merchant)s and status = 'failed'")
    assert told in error
    assert TOKEN not in error


def test_a_disabled_account_is_told_and_keeps_what_was_read(onward: Road) -> None:
    onward.sync("campaign_days")
    before = onward.held("campaign_days")
    onward.happens(f"accounts/{ACCOUNT}/disable")
    with pytest.raises(RequestRefused, match=rf"The ad account Aurora TikTok \({ACCOUNT}\) is disabled"):
        onward.sync("campaign_days")
    assert onward.held("campaign_days") == before
    onward.happens(f"accounts/{ACCOUNT}/enable")
    onward.sync("campaign_days")


@pytest.mark.parametrize("fault", ["html", "malformed", "http_5xx", "cut"])
def test_what_passes_leaves_no_trace(fault: str, road: Road) -> None:
    for stream in STREAMS:
        for route in (INFO, REPORTS[stream]):
            road.fault(fault, route)
        road.sync(stream)
        assert not differing(road.snapshot(stream), road.undisturbed(stream, road.now()))


def test_a_rate_that_is_used_up_is_waited_for(road: Road) -> None:
    road.fault("throttled", times=2, body=coded(40100, "Too many requests by this developer."))
    road.sync("campaign_days")
    assert len(road.slept) == 2
    assert road.held("campaign_days") == road.truth("campaign_days")


def test_the_store_is_the_sandboxs(road: Road) -> None:
    [account] = road.api().accounts()
    assert road.api().stores(account) == [STORE]


def _until(rows: Truth, last: date) -> Truth:
    return {key: figures for key, figures in rows.items() if key[:10] <= str(last)}
