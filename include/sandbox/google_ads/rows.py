"""What a query finds in an account: its campaigns, itself, or a manager's clients, with their figures day by day."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sandbox.google_ads.fields import DATE, camel, told
from sandbox.google_ads.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sandbox.business.ads import Ads, Campaign, Row
    from sandbox.google_ads.customers import Customer
    from sandbox.google_ads.query import Query

Found = dict[str, Any]
"""A row of a query: the field -> its value."""
STATUSES = {"active": "ENABLED", "paused": "PAUSED", "deleted": "REMOVED"}
ALL_TOGETHER = ""
"""The figures of the account are those of all campaigns."""


def find(customer: Customer, ads: Ads, query: Query, now: datetime) -> list[Found]:
    """The rows that the query asks for, in its order."""
    if customer.is_manager and query.metrics:
        raise Refused("queryError.REQUESTED_METRICS_FOR_MANAGER")
    own = _customer(customer, "customer")
    if query.resource == "customer_client":
        found = [own | one for one in _clients(customer)]
    elif customer.is_manager:
        found = [own] if query.resource == "customer" else []
    elif query.resource == "customer":
        found = _with_figures({ALL_TOGETHER: own}, customer, ads, query, now)
    else:
        campaigns = ads.campaigns(customer.account, now)
        named = {one.campaign_id: own | _campaign(customer, one) for one in campaigns}
        found = _with_figures(named, customer, ads, query, now)
    # A day that is filtered on but not selected only says whose figures are summed.
    conditions = [one for one in query.conditions if one.field != DATE or query.is_segmented]
    found = [row for row in found if all(one.holds(row) for one in conditions)]
    for name, largest_first in reversed(query.order):
        found.sort(key=itemgetter(name), reverse=largest_first)
    return found[: query.limit]


def as_json(row: Found, query: Query) -> dict[str, Any]:
    """A row in the JSON form of Google's message: what was selected, and the names of its resources."""
    selected = {name.split(".")[0] for name in query.fields} & {"campaign", "customer", "customer_client"}
    names = [f"{one}.resource_name" for one in sorted(selected | {query.resource})]
    answer: dict[str, Any] = {}
    for name in (*names, *query.fields):
        resource, _, field = name.partition(".")
        answer.setdefault(camel(resource), {})[camel(field)] = told(name, row[name])
    return answer


def _with_figures(named: dict[str, Found], customer: Customer, ads: Ads, query: Query, now: datetime) -> list[Found]:
    """Each of these with its figures: a row for each of its days, or one with all of them summed."""
    if not (query.metrics or query.is_segmented):
        return list(named.values())
    days: dict[Any, list[Row]] = defaultdict(list)
    for row in ads.rows(customer.account, *query.days(), now):
        key = row.campaign.campaign_id if ALL_TOGETHER not in named else ALL_TOGETHER
        days[(key, row.day) if query.is_segmented else key].append(row)
    if not query.is_segmented:
        return [told | _figures(days[key]) for key, told in named.items()]
    found = [named[key] | {DATE: day} | _figures(rows) for (key, day), rows in days.items()]
    selected = [name for name in query.fields if name.startswith("metrics.")]
    return [row for row in found if not selected or any(row[name] for name in selected)]


def _figures(rows: Iterable[Row]) -> Found:
    days = list(rows)
    return {
        "metrics.cost_micros": sum(one.spend_micros for one in days),
        "metrics.clicks": sum(one.clicks for one in days),
        "metrics.impressions": sum(one.impressions for one in days),
        "metrics.conversions": sum(one.conversions_micros for one in days) / 1_000_000,
        "metrics.conversions_value": sum(one.value_micros for one in days) / 1_000_000,
    }


def _campaign(customer: Customer, campaign: Campaign) -> Found:
    return {
        "campaign.resource_name": f"customers/{customer.id}/campaigns/{campaign.campaign_id}",
        "campaign.id": int(campaign.campaign_id),
        "campaign.name": campaign.name,
        "campaign.status": STATUSES[campaign.status],
        "campaign.advertising_channel_type": campaign.type,
    }


def _customer(customer: Customer, prefix: str) -> Found:
    return {
        f"{prefix}.resource_name": f"customers/{customer.id}",
        f"{prefix}.id": int(customer.id),
        f"{prefix}.descriptive_name": customer.name,
        f"{prefix}.currency_code": customer.account.currency,
        f"{prefix}.time_zone": str(customer.account.zone),
        f"{prefix}.manager": customer.is_manager,
        f"{prefix}.status": customer.status,
    }


def _clients(customer: Customer) -> list[Found]:
    """The account itself at level 0, and a manager's clients below it."""
    return [
        _customer(one, "customer_client")
        | {
            "customer_client.resource_name": f"customers/{customer.id}/customerClients/{one.id}",
            "customer_client.client_customer": f"customers/{one.id}",
            "customer_client.level": 0 if one is customer else 1,
        }
        for one in (customer, *customer.clients)
    ]
