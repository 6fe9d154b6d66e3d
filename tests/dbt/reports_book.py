"""Beside a merchant's orders: reports of its website and its mails, whose rows appear, change and vanish."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from tests.dbt import ga4, klaviyo
from tributary.declaration import Page, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dbt.tiktok import Row

EVENTS = {
    "read_day": 8,
    "forget_day": 2,
    "count_visits": 14,
    "lose_visits": 5,
    "flag_day": 4,
    "count_steps": 12,
    "lose_steps": 3,
    "move_property": 1,
    "read_account_day": 8,
    "send_campaign": 6,
    "restate_campaign": 8,
    "lose_campaign": 2,
    "work_flow": 8,
    "lose_flow": 2,
}
"""Each a method of the book, with its weight."""
HISTORY, DAYS = 120, 14
FIRST = date(2026, 3, 1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""Before anything that reports show."""


class ReportsBook:
    """Reports show what there is now, and nothing of what was."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self._shown: dict[str, dict[str, Row]] = defaultdict(dict)
        self._zone = "America/New_York"
        self._send_campaign()
        self.play(HISTORY)

    def play(self, events: int) -> None:
        """Let that many things happen."""
        for name in self._chance.choices([*EVENTS], [*EVENTS.values()], k=events):
            getattr(self, f"_{name}")()
            self.happened[name] += 1

    def pages(self, table: str) -> Iterator[Page]:
        """What a sync of that stream reads: everything."""
        yield Page(
            [Record(record_id, at, at, json.dumps(body).encode()) for _, record_id, at, body in self._rows(table)]
        )

    # What can happen.

    def _read_day(self) -> None:
        day = self._day()
        self._show(ga4.report("days", day, zone=self._zone), ga4.total(day, self._chance.randrange(90)))

    def _forget_day(self) -> None:
        day = self._day()
        for record_id in (day, f"{day}/total"):
            self._shown["ga4_days"].pop(record_id, None)

    def _count_visits(self) -> None:
        day, came = self._day(), [self._chance.choice(["google", "", "a@example.com"]) for _ in range(3)]
        page = self._chance.choice(["/", "", "/of/ann@example.com", "/of/bob%40example.com"])
        number = self._chance.randrange(90)
        self._show(
            ga4.report("sessions", day, zone=self._zone),
            ga4.visits(day, number, *came, page=page, users=number, orders=1, value=f"{number}.5"),
        )

    def _lose_visits(self) -> None:
        self._lose("ga4_sessions")

    def _flag_day(self) -> None:
        self._show(ga4.report("sessions", self._day(), zone=self._zone, subjectToThresholding=True))

    def _count_steps(self) -> None:
        day, number = self._day(), self._chance.randrange(90)
        step = self._chance.choice(["view_item", "add_to_cart", "begin_checkout", "purchase"])
        source, medium = self._chance.choice(
            [("google", "cpc"), ("Klaviyo", "email"), ("(direct)", "(none)"), ("", "")]
        )
        names = ("eventName", "sessionSource", "sessionMedium", "sessionCampaignName")
        came = dict(zip(names, (step, source, medium, self._chance.choice(["a", "b"])), strict=True))
        self._show(
            ga4.report("funnel_events", day, zone=self._zone),
            ga4.other("funnel_events", day, came, eventCount=str(number), totalUsers=str(number // 2)),
        )

    def _lose_steps(self) -> None:
        self._lose("ga4_funnel_events")

    def _move_property(self) -> None:
        self._zone = self._chance.choice(["America/New_York", "Europe/Berlin", "Asia/Tokyo"])

    def _read_account_day(self) -> None:
        self._show(klaviyo.account_day(self._day()))

    def _send_campaign(self) -> None:
        at = f"{self._day()}T{self._chance.randrange(24):02}:30:00"
        channel = self._chance.choice(["email", "sms", "push-notification"])
        message_id = f"m{len(self._rows('klaviyo_campaign_values'))}-{self.happened['send_campaign']}"
        self._show(klaviyo.campaign(message_id, at, channel=channel, delivered=9))

    def _restate_campaign(self) -> None:
        for _, _, at, body in self._chance.sample(self._rows("klaviyo_campaign_values"), k=1):
            groupings = body["row"]["groupings"]
            told = {"delivered": 9, "conversions": self._chance.randrange(9), "conversion_value": 1.25}
            self._show(
                klaviyo.campaign(
                    groupings["campaign_message_id"],
                    f"{at:%Y-%m-%dT%H:%M:%S}",
                    channel=groupings["send_channel"],
                    **told,
                )
            )

    def _lose_campaign(self) -> None:
        if len(self._rows("klaviyo_campaign_values")) > 1:
            self._lose("klaviyo_campaign_values")

    def _work_flow(self) -> None:
        number = self._chance.randrange(99)
        self._show(klaviyo.flow(f"w{number % 3}", self._day(), delivered=number, conversion_value=number / 4))

    def _lose_flow(self) -> None:
        self._lose("klaviyo_flow_values")

    # Helpers.

    def _rows(self, table: str) -> list[Row]:
        return [*self._shown[table].values()]

    def _show(self, *rows: Row) -> None:
        for row in rows:
            self._shown[row[0]][row[1]] = row

    def _lose(self, table: str) -> None:
        if self._shown[table]:
            del self._shown[table][self._chance.choice([*self._shown[table]])]

    def _day(self) -> str:
        return str(FIRST + timedelta(days=self._chance.randrange(DAYS)))
