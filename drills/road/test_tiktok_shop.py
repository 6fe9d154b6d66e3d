"""TikTok Shop through a real scheduler: sales counted once, videos as they did, tokens renewed once and unseen."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.independent import new_days
from tests.e2e.independent_tiktok import add_days
from tests.e2e.test_road import published, second_opinion

if TYPE_CHECKING:
    from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200, func_only=True)]

ZONE = "America/New_York"
TOTALS = {"likes": "likes_total", "comments": "comments_total", "shares": "shares_total"}
FLOWS = {"views": "views", "product_clicks": "product_clicks", "sku_orders": "orders"}


def videos(road: Road, columns: tuple[str, ...]) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = road.sql(f"select video_id, date_day::text, {', '.join(columns)} from marts.fct_tiktok_videos")
    return {(video, day): tuple(figures) for video, day, *figures in rows}


def true_videos(road: Road) -> dict[tuple[str, str], dict[str, int]]:
    """By video and day, as far back as the history goes; who was deleted before anybody read is known to nobody."""
    ((first,),) = road.sql("select history_start::text from ops.merchants where merchant_id = 'aurora'")
    truth = [video for video in road.sandbox("GET", "shops/aurora/tiktok/videos/truth") if not video["deleted_at"]]
    return {(video["id"], day): counters for video in truth for day, counters in video["days"].items() if day >= first}


def test_fees_of_every_day_equal_an_independent_reading(road: Road) -> None:
    days = new_days()
    add_days(road.tiktok(), ZONE, days)
    ours = road.sql(
        """
        select date_day, sum(fees) from marts.fct_orders
        where merchant_id = 'aurora' and sales_channel = 'tiktok_shop' and is_counted
        group by date_day having sum(fees) <> 0
        """
    )
    assert len(ours) > 40
    assert dict(ours) == {day: sums["fees"] for day, sums in days.items() if sums["fees"]}


def test_every_copy_in_the_shop_is_linked_and_none_counts(road: Road) -> None:
    ((copies, counted, originals),) = road.sql(
        """
        select count(*), count(*) filter (where copies.is_counted), count(originals.order_id)
        from marts.fct_orders as copies
        left join marts.fct_orders as originals
            on
                copies.merchant_id = originals.merchant_id
                and copies.mirrors_channel = originals.sales_channel
                and copies.mirrors_order_id = originals.order_id
        where copies.mirrors_order_id is not null
        """
    )
    assert copies > 400
    assert (counted, originals) == (0, copies)


def test_a_copy_that_comes_first_counts_until_its_original_is_there(road: Road) -> None:
    soon = datetime.fromisoformat(road.sandbox("GET", "clock")["now"]) + timedelta(minutes=1)
    line = {"sku": "AU-TENT-2", "price": "249.99", "units": 2}
    asked = {"lines": [line], "mirrored": True, "hidden_until": soon.isoformat()}
    placed = road.sandbox("POST", "shops/aurora/tiktok/orders", asked)
    order, copy = placed["id"], placed["mirror_id"]
    counted = "select order_id, is_counted, revenue, date_day from marts.fct_orders where order_id in (%s, %s)"

    assert road.cycle()["transform"] == "success"
    ((alone, is_counted, revenue, day),) = road.sql(counted, order, copy)
    assert (alone, is_counted) == (copy, True)
    assert published(road, "aurora") == second_opinion(road, "aurora")

    road.sandbox("POST", "clock", {"advance_seconds": 120})
    assert road.follow("ingest_tiktok_shop")["transform"] == "success"
    both = {order_id: figures for order_id, *figures in road.sql(counted, order, copy)}
    assert both == {order: [True, revenue, day], copy: [False, 0, day]}


def test_a_day_later_one_token_is_renewed_for_all_streams_and_videos_equal_the_restated_truth(road: Road) -> None:
    flows, totals = tuple(FLOWS.values()), tuple(TOTALS.values())
    before = true_videos(road)
    assert videos(road, flows) == {key: tuple(day[name] for name in FLOWS) for key, day in before.items()}
    assert videos(road, totals) == {key: tuple(day[name] for name in TOTALS) for key, day in before.items()}

    (video, day), *_ = sorted(before, key=lambda key: key[1], reverse=True)
    adjust = {"day": str(date.fromisoformat(day) - timedelta(days=1)), "counter": "likes", "by": -5000}
    road.sandbox("POST", f"shops/aurora/tiktok/videos/{video}/adjust", adjust)
    road.sandbox("POST", "clock", {"advance_seconds": 86400})
    renewed = road.sandbox("POST", "tiktok/authorisation/expire")["refresh_calls"]
    states = road.follow("ingest_tiktok_shop")
    assert (states["ingest_tiktok_shop"], states["transform"]) == ("success", "success"), states
    assert len([task for task in states if task.startswith("stream.sync")]) == 9
    assert road.sandbox("GET", "tiktok/authorisation")["refresh_calls"] == renewed + 1

    after = true_videos(road)
    assert {key: day for key, day in after.items() if key in before} != before
    assert videos(road, flows) == {key: tuple(day[name] for name in FLOWS) for key, day in after.items()}
    assert videos(road, totals) == {key: tuple(day[name] for name in TOTALS) for key, day in after.items()}
    assert road.sql("select 1 from marts.fct_tiktok_videos where likes < -4000 and video_id = %s", video)
    # Saves were read once for the day before: there is a total, and no difference yet.
    saved = road.sql("select distinct saves is null from marts.fct_tiktok_videos where saves_total is not null")
    assert saved == [(True,)]
