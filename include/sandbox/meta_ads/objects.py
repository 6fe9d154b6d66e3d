"""Ad accounts and campaigns as the Graph API shows them."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from sandbox.meta_ads.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.ads import Campaign
    from sandbox.business.ads_plans import Account
    from sandbox.meta_ads.asking import Asking

STATUSES = {"active": "ACTIVE", "paused": "PAUSED", "deleted": "DELETED"}
EFFECTIVE = ("ACTIVE", "ARCHIVED", "DELETED", "IN_PROCESS", "PAUSED", "WITH_ISSUES")
HIDDEN = ("ARCHIVED", "DELETED")
"""What lists and reports leave out unless they are asked for it."""


def account(asking: Asking, one: Account, now: datetime) -> dict[str, Any]:
    offset = now.astimezone(one.zone).utcoffset()
    assert offset is not None
    disabled = one.status == "disabled"
    known = {
        "id": f"act_{one.account_id}",
        "account_id": one.account_id,
        "name": one.name,
        "currency": one.currency,
        "timezone_name": one.zone.key,
        "timezone_offset_hours_utc": offset.total_seconds() / 3600,
        "account_status": 2 if disabled else 1,
        "disable_reason": 1 if disabled else 0,
    }
    return _chosen(asking, known, ("account_id", "id"), "AdAccount")


def campaign(asking: Asking, one: Campaign, owner: Account) -> dict[str, Any]:
    status, opened = effective(one), datetime.combine(one.created_on, time(9), owner.zone)
    known = {
        "id": one.campaign_id,
        "account_id": owner.account_id,
        "name": one.name,
        "objective": one.type,
        "buying_type": "AUCTION",
        "status": status,
        "configured_status": status,
        "effective_status": status,
        "created_time": opened.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "start_time": opened.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    return _chosen(asking, known, ("id",), "Campaign")


def effective(one: Campaign) -> str:
    return STATUSES[one.status]


def status_filter(asking: Asking) -> Callable[[Campaign], bool]:
    """Which campaigns are shown; `filtering` or `effective_status` name the statuses."""
    wanted = asking.json("effective_status", list, "an array")
    others = []
    for condition in asking.json("filtering", list, "an array") or ():
        if not isinstance(condition, dict) or not {"field", "operator", "value"} <= set(condition):
            raise invalid("param filtering must be an array of {field, operator, value}.")
        field, operator, value = condition["field"], condition["operator"], condition["value"]
        if operator == "IN" and isinstance(value, list) and field in ("campaign.effective_status", "effective_status"):
            wanted = value
        elif operator == "IN" and isinstance(value, list) and field == "campaign.id":
            others.append({str(number) for number in value})
        else:
            raise invalid(f"Filtering field '{field}' with operation '{str(operator).lower()}' is not supported")
    if wanted is not None and not {str(status) for status in wanted} <= set(EFFECTIVE):
        raise invalid(f"effective_status must be one of the following values: {', '.join(EFFECTIVE)}")
    shown = set(EFFECTIVE) - set(HIDDEN) if wanted is None else set(wanted)
    return lambda one: effective(one) in shown and all(one.campaign_id in ids for ids in others)


def _chosen(asking: Asking, known: dict[str, Any], default: tuple[str, ...], kind: str) -> dict[str, Any]:
    """The fields that were asked for; the id is always among them."""
    names = asking.fields(default)
    if unknown := [name for name in names if name not in known]:
        raise invalid(f"Tried accessing nonexisting field ({unknown[0]}) on node type ({kind})")
    return {name: known[name] for name in dict.fromkeys([*names, "id"])}
