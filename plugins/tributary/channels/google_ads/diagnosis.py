"""Says whether the accounts can be read, and if not, exactly what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.ad_days import ONE_DAY
from tributary.http import HttpError

if TYPE_CHECKING:
    from tributary.channels.google_ads.api import GoogleAdsApi


def diagnose(api: GoogleAdsApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        told = []
        for account in api.accounts():
            on = account.today(api.now()) - ONE_DAY
            campaigns = sum(len(rows.payloads) for rows in api.campaign_days(account, on, on))
            ran = f"{campaigns} campaign{'' if campaigns == 1 else 's'} yesterday"
            told.append(f"{account.name} ({account.id}; {account.currency}; {account.time_zone}; {ran})")
    except HttpError as error:
        return False, str(error)
    return True, f"Connected to Google Ads: {', '.join(told)}."
