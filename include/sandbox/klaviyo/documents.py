"""Accounts, metrics, campaigns, flows, profiles and events as JSON:API resources."""

from __future__ import annotations

import uuid
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.email_model import Campaign, EmailEvent, Flow, Message, Metric, Profile
    from sandbox.business.merchants import Merchant

Resource = dict[str, Any]
INTEGRATIONS = {
    "Klaviyo": ("0rG4eQ", "klaviyo", "Internal"),
    "Shopify": ("0eMvjm", "shopify", "eCommerce"),
    "API": ("7FtS4J", "api", "API"),
}


def time(instant: datetime | None) -> str | None:
    """A UTC time as Klaviyo writes it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S+00:00") if instant else None


def _resource(base: str, kind: str, plural: str, number: str, attributes: Resource) -> Resource:
    return {
        "type": kind,
        "id": number,
        "attributes": attributes,
        "links": {"self": f"{base}/api/{plural}/{number}"},
    }


def _related(base: str, path: str, name: str, data: Any = None) -> Resource:
    told = {"links": {"self": f"{base}/api/{path}/relationships/{name}", "related": f"{base}/api/{path}/{name}"}}
    return told if data is None else {"data": data, **told}


def account(base: str, merchant: Merchant) -> Resource:
    attributes = {
        "test_account": False,
        "contact_information": {
            "default_sender_name": merchant.name,
            "default_sender_email": f"hello@{merchant.merchant_id}.example",
            "website_url": merchant.storefront,
            "organization_name": merchant.name,
            "street_address": {
                "address1": "1 Trailhead Way",
                "address2": "",
                "city": "Albany",
                "region": "NY",
                "country": "US",
                "zip": "12207",
            },
        },
        "industry": "Ecommerce, Sporting Goods",
        "timezone": merchant.zone.key,
        "preferred_currency": merchant.currency,
        "public_api_key": "AuR0rA",
        "locale": "en-US",
    }
    return _resource(base, "account", "accounts", "AuR0rA", attributes)


def metric(base: str, one: Metric, flows: tuple[Flow, ...] = ()) -> Resource:
    number, key, category = INTEGRATIONS[one.integration]
    created = time(one.created_at)
    attributes = {
        "name": one.name,
        "created": created,
        "updated": created,
        "integration": {
            "object": "integration",
            "id": number,
            "key": key,
            "name": one.integration,
            "category": category,
        },
    }
    triggered = [{"type": "flow", "id": flow.id} for flow in flows if flow.trigger_metric == one.id]
    made = _resource(base, "metric", "metrics", one.id, attributes)
    return made | {"relationships": {"flow-triggers": _related(base, f"metrics/{one.id}", "flow-triggers", triggered)}}


def campaign(base: str, one: Campaign, now: datetime) -> Resource:
    scheduled = one.scheduled_at is not None and one.scheduled_at <= now
    send_time = time(one.send_time) if scheduled else None
    tagged = [
        {"type": "static", "name": "utm_source", "value": "klaviyo"},
        {"type": "static", "name": "utm_medium", "value": one.channel},
        {"type": "static", "name": "utm_campaign", "value": one.name.split()[0]},
    ]
    tracking: Resource | None = {"add_tracking_params": True, "custom_tracking_params": tagged}
    if one.channel == "email":
        tracking = {**(tracking or {}), "is_tracking_clicks": True, "is_tracking_opens": True}
    if one.channel == "mobile_push":
        tracking = None
    attributes = {
        "name": one.name,
        "status": one.status(now),
        "archived": one.archived(now),
        "audiences": {"included": ["NEWS01"], "excluded": []},
        "send_options": {"use_smart_sending": True},
        "tracking_options": tracking,
        "send_strategy": {"method": "static", "datetime": send_time, "options": {"is_local": False}}
        if send_time
        else {"method": "immediate"},
        "created_at": time(one.created_at),
        "scheduled_at": time(one.scheduled_at) if scheduled else None,
        "updated_at": time(one.updated_at(now)),
        "send_time": send_time,
    }
    path, message = f"campaigns/{one.id}", {"type": "campaign-message", "id": one.message.id}
    return _resource(base, "campaign", "campaigns", one.id, attributes) | {
        "relationships": {
            "campaign-messages": _related(base, path, "campaign-messages", [message]),
            "tags": _related(base, path, "tags", []),
        }
    }


def campaign_message(base: str, one: Message, now: datetime) -> Resource:
    of = one.campaign
    assert of is not None
    attributes = {"created_at": time(of.created_at), "updated_at": time(of.updated_at(now))}
    data = {"type": "campaign", "id": of.id}
    return _resource(base, "campaign-message", "campaign-messages", one.id, attributes) | {
        "relationships": {"campaign": _related(base, f"campaign-messages/{one.id}", "campaign", data)}
    }


def flow(base: str, one: Flow, opened_at: datetime) -> Resource:
    attributes = {
        "name": one.name,
        "status": "live",
        "archived": False,
        "created": time(opened_at),
        "updated": time(opened_at),
        "trigger_type": one.trigger_type,
    }
    path = f"flows/{one.id}"
    return _resource(base, "flow", "flows", one.id, attributes) | {
        "relationships": {
            "flow-actions": _related(base, path, "flow-actions"),
            "tags": _related(base, path, "tags"),
        }
    }


def profile(base: str, one: Profile, now: datetime) -> Resource:
    person = one.person
    registered = person.registered_at is not None and person.registered_at <= now
    attributes: Resource = {
        "email": person.email,
        "phone_number": None,
        "external_id": str(person.customer_id) if registered else None,
        "first_name": person.first_name or None,
        "last_name": person.last_name or None,
        "organization": None,
        "locale": None,
        "title": None,
        "image": None,
        "created": time(one.created_at),
        "updated": time(one.updated_at(now)),
        "last_event_date": time(max((at for at in one.orders if at <= now), default=None)),
        "location": {},
        "properties": {},
    }
    path, related = f"profiles/{one.id}", ("lists", "segments", "push-tokens")
    return _resource(base, "profile", "profiles", one.id, attributes) | {
        "relationships": {name: _related(base, path, name) for name in related}
    }


def event(base: str, one: EmailEvent) -> Resource:
    identity = uuid.UUID(bytes=blake2b(one.id.encode(), digest_size=16).digest(), version=4)
    attributes = {
        "timestamp": int(one.at.timestamp()),
        "event_properties": one.properties,
        "datetime": time(one.at),
        "uuid": str(identity),
    }
    path = f"events/{one.id}"
    return _resource(base, "event", "events", one.id, attributes) | {
        "relationships": {
            "profile": _related(base, path, "profile", {"type": "profile", "id": one.profile}),
            "metric": _related(base, path, "metric", {"type": "metric", "id": one.metric}),
            "attributions": _related(base, path, "attributions"),
        }
    }
