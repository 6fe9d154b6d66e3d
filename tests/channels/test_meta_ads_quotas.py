"""Quotas that end: nobody asks in vain, everybody is told until when, and the work goes on where it stopped."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.meta_ads_road import CANADA, NOW, STREAM, US
from tributary.channels.meta_ads.usage import A_WHILE, Pause, pause
from tributary.http import QuotaSpent, RateLimited

if TYPE_CHECKING:
    from tests.channels.meta_ads_road import Road

CODES = [4, 17, 613, 80000, 80003, 80004]
BY_USE_CASE, BY_INSIGHTS, BY_ACCOUNT = (
    "X-Business-Use-Case-Usage",
    "x-fb-ads-insights-throttle",
    "X-Ad-Account-Usage",
)


@pytest.mark.parametrize("code", CODES)
def test_a_refused_request_is_the_last_one_until_meta_says(code: int, meta_road: Road) -> None:
    meta_road.usage(percent=100, minutes=37, code=code)
    with pytest.raises(QuotaSpent) as told:
        meta_road.sync()
    for part in (
        f"Meta refuses with {code}/",
        f"(#{code})",
        "Nothing more is asked of the ad account for 37 minutes. A run after that goes on where this one stopped",
    ):
        assert part in str(told.value)
    # What others gave back is not noticed: nobody asks.
    meta_road.usage(percent=0)
    with pytest.raises(QuotaSpent, match=r"2026-11-20 12:37:00 UTC: Meta refuses with .*goes on where this one"):
        meta_road.sync()
    assert (meta_road.usage()["calls"], meta_road.slept) == (0, [])


def test_without_a_time_in_the_headers_it_is_a_while(meta_road: Road) -> None:
    meta_road.usage(percent=100, tells_minutes=False)
    with pytest.raises(QuotaSpent, match="for 15 minutes"):
        meta_road.sync()


def test_a_short_wait_is_sat_out(meta_road: Road) -> None:
    meta_road.usage(percent=100, minutes=3)
    with pytest.raises(RateLimited, match="12:03:00 UTC") as told:
        meta_road.sync()
    # The sandbox's clock stands still, so every wait finds the quota as it was.
    assert not isinstance(told.value, QuotaSpent)
    assert [round(wait) // 10 for wait in meta_road.slept] == [18] * 5


def test_the_last_calls_are_left_and_the_work_goes_on_when_they_are_back(moving_meta: Road) -> None:
    road = moving_meta
    road.sync()
    road.advance(timedelta(days=3))
    stopped = road.position(STREAM)
    # Two pages more, and 95 percent are used.
    road.usage(CANADA, hourly=100, percent=93)
    with pytest.raises(QuotaSpent) as told:
        road.sync(api=road.api(page_size=20))
    for part in ("The quota of insights is used up until 2026-11-23 12:15:00 UTC", "95% of what ads_insights allows"):
        assert part in str(told.value)
    assert road.usage(CANADA)["calls"] == 95
    with pytest.raises(QuotaSpent):
        road.sync()
    assert road.usage(CANADA)["calls"] == 95
    assert road.position(STREAM) == stopped == NOW
    accounts = "select account from ops.vendor_quotas where account like %(like)s and closed_until is not null"
    assert road.query(accounts, like=f"{road.merchant}%") == [(f"{road.merchant}/{CANADA}",)]
    road.advance(timedelta(hours=1))
    road.sync()
    assert road.held() == road.truth()
    assert road.position(STREAM) == NOW + timedelta(days=3, hours=1)


def test_all_that_an_answer_brought_is_kept_although_it_was_the_last(meta_road: Road) -> None:
    road = meta_road
    for account in (US, CANADA):
        # The account, the run, four looks at it and its page.
        road.usage(account, hourly=100, percent=88)
    road.sync(api=road.api(page_size=1000))
    assert road.held() == road.truth()
    with pytest.raises(QuotaSpent):
        road.sync()
    assert {account: road.usage(account)["calls"] for account in (US, CANADA)} == {US: 95, CANADA: 95}


def use_case(**use: object) -> dict[str, str]:
    return {BY_USE_CASE: json.dumps({"1": [{"type": "ads_management"}, {"type": "ads_insights", **use}], "2": []})}


HEADERS: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing": ({}, None),
    "less than is left alone": (use_case(call_count=94, total_cputime=94.9, total_time=1), None),
    "time": (use_case(call_count=1, total_time=95), A_WHILE),
    "minutes": (use_case(call_count=100, estimated_time_to_regain_access=12), 720),
    "minutes without a percentage": (use_case(estimated_time_to_regain_access=1), 60),
    "the app": ({BY_INSIGHTS: '{"app_id_util_pct": 96.2, "acc_id_util_pct": 0}'}, A_WHILE),
    "the account's insights": ({BY_INSIGHTS: '{"app_id_util_pct": "0", "acc_id_util_pct": "95"}'}, A_WHILE),
    "the account": ({BY_ACCOUNT: '{"acc_id_util_pct": 99.5, "reset_time_duration": 100}'}, 100),
    "the account, without a time": ({BY_ACCOUNT: '{"acc_id_util_pct": 100}'}, A_WHILE),
    "the longest counts": (
        use_case(call_count=100, estimated_time_to_regain_access=60) | {BY_ACCOUNT: '{"acc_id_util_pct": 100}'},
        3600,
    ),
    "what is told counts more than what is not": (
        use_case(call_count=100, estimated_time_to_regain_access=2) | {BY_INSIGHTS: '{"acc_id_util_pct": 100}'},
        120,
    ),
    "another kind of value": ({BY_USE_CASE: "[1]", BY_INSIGHTS: "off", BY_ACCOUNT: "{"}, None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_the_headers_ask_for(name: str) -> None:
    headers, seconds = HEADERS[name]
    found = pause(headers)
    assert (found.seconds if found else None) == seconds


@given(st.dictionaries(st.sampled_from([BY_USE_CASE, BY_INSIGHTS, BY_ACCOUNT]), st.text()))
def test_no_header_stands_in_the_way_of_an_answer(headers: dict[str, str]) -> None:
    found = pause(headers)
    assert found is None or isinstance(found, Pause)
