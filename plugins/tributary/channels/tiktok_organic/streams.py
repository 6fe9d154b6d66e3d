"""What TikTok's organic side gives Tributary."""

from __future__ import annotations

from datetime import timedelta

from tributary.channels.tiktok_organic import videos
from tributary.channels.tiktok_organic.api import API_VERSION, PAGE_SIZE
from tributary.declaration import Channel, Stream

VIDEOS = Stream(
    name="videos",
    changed=videos.now_whatever_the_window,
    happened=videos.that_day_if_it_is_now,
    by_id=videos.by_id,
    replay=videos.replayed,
    history=videos.one_reading,
    cursor="none: the counters are read as they are now",
    slice_length=timedelta(days=1),
    look_back=timedelta(0),
    sla=timedelta(hours=36),
    budget="videos",
    # Of the days only the last that is over can be had again: of a longer range a plan counts too many.
    per_request=PAGE_SIZE,
    write="snapshot",
    api_version=API_VERSION,
)

TIKTOK_ORGANIC = Channel(
    name="tiktok_organic",
    conn_type="tiktok_organic",
    hook="tributary.channels.tiktok_organic.hook.TikTokOrganicHook",
    # Once a day would do, but a day without a reading is lost for good: four chances, of which the last one counts.
    schedule="0 */6 * * *",
    pool="tiktok_organic",
    streams=(VIDEOS,),
)
