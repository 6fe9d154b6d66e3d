"""Campaigns' days equal the platform's: through weeks of restatement, pages, renaming, removal and oblivion."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.channels.google_ads_road import AURORA, NORDLICHT, STREAM, TODAY, Road, advertising
from tests.channels.shopify_sandbox import FIRST_DAY, NOW
from tributary.http import AuthError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.google_ads_road import Figures, GoogleAds

BRAND, DISPLAY, REMOVED = "20110000101", "20110000104", "20110000105"
A_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def still() -> Iterator[GoogleAds]:
    """A week of advertising, which no test changes for good."""
    with advertising() as sandbox:
        yield sandbox


def _road(request: pytest.FixtureRequest, sandbox: GoogleAds, warehouse: str) -> Iterator[Road]:
    road = Road(request.node.name, sandbox, lambda: psycopg.connect(warehouse))
    yield road
    for api in road.made:
        api.close()
    sandbox.admin("/google_ads/refuse", method="DELETE")


@pytest.fixture
def road(request: pytest.FixtureRequest, still: GoogleAds, shared_warehouse: str) -> Iterator[Road]:
    yield from _road(request, still, shared_warehouse)


@pytest.fixture
def moving(request: pytest.FixtureRequest, shared_warehouse: str) -> Iterator[Road]:
    """The same in a world of the test's own."""
    with advertising() as sandbox:
        yield from _road(request, sandbox, shared_warehouse)


@pytest.mark.parametrize(
    ("merchant", "account"),
    [
        (
            "aurora",
            {"id": AURORA, "name": "Aurora Search", "currency": "USD", "time_zone": "America/New_York"},
        ),
        (
            "nordlicht",
            {"id": NORDLICHT, "name": "Nordlicht Suche", "currency": "EUR", "time_zone": "Europe/Berlin"},
        ),
    ],
)
def test_every_row_equals_the_truth(merchant: str, account: dict[str, str], road: Road) -> None:
    """One account is reached through its manager, the other directly."""
    report = road.sync(api=road.api(merchant))
    truth = road.truth(merchant)
    assert len(truth) > 20
    assert road.held() == truth
    assert any(spend % 10_000 for _, spend, *_ in truth.values()), "amounts are finer than a cent"
    days = [FIRST_DAY + n * A_DAY for n in range((TODAY - FIRST_DAY).days + 1)]
    expected = {f"{on}/{account['id']}" for on in days}
    assert set(road.raw(STREAM)) == expected | {f"{on}/{account['id']}/{campaign}" for on, campaign in truth}
    assert {payload["account"] == account for payload in road.raw(STREAM).values()} == {True}
    for record_id, event_at in road.raw(STREAM, "event_at").items():
        assert event_at == datetime.combine(datetime.fromisoformat(record_id[:10]).date(), time(12), UTC)
    assert set(road.raw(STREAM, "api_version").values()) == {"v26"}
    assert (report.counts.rejected, report.position) == (0, NOW)


def test_what_has_not_changed_is_not_written(road: Road) -> None:
    road.sync()
    counts = road.sync().counts
    assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 0)


def test_pages_make_the_same_of_it(road: Road) -> None:
    road.sandbox.admin("/google_ads/pages", {"rows": 3})
    try:
        road.sync()
    finally:
        road.sandbox.admin("/google_ads/pages", {"rows": 10_000})
    assert road.held() == road.truth()


def test_a_report_that_fails_in_passing_is_asked_for_again(road: Road) -> None:
    road.refuse("internalError.TRANSIENT_ERROR", times=2, longer_than=2)
    road.sync()
    assert road.held() == road.truth()
    assert len(road.slept) == 2


@pytest.mark.parametrize("code", ["internalError.DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"])
def test_what_takes_too_long_is_halved(code: str, road: Road) -> None:
    road.refuse(code, times=None, longer_than=2)
    road.sync()
    assert road.held() == road.truth()
    assert road.slept == []


def test_what_is_too_large_is_halved(road: Road) -> None:
    road.sync(api=road.api(longest_answer=2000))
    assert road.held() == road.truth()
    assert road.slept == []


def test_after_weeks_of_restatement_the_figures_are_the_final_ones(moving: Road) -> None:
    """Read once a week; the last time, thirty days after the last of these days."""
    seen: list[dict[tuple[str, str], Figures]] = []
    for wait in (0, 7, 7, 7, 10):
        moving.advance(wait * A_DAY)
        moving.sync()
        assert moving.held() == moving.truth()
        seen.append(moving.held())
    final = {key: row for key, row in moving.truth(final=True).items() if key[0] <= f"{TODAY}"}
    assert {key: row for key, row in seen[-1].items() if key[0] <= f"{TODAY}"} == final
    assert seen[0] != final
    vanished = sum(len(set(before) - set(after)) for before, after in pairwise(seen))
    query = "select sum(removed)::int from ops.syncs where merchant_id = %(merchant)s and status = 'succeeded'"
    assert moving.query(query) == [(vanished,)]
    assert vanished > 0


def test_a_campaign_that_is_renamed_keeps_its_id(moving: Road) -> None:
    moving.sync()
    before = set(moving.raw(STREAM))
    moving.happens(f"campaigns/{BRAND}/rename", name='Brand "neu" \u2728')
    moving.sync()
    assert set(moving.raw(STREAM)) == before
    assert {row[0] for (_, campaign), row in moving.held().items() if campaign == BRAND} == {'Brand "neu" \u2728'}
    assert moving.held() == moving.truth()


def test_a_removed_campaign_keeps_its_history(moving: Road) -> None:
    moving.sync()
    assert any(campaign == REMOVED for _, campaign in moving.held()), "one was removed before the first sync"
    moving.happens(f"campaigns/{BRAND}/delete", forget=False)
    before = moving.held()
    moving.sync()
    assert moving.held() == moving.truth() == before
    status = {
        row["row"]["campaign"]["status"]
        for record_id, row in moving.raw(STREAM).items()
        if record_id.endswith(f"/{BRAND}")
    }
    assert status == {"REMOVED"}


def test_a_campaign_that_google_forgot_keeps_its_history(moving: Road) -> None:
    moving.sync()
    before = moving.held()
    moving.happens(f"campaigns/{BRAND}/delete", forget=True)
    moving.sync()
    assert not any(campaign == BRAND for _, campaign in moving.truth())
    assert moving.held() == before


def test_a_row_that_vanishes_is_gone(moving: Road) -> None:
    moving.sync()
    day = f"{FIRST_DAY}"
    _, spend, impressions, clicks, conversions, value = moving.held()[day, DISPLAY]
    figures = {"spend": f"-{spend / 1_000_000:f}", "impressions": -impressions, "clicks": -clicks}
    for counter, by in (figures | {"conversions": f"-{conversions}", "value": f"-{value}"}).items():
        moving.happens(f"days/{day}/{DISPLAY}/adjust", counter=counter, by=by)
    counts = moving.sync().counts
    assert (day, DISPLAY) not in moving.held()
    assert moving.held() == moving.truth()
    assert counts.removed == 1


def test_an_account_that_the_user_may_not_read_lets_nothing_land(road: Road) -> None:
    """What is read is all or nothing: an account that is missing would look like one without spend."""
    with pytest.raises(AuthError, match=r"CUSTOMER_NOT_FOUND.*account 9990000001.*customer_ids"):
        road.sync(api=road.api(customer_ids=[AURORA, "9990000001"]))
    assert road.raw(STREAM) == {}
