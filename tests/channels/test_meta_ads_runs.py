"""Reports that are too much, too slow or fail: halved, made in the background, tried again, and named when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.meta_ads_road import A_DAY, CANADA, NOW, START, STREAM, TODAY, US
from tributary.channels.meta_ads.refusals import RunFailed, TooMuchData
from tributary.http import AuthError, QuotaSpent

if TYPE_CHECKING:
    from tests.channels.meta_ads_road import Road

TOO_MUCH: dict[str, dict[str, Any]] = {
    "too many rows": {"rows": 40},
    "too slow, 100/1504018": {"days": 8, "timeout": 100},
    "too slow, 2/1504038": {"days": 8, "timeout": 2},
}


@pytest.fixture
def road(meta_road: Road) -> Road:
    """A merchant that begins in the middle of the month, so that everything is asked for at once."""
    meta_road.start = NOW - timedelta(days=20)
    return meta_road


def recent(road: Road) -> dict[str, Any]:
    return {key: day for key, day in road.truth().items() if key >= f"{road.start.date()}"}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_range_that_is_too_much_is_halved_until_it_is_not(name: str, road: Road) -> None:
    road.limits(**TOO_MUCH[name])
    before = road.runs()
    road.sync()
    assert road.held() == recent(road)
    assert road.runs() == before
    assert road.slept == []


def test_words_alone_are_enough(road: Road) -> None:
    said = {"error": {"code": 1, "message": "Please reduce the amount of data you're asking for, then retry"}}
    road.fault("http_5xx", status=500, body=said)
    road.sync()
    assert road.held() == recent(road)
    assert road.slept == []


def test_a_day_that_is_too_much_at_once_is_made_in_the_background(road: Road) -> None:
    road.start = NOW - timedelta(days=1)
    road.limits(rows=1)
    before = len(road.runs())
    road.sync()
    assert road.held() == recent(road)
    days = {f"{TODAY}", f"{TODAY - A_DAY}"}
    assert {(account, first, last) for account, first, last, _ in road.runs()[before:]} == {
        (account, day, day) for account in (US, CANADA) for day in days
    }


def test_a_run_that_is_too_much_is_halved(meta_road: Road) -> None:
    meta_road.limits(run_rows=60)
    before = len(meta_road.runs())
    meta_road.sync()
    assert meta_road.held() == meta_road.truth()
    of_us = [(first, last, status) for account, first, last, status in meta_road.runs()[before:] if account == US]
    # Its halves are short enough to be asked for at once.
    assert of_us == [(f"{START.date()}", f"{TODAY}", "Job Failed")]


@pytest.mark.parametrize("status", ["Job Failed", "Job Skipped"])
def test_a_run_that_fails_is_tried_once_more(status: str, meta_road: Road) -> None:
    meta_road.failing(status=status)
    before = len(meta_road.runs())
    meta_road.sync()
    assert meta_road.held() == meta_road.truth()
    assert [run[3] for run in meta_road.runs()[before:]] == [status, "Job Completed", "Job Completed"]


def test_a_run_that_fails_twice_is_halved(meta_road: Road) -> None:
    meta_road.failing(2)
    before = len(meta_road.runs())
    meta_road.sync()
    assert meta_road.held() == meta_road.truth()
    assert [run[3] for run in meta_road.runs()[before:]] == ["Job Failed", "Job Failed", "Job Completed"]


def test_a_run_that_never_ends_is_given_up_and_halved(meta_road: Road) -> None:
    meta_road.limits(polls=10_000)
    meta_road.sync()
    assert meta_road.held() == meta_road.truth()
    assert 2 * 20 * 60 <= sum(meta_road.slept) < 2 * 22 * 60
    assert max(meta_road.slept) == 60


def test_a_day_that_cannot_be_made_names_the_account_the_day_and_what_meta_says(road: Road) -> None:
    road.start = NOW - timedelta(hours=1)
    road.limits(rows=1)
    road.failing(2)
    with pytest.raises(RunFailed) as told:
        road.sync()
    for part in (
        f"Ad account {US} (Aurora US), {TODAY} alone",
        "Job Failed",
        "-2/2490547: The report run failed. Please try again later",
        "run 60",
        "There is no smaller report: if it stays so, Meta's support has to help",
    ):
        assert part in str(told.value)
    assert road.raw(STREAM) == {}
    assert str(told.value) in road.errors()[0]


def test_a_day_that_is_too_much_in_the_background_too_is_named(road: Road) -> None:
    road.start = NOW - timedelta(hours=1)
    road.limits(rows=1, run_rows=1)
    with pytest.raises(TooMuchData) as told:
        road.sync()
    assert f"Ad account {US} (Aurora US), {TODAY} alone" in str(told.value)
    assert "Meta refuses with 100/1487534: Please reduce the amount of data" in str(told.value)


def test_a_run_that_is_not_made_in_time_says_how_far_it_was(road: Road) -> None:
    road.start = NOW - timedelta(hours=1)
    road.limits(rows=1, polls=10_000)
    with pytest.raises(RunFailed, match=r"was not made in 20 minutes: Job Running, 0%"):
        road.sync()


def test_a_run_that_fails_for_the_quota_closes_it_for_all(meta_road: Road) -> None:
    meta_road.failing(code=4, subcode=1504022, message="(#4) Application request limit reached")
    with pytest.raises(QuotaSpent, match=r"4/1504022: \(#4\) Application request limit reached") as told:
        meta_road.sync()
    assert "Nothing more is asked of the ad account for 15 minutes" in str(told.value)
    asked = meta_road.usage()["calls"]
    with pytest.raises(QuotaSpent, match="2026-11-20 12:15:00 UTC"):
        meta_road.sync()
    assert meta_road.usage()["calls"] == asked


def test_a_run_that_fails_for_the_token_says_so(meta_road: Road) -> None:
    meta_road.failing(code=190, subcode=463, message="Error validating access token: Session has expired.")
    with pytest.raises(AuthError, match="Create a new access token"):
        meta_road.sync()
