"""What Meta's ads give Tributary."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from tributary.channels.ad_days import ad_days
from tributary.channels.meta_ads.api import API_VERSION, PAGE_SIZE
from tributary.channels.meta_ads.insights import report
from tributary.channels.meta_ads.shapes import Identity, Row
from tributary.channels.records import noon
from tributary.declaration import Channel, Slice, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tributary.channels.meta_ads.api import MetaAdsApi

RESTATED = timedelta(days=28)
"""For how long Meta credits purchases to a day, and corrects it."""
WIDTH = timedelta(days=90)

DAYS = ad_days(report, Row, Identity, WIDTH)


def kept(api: MetaAdsApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """The slices of what Meta still keeps: 37 months, here those of three years that are whole.

    A merchant may have begun before; days that Meta has forgotten are not asked for, and so not known to be empty.
    """
    oldest = noon(date(end.year - 3, end.month, 1))
    return DAYS.history(api, max(start, oldest), end)


CAMPAIGN_DAYS = Stream(
    name="campaign_days",
    changed=DAYS.changed,
    happened=DAYS.happened,
    by_id=DAYS.by_id,
    replay=DAYS.replay,
    history=kept,
    cursor="none: every sync reads the last days again",
    slice_length=WIDTH,
    look_back=RESTATED,
    sla=timedelta(hours=6),
    budget="insights",
    per_request=PAGE_SIZE,
    write="replace_slice",
    restated_for=RESTATED,
    api_version=API_VERSION,
)

META_ADS = Channel(
    name="meta_ads",
    conn_type="meta_ads",
    hook="tributary.channels.meta_ads.hook.MetaAdsHook",
    schedule="@hourly",
    pool="meta_ads",
    streams=(CAMPAIGN_DAYS,),
)
