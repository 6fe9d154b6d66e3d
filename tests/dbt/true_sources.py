"""Where the sandbox's orders really came from, beside what its vendors tell of that: what each may be credited to.

Nothing of the project decides here: orders, clicks in mails and sessions are the sandbox's own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.channels.shopify_sandbox import Sandbox

WINDOW = timedelta(hours=168)
JOURNEY_DELAY = timedelta(hours=3)
"""How long the sandbox's Shopify takes to tell of an order's visits."""
OPENS_WITHIN = timedelta(minutes=1)
"""A click in a mail opens the shop within this time."""
MEDIA = {"Clicked Email": "email", "Clicked SMS": "sms"}

Words = tuple[str, str, str | None]
"""Source, medium and, where it is known, campaign."""
Order = dict[str, Any]


class Case(StrEnum):
    """What the vendors let one know of an order: the first three show its true source, the others do not."""

    LAST_CLICK = "its true click is the person's last of the week"
    SESSION = "nobody tells a click, but GA4 the session"
    NATIVE = "TikTok Shop sold it itself"
    TILL = "sold at the till: nobody clicked"
    CAME = "came directly, without a click in the week before"
    CAME_AGAIN = "came directly after a click of that week, which keeps the credit"
    CLICKED_AGAIN = "the same person clicked again later, on the way to something else: that click has the credit"
    OLD = "the true click is older than 168 hours"
    YOUNG = "the shop does not tell the order's visits yet"
    INSTAGRAM = "came from Instagram with Facebook's click id, which goes first"


VISIBLE = {Case.LAST_CLICK, Case.SESSION, Case.NATIVE}


@dataclass(frozen=True)
class Credit:
    """A source, medium and campaign, and when the click was."""

    words: Words
    at: datetime | None


NOBODY = Credit(("direct", "none", None), None)


@dataclass(frozen=True)
class Click:
    """Somebody came, but not directly: a visit on the way to an order, or a click in a mail, on the way to any."""

    at: datetime
    words: Words
    order_id: str | None

    def is_of(self, order: Order) -> bool:
        """Whether it is the click that decided."""
        decided_at = instant(order["decided_at"])
        if self.order_id is not None:
            return (self.order_id, self.at) == (order["id"], decided_at)
        return self.words[:2] == words(order)[:2] and timedelta() <= decided_at - self.at <= OPENS_WITHIN


class Vendors:
    """What the vendors of a merchant tell at this moment; only aurora has mails and analytics."""

    def __init__(self, sandbox: Sandbox, merchant: str, now: datetime) -> None:
        self.now = now
        self.orders: list[Order] = sandbox.admin(f"/shops/{merchant}/truth/sources", method="GET")
        self._clicks: defaultdict[str, list[Click]] = defaultdict(list)
        for order in self.orders:
            if order["person"] and self._tells(order):
                self._clicks[order["person"]] += clicks_of(order)
        self._sessions: set[str] = set()
        if merchant == "aurora":
            self._add_mails(sandbox.admin("/klaviyo/events", method="GET"))
            days = sandbox.admin("/shops/aurora/website/truth?report=transactions", method="GET").values()
            self._sessions = {row["transaction_id"] for day in days for row in day["reports"]["transactions"]}

    def case(self, order: Order) -> tuple[Case, set[Credit]]:
        """Which case a counted order is, and what is right then: one of several only when they are of one second."""
        true, placed_at = words(order), instant(order["placed_at"])
        if true[:2] == ("tiktok_shop", "native"):
            return Case.NATIVE, {Credit(true, placed_at)}
        if true[0] == "pos":
            return Case.TILL, {NOBODY}
        last = self._last_clicks(order)
        right = {Credit(click.words, click.at) for click in last} or {NOBODY}
        if true[0] == "direct":
            return (Case.CAME_AGAIN if last else Case.CAME), right
        if any(click.is_of(order) for click in last):
            return (Case.INSTAGRAM if true[0] == "instagram" else Case.LAST_CLICK), right
        if last and last[0].at > instant(order["decided_at"]):
            return Case.CLICKED_AGAIN, right
        if not last and order["id"] in self._sessions:
            return Case.SESSION, {Credit(true, placed_at)}
        if instant(order["decided_at"]) < placed_at - WINDOW:
            return Case.OLD, right
        assert not self._tells(order), f"nothing explains why the true click of this order cannot be seen: {order}"
        return Case.YOUNG, right

    def _tells(self, order: Order) -> bool:
        """Whether the shop tells of an order's visits."""
        return instant(order["placed_at"]) <= self.now - JOURNEY_DELAY

    def _add_mails(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            at = instant(event["datetime"])
            if event["metric"] in MEDIA and max(at, instant(event["visible_at"])) <= self.now:
                self._clicks[event["profile"]].append(Click(at, ("klaviyo", MEDIA[event["metric"]], None), None))

    def _last_clicks(self, order: Order) -> list[Click]:
        """The latest clicks of who ordered in the week before."""
        placed_at = instant(order["placed_at"])
        found = [one for one in self._clicks[order["person"]] if placed_at - WINDOW <= one.at <= placed_at]
        return [one for one in found if one.at == max(click.at for click in found)]


def clicks_of(order: Order) -> list[Click]:
    """The visits on its way that were not direct, as their links and referrers tell them."""
    return [
        Click(instant(visit["occurred_at"]), as_told(words(visit)), order["id"])
        for visit in order["visits"]
        if not visit["is_direct"]
    ]


def as_told(true: Words) -> Words:
    """Facebook marks what comes from Instagram with the same click id, and these links say nothing else."""
    return ("facebook", "social", None) if true[0] == "instagram" else true


def words(told: Mapping[str, Any]) -> Words:
    return told["source"], told["medium"], told["campaign"]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
