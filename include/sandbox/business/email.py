"""The e-mail marketing of one merchant: who is written to when, and what these people then do.

It follows from the same seed as the shop. A simulator of its own looks ahead, because an order tells which message its
buyer clicked weeks before; days are made in order, each with its own random stream, so that a later `now` only adds.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from datetime import date, datetime, timedelta
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Any

from sandbox.business.email_calendar import flows, planned
from sandbox.business.email_model import (
    METRIC_IDS,
    METRICS,
    PLACED_ORDER,
    Campaign,
    EmailEvent,
    Message,
    Metric,
    Profile,
    event_id,
    ulid,
)
from sandbox.business.email_sending import REACTS_WITHIN, Sending
from sandbox.business.order import Person
from sandbox.business.simulator import Simulator, day_start

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.business.merchants import Merchant
    from sandbox.business.order import Order, Visit

DAY = timedelta(days=1)
MADE_AHEAD = 7 * DAY
"""How far beyond `now` days are made: campaigns exist days before they are sent."""
LOOKS_AHEAD = MADE_AHEAD + REACTS_WITHIN + 32 * DAY
"""How far orders are looked at: their visits lie up to 30 days before them."""
AUDIENCE = {"email": 190, "sms": 90, "push-notification": 80}
INJECTED = 90_000_000_000
"""From here on, above the merchant's base, orders were placed from outside."""


class EmailMarketing:
    """Campaigns, flows, profiles and events; nothing is made before the first question."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self.merchant = merchant
        self.metrics: list[Metric] = list(METRICS)
        self.flows = flows(merchant)
        self.campaigns: list[Campaign] = []
        self.profiles: dict[str, Profile] = {}
        self.cancellations: dict[int, datetime] = {}
        """By order: when it is going to be cancelled."""
        self.events: dict[str, list[EmailEvent]] = defaultdict(list)
        """By metric, and all of them under the empty text, in the order of their times."""
        self.adjustments: list[tuple[datetime, str, date | None, int, int]] = []
        """Since when, message, day of sending, conversions and cents that came on top."""
        self.vanished: list[tuple[datetime, str, date]] = []
        """Since when, message, day of sending: what was sent then is no longer reported."""
        self._by_id: dict[str, EmailEvent] = {}
        self._seed = seed
        self._first_day = self._next_day = first_day
        self._simulator = Simulator(merchant, seed, first_day)
        self._sending = Sending(seed, merchant.storefront)
        self._orders: dict[date, list[Order]] = defaultdict(list)
        self._visits: dict[date, list[tuple[Visit, Order]]] = defaultdict(list)
        self._followed: set[int] = set()
        """Visits that a campaign's message has led to."""
        self._injected: set[int] = set()

    def advance(self, now: datetime, orders: Iterable[Order]) -> None:
        """Make what is missing; `orders` are those of the shop, some of which nobody simulated."""
        for day in self._simulator.until(now + LOOKS_AHEAD):
            for order, fate in day.orders:
                if order.person is None:
                    continue
                self._orders[self._date(order.created_at)].append(order)
                for visit in order.visits:
                    if visit.source.source == "klaviyo":
                        self._visits[self._date(visit.at)].append((visit, order))
                for event in fate:
                    if event.kind == "cancel":
                        self.cancellations[order.id] = event.at
        while day_start(self.merchant, self._next_day) <= now + MADE_AHEAD:
            self._day(self._next_day)
            self._next_day += DAY
        for order in orders:
            if order.id - self.merchant.id_base >= INJECTED and order.id not in self._injected and order.email:
                self._injected.add(order.id)
                self._place(order)
        self._collect()

    def shown(self, now: datetime) -> list[Profile]:
        """The profiles that there are."""
        return [profile for profile in self.profiles.values() if profile.created_at <= now]

    def messages(self) -> dict[str, Message]:
        every = [campaign.message for campaign in self.campaigns]
        every += [message for flow in self.flows for message in flow.messages]
        return {message.id: message for message in every}

    def get(self, event: str, now: datetime) -> EmailEvent | None:
        found = self._by_id.get(event)
        return found if found is not None and found.visible_at <= now else None

    def between(self, metric: str, low: datetime | None = None, high: datetime | None = None) -> list[EmailEvent]:
        """Events of a metric (of all, when empty) with low <= time < high, whether visible or not."""
        events = self.events.get(metric, [])
        at = attrgetter("at")
        first = bisect_left(events, low, key=at) if low else 0
        return events[first : bisect_left(events, high, key=at) if high else len(events)]

    def rename(self, campaign: str, name: str, at: datetime) -> None:
        """The campaign and its message are called otherwise."""
        found = next(one for one in self.campaigns if one.id == campaign)
        found.name = found.message.name = name
        found.renamed_at = at

    def plant(self, since: datetime, number: int, data: dict[str, Any]) -> EmailEvent:
        """An event from outside, dated and shown as `data` says."""
        message = self.messages()[data["message"]] if data.get("message") else None
        at, sent_at = datetime.fromisoformat(data["datetime"]), None
        properties = {**(message.properties() if message else {}), **data.get("properties", {})}
        if message is not None:
            sent_at = message.campaign.send_time if message.campaign else None
            sent_at = datetime.fromisoformat(data["sent_at"]) if data.get("sent_at") else sent_at or at
        visible_at = datetime.fromisoformat(data["visible_at"]) if data.get("visible_at") else since
        planted = EmailEvent(
            event_id(self._seed, "planted", number),
            data["metric"],
            data["profile"],
            at,
            visible_at,
            properties,
            message,
            sent_at,
        )
        self._sending.made.append(planted)
        self._collect()
        return planted

    def _collect(self) -> None:
        """Put new events where they belong."""
        made, self._sending.made = self._sending.made, []
        if len(made) > 100:
            for event in made:
                self.events[event.metric].append(event)
                self.events[""].append(event)
            for events in self.events.values():
                events.sort(key=attrgetter("key"))
        else:
            for event in made:
                insort(self.events[event.metric], event, key=attrgetter("key"))
                insort(self.events[""], event, key=attrgetter("key"))
        self._by_id |= {event.id: event for event in made}

    def _date(self, instant: datetime) -> date:
        return instant.astimezone(self.merchant.zone).date()

    def _day(self, day: date) -> None:
        rng = Random(f"{self._seed}/email/{self.merchant.merchant_id}/{day.isoformat()}")  # noqa: S311 (a simulation)
        campaigns = planned(self.merchant, self._first_day, day)
        self.campaigns += campaigns
        happening: list[tuple[datetime, int, Any]] = [
            *((visit.at, visit.id, (visit, order)) for visit, order in self._visits.pop(day, [])),
            *((order.created_at, order.id, order) for order in self._orders.pop(day, [])),
            *((one.send_time, number, one) for number, one in enumerate(campaigns) if one.send_time),
        ]
        self._abandon(rng, day, len(happening) // 8)
        for _, _, what in sorted(happening, key=lambda one: one[:2]):
            if isinstance(what, Campaign):
                self._campaign(rng, what)
            elif isinstance(what, tuple):
                self._visit(rng, *what)
            else:
                self._order(rng, what)

    def _abandon(self, rng: Random, day: date, count: int) -> None:
        """Some people who are known already leave something in their cart."""
        start = day_start(self.merchant, day)
        known = [profile for profile in self.profiles.values() if profile.created_at < start]
        for profile in rng.sample(known, min(count, len(known))):
            at = start + timedelta(seconds=rng.randrange(22 * 3600))
            self._sending.event(rng, "Viewed Product", profile, at, self._product(rng))
            self._sending.send(rng, self.flows[1].messages[0], profile, at + timedelta(hours=1))

    def _campaign(self, rng: Random, campaign: Campaign) -> None:
        """It goes to some of the people known by then, and to all who are going to follow its link into the shop."""
        message, sent_at = campaign.message, campaign.send_time
        assert sent_at is not None
        followers: dict[str, tuple[datetime, int]] = {}
        last = sent_at + REACTS_WITHIN
        for offset in range(REACTS_WITHIN.days + 1):
            for visit, order in self._visits.get(self._date(sent_at) + offset * DAY, []):
                profile = self._known(order)
                if (
                    profile is not None
                    and profile.created_at < sent_at + timedelta(minutes=-1)
                    and visit.source.medium == campaign.channel
                    and sent_at + timedelta(minutes=10) < visit.at < last
                    and visit.id not in self._followed
                    and profile.id not in followers
                ):
                    followers[profile.id] = (visit.at - timedelta(seconds=rng.randint(1, 60)), visit.id)
        self._followed |= {visit for _, visit in followers.values()}
        others = [
            profile.id
            for profile in self.profiles.values()
            if profile.created_at < sent_at and profile.id not in followers and not profile.unsubscribed_at
        ]
        chosen = rng.sample(others, min(len(others), AUDIENCE[message.channel]))
        for profile_id in [*followers, *chosen]:
            clicked_at = followers[profile_id][0] if profile_id in followers else None
            self._sending.send(rng, message, self.profiles[profile_id], sent_at, clicked_at)

    def _visit(self, rng: Random, visit: Visit, order: Order) -> None:
        """A visit that no campaign led to: a newcomer's comes from the welcome, anybody else's from the cart flow."""
        if visit.id in self._followed:
            return
        clicked_at = visit.at - timedelta(seconds=rng.randint(1, 60))
        sent_at = clicked_at - timedelta(minutes=rng.randint(3, 90))
        profile, channel = self._known(order), visit.source.medium
        if profile is None:
            profile = self._sign_up(rng, order, sent_at - timedelta(minutes=2), None)
            if channel == "email":
                self._sending.send(rng, self.flows[0].messages[0], profile, sent_at, clicked_at)
                return
        sent_at = max(sent_at, profile.created_at + timedelta(seconds=30))
        message = next(one for one in self.flows[1].messages if one.channel == channel)
        self._sending.send(rng, message, profile, min(sent_at, clicked_at - timedelta(seconds=70)), clicked_at)

    def _order(self, rng: Random, order: Order) -> None:
        profile = self._known(order)
        if profile is None:
            profile = self._sign_up(rng, order, order.created_at, order.created_at + timedelta(minutes=3))
        if rng.random() < 0.4:
            before = order.created_at - timedelta(minutes=rng.randint(1, 30))
            at = max(before, profile.created_at)
            self._sending.event(rng, rng.choice(("Viewed Product", "Active on Site")), profile, at, self._product(rng))
        self._place(order, profile, rng)
        if rng.random() < 0.25:
            self._sending.send(rng, self.flows[2].messages[0], profile, order.created_at + 2 * DAY)

    def _place(self, order: Order, profile: Profile | None = None, rng: Random | None = None) -> None:
        """The shop reports an order, in full and at once; one from outside is never late."""
        if profile is None:
            profile = self._known(order) or self._sign_up(None, order, order.created_at, None)
        profile.orders.append(order.created_at)
        properties = {
            "$event_id": str(order.id),
            "$value": order.original_total / 100,
            "$currency_code": self.merchant.currency,
            "OrderId": str(order.id),
            "items": [
                {"SKU": line.product.sku, "Quantity": line.quantity, "ItemPrice": line.unit_price / 100}
                for line in order.lines
            ],
        }
        if rng is None:
            self.plant(
                order.created_at,
                order.id,
                {
                    "metric": METRIC_IDS[PLACED_ORDER],
                    "profile": profile.id,
                    "datetime": order.created_at.isoformat(),
                    "properties": properties,
                },
            ).order_id = order.id
        else:
            self._sending.event(rng, PLACED_ORDER, profile, order.created_at, properties, order_id=order.id)

    def _known(self, order: Order) -> Profile | None:
        return self.profiles.get(self._profile_id(_person(order)))

    def _profile_id(self, person: Person) -> str:
        return ulid(self.merchant.merchant_id, person.email.strip().lower())

    def _sign_up(self, rng: Random | None, order: Order, at: datetime, welcomed_at: datetime | None) -> Profile:
        person = _person(order)
        profile = Profile(self._profile_id(person), person, at)
        self.profiles[profile.id] = profile
        if rng is not None:
            first, second = self.flows[0].messages
            if welcomed_at is not None:
                self._sending.send(rng, first, profile, welcomed_at)
            if rng.random() < 0.3:
                self._sending.send(rng, second, profile, at + 2 * DAY)
        return profile

    def _product(self, rng: Random) -> dict[str, Any]:
        product = rng.choice(self.merchant.products)
        return {"ProductName": product.title, "SKU": product.sku}


def _person(order: Order) -> Person:
    """Who bought; an order from outside may name no more than an e-mail address."""
    return order.person or Person(0, "", "", order.email or "")
