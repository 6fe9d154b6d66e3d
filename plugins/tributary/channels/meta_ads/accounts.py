"""Ad accounts as Meta describes them: which can be read, and what stands in the way of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.ad_days import ad_account
from tributary.http import RequestRefused

if TYPE_CHECKING:
    from tributary.channels.ad_days import AdAccount
    from tributary.channels.meta_ads.shapes import Account

FIELDS = ("account_id", "name", "currency", "timezone_name", "account_status")
_CLOSED = {2: "disabled", 101: "closed"}


class AccountClosed(RequestRefused):
    """The account delivers nothing any more, and somebody has to decide what that means."""


def account_of(found: Account, where: str) -> AdAccount:
    """The account, unless it is disabled or closed."""
    name = f"{found.account_id} ({found.name})"
    if status := _CLOSED.get(found.account_status):
        raise AccountClosed(
            f"Ad account {name} is {status} at Meta (account_status {found.account_status})",
            where=where,
            remedy="Have it enabled in Meta Business Suite (Account quality says why it is not), or take it out of the "
            "connection's field account_ids: what was read of it stays.",
        )
    return ad_account(found.account_id, found.name, found.currency, found.timezone_name, where)
