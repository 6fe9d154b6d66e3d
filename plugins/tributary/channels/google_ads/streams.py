"""What Google Ads gives Tributary."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tributary.channels.ad_days import ad_days
from tributary.channels.google_ads.shapes import Row, Whose
from tributary.declaration import Channel, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tributary.channels.ad_days import AdAccount
    from tributary.channels.google_ads.api import GoogleAdsApi
    from tributary.channels.records import Rows

RESTATED_FOR = timedelta(days=30)
"""The conversion window that accounts have unless somebody set another."""
WIDTH = timedelta(days=90)
PAGE_SIZE = 10_000
"""What Google cuts its answers into; no other size can be asked for."""


def _report(api: GoogleAdsApi, account: AdAccount, first: date, last: date, /) -> Iterator[Rows]:
    return api.campaign_days(account, first, last)


_DAYS = ad_days(_report, row=Row, identity=Whose, width=WIDTH)

CAMPAIGN_DAYS = Stream(
    name="campaign_days",
    changed=_DAYS.changed,
    happened=_DAYS.happened,
    by_id=_DAYS.by_id,
    replay=_DAYS.replay,
    history=_DAYS.history,
    cursor="none: every sync reads the last days again",
    slice_length=WIDTH,
    look_back=RESTATED_FOR,
    sla=timedelta(hours=6),
    budget="operations",
    per_request=PAGE_SIZE,
    write="replace_slice",
    restated_for=RESTATED_FOR,
    api_version="v26",
)

GOOGLE_ADS = Channel(
    name="google_ads",
    conn_type="google_ads",
    hook="tributary.channels.google_ads.hook.GoogleAdsHook",
    schedule="@hourly",
    pool="google_ads",
    streams=(CAMPAIGN_DAYS,),
)
