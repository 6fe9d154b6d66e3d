"""Tokens that end: nobody asks in vain, everybody is told until when, and the work goes on where it stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.channels.ga4_road import STREAMS
from tests.channels.road import START
from tests.channels.shopify_sandbox import NOW
from tributary.channels.ga4.refusals import DAY, HOUR
from tributary.http import QuotaSpent, RateLimited

if TYPE_CHECKING:
    from tests.channels.ga4_road import Road

HOUR_ENDS, DAY_ENDS = "2026-11-20 13:00:00 UTC", "2026-11-21 08:00:00 UTC"
KINDS = {
    "hour": ("tokens an hour that", HOUR_ENDS),
    "project_hour": ("tokens an hour of this Google Cloud project", HOUR_ENDS),
    "day": ("tokens a day", DAY_ENDS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_tokens_are_left_and_work_goes_on_when_they_are_back(kind: str, moving_ga4: Road) -> None:
    road = moving_ga4
    words, ends = KINDS[kind]
    road.quota(**{kind: 40})
    with pytest.raises(QuotaSpent) as told:
        road.sync("sessions")
    for part in (words, ends, "goes on where this one stopped", "are left"):
        assert part in str(told.value)
    stopped = road.position("sessions")
    assert stopped is not None
    assert stopped < NOW
    assert road.held("sessions") == {
        key: value for key, value in road.truth("sessions").items() if key[0] < f"{stopped:%Y%m%d}"
    }
    asked = road.quota()
    # Nobody asks any more, of whatever stream, and Google never had to refuse.
    for stream in STREAMS:
        with pytest.raises(QuotaSpent, match=ends):
            road.sync(stream)
    assert road.quota() == asked
    assert (asked["refused"], asked[kind] > 0) == (0, True)
    assert road.slept == []
    assert ends in road.errors()[0]
    road.advance(timedelta(seconds=HOUR.left(NOW) if kind != "day" else DAY.left(NOW)))
    road.sync("sessions")
    assert road.held("sessions") == road.truth("sessions")
    again = (road.now().date() - max(stopped - timedelta(days=4), START).date()).days + 1
    assert road.quota()["reports"] == asked["reports"] + again


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_that_others_used_up_cost_one_refusal(kind: str, ga4_road: Road) -> None:
    road, ends = ga4_road, KINDS[kind][1]
    road.sync("ad_cost")
    before = road.quota(**{kind: 0})
    with pytest.raises(QuotaSpent) as told:
        road.sync("sessions")
    assert ends in str(told.value)
    assert "Exhausted property tokens" in str(told.value)
    for stream in STREAMS:
        with pytest.raises(QuotaSpent, match=ends):
            road.sync(stream)
    assert road.quota() == before | {"refused": before["refused"] + 1}
    assert road.slept == []
    assert road.raw("sessions") == {}


def test_a_retry_after_says_more_than_the_words(ga4_road: Road) -> None:
    before = ga4_road.quota(hour=0, retry_after=1800)
    with pytest.raises(QuotaSpent, match="wait 1800 s, until 2026-11-20 12:30:00 UTC"):
        ga4_road.sync("sessions")
    with pytest.raises(QuotaSpent, match="12:30:00 UTC"):
        ga4_road.sync("days")
    assert ga4_road.quota()["refused"] == before["refused"] + 1


def test_a_short_wait_is_sat_out(ga4_road: Road) -> None:
    ga4_road.fault("http_429", retry_after=0)
    ga4_road.sync("ad_cost")
    assert ga4_road.held("ad_cost") == ga4_road.truth("ad_cost")
    assert len(ga4_road.slept) == 1
    assert ga4_road.slept[0] <= 1


def test_the_end_of_the_hour_is_sat_out_when_it_is_near(moving_ga4: Road) -> None:
    road = moving_ga4
    road.advance(timedelta(minutes=56))
    road.quota(hour=0)
    with pytest.raises(RateLimited, match=HOUR_ENDS):
        road.sync("days")
    # The sandbox's clock stands still, so every wait finds the hour as it was.
    assert [round(wait) // 10 for wait in road.slept] == [24] * 5
    assert road.quota()["refused"] == 1


def test_too_many_at_a_time_come_back_later(ga4_road: Road) -> None:
    ga4_road.quota(concurrent=0)
    with pytest.raises(RateLimited, match="give the pool ga4 fewer slots") as told:
        ga4_road.sync("days")
    assert not isinstance(told.value, QuotaSpent)
    assert len(ga4_road.slept) == 5
    ga4_road.quota(concurrent=10)
    ga4_road.sync("days")
    assert ga4_road.raw("days")


@pytest.mark.parametrize("body", [{"error": {"code": 429, "message": "Quota exceeded"}}, "what?"])
def test_a_refusal_that_names_no_quota_is_taken_for_the_hours(body: object, ga4_road: Road) -> None:
    ga4_road.fault("http_5xx", times=None, status=429, body=body)
    for stream in ("sessions", "days"):
        with pytest.raises(QuotaSpent, match=HOUR_ENDS):
            ga4_road.sync(stream)
    [fault] = ga4_road.sandbox.admin("/faults", method="GET")
    assert fault["hits"] == 1
