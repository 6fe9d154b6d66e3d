"""A second opinion on why an order was credited as it was: every touch that was looked at, and the way to the order.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.independent_clicks import WINDOW, is_candidate, is_in_window
from tests.e2e.independent_money import decimal

if TYPE_CHECKING:
    from datetime import datetime

    from tests.e2e.independent_business import Business
    from tests.e2e.independent_orders import Order
    from tests.e2e.independent_touches import Touch

Table = dict[tuple[Any, ...], dict[str, Any]]

LOOKED_BACK = 2 * WINDOW
"""Touches before are not told of."""
NEAREST = 20
"""So many of those are told that are outside the window."""
ONE_CLICK = timedelta(minutes=30)
"""A click in a mail and a visit that follows so soon are one."""
KEPT = ("native", "click", "ga4_session")


class Judged(NamedTuple):
    """A touch, and the rule that kept or rejected it."""

    touch: Touch
    rule: str
    same_as: str | None = None
    """The touch that stands for it."""

    @property
    def is_kept(self) -> bool:
        return self.rule in KEPT

    @property
    def is_on_the_way(self) -> bool:
        return self.is_kept or self.rule == "direct"


def judged(order: Order, known: list[Touch], until: datetime) -> list[Judged]:
    """The touches that were looked at for an order, in the order of their times; the day of the order ends then."""
    reached = sorted(
        (touch for touch in known if order.at - LOOKED_BACK <= touch.at < until), key=lambda touch: touch.rank
    )
    inside = [touch for touch in reached if is_in_window(touch, order)]
    outside = [touch for touch in reached if not is_in_window(touch, order)]
    outside.sort(key=lambda touch: abs(touch.at - order.at))
    candidates = [touch for touch in inside if is_candidate(touch, order)]
    seen = sorted([*inside, *outside[:NEAREST]], key=lambda touch: touch.rank, reverse=True)
    return [_judge(touch, order, inside, candidates) for touch in seen]


def _judge(touch: Touch, order: Order, inside: list[Touch], candidates: list[Touch]) -> Judged:
    """What the first rule says that applies; what is in the window, and what of it may count, by their rank."""
    if touch.at > order.at:
        return Judged(touch, "after_order")
    if touch.at < order.at - WINDOW:
        return Judged(touch, "too_old")
    if touch.rule != "native" and any(other.rule == "native" for other in candidates):
        return Judged(touch, "native_sale")
    same = next(other for other in inside if other.contact == touch.contact)
    if same is not touch:
        return Judged(touch, "same_visit", same.id)
    if touch.origin.is_direct:
        return Judged(touch, "direct")
    if touch.by == "klaviyo" and (visit := _visit_of(touch, candidates)):
        return Judged(touch, "same_click", visit.id)
    if touch.rule == "ga4_session" and any(other.rule == "click" for other in candidates):
        return Judged(touch, "click_known")
    return Judged(touch, touch.rule)


def _visit_of(click: Touch, candidates: list[Touch]) -> Touch | None:
    """The first visit that the click may have led to; of one that two orders tell of, what ranks first."""
    visits = [
        other
        for other in candidates
        if other.by != "klaviyo"
        and other.rule == "click"
        and other.channel.name == click.channel.name
        and click.at <= other.at <= click.at + ONE_CLICK
    ]
    return min(visits, key=lambda visit: (visit.at, visit.rank), default=None)


def ledger(business: Business) -> Table:
    """Every touch that was looked at for a counted order."""
    found: Table = {}
    for order in business.orders:
        told = business.judged.get(order.key, [])
        kept = [one.touch.id for one in told if one.is_kept]
        last = business.credits[order.key].touch if told else None
        for one in told:
            touch = one.touch
            found[*order.key, touch.id] = {
                "date_day": business.day(order.at),
                "touch_channel": touch.by,
                "occurred_at": touch.at,
                "ordered_at": order.at,
                "source": touch.origin.source,
                "medium": touch.origin.medium,
                "campaign": touch.origin.campaign,
                "channel": touch.channel.name,
                "is_paid": touch.channel.is_paid,
                "is_direct": touch.origin.is_direct,
                "resolved_by": touch.origin.by,
                "is_kept": one.is_kept,
                "rule": one.rule,
                "step": kept.index(touch.id) + 1 if one.is_kept else None,
                "steps": len(kept) if one.is_kept else None,
                "is_last_click": touch is last,
                "same_as": one.same_as,
            }
    return found


def journeys(business: Business) -> Table:
    """Each counted order and the way to it."""
    found: Table = {}
    for order in business.orders:
        if not order.is_counted:
            continue
        way = [one for one in business.judged[order.key] if one.is_on_the_way]
        clicks = [one.touch for one in way if one.is_kept]
        passed = [name for name, _ in groupby(one.touch.channel.name for one in way)]
        hours = (order.at - way[0].touch.at) / timedelta(microseconds=1) if way else None
        row = {
            "date_day": business.day(order.at),
            "is_new_customer": business.customers.is_new(order),
            "rule": business.credits[order.key].rule,
            "touches": len(way),
            "clicks": len(clicks),
            "direct_visits": len(way) - len(clicks),
            "first_touch_at": way[0].touch.at if way else None,
            "last_touch_at": way[-1].touch.at if way else None,
            "hours_to_order": None if hours is None else decimal(Fraction(int(hours), 3_600_000_000), 2),
            "path": " > ".join(passed) or "direct",
            "revenue": business.worth(order),
            "currency": business.settings.currency,
            "ordered_at": order.at,
        }
        for which, touches in (("first", clicks[:1]), ("last", clicks[-1:])):
            source, medium = touches[0].origin[:2] if touches else ("direct", "none")
            row[f"{which}_channel"] = touches[0].channel.name if touches else "direct"
            row[f"{which}_source"], row[f"{which}_medium"] = source, medium
        found[order.key] = row
    return found
