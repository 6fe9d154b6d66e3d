"""What TikTok Ads gives Tributary."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tributary.channels.ad_days import ad_days
from tributary.channels.tiktok_ads.api import API_VERSION, BUDGET
from tributary.channels.tiktok_ads.reports import PAGE_SIZE, WIDTH, campaign_days, gmv_max_days
from tributary.channels.tiktok_ads.shapes import CampaignRow, GmvMaxRow, Identity
from tributary.declaration import Channel, Stream

if TYPE_CHECKING:
    from tributary.channels.ad_days import AdDays

RESTATED_FOR = timedelta(days=28)
"""The longest window in which TikTok credits a conversion to an ad."""


def _stream(name: str, days: AdDays) -> Stream:
    return Stream(
        name=name,
        changed=days.changed,
        happened=days.happened,
        by_id=days.by_id,
        replay=days.replay,
        history=days.history,
        cursor="none: every sync reads the last days again",
        slice_length=WIDTH,
        look_back=RESTATED_FOR,
        sla=timedelta(hours=6),
        budget=BUDGET,
        per_request=PAGE_SIZE,
        write="replace_slice",
        restated_for=RESTATED_FOR,
        api_version=API_VERSION,
    )


CAMPAIGN_DAYS = _stream("campaign_days", ad_days(campaign_days, CampaignRow, Identity, WIDTH))
GMV_MAX_DAYS = _stream("gmv_max_days", ad_days(gmv_max_days, GmvMaxRow, Identity, WIDTH))

TIKTOK_ADS = Channel(
    name="tiktok_ads",
    conn_type="tiktok_ads",
    hook="tributary.channels.tiktok_ads.hook.TikTokAdsHook",
    schedule="@hourly",
    pool="tiktok_ads",
    streams=(CAMPAIGN_DAYS, GMV_MAX_DAYS),
)
