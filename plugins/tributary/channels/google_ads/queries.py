"""What is asked of Google Ads, in its query language."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

ACCOUNT = (
    "SELECT customer.id, customer.descriptive_name, customer.currency_code, customer.time_zone, customer.manager "
    "FROM customer"
)
CLIENTS = (
    "SELECT customer_client.id, customer_client.descriptive_name FROM customer_client "
    "WHERE customer_client.manager = FALSE AND customer_client.status = 'ENABLED' ORDER BY customer_client.id"
)

_FIELDS = (
    "segments.date",
    "campaign.id",
    "campaign.name",
    "campaign.status",
    "campaign.advertising_channel_type",
    "customer.id",
    "customer.descriptive_name",
    "customer.currency_code",
    "customer.time_zone",
    "metrics.cost_micros",
    "metrics.impressions",
    "metrics.clicks",
    "metrics.conversions",
    "metrics.conversions_value",
)


def campaign_days(first: date, last: date) -> str:
    """Every campaign's days; without a condition on the status, those of removed campaigns too."""
    days = f"segments.date BETWEEN '{first}' AND '{last}'"
    return f"SELECT {', '.join(_FIELDS)} FROM campaign WHERE {days} ORDER BY segments.date, campaign.id"  # noqa: S608


def known_campaigns(ids: Sequence[str]) -> str:
    """Which of the campaigns there are, removed ones included."""
    return f"SELECT campaign.id FROM campaign WHERE campaign.id IN ({', '.join(ids)})"  # noqa: S608


def fields(query: str) -> set[str]:
    """What a query asks for."""
    return set(query.removeprefix("SELECT ").split(" FROM ")[0].split(", "))
