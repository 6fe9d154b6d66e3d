"""Says whether the ad accounts can be read, and if not, exactly what is missing; asks what a sync asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.tiktok_ads.reports import campaign_days, gmv_max_days
from tributary.http import HttpError

if TYPE_CHECKING:
    from tributary.channels.ad_days import AdAccount
    from tributary.channels.tiktok_ads.api import TikTokAdsApi


def diagnose(api: TikTokAdsApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        return True, f"Connected to {'; '.join(_told(api, account) for account in api.accounts())}."
    except HttpError as error:
        return False, str(error)


def _told(api: TikTokAdsApi, account: AdAccount) -> str:
    today = account.today(api.now())
    for report in (campaign_days, gmv_max_days):
        for _ in report(api, account, today, today):
            pass
    shops = len(api.stores(account))
    gmv_max = f"GMV Max in {shops} TikTok Shop{'s' if shops > 1 else ''}" if shops else "no GMV Max"
    return f"{account.name} ({account.id}): time zone {account.time_zone}, currency {account.currency}, {gmv_max}"
