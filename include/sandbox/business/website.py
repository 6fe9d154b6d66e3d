"""A merchant's website as its analytics tell of it: visitors, events, transactions and advertising of every day.

A day's figures follow from (seed, day) and from the shop's orders. They come in until some hours after the day's end,
differ on each of the first days after it, and are final on the fourth: a part is told late, and a part stands first
under "(not set)", in rows that vanish. What is restated from outside comes on top.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from sandbox.business.simulator import day_start
from sandbox.business.website_visits import (
    STEPS,
    UNKNOWN,
    Figures,
    Key,
    Visited,
    Visitors,
    advertising,
    landing_page,
    source_key,
    visitors,
)

if TYPE_CHECKING:
    from sandbox.business.merchants import Merchant
    from sandbox.business.order import Order

DELAY = timedelta(hours=4)
"""How long it takes until an hour can be seen."""
FINAL_AGE = 4
TOLD_LATE = (6, 4, 2, 1)
"""Percent of a day not told yet, by its age in days."""
WITHOUT_SOURCE = (18, 14, 10, 6)
"""Percent of what is told that stands under "(not set)" still."""
CONSENTED = 85
"""Percent of orders that analytics are allowed to see."""

OTHER_DAY, SAMPLED_DAY = 5, 2
"""The days of the simulation with an "(other)" row and with sampling."""
MOST_ROWS = 25
"""How many rows such a day keeps apart."""
FEWEST_USERS = 3
"""Rows of fewer are withheld on a day with thresholds."""

TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sessions": (
        ("source", "medium", "campaign", "landing_page"),
        ("sessions", "engaged_sessions", "users", "new_users", "key_events", "orders", "revenue"),
    ),
    "funnel_events": (("event", "source", "medium", "campaign"), ("events", "users")),
    "transactions": (("transaction_id", "source", "medium", "campaign"), ("orders", "revenue")),
    "ad_cost": (("source", "medium", "campaign"), ("cost", "clicks", "impressions")),
}
"""What there is of a day: each table's keys and counters; `revenue` and `cost` are in cents."""
FUNNEL = {
    "view_item": "view_item",
    "add_to_cart": "add_to_cart",
    "begin_checkout": "begin_checkout",
    "purchase": "orders",
    "session_start": "sessions",
}
"""The event -> what it counts."""

Table = dict[Key, Figures]


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it can be seen at some time: its tables, whole, and what is wrong with it."""

    tables: dict[str, Table] = field(default_factory=lambda: {name: {} for name in TABLES})
    collapses: bool = False
    is_thresholded: bool = False
    is_sampled: bool = False

    def has_other(self) -> bool:
        return self.collapses and len(self.tables["sessions"]) > MOST_ROWS

    def listed(self) -> Table:
        """Sessions as a report with landing pages has them: rows collapsed into "(other)", or withheld."""
        rows = self.tables["sessions"]
        if self.has_other():
            ranked = sorted(rows, key=lambda key: (-rows[key]["sessions"], key))
            kept = {key: rows[key] for key in ranked[:MOST_ROWS]}
            for key in ranked[MOST_ROWS:]:
                _add(kept.setdefault(("(other)",) * 4, {}), rows[key])
            return kept
        if self.is_thresholded:
            return {key: figures for key, figures in rows.items() if figures["users"] >= FEWEST_USERS}
        return rows


@dataclass(frozen=True, slots=True)
class Restated:
    """A row turned out otherwise: by so much in one counter, or it vanished."""

    table: str
    key: Key
    counter: str | None = None
    by: int = 0


class Website:
    """What is known of every day of one merchant's website."""

    def __init__(self, merchant: Merchant, seed: int, first_day: date) -> None:
        self.merchant = merchant
        self.first_day = first_day
        self._seed = seed
        self._visited: dict[date, list[Visited]] = defaultdict(list)
        self._restated: dict[date, list[Restated]] = defaultdict(list)
        self._drawn: dict[date, tuple[list[Visitors], Table]] = {}
        self._seen: dict[date, tuple[object, Day]] = {}

    def saw(self, order: Order) -> None:
        """An order came in; analytics know of it when it was placed on the website, and somebody allowed it."""
        if order.true_source is None or order.test or order.source_name != "web":
            return
        digest = blake2b(f"{self._seed}/consent/{order.id}".encode(), digest_size=8).digest()
        draw = int.from_bytes(digest, "big")
        if draw % 100 >= CONSENTED:
            return
        key = (*source_key(order.true_source), landing_page(order))
        chance = draw // 100 % 100
        # Every tenth shop page sends the value before shipping and taxes are known.
        revenue = order.original_total * 9 // 10 if chance % 10 == 9 else order.original_total
        self._visited[self.today(order.processed_at)].append(Visited(order, key, revenue, chance))

    def today(self, now: datetime) -> date:
        """The date where the shop is."""
        return now.astimezone(self.merchant.zone).date()

    def day(self, day: date, now: datetime) -> Day:
        """A day as it can be seen now; there is nothing before the website's first day and after today."""
        return self._at(day, now, min((self.today(now) - day).days, FINAL_AGE))

    def final(self, day: date) -> Day:
        """A day as it will look in the end; of today, as far as its orders are there already."""
        return self._at(day, day_start(self.merchant, day) + timedelta(days=3), FINAL_AGE)

    def restate(self, day: date, now: datetime, restated: Restated) -> None:
        """Something turns out otherwise, from now on."""
        keys, counters = TABLES.get(restated.table, ((), ()))
        if not keys:
            raise ValueError(f"there is no report {restated.table!r}; there are {sorted(TABLES)}")
        if len(restated.key) != len(keys):
            raise ValueError(f"a row of {restated.table} is told by {list(keys)}")
        if restated.counter is not None and restated.counter not in counters:
            raise ValueError(f"{restated.table} has no counter {restated.counter!r}; it has {list(counters)}")
        if not self.first_day <= day <= self.today(now):
            raise ValueError(f"there is nothing of {day}: there is from {self.first_day} to {self.today(now)}")
        if restated.counter is None and restated.key not in self.day(day, now).tables[restated.table]:
            raise LookupError(f"{restated.table} of {day} has no row {list(restated.key)}")
        self._restated[day].append(restated)

    def _at(self, day: date, now: datetime, age: int) -> Day:
        start, end = day_start(self.merchant, day), day_start(self.merchant, day + timedelta(days=1))
        until = min(max((now - DELAY).replace(minute=0, second=0), start), end)
        if day < self.first_day or until == start:
            return Day()
        stamp = (until, age, len(self._visited[day]), len(self._restated[day]))
        known = self._seen.get(day)
        if known is None or known[0] != stamp:
            parts = int((until - start).total_seconds()), int((end - start).total_seconds())
            known = self._seen[day] = (stamp, self._view(day, until, age, parts))
        return known[1]

    def _view(self, day: date, until: datetime, age: int, parts: tuple[int, int]) -> Day:
        """What is told of a day: so much of it as is over, less what is late, with sources as far as known."""
        late, unknown = (TOLD_LATE[age], WITHOUT_SOURCE[age]) if age < FINAL_AGE else (0, 0)
        part, whole = parts[0] * (100 - late), parts[1] * 100
        if day not in self._drawn:
            self._drawn[day] = visitors(self.merchant, self._seed, day), advertising(self.merchant, self._seed, day)
        drawn, paid = self._drawn[day]
        index = (day - self.first_day).days
        seen = Day(collapses=index == OTHER_DAY, is_thresholded=index % 10 == 3, is_sampled=index == SAMPLED_DAY)
        told: Table = {}
        for row in drawn:
            figures = {step: value * part // whole for step, value in row.figures.items()}
            moved = {step: -(-value * unknown // 100) if row.told_late else 0 for step, value in figures.items()}
            _add(told.setdefault((*UNKNOWN[:3], row.key[3]), {}), moved)
            _add(told.setdefault(row.key, {}), {step: figures[step] - moved[step] for step in STEPS})
        for one in self._visited[day]:
            if one.order.processed_at < until and one.chance >= late:
                key = (*UNKNOWN[:3], one.key[3]) if one.chance < late + unknown else one.key
                _add(told.setdefault(key, {}), one.figures())
                sold = {"orders": 1, "revenue": one.revenue}
                seen.tables["transactions"][(str(one.order.id), *key[:3])] = sold
        told = {key: figures for key, figures in told.items() if figures["sessions"]}
        counters = TABLES["sessions"][1]
        seen.tables["sessions"].update(
            (key, {counter: figures.get(counter, 0) for counter in counters}) for key, figures in told.items()
        )
        seen.tables["funnel_events"].update(_funnel(told))
        for key, cost in paid.items():
            seen.tables["ad_cost"][key] = {counter: value * part // whole for counter, value in cost.items()}
        for one_more in self._restated[day]:
            _apply(seen.tables[one_more.table], one_more)
        return seen


def _funnel(told: Table) -> Table:
    """How often each event happened, by source; somebody does some of them twice."""
    sums: Table = {}
    for key, figures in told.items():
        _add(sums.setdefault(key[:3], {}), figures)
    return {
        (event, *key): {"events": figures[counted], "users": -(-figures[counted] * 9 // 10)}
        for key, figures in sums.items()
        for event, counted in FUNNEL.items()
        if figures.get(counted)
    }


def _apply(table: Table, restated: Restated) -> None:
    if restated.counter is None:
        table.pop(restated.key, None)
        return
    row = table.get(restated.key) or dict.fromkeys(TABLES[restated.table][1], 0)
    table[restated.key] = {**row, restated.counter: max(0, row[restated.counter] + restated.by)}


def _add(row: Figures, more: Figures) -> None:
    for name, value in more.items():
        row[name] = row.get(name, 0) + value


def users(parts: list[int]) -> int:
    """How many people there were in several rows together: fewer than their sum, because some are in two."""
    return sum(parts) - (sum(parts) - max(parts, default=0)) // 12
