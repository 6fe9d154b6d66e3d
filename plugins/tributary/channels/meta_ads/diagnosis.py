"""Says whether the ad accounts can be read, and if not, exactly what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.meta_ads.insights import asked
from tributary.http import HttpError

if TYPE_CHECKING:
    from tributary.channels.meta_ads.api import MetaAdsApi


def diagnose(api: MetaAdsApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        now = api.now()
        for account in api.accounts():
            today = account.today(now)
            for _ in api.insights(account, asked(today, today)):
                pass
    except HttpError as error:
        return False, str(error)
    named = "; ".join(
        f"{account.name} ({account.id}): time zone {account.time_zone}, currency {account.currency}"
        for account in api.accounts()
    )
    return True, f"Connected to {named}."
