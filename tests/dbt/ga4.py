"""Rows of GA4's reports as its reader keeps them: the parts that matter to a test are the arguments."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

from tests.dbt.tiktok import noon

if TYPE_CHECKING:
    from datetime import datetime

    from tests.dbt.tiktok import Row

NEW_YORK = "America/New_York"


def report(stream: str, day: str, *, zone: str = NEW_YORK, currency: str = "USD", **flags: object) -> Row:
    """What the report of a day says of itself."""
    metadata = {"currencyCode": currency, "timeZone": zone, **flags}
    body = {"date": day.replace("-", ""), "report": {"rowCount": 1, "metadata": metadata}}
    return f"ga4_{stream}", day, noon(day), body


def total(day: str, sessions: int) -> Row:
    """The whole property's day."""
    counts = {"sessions": str(sessions), "totalUsers": "9", "activeUsers": "8", "newUsers": "7"}
    return "ga4_days", f"{day}/total", noon(day), {"date": day.replace("-", ""), "row": counts}


def visits(
    day: str,
    sessions: int,
    *came: str,
    page: str = "/",
    engaged: int = 0,
    users: int = 1,
    new_users: int = 0,
    key_events: str = "0",
    orders: int = 0,
    value: str = "0",
) -> Row:
    """Sessions of a day that came by this source, medium and campaign."""
    names = ("sessionSource", "sessionMedium", "sessionCampaignName", "landingPage")
    dimensions = dict(zip(names, (*came, page), strict=True))
    counts = {
        "sessions": str(sessions),
        "engagedSessions": str(engaged),
        "totalUsers": str(users),
        "newUsers": str(new_users),
        "keyEvents": key_events,
        "ecommercePurchases": str(orders),
        "purchaseRevenue": value,
    }
    return (*_told_apart("ga4_sessions", day, dimensions), {"date": day.replace("-", ""), "row": dimensions | counts})


def other(stream: str, day: str, dimensions: dict[str, str], **counts: str) -> Row:
    """A row of one of the other reports."""
    return (*_told_apart(f"ga4_{stream}", day, dimensions), {"date": day.replace("-", ""), "row": dimensions | counts})


def _told_apart(table: str, day: str, dimensions: dict[str, str]) -> tuple[str, str, datetime]:
    digest = blake2b(json.dumps([*dimensions.values()]).encode(), digest_size=16).hexdigest()
    return table, f"{day}/{digest}", noon(day)
