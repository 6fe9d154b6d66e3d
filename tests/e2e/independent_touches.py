"""A second opinion on touches: every contact that a vendor tells of, and whose it is.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.e2e.independent_origins import Origin, Told, origin_of, tagged, told_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.e2e.independent_customers import Customers
    from tests.e2e.independent_ga4 import Property
    from tests.e2e.independent_klaviyo import Account
    from tests.e2e.independent_orders import Order
    from tests.e2e.independent_settings import Channel, Settings

CLICKS = {"Clicked Email": "email", "Clicked SMS": "sms"}
SAYS_NOTHING = ("", "(direct)", "(none)", "(not set)", "(other)")
PRIORITIES = ("tiktok_shop", "shopify", "klaviyo", "ga4")


@dataclass(frozen=True)
class Touch:
    """Somebody came, or bought where a channel sells itself."""

    by: str
    """Who tells it."""
    id: str
    contact: str
    """The same one of all touches that are one."""
    at: datetime
    rule: str
    """What it counts as: a native sale, a click, or what GA4 saw."""
    told: Told
    origin: Origin
    channel: Channel
    order: Order | None = None
    """The order that tells it."""

    @property
    def rank(self) -> tuple[timedelta, int, str]:
        """The least wins: the latest, then who is believed first, then the id."""
        return datetime.max.replace(tzinfo=self.at.tzinfo) - self.at, PRIORITIES.index(self.by), self.id


@dataclass(frozen=True)
class Mail:
    """A click in a message, as Klaviyo tells it."""

    id: str
    at: datetime
    told: Told
    customer: str | None
    email: str | None


@dataclass
class Touches:
    """All of a merchant's: those of somebody who is known, those of an order alone, and those of nobody."""

    settings: Settings
    of_customer: dict[str, list[Touch]] = field(default_factory=lambda: defaultdict(list))
    of_order: dict[tuple[str, str], list[Touch]] = field(default_factory=lambda: defaultdict(list))
    of_nobody: list[Touch] = field(default_factory=list)

    def of(self, order: Order) -> list[Touch]:
        return [*self.of_customer.get(order.identity or "", ()), *self.of_order.get(order.key, ())]

    def all(self) -> Iterator[Touch]:
        for touches in (*self.of_customer.values(), *self.of_order.values(), self.of_nobody):
            yield from touches

    def order(self, order: Order, sessions: Mapping[str, Told]) -> None:
        """What an order tells: its visits, and the channel that sold it or else its session."""
        is_native = order.sales_channel == "tiktok_shop" or order.copy_of is not None
        if is_native:
            it = f"{order.sales_channel}/{order.id}"
            told, origin = Told("tiktok_shop", "native"), Origin("tiktok_shop", "native", None, "native")
            self.of_order[order.key].append(self._touch(it, it, order.at, "native", told, origin, order))
        for visit in order.visits:
            told, contact = told_by(visit), f"shopify/visit/{visit.id}"
            where = self.of_customer[order.identity] if order.identity else self.of_order[order.key]
            origin = origin_of(told, self.settings)
            where.append(self._touch(f"shopify/{order.id}/{visit.id}", contact, visit.at, "click", told, origin, order))
        if not is_native and (seen := sessions.get(order.id)):
            it, origin = f"ga4/{order.id}", tagged(seen, "ga4")
            self.of_order[order.key].append(self._touch(it, it, order.at, "ga4_session", seen, origin, order))

    def mail(self, mail: Mail, reader: str | None) -> None:
        it = f"klaviyo/{mail.id}"
        where = self.of_customer[reader] if reader else self.of_nobody
        where.append(self._touch(it, it, mail.at, "click", mail.told, tagged(mail.told, "utm")))

    def _touch(
        self, id_: str, contact: str, at: datetime, rule: str, told: Told, origin: Origin, order: Order | None = None
    ) -> Touch:
        channel = self.settings.channel(origin.source, origin.medium)
        return Touch(id_.partition("/")[0], id_, contact, at, rule, told, origin, channel, order)


def touches_of(
    orders: Iterable[Order],
    customers: Customers,
    settings: Settings,
    mails: Iterable[Mail],
    sessions: Mapping[str, Told],
) -> Touches:
    found = Touches(settings)
    for order in orders:
        found.order(order, sessions)
    for mail in mails:
        found.mail(mail, customers.reader(mail.customer, mail.email))
    return found


def mail_clicks(account: Account) -> Iterator[Mail]:
    """All clicks of all profiles."""
    people = {one["id"]: one["attributes"] for one in account.all("profiles", **{"page[size]": "100"})}
    for metric, medium in CLICKS.items():
        which = f"equals(metric_id,'{account.metric(metric)}')"
        for event in account.all("events", filter=which, sort="datetime", **{"page[size]": "500"}):
            about = event["attributes"]["event_properties"]
            who = people[event["relationships"]["profile"]["data"]["id"]]
            told = Told("klaviyo", medium, about.get("Campaign Name") or about.get("$flow", ""))
            at = datetime.fromisoformat(event["attributes"]["datetime"])
            yield Mail(event["id"], at, told, who["external_id"], who["email"])


def sessions(website: Property, first: str, last: str) -> dict[str, Told]:
    """Where the session of a transaction came from, as far as GA4 says so."""
    asked = ("date", "transactionId", "sessionSource", "sessionMedium", "sessionCampaignName")
    found: dict[str, Told] = {}
    # The confirmation page may be opened again on another day: the first one counts.
    for (_, number, source, medium, campaign), _ in sorted(website.rows(first, last, asked, ("ecommercePurchases",))):
        if source not in SAYS_NOTHING and medium not in SAYS_NOTHING:
            found.setdefault(number, Told(source, medium, "" if campaign in SAYS_NOTHING else campaign))
    return found
