"""Clicks and visits as vendors tell of them: the parts that matter to a test are the arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.dbt.tiktok import noon

if TYPE_CHECKING:
    from datetime import datetime

    from tests.dbt.tiktok import Row


def visit(
    order_id: int,
    visit_id: str,
    at: datetime,
    source: str | None = None,
    medium: str | None = None,
    campaign: str | None = None,
    *,
    page: str = "https://aurora.example/",
    referrer: str | None = None,
) -> Row:
    """A visit that led to a Shopify order; with a source or a medium its link was tagged."""
    tags = {"source": source, "medium": medium, "campaign": campaign, "content": None, "term": None}
    body = {
        "id": f"gid://shopify/CustomerVisit/{visit_id}",
        "occurredAt": at.isoformat(),
        "landingPage": page,
        "referrerUrl": referrer,
        "source": "unknown",
        "utmParameters": tags if source or medium or campaign else None,
    }
    return "shopify_visits", f"{order_id}/{visit_id}", at, body


def click(event_id: str, profile_id: str, at: datetime, *, metric: str = "Clicked Email", **properties: Any) -> Row:
    """A click in one of Klaviyo's messages."""
    related = {"profile": {"data": {"id": profile_id}}, "metric": {"data": {"id": "M"}}}
    body = {"id": event_id, "attributes": {"event_properties": properties}, "relationships": related}
    return "klaviyo_events", event_id, at, {"metric": metric, "event": body}


def person(profile_id: str, *, email: str | None = None, customer: int | str | None = None) -> Row:
    """Somebody whom Klaviyo knows."""
    known = {"email": email, "external_id": customer and str(customer)}
    return "klaviyo_profiles", profile_id, noon("2026-03-01"), {"id": profile_id, "attributes": known}
