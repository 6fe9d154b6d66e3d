"""What a property may be asked: tokens per hour, per hour of one project, and per day, and requests at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sandbox.ga4.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

LEARN_MORE = "To learn more, see https://developers.google.com/analytics/devguides/reporting/data/v1/quotas"
CONCURRENT = 10
PACIFIC = ZoneInfo("America/Los_Angeles")
OTHERS = {"serverErrorsPerProjectPerHour": 10, "potentiallyThresholdedRequestsPerHour": 120}
"""What the sandbox tells of and never takes from."""


@dataclass(slots=True)
class Tokens:
    """One kind of tokens: all of them are back when its period ends."""

    name: str
    limit: int
    period: str
    message: str
    left: int = 0
    since: str = ""

    def refill(self, now: datetime) -> None:
        current = now.astimezone(PACIFIC).strftime("%Y-%m-%d" if self.period == "day" else "%Y-%m-%d %H %z")
        if current != self.since:
            self.left, self.since = self.limit, current

    def status(self, taken: int) -> dict[str, int]:
        return {"consumed": taken, "remaining": self.left}


class Quota:
    """The tokens of the one property; they come back by the sandbox's clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        hour, day = "These quota tokens will return in under an hour.", "These quota tokens will return in under a day."
        self.tokens = {
            "hour": Tokens("tokensPerHour", 40_000, "hour", f"Exhausted property tokens per hour. {hour}"),
            "project_hour": Tokens(
                "tokensPerProjectPerHour", 14_000, "hour", f"Exhausted property tokens for a project per hour. {hour}"
            ),
            "day": Tokens("tokensPerDay", 200_000, "day", f"Exhausted property tokens per day. {day}"),
        }
        self.concurrent = CONCURRENT
        """How many requests may be under way at a time."""
        self.retry_after: int | None = None
        """What a refusal says in its Retry-After header; Google sends none."""
        self.spent = 0
        """Tokens taken since the sandbox started."""
        self.reports = 0
        """Reports answered since then."""
        self.refused = 0
        """Requests refused since then, because nothing was left."""
        self._under_way = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request while it is under way."""
        self._under_way += 1
        try:
            if self._under_way > self.concurrent:
                raise self._exhausted("Exhausted concurrent requests quota. Please send fewer requests concurrently.")
            yield
        finally:
            self._under_way -= 1

    def open(self) -> None:
        """Refuses when no tokens of one kind are left."""
        self.refill()
        for kind in self.tokens.values():
            if kind.left <= 0:
                raise self._exhausted(kind.message)

    def take(self, tokens: int) -> dict[str, Any]:
        """Takes what a report costs, and tells what is left."""
        self.spent += tokens
        self.reports += 1
        told: dict[str, Any] = {}
        for kind in self.tokens.values():
            kind.left = max(0, kind.left - tokens)
            told[kind.name] = kind.status(tokens)
        told["concurrentRequests"] = {"remaining": self.concurrent}
        return told | {name: {"remaining": limit} for name, limit in OTHERS.items()}

    def refill(self) -> None:
        for kind in self.tokens.values():
            kind.refill(self._now())

    def _exhausted(self, message: str) -> Refused:
        self.refused += 1
        return Refused("RESOURCE_EXHAUSTED", f"{message} {LEARN_MORE}", retry_after=self.retry_after)
