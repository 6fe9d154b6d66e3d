"""A second opinion on the funnel: each stage of each channel's day, by the one vendor that tells it.

It shares nothing with the project but the definitions: no import, no query, no SQL.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tests.e2e.independent_money import quotient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.independent_business import Business
    from tests.e2e.independent_ga4 import Property
    from tests.e2e.independent_settings import Settings

Table = dict[tuple[Any, ...], dict[str, Any]]

STAGES = ("awareness", "engagement", "visit", "product_view", "add_to_cart", "checkout", "purchase")
EVENTS = {"view_item": "product_view", "add_to_cart": "add_to_cart", "begin_checkout": "checkout"}
BY_MESSAGE = ("email", "sms", "push", "whatsapp")
SETTLES_AFTER = timedelta(days=5)

Visits = dict[date, dict[tuple[str, str], Counter[str]]]
"""By day, and by source and medium: how often each stage was reached."""


def website_visits(website: Property, first: date, today: date) -> Visits:
    """What GA4 tells of sessions and of their steps, of all days at once."""
    # A day that has begun is told of, even if nobody came yet.
    days = ((today - first).days + 1) if first <= today else 0
    found: Visits = {first + timedelta(days=after): defaultdict(Counter) for after in range(days)}
    came, span = ("sessionSource", "sessionMedium"), (str(first), str(today))
    for (on, source, medium, *_), (sessions,) in website.rows(
        *span, ("date", *came, "sessionCampaignName", "landingPage"), ("sessions",)
    ):
        found[date.fromisoformat(on)][source, medium]["visit"] += int(sessions)
    for (on, event, source, medium, _), (count,) in website.rows(
        *span, ("date", "eventName", *came, "sessionCampaignName"), ("eventCount",)
    ):
        if event in EVENTS:
            found[date.fromisoformat(on)][source, medium][EVENTS[event]] += int(count)
    return found


def funnel(business: Business) -> Table:
    """Every stage of every channel's day that somebody tells anything of."""
    visited = {day: _by_channel(business.settings, came) for day, came in business.visits.items()}
    days = {(day, channel) for day, came in visited.items() for channel in came}
    days |= {key for key in business.claims.keys() | business.clicked.keys() if key[1] != "website"}
    unsettled, read_until = set(_unsettled(business)), max(business.visits, default=date.min)
    found: Table = {}
    for day, channel in days:
        told = _told(business, day, channel, visited.get(day))
        finals = {"orders": day not in unsettled, "ga4": day + SETTLES_AFTER <= read_until}
        claim = business.claims.get((day, channel))
        is_final = all(finals.get(source, claim is None or claim.is_final) for source, _ in told.values())
        before: str | None = None
        for number, stage in enumerate(STAGES, start=1):
            source, contacts = told.get(stage, (None, None))
            base = told[before][1] if before else 0
            conversion = quotient(contacts, base) if contacts is not None and base > 0 else None
            found[day, channel, stage] = {
                "stage_number": number,
                "told_by": source,
                "contacts": contacts,
                "previous_stage": before,
                "conversion": conversion,
                "drop_off": None if conversion is None else 1 - conversion,
                "is_final": is_final,
            }
            before = stage if source else before
    return found


def _by_channel(settings: Settings, came: dict[tuple[str, str], Counter[str]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (source, medium), counts in came.items():
        # What the vendor leaves empty is what it mostly calls so itself.
        named = (source.strip() or "(not set)").lower(), (medium.strip() or "(not set)").lower()
        found[settings.channel(*named).name] += counts
    return found


def _told(
    business: Business, day: date, channel: str, visited: dict[str, Counter[str]] | None
) -> dict[str, tuple[str, int]]:
    """Stage -> who tells it, and how often it was reached; what nobody tells is not there."""
    told: dict[str, tuple[str, int]] = {}
    vendor = "klaviyo" if channel in BY_MESSAGE else channel
    if claim := business.claims.get((day, channel)):
        own = {"awareness": claim.impressions, "engagement": claim.engagements}
        if channel in (*BY_MESSAGE, "tiktok_shop"):
            own["visit"] = claim.clicks
        told |= {stage: (vendor, int(count)) for stage, count in own.items() if count is not None}
    if visited is not None and channel != "tiktok_shop":
        counts = visited.get(channel, Counter())
        stages = [*EVENTS.values(), *(() if channel in BY_MESSAGE else ("visit",))]
        told |= {stage: ("ga4", counts[stage]) for stage in stages}
    told["purchase"] = ("orders", len(business.clicked.get((day, channel), ())))
    return told


def _unsettled(business: Business) -> Iterator[date]:
    """The days with an order, or a refund of one, of which something may still change."""
    for order in business.orders:
        if not order.is_final:
            yield business.day(order.at)
        yield from (business.day(refund.at) for refund in order.refunds if not refund.is_final)
