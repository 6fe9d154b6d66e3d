"""Words for a person: what a touch was, what told of it, when, and why it counts or not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from tributary.attribution.facts import Credit, Order, Origin, Rules, Touch

SPELLED = {"ga4": "GA4", "tiktok_shop": "TikTok Shop"}
"""Channels whose own spelling does not follow from their name here."""


def kind(touch: Touch) -> str:
    """What happened."""
    if touch.resolved_by == "native":
        return f"sale on {spelled(touch.source)}"
    if touch.resolved_by == "ga4":
        return f"session seen by {spelled(touch.touch_channel)}"
    if not touch.is_of_an_order:
        return f"click in {'a text message' if touch.medium == 'sms' else 'an e-mail'}"
    return "visit to the shop"


def told_by(touch: Touch) -> list[str]:
    """What says where the touch came from, and the tags of its link where they are odd."""
    lines = [_source_told_by(touch)]
    told = {"source": touch.utm_source, "medium": touch.utm_medium, "campaign": touch.utm_campaign}
    tags = ", ".join(f"{name} '{value}'" for name, value in told.items() if value)
    if touch.is_malformed:
        lines.append(f"the tags are malformed, somebody should look at the link: {tags}")
    elif tags and touch.resolved_by not in ("utm", "native", "ga4"):
        lines.append(f"the link's tags do not help, they need both source and medium: {tags}")
    if touch.other_order:
        lines.append(f"known because order {touch.other_order} of the same customer tells of this visit")
    return lines


def _source_told_by(touch: Touch) -> str:
    if not touch.is_of_an_order:
        return f"told by {spelled(touch.touch_channel)}, which sent the message"
    return {
        "utm": "told by the tags of the link",
        "click_id": f"told by the click id {touch.click_id} in the link",
        "referrer": f"told by the page before it, on {touch.referrer_domain}",
        "own_domain": f"the page before it was the shop's own, on {touch.referrer_domain}",
        "none": "nothing tells where from: no full tags, no click id, and no page before it",
        "native": "told by the order itself",
        "ga4": f"told by {spelled(touch.touch_channel)}, which saw the order being placed",
    }[touch.resolved_by]


def verdict(order: Order, touch: Touch, rules: Rules, numbers: Mapping[str, int]) -> str:
    """Whether it counts, and the plain reason."""
    if touch.rule == "native":
        return "Counted: it sold the order itself."
    if touch.rule == "ga4_session":
        return "Counted: no click is known that would say more."
    if touch.is_kept and touch.steps == 1:
        return "Counted: it is the only click that counts."
    if touch.is_kept:
        place = ", the last" if touch.is_last_click else ", the first" if touch.step == 1 else ""
        return f"Counted: click {touch.step} of {touch.steps}{place}."
    twin = numbers.get(touch.same_as or "")
    seller = spelled(order.mirrors_channel or order.sales_channel)
    why = {
        "after_order": "it came after the order",
        "too_old": f"too old, more than {hours(rules.window_hours)} before the order",
        "native_sale": f"{seller} sold the order itself, so no click did",
        "direct": "a direct visit does not say where the buyer came from, so it never displaces a click",
        "excluded_channel": f"the settings leave out the channel {touch.channel}",
        "same_visit": f"it is visit {twin} again, and counts once",
        "same_click": f"visit {twin} came of it, and the two count once",
        "click_known": "a click is known, which says more than the session",
    }[touch.rule]
    return f"Not counted: {why}."


def source(one: Touch | Origin | Credit) -> str:
    """Source and medium."""
    return "direct" if one.source == "direct" else f"{one.source} / {one.medium}"


def came_from(one: Touch | Origin) -> str:
    """The same with its campaign, and the marketing channel that it belongs to."""
    if one.channel == "direct":
        return "direct"
    campaign = f", campaign {one.campaign}" if one.campaign else ""
    return f"{source(one)}{campaign} (channel {one.channel}{', paid' if one.is_paid else ''})"


def distance(order: Order, at: datetime) -> str:
    """How long before or after the order."""
    if at == order.ordered_at:
        return "at the time of the order"
    return f"{length(abs(order.ordered_at - at))} {'before' if at < order.ordered_at else 'after'} the order"


def length(between: timedelta) -> str:
    """A duration by its two largest units that are not nothing: 7 d 1 s shows that it is more than 7 d."""
    rest, parts = int(between.total_seconds()), []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "less than 1 s"


def hours(count: int) -> str:
    """So many hours, in days when they are whole ones."""
    return f"{count // 24} days" if count % 24 == 0 and count > 24 else f"{count} hours"


def moment(order: Order, at: datetime) -> str:
    """A time on the merchant's clock."""
    local = at.astimezone(ZoneInfo(order.time_zone))
    return f"{local:%a} {local.day} {local:%b %Y}, {local:%H:%M}"


def spelled(channel: str) -> str:
    """A channel as it calls itself."""
    return SPELLED.get(channel, channel.replace("_", " ").title())
