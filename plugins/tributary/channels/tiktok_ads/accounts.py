"""The ad accounts of a connection: what TikTok says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.ad_days import ad_account
from tributary.channels.tiktok_ads.refusals import PERMISSION
from tributary.http import AuthError, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tributary.channels.ad_days import AdAccount

FIELDS = ("advertiser_id", "name", "currency", "timezone", "display_timezone", "status")
CLOSED = {
    "STATUS_DISABLE": "disabled",
    "STATUS_LIMIT": "suspended",
    "STATUS_CONFIRM_FAIL": "not approved",
    "STATUS_CONFIRM_FAIL_END": "not approved",
}


class Advertiser(msgspec.Struct):
    """An ad account as TikTok tells it."""

    advertiser_id: str
    name: str
    currency: str
    status: str = ""
    timezone: str | None = None
    display_timezone: str | None = None


class Advertisers(msgspec.Struct):
    """The data of GET /advertiser/info/."""

    advertisers: list[Advertiser] = msgspec.field(name="list")


def accounts_of(asked: Sequence[str], found: Sequence[Advertiser], where: str) -> list[AdAccount]:
    """The accounts that were asked for, in that order, all of them there and open."""
    by_id = {one.advertiser_id: one for one in found}
    missing = [one for one in asked if one not in by_id]
    if missing:
        raise AuthError(
            f"TikTok shows no ad account {', '.join(missing)}, which the connection's field advertiser_ids names",
            where=where,
            remedy=PERMISSION,
        )
    return [_account(by_id[one], where) for one in asked]


def _account(found: Advertiser, where: str) -> AdAccount:
    if found.status in CLOSED:
        raise RequestRefused(
            f"The ad account {found.name} ({found.advertiser_id}) is {CLOSED[found.status]} ({found.status})",
            where=where,
            remedy="Have it enabled again in TikTok Ads Manager, or take it out of the connection's field "
            "advertiser_ids; what was read of it stays.",
        )
    zone = found.display_timezone or found.timezone or ""
    return ad_account(found.advertiser_id, found.name, found.currency, zone, where)
