"""A second opinion on last click: every touch that a vendor tells of, and the one that each order is credited to.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.e2e.independent_customers import Customers
    from tests.e2e.independent_ga4 import Property
    from tests.e2e.independent_klaviyo import Account
    from tests.e2e.independent_orders import Order, Visit
    from tests.e2e.independent_settings import Channel, Settings

WINDOW = timedelta(hours=168)
CLICK_IDS = {"gclid": "google", "gbraid": "google", "wbraid": "google", "msclkid": "bing", "ttclid": "tiktok"}
CLICKS = {"Clicked Email": "email", "Clicked SMS": "sms"}
SAYS_NOTHING = ("", "(direct)", "(none)", "(not set)", "(other)")
PRIORITIES = ("tiktok_shop", "shopify", "klaviyo", "ga4")


class Origin(NamedTuple):
    """Where somebody came from."""

    source: str
    medium: str
    campaign: str | None = None
    is_malformed: bool = False

    @property
    def is_direct(self) -> bool:
        return (self.source, self.medium) == ("direct", "none")


@dataclass(frozen=True)
class Touch:
    """Somebody clicked."""

    by: str
    """Who tells it."""
    id: str
    at: datetime
    origin: Origin

    @property
    def rank(self) -> tuple[timedelta, int, str]:
        """The least wins: the latest, then who is believed first, then the id."""
        return datetime.max.replace(tzinfo=self.at.tzinfo) - self.at, PRIORITIES.index(self.by), self.id


@dataclass(frozen=True)
class Credit:
    """What an order is credited to."""

    origin: Origin
    channel: Channel
    rule: str
    at: datetime | None
    touch: str | None


def plain(text: str | None) -> str:
    return unquote(text or "").strip().lower()


def odd(source: str, medium: str, campaign: str) -> bool:
    """Whether somebody has to look at its tags: encoded twice, not filled in, or with a blank where none belongs."""
    tags = (source, medium, campaign)
    encoded = any(re.search(r"%[0-9a-fA-F]{2}", tag) for tag in tags)
    unfilled = any("{" in unquote(tag) or "}" in unquote(tag) for tag in tags)
    return encoded or unfilled or " " in plain(source) or " " in plain(medium)


def origin_of(visit: Visit, settings: Settings) -> Origin:
    """Tags, else the click id of an ad platform, else who referred, else nobody."""
    campaign = plain(visit.campaign) or None
    if plain(visit.source) and plain(visit.medium):
        return Origin(
            plain(visit.source), plain(visit.medium), campaign, odd(visit.source, visit.medium, visit.campaign)
        )
    query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(visit.landing_page).query).items()}
    for name, platform in CLICK_IDS.items():
        if query.get(name):
            return Origin(platform, "cpc", campaign)
    if query.get("fbclid"):
        return Origin("facebook", "social", campaign)
    if host := urlsplit(visit.referrer).hostname:
        return Origin(*settings.referred(host), campaign)
    return Origin("direct", "none", campaign)


@dataclass(frozen=True)
class Mail:
    """A click in a message, as Klaviyo tells it."""

    id: str
    at: datetime
    medium: str
    campaign: str
    customer: str | None
    email: str | None


def mail_clicks(account: Account) -> Iterator[Mail]:
    """All clicks of all profiles."""
    people = {one["id"]: one["attributes"] for one in account.all("profiles", **{"page[size]": "100"})}
    for metric, medium in CLICKS.items():
        which = f"equals(metric_id,'{account.metric(metric)}')"
        for event in account.all("events", filter=which, sort="datetime", **{"page[size]": "500"}):
            told = event["attributes"]["event_properties"]
            who = people[event["relationships"]["profile"]["data"]["id"]]
            yield Mail(
                event["id"],
                datetime.fromisoformat(event["attributes"]["datetime"]),
                medium,
                told.get("Campaign Name") or told.get("$flow", ""),
                who["external_id"],
                who["email"],
            )


def sessions(website: Property, first: str, last: str) -> dict[str, Origin]:
    """Where the session of a transaction came from, as far as GA4 says so."""
    asked = ("date", "transactionId", "sessionSource", "sessionMedium", "sessionCampaignName")
    found: dict[str, Origin] = {}
    # The confirmation page may be opened again on another day: the first one counts.
    for (_, number, source, medium, campaign), _ in sorted(website.rows(first, last, asked, ("ecommercePurchases",))):
        if source not in SAYS_NOTHING and medium not in SAYS_NOTHING and plain(source) != "direct":
            named = "" if campaign in SAYS_NOTHING else campaign
            origin = Origin(plain(source), plain(medium), plain(named) or None, odd(source, medium, named))
            found.setdefault(number, origin)
    return found


def visits_of(orders: Iterable[Order], settings: Settings) -> dict[str, Touch]:
    """The visits that these orders tell of; the same visit is one touch."""
    return {
        visit.id: Touch("shopify", f"shopify/{order.id}/{visit.id}", visit.at, origin_of(visit, settings))
        for order in orders
        for visit in order.visits
    }


def last_clicks(
    orders: Iterable[Order],
    customers: Customers,
    settings: Settings,
    mails: Iterable[Mail],
    transactions: Mapping[str, Origin],
) -> dict[tuple[str, str], Credit]:
    """Each counted order's credit."""
    touches: dict[str, list[Touch]] = defaultdict(list)
    for who, placed in customers.orders.items():
        touches[who] += visits_of(placed, settings).values()
    for mail in mails:
        # The visit that a click led to is the same touch: it comes later, or goes first, and is always the last one.
        reader = customers.reader(mail.customer, mail.email)
        if reader is None:
            continue
        is_odd = odd("klaviyo", mail.medium, mail.campaign)
        origin = Origin("klaviyo", mail.medium, plain(mail.campaign) or None, is_odd)
        touches[reader].append(Touch("klaviyo", f"klaviyo/{mail.id}", mail.at, origin))
    return {
        order.key: _credit(order, touches, settings, transactions)
        for order in orders
        if order.is_counted
    }  # fmt: skip


def _credit(
    order: Order, touches: Mapping[str, list[Touch]], settings: Settings, transactions: Mapping[str, Origin]
) -> Credit:
    if order.sales_channel == "tiktok_shop" or order.copy_of is not None:
        origin, rule = Origin("tiktok_shop", "native"), "native"
        return Credit(origin, settings.channel(*origin[:2]), rule, order.at, None)
    known = [*touches.get(order.identity or "", ()), *visits_of([order], settings).values()]
    candidates = [touch for touch in known if order.at - WINDOW <= touch.at <= order.at and not touch.origin.is_direct]
    if candidates:
        last = min(candidates, key=lambda touch: touch.rank)
        return Credit(last.origin, settings.channel(*last.origin[:2]), "last_click", last.at, last.id)
    if told := transactions.get(order.id):
        return Credit(told, settings.channel(*told[:2]), "ga4_session", order.at, None)
    return Credit(Origin("direct", "none"), settings.channel("direct", "none"), "direct", None, None)
