"""Beside a merchant's orders: how people came to them. Clicks in mails and who clicked, sessions, and visits."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.dbt import ga4, klaviyo
from tests.dbt.tiktok_book import OPENED
from tributary.declaration import Page, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.dbt.tiktok import Payload, Row

EVENTS = {
    "click": 24,
    "click_through": 8,
    "click_often": 1,
    "meet": 8,
    "become_another": 6,
    "touch_profile": 4,
    "see_order": 14,
    "see_otherwise": 6,
    "forget_order": 5,
}
"""Each a method of the book, with its weight."""
HISTORY = 60
OFTEN = 24
"""More clicks than the ledger tells of those that are too old."""
SESSIONS = (("google", "cpc"), ("google", "organic"), ("(direct)", "(none)"), ("(not set)", "(not set)"), ("blog", "x"))
VISITS: tuple[Payload, ...] = (
    {"utmParameters": {"source": "google", "medium": "cpc", "campaign": "brand"}},
    {"utmParameters": {"source": "Facebook", "medium": "paid_social", "campaign": "a%20b"}},
    {"utmParameters": {"source": "klaviyo", "medium": "email"}},
    {"utmParameters": {"source": "poster", "medium": "qr"}},
    {"landingPage": "https://shop.example/?gclid=1"},
    {"landingPage": "https://shop.example/?fbclid=1", "referrerUrl": "https://l.facebook.com/"},
    {"referrerUrl": "https://www.google.com/"},
    {"referrerUrl": "https://blog.example/tents"},
    {"referrerUrl": "https://shop.example/cart"},
    {},
    {},
)


def visit(chance: random.Random, at: datetime) -> Payload:
    """A visit of the shop, most often soon before that time, sometimes too long ago to count, or after it."""
    before = chance.choice(
        [
            timedelta(minutes=1),
            timedelta(hours=chance.randint(1, 168)),
            timedelta(hours=168),
            timedelta(hours=chance.randint(168, 340)),
            timedelta(minutes=chance.randint(-600, 0)),
        ]
    )
    return {"occurredAt": (at - before).isoformat(), **chance.choice(VISITS)}


class TouchesBook:
    """Whatever is told is about one of the shop's orders or who placed it, as they are or were at some time."""

    def __init__(
        self, seed: int, any_order: Callable[[], Payload], by_mail: Callable[[], list[tuple[Payload, Payload]]]
    ) -> None:
        self._chance = random.Random(seed)
        self._any_order = any_order
        self._by_mail = by_mail
        self.happened: Counter[str] = Counter()
        self._shown: dict[str, dict[str, Record]] = defaultdict(dict)
        self._profiles: dict[str, Payload] = {}
        self._unknown: set[str] = set()
        self._versions = 0
        self.play(HISTORY)

    def play(self, events: int) -> None:
        """Let that many things happen."""
        for name in self._chance.choices([*EVENTS], [*EVENTS.values()], k=events):
            getattr(self, f"_{name}")()
            self.happened[name] += 1

    def pages(self, table: str) -> Iterator[Page]:
        """What a sync of that stream reads: everything."""
        yield Page([*self._shown[table].values()])

    # What can happen.

    def _click(self) -> None:
        """Somebody clicks, most often before an order of theirs: for long too early, or later on its day."""
        order = self._any_order()
        minutes = [
            self._chance.randint(1, 90),
            self._chance.randint(-60, 168 * 60),
            self._chance.randint(168 * 60, 337 * 60),
            self._chance.randint(-900, 0),
        ]
        self._clicked(order, order["processedAt"], timedelta(minutes=self._chance.choice(minutes)))

    def _click_through(self) -> None:
        """The shop sees the visit that a click led to, and may see one so late that it was another's."""
        if by_mail := self._by_mail():
            order, seen = self._chance.choice(by_mail)
            self._clicked(order, seen["occurredAt"], timedelta(minutes=self._chance.choice([0, 1, 29, 30, 31])))

    def _click_often(self) -> None:
        order = self._any_order()
        for number in range(OFTEN):
            before = timedelta(hours=169 + self._chance.randrange(167), minutes=number % 3)
            self._clicked(order, order["processedAt"], before)

    def _meet(self) -> None:
        if self._unknown:
            self._tell(self._chance.choice(sorted(self._unknown)))

    def _become_another(self) -> None:
        if known := sorted(self._profiles.keys() - self._unknown):
            profile_id = self._chance.choice(known)
            account, email = self._names(self._any_order())
            self._profiles[profile_id] |= self._chance.choice([{"email": email}, {"external_id": account}])
            self._tell(profile_id)

    def _touch_profile(self) -> None:
        if known := sorted(self._profiles.keys() - self._unknown):
            profile_id = self._chance.choice(known)
            self._profiles[profile_id]["last_event_date"] = str(self._versions)
            self._tell(profile_id)

    def _see_order(self) -> None:
        """Its day is that of the session, which another than the order's may be."""
        order = self._any_order()
        at = datetime.fromisoformat(order["processedAt"]) + timedelta(days=self._chance.choice([0, 0, 1]))
        self._see(f"{at:%Y-%m-%d}", order["legacyResourceId"])

    def _see_otherwise(self) -> None:
        if seen := self._forget_order():
            self._see(seen.event_at.strftime("%Y-%m-%d"), json.loads(seen.payload)["row"]["transactionId"])

    def _forget_order(self) -> Record | None:
        shown = self._shown["ga4_transactions"]
        return shown.pop(self._chance.choice([*shown])) if shown else None

    # Helpers.

    def _clicked(self, order: Payload, at: str, before: timedelta) -> None:
        """By somebody who may be unknown as yet."""
        who = self._chance.choice([*filter(None, self._names(order))] or ["stranger"])
        profile_id = f"p-{who}"
        if profile_id not in self._profiles:
            account, email = self._names(order)
            self._profiles[profile_id] = {"external_id": account, "email": email}
            self._unknown.add(profile_id)
            if self._chance.random() < 0.6:
                self._tell(profile_id)
        metric = self._chance.choice([*["Clicked Email"] * 4, *["Clicked SMS"] * 2, "Opened Email"])
        self._versions += 1
        sent = {"Campaign Name": self._chance.choice(["Spring", None])}
        *_, body = klaviyo.event(f"e{self._versions}", metric, profile_id, **sent)
        self._show(("klaviyo_events", f"e{self._versions}", datetime.fromisoformat(at) - before, body))

    def _names(self, order: Payload) -> tuple[str | None, str | None]:
        return (order["customer"] or {}).get("legacyResourceId"), order["email"]

    def _see(self, day: str, order_id: str) -> None:
        source, medium = self._chance.choice(SESSIONS)
        names = ("sessionSource", "sessionMedium", "sessionCampaignName", "transactionId")
        campaign = self._chance.choice(["brand", "(not set)"])
        came = dict(zip(names, (source, medium, campaign, order_id), strict=True))
        self._show(ga4.other("transactions", day, came, ecommercePurchases="1", purchaseRevenue="9.5"))

    def _tell(self, profile_id: str) -> None:
        self._unknown.discard(profile_id)
        self._show(klaviyo.thing("profiles", profile_id, **self._profiles[profile_id]))

    def _show(self, row: Row) -> None:
        table, record_id, at, body = row
        self._versions += 1
        updated_at = OPENED + timedelta(minutes=self._versions)
        self._shown[table][record_id] = Record(record_id, at, updated_at, json.dumps(body).encode())
