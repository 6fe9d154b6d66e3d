"""The ad accounts of a connection: their ids as they are written down, and what TikTok says of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tributary.channels.ad_days import AdAccount
from tributary.channels.tiktok_ads.refusals import PERMISSION
from tributary.http import AuthError, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = ("advertiser_id", "name", "currency", "timezone", "display_timezone", "status")
CLOSED = {
    "STATUS_DISABLE": "disabled",
    "STATUS_LIMIT": "suspended",
    "STATUS_CONFIRM_FAIL": "not approved",
    "STATUS_CONFIRM_FAIL_END": "not approved",
}
_ID = re.compile(r"[0-9]{1,20}")


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


def advertiser_ids(text: str) -> list[str]:
    """The ids in a connection's field; ValueError says which is none."""
    ids = [part.strip() for part in text.split(",") if part.strip()]
    for one in ids:
        if not _ID.fullmatch(one):
            raise ValueError(
                f"The connection's field advertiser_ids holds {one!r}, which is no ad account's id; "
                "write the ids, digits only, with commas between them."
            )
        if ids.count(one) > 1:
            raise ValueError(f"The connection's field advertiser_ids names {one} twice; name each ad account once.")
    return ids


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
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise RequestRefused(
            f"The time zone of the ad account {found.name} ({found.advertiser_id}) is {zone!r}, which is none that is "
            "known here",
            where=where,
            remedy="Its days cannot be told. Update the system's time zones (tzdata).",
        ) from None
    return AdAccount(found.advertiser_id, found.name, found.currency, zone)
