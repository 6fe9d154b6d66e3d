"""A crowd that comes, clicks and buys on a grid of times, and what the ledger must say of it, found by trying all."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from tests.dbt.stories import AT, sold, told
from tests.dbt.touches import click, person, visit

if TYPE_CHECKING:
    from tests.dbt.tiktok import Payload, Row

WEEK, HALF_AN_HOUR = timedelta(days=7), timedelta(minutes=30)
TAGS: dict[str, tuple[str, ...]] = {"direct": (), "microsoft_ads": ("bing", "cpc"), "email": ("klaviyo", "email")}
"""By the marketing channel: how a visit is tagged."""


class Bought(NamedTuple):
    customer: int | None
    at: datetime


class Line(NamedTuple):
    """What the ledger says of an order and a touch."""

    touch: str
    rule: str
    step: int | None = None
    same_as: str | None = None


@dataclass(frozen=True)
class Touch:
    id: str
    at: datetime
    channel: str
    kind: str
    """visit, mail or session"""
    customer: int | None
    order: int | None
    contact: str

    @property
    def rank(self) -> tuple[timedelta, int, str]:
        """The latest first."""
        return AT - self.at, ("visit", "mail", "session").index(self.kind), self.id


@dataclass(frozen=True)
class Crowd:
    """So many are at the same time, at an end of the window, or half an hour after another."""

    zone: ZoneInfo
    orders: dict[int, Bought]
    touches: list[Touch]

    @classmethod
    def drawn(cls, seed: int, zone: str) -> Crowd:
        chance = random.Random(seed)

        def moment() -> datetime:
            minutes = chance.choice([0, 0, 0, 0, 10, 30, 31])
            return AT + timedelta(hours=12 * chance.randrange(60), minutes=minutes)

        people = [None, None, *range(100, 105)]
        orders = {number: Bought(chance.choice(people), moment()) for number in range(5_000, 5_200)}
        touches = []
        for number in range(400):
            at, channel, contact = moment(), chance.choice([*TAGS]), f"w{number}"
            customer = chance.choice(people)
            theirs = [order_id for order_id, bought in orders.items() if bought.customer == customer]
            # what a known customer did may be told by two orders
            for order_id in chance.sample(theirs, chance.choice([1, 1, 1, 2]) if customer else 1):
                key = f"shopify/{order_id}/{contact}"
                touches.append(Touch(key, at, channel, "visit", customer, order_id, contact))
        for number in range(150):
            key = f"klaviyo/c{number}"
            touches.append(Touch(key, moment(), "email", "mail", chance.randrange(100, 105), None, key))
        for order_id in chance.sample([*orders], 60):
            bought, key = orders[order_id], f"ga4/{order_id}"
            touches.append(Touch(key, bought.at, "microsoft_ads", "session", bought.customer, order_id, key))
        return cls(ZoneInfo(zone), orders, touches)

    def bought(self) -> list[Payload]:
        return [sold(number, at=order.at, customer=order.customer) for number, order in self.orders.items()]

    def told(self) -> list[Row]:
        """All of them, as their vendors tell."""
        found = [person(f"Q{customer}", customer=customer) for customer in range(100, 105)]
        for touch in self.touches:
            key = touch.id.rpartition("/")[2]
            if touch.kind == "mail":
                found.append(click(key, f"Q{touch.customer}", touch.at))
            elif touch.kind == "session":
                found.append(told(key, touch.at.date().isoformat(), *TAGS[touch.channel], ""))
            elif touch.order:
                found.append(visit(touch.order, key, touch.at, *TAGS[touch.channel]))
        return found

    def ledger(self, order_id: int) -> set[Line]:
        """Each touch that was looked at, and the first rule that rejects it."""
        customer, at = self.orders[order_id]
        midnight = datetime.combine(self.day(order_id) + timedelta(days=1), time(), self.zone)
        reached = [
            touch
            for touch in self.touches
            if at - 2 * WEEK <= touch.at < midnight
            and (touch.order == order_id or (touch.kind != "session" and customer and touch.customer == customer))
        ]
        outside = [touch for touch in reached if not at - WEEK <= touch.at <= at]
        outside.sort(key=lambda touch: (abs(at - touch.at), touch.rank))
        inside = sorted((touch for touch in reached if touch not in outside), key=lambda touch: touch.rank)
        candidates = [touch for touch in inside if touch.channel != "direct"]
        lines = {Line(touch.id, "after_order" if touch.at > at else "too_old") for touch in outside[:20]}
        kept = []
        for touch in inside:
            same = next(other for other in inside if other.contact == touch.contact)
            visits = [
                other
                for other in candidates
                if other.kind == "visit"
                and other.channel == touch.channel
                and touch.at <= other.at <= touch.at + HALF_AN_HOUR
            ]
            if same is not touch:
                lines.add(Line(touch.id, "same_visit", None, same.id))
            elif touch.channel == "direct":
                lines.add(Line(touch.id, "direct"))
            elif touch.kind == "mail" and visits:
                lines.add(Line(touch.id, "same_click", None, min(visits, key=lambda one: (one.at, one.rank)).id))
            elif touch.kind == "session" and any(other.kind != "session" for other in candidates):
                lines.add(Line(touch.id, "click_known"))
            else:
                kept.append(touch)
        for step, touch in enumerate(reversed(kept), 1):
            lines.add(Line(touch.id, "ga4_session" if touch.kind == "session" else "click", step))
        return lines

    def credited(self, order_id: int) -> str | None:
        """The touch that gets the credit."""
        last = max((line for line in self.ledger(order_id) if line.step), key=lambda line: line.step or 0, default=None)
        return last.touch if last else None

    def day(self, order_id: int) -> date:
        return self.orders[order_id].at.astimezone(self.zone).date()
