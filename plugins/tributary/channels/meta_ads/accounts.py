"""Ad accounts as Meta describes them: which can be read, and what stands in the way of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tributary.channels.ad_days import AdAccount
from tributary.http import BrokenResponse, RequestRefused

if TYPE_CHECKING:
    from tributary.channels.meta_ads.shapes import Account

FIELDS = ("account_id", "name", "currency", "timezone_name", "account_status")
_CLOSED = {2: "disabled", 101: "closed"}


class AccountClosed(RequestRefused):
    """The account delivers nothing any more, and somebody has to decide what that means."""


def account_of(found: Account, where: str) -> AdAccount:
    """The account, unless it is disabled or closed, or its clock is unknown."""
    name = f"{found.account_id} ({found.name})"
    if status := _CLOSED.get(found.account_status):
        raise AccountClosed(
            f"Ad account {name} is {status} at Meta (account_status {found.account_status})",
            where=where,
            remedy="Have it enabled in Meta Business Suite (Account quality says why it is not), or take it out of the "
            "connection's field account_ids: what was read of it stays.",
        )
    try:
        ZoneInfo(found.timezone_name)
    except (ZoneInfoNotFoundError, ValueError):
        what = f"Ad account {name} has a time zone that this machine does not know: {found.timezone_name!r}"
        raise BrokenResponse(what, where=where, remedy="Update the package tzdata.") from None
    return AdAccount(found.account_id, found.name, found.currency, found.timezone_name)
