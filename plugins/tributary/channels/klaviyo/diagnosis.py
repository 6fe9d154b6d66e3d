"""Says whether an account can be read, and if not, exactly what is missing; spends none of the day's reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.klaviyo.refusals import NEW_KEY, ScopeMissing
from tributary.http import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tributary.channels.klaviyo.api import KlaviyoApi

_ONE_EMAIL = {"filter": "equals(messages.channel,'email')", "page[size]": "1"}
_ONE = {"page[size]": "1"}
# The cheapest request that needs each scope; reports need no others.
_TRIALS: dict[str, Callable[[KlaviyoApi], object]] = {
    "accounts:read": lambda api: api.account(),
    "campaigns:read": lambda api: api.get("/api/campaigns", _ONE_EMAIL, budget="campaigns"),
    "events:read": lambda api: api.get("/api/events", _ONE, budget="events"),
    "flows:read": lambda api: api.get("/api/flows", _ONE, budget="flows"),
    "metrics:read": lambda api: api.metric_ids(),
    "profiles:read": lambda api: api.get("/api/profiles", _ONE, budget="profiles"),
}


def diagnose(api: KlaviyoApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        missing = [scope for scope, ask in _TRIALS.items() if not _may_read(ask, api)]
        if missing:
            return False, f"The private key is good, but lacks {', '.join(missing)}. {NEW_KEY}"
        account, metric = api.account(), api.conversion
    except HttpError as error:
        return False, str(error)
    return True, (
        f"Connected to {account.name} (account {account.id}): time zone {account.time_zone.key}, currency "
        f"{account.currency}; conversions are the events of {metric}."
    )


def _may_read(ask: Callable[[KlaviyoApi], object], api: KlaviyoApi) -> bool:
    try:
        ask(api)
    except ScopeMissing:
        return False
    return True
