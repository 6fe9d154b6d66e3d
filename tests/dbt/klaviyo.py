"""Rows of Klaviyo's reports as its reader keeps them: the parts that matter to a test are the arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.dbt.tiktok import moment, noon

if TYPE_CHECKING:
    from tests.dbt.tiktok import Payload, Row

STATISTICS = (
    "recipients",
    "delivered",
    "opens",
    "opens_unique",
    "clicks",
    "clicks_unique",
    "conversions",
    "conversion_uniques",
    "conversion_value",
    "unsubscribes",
    "unsubscribe_uniques",
    "bounced",
    "spam_complaints",
    "failed",
)


def campaign(
    message_id: str,
    at: str,
    *,
    channel: str = "email",
    name: str | None = None,
    zone: str = "America/New_York",
    currency: str = "USD",
    **statistics: float | None,
) -> Row:
    """A message of a campaign, with all that came of it so far."""
    groupings = {
        "campaign_id": f"C{message_id}",
        "campaign_message_id": message_id,
        "campaign_message_name": name,
        "send_channel": channel,
    }
    body = _values(groupings, statistics, zone, currency) | {
        "campaign": {"id": f"C{message_id}", "name": name, "send_time": f"{at}+00:00"}
    }
    return "klaviyo_campaign_values", f"{message_id}/{channel}", moment(at), body


def flow(
    message_id: str,
    day: str,
    *,
    channel: str = "email",
    name: str | None = None,
    zone: str = "America/New_York",
    currency: str = "USD",
    **statistics: float | None,
) -> Row:
    """A day of a message of a flow."""
    groupings = {
        "flow_id": f"F{message_id}",
        "flow_name": name,
        "flow_message_id": message_id,
        "flow_message_name": name,
        "send_channel": channel,
    }
    body = _values(groupings, statistics, zone, currency) | {"date": day}
    return "klaviyo_flow_values", f"{day}/{message_id}/{channel}", noon(day), body


def account_day(day: str) -> Row:
    """A day of the account, with or without conversions."""
    body = {
        "date": day,
        "conversion_metric_id": "M",
        "currency": "USD",
        "time_zone": "America/New_York",
        "count": 4.0,
        "sum_value": 80.5,
        "unique": 3,
    }
    return "klaviyo_days", day, noon(day), body


def thing(table: str, record_id: str, **attributes: Any) -> Row:
    """An item of one of Klaviyo's lists."""
    return f"klaviyo_{table}", record_id, noon("2026-03-01"), {"id": record_id, "attributes": attributes}


def event(event_id: str, metric: str, profile_id: str, **properties: Any) -> Row:
    """Something that happened to a person."""
    related = {"profile": {"data": {"id": profile_id}}, "metric": {"data": {"id": "M"}}}
    body = {"id": event_id, "attributes": {"event_properties": properties}, "relationships": related}
    return "klaviyo_events", event_id, noon("2026-03-01"), {"metric": metric, "event": body}


def _values(groupings: Payload, statistics: dict[str, Any], zone: str, currency: str) -> Payload:
    told = dict.fromkeys(STATISTICS, 0.0) | statistics
    assert len(told) == len(STATISTICS)
    return {
        "currency": currency,
        "time_zone": zone,
        "conversion_metric_id": "M",
        "row": {"groupings": groupings, "statistics": told},
    }
