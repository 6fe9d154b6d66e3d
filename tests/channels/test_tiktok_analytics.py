"""Days of the shop and of its videos equal the truth: through restatement, taken-back likes and deleted videos."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tests.channels.tiktok_sandbox import fault
from tributary.channels.tiktok_shop import analytics
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP, VIDEO_DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.tiktok_road import Road

SHOP, LIST, DETAIL = analytics.SHOP_PATH, analytics.VIDEOS_PATH, analytics.VIDEO_PATH.format("*")
LATEST = date(2026, 11, 19)
"""The last complete day where the shop is."""
A_DAY = timedelta(days=1)
STREAMS = ["shop_performance", "videos", "video_details"]


@pytest.fixture
def road(tiktok_road: Road) -> Road:
    """From before the first video, and no further than the look-back reaches."""
    return replace(tiktok_road, start=datetime(2026, 11, 10, tzinfo=UTC))


@pytest.fixture
def moving(road: Road) -> Iterator[Road]:
    """The same with a sandbox of the test's own: its clock is moved on, and its videos are deleted."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield replace(road, sandbox=Sandbox(url), make=lambda **more: road.make(url=url, **more))


def requests_counted(road: Road, route: str) -> Any:
    """Counts the requests to a route from here on."""
    road.no_faults()
    fault(road.sandbox, "merged", route, times=None, merge={})
    return lambda: road.struck()[0]


def truth(road: Road, seen_on: date | None = None) -> dict[str, dict[str, Any]]:
    """Every day of every video since the start, by the id it should have."""
    videos = road.tiktok("/videos/truth" + (f"?seen_on={seen_on}" if seen_on else ""), method="GET")
    return {
        f"{video['id']}/{day}": {**figures, "deleted": video["deleted_at"] is not None}
        for video in videos
        for day, figures in video["days"].items()
        if day >= str(road.start.date())
    }


def counters(road: Road) -> dict[str, dict[str, Any]]:
    """What the warehouse holds of each day, in the truth's words."""
    found = {}
    for key, day in road.raw("video_details").items():
        own = day["traffic"], day["sales"]["overall"]
        names = {"views", "likes", "comments", "shares", "product_clicks"}
        found[key] = {name: value for part in own for name, value in part.items() if name in names}
    return found


def agrees(road: Road) -> bool:
    """Whether that is the truth as it looks now, of all videos that are still there."""
    told = {
        key: {name: day[name] for name in ("views", "likes", "comments", "shares", "product_clicks")}
        for key, day in truth(road).items()
    }
    held, deleted = counters(road), {key: day["deleted"] for key, day in truth(road).items()}
    assert {key for key in told if not deleted[key]} <= held.keys()
    return all(told[key] == day for key, day in held.items() if not deleted[key])


def test_every_day_of_every_video_equals_the_truth(road: Road) -> None:
    first = road.sync("video_details")
    assert first.counts.inserted == len(counters(road)) > 20
    assert agrees(road)
    for key, event_at, version in road.query(
        "select record_id, event_at, api_version from raw.tiktok_shop_video_details where merchant_id = %(merchant)s"
    ):
        day = date.fromisoformat(key.split("/")[1])
        assert (event_at, version) == (datetime(day.year, day.month, day.day, 12, tzinfo=UTC), "202509")
        assert day <= LATEST


def test_the_list_of_each_day_lands(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics, "PAGE_SIZE", 3)
    road.sync("videos")
    told, held = truth(road), road.raw("videos")
    assert {key for key, day in told.items() if not day["deleted"]} <= held.keys()
    for key, row in held.items():
        assert row["id"] == key.split("/")[0]
        if key in told:
            assert row["views"] == told[key]["views"]


def test_every_day_of_the_shop_lands(road: Road) -> None:
    road.sync("shop_performance")
    days = [f"shop/{road.start.date() + number * A_DAY}" for number in range((LATEST - road.start.date()).days + 1)]
    assert sorted(road.raw("shop_performance")) == days
    assert all(f"shop/{day['start_date']}" == key for key, day in road.raw("shop_performance").items())


@pytest.mark.parametrize("stream", STREAMS)
def test_the_checkpoint_waits_for_the_last_complete_day_and_follows_it(stream: str, moving: Road) -> None:
    moving.sync(stream)
    complete = datetime(LATEST.year, LATEST.month, LATEST.day, 12, tzinfo=UTC)
    assert complete < moving.position(stream) < complete + A_DAY
    assert max(key.split("/")[1] for key in moving.raw(stream)) == str(LATEST)
    again = moving.sync(stream, now=NOW + timedelta(seconds=20))
    assert (again.counts.inserted, again.counts.updated, again.counts.removed) == (0, 0, 0)
    assert complete < moving.position(stream) < complete + A_DAY
    moving.sandbox.admin("/clock", {"advance_seconds": 86_400})
    moving.sync(stream, now=NOW + A_DAY)
    assert complete + A_DAY < moving.position(stream) < complete + 2 * A_DAY
    assert max(key.split("/")[1] for key in moving.raw(stream)) == str(LATEST + A_DAY)


def test_the_same_days_are_not_asked_for_twice(moving: Road) -> None:
    road = replace(moving, start=datetime(2026, 9, 1, tzinfo=UTC))
    road.sync("shop_performance")
    asked = requests_counted(road, SHOP)
    # The look-back lies within the history: only the question how far the days are is left.
    assert road.sync("shop_performance", now=NOW + timedelta(seconds=20)).slices == 0
    assert asked() == 1
    road.sandbox.admin("/clock", {"advance_seconds": 86_400})
    assert road.sync("shop_performance", now=NOW + A_DAY).slices == 1
    assert asked() == 3


def test_one_request_a_video_and_none_without_videos(road: Road) -> None:
    asked = requests_counted(road, DETAIL)
    road.sync("video_details")
    assert asked() == len({key.split("/")[0] for key in counters(road)})
    road.no_faults()
    nothing = {"data": {"videos": None, "total_count": 0, "next_page_token": None}}
    fault(road.sandbox, "merged", LIST, times=None, merge=nothing)
    other = replace(road, merchant=f"{road.merchant}, without")
    assert other.sync("video_details").counts.records_read == 0
    assert other.position("video_details") == road.position("video_details")


def test_days_are_restated_and_likes_taken_back(moving: Road) -> None:
    moving.sync("video_details")
    before = counters(moving)
    key = max(key for key, day in before.items() if day["likes"] > 20 and key.endswith("/2026-11-18"))
    video = key.split("/")[0]
    moving.sandbox.admin("/clock", {"advance_seconds": 86_400})
    taken = {"day": "2026-11-18", "counter": "likes", "by": -before[key]["likes"] // 2}
    moving.tiktok(f"/videos/{video}/adjust", taken)
    moving.sync("video_details", now=NOW + A_DAY)
    assert agrees(moving)
    after = counters(moving)
    # The days before had more likes than this one has now: what it brought is negative.
    assert after[key]["likes"] < before[f"{video}/2026-11-17"]["likes"]
    assert sum(after[day] != before[day] for day in before) > 1


def test_a_deleted_video_keeps_its_history(moving: Road) -> None:
    moving.sync("video_details")
    before = counters(moving)
    video = max(before).split("/")[0]
    moving.sandbox.admin("/clock", {"advance_seconds": 86_400})
    moving.tiktok(f"/videos/{video}", method="DELETE")
    moving.sync("video_details", now=NOW + A_DAY)
    moving.reread("video_details", moving.start, NOW)
    kept = {key: day for key, day in counters(moving).items() if key.startswith(video)}
    assert kept == {key: day for key, day in before.items() if key.startswith(video)}
    assert agrees(moving)


def test_a_reread_ends_with_the_last_complete_day_too(road: Road) -> None:
    road.sync("shop_performance")
    before = road.raw("shop_performance")
    counts = road.reread("shop_performance", road.start, NOW + timedelta(days=5))
    assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 0)
    assert road.raw("shop_performance") == before


def test_a_shop_without_a_complete_day_waits(road: Road, caplog: pytest.LogCaptureFixture) -> None:
    fault(road.sandbox, "merged", SHOP, times=None, merge={"data": {"latest_available_date": ""}})
    report = road.sync("shop_performance")
    assert (report.slices, report.position) == (0, None)
    assert "names no day whose figures are complete" in caplog.text


DAY_OF_TWO = {"performance": {"intervals": {"0": {"end_date": "2026-11-12"}}}}
BAD = {
    "more than a day": ("shop_performance", SHOP, DAY_OF_TWO, "Expected one day, got 2026-11-10 to 2026-11-12"),
    "no date": (
        "shop_performance",
        SHOP,
        {"performance": {"intervals": {"0": {"start_date": "2026-02-30"}}}},
        "Expected a date, got 2026-02-30 - at `$.start_date`",
    ),
    "a fraction of a view": ("videos", LIST, {"videos": {"0": {"views": 0.5}}}, "Expected `int | null`, got `float`"),
    "no time": ("videos", LIST, {"videos": {"0": {"video_post_time": "soon"}}}, "at `$.video_post_time`"),
    "an amount in words": (
        "video_details",
        DETAIL,
        {"performance": {"intervals": {"0": {"sales": {"overall": {"gmv": {"amount": "much"}}}}}}},
        "$.sales.overall.gmv.amount",
    ),
    "a video that cannot be told": ("video_details", LIST, {"videos": {"0": {"id": 7}}}, "The video cannot be told"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_day_can_be_is_a_dead_letter(name: str, road: Road) -> None:
    stream, route, merge, reason = BAD[name]
    # The first request asks how far the days are.
    fault(
        road.sandbox,
        "merged",
        route,
        skip=0 if stream == "video_details" and route == DETAIL else 1,
        merge={"data": merge},
    )
    road.sync(replace(TIKTOK_SHOP.stream(stream), max_dead_letter_rate=0.5))
    [(record_id, told, _)] = road.letters(stream)
    assert reason in told
    road.sync(replace(TIKTOK_SHOP.stream(stream), look_back=timedelta(days=29)))
    # Only without its right id does the letter stay open.
    assert bool(road.letters(stream)) == (record_id in (None, "shop/2026-02-30"))


def test_a_replayed_day_still_knows_its_video(road: Road) -> None:
    merge = {"performance": {"intervals": {"0": {"traffic": {"likes": "-"}}}}}
    fault(road.sandbox, "merged", DETAIL, merge={"data": merge})
    road.sync(replace(VIDEO_DETAILS, max_dead_letter_rate=0.5))
    [(record_id, _, _)] = road.letters("video_details")
    road.query(
        """
        update ops.dead_letters set payload = convert_to(replace(convert_from(payload, 'UTF8'), '"-"', '5'), 'UTF8')
        where merchant_id = %(merchant)s returning 1
        """
    )
    assert road.replay("video_details").acceptable == 1
    assert counters(road)[record_id]["likes"] == 5
