"""How much Klaviyo may be asked: its burst and steady rates for each group of endpoints, and what it says is left."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tributary.channels.klaviyo.refusals import explained
from tributary.channels.vendor_quotas import Window
from tributary.http import Budget, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tributary.http import HttpError, Quota, Response

REPORTS = "reports"
REPORT_WINDOWS = (
    Window(1, timedelta(seconds=1), "a second"),
    Window(2, timedelta(minutes=1), "a minute"),
    Window(225, timedelta(days=1), "a day"),
)
"""The reports of campaigns and of flows draw from one quota."""
_MINUTE, _HOUR = 60.0, 3600.0
_IS_REPORT = re.compile(r"/api/[a-z-]+-reports\b")


@dataclass(frozen=True)
class Rate:
    """So many requests in a second, and so many in a minute."""

    burst: int
    steady: int

    def budget(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> Budget:
        """Never more than the burst at once, and over no minute more than is steady."""
        return Budget(rate=self.refill, capacity=self.burst, clock=clock, sleep=sleep)

    @property
    def refill(self) -> float:
        """What grows back a second, so that a whole burst and a minute after it keep to the steady rate."""
        return (self.steady - self.burst) / _MINUTE


RATES = {
    "accounts": Rate(1, 15),
    "campaigns": Rate(10, 150),
    "metrics": Rate(10, 150),
    "flows": Rate(3, 60),
    "profiles": Rate(75, 750),
    "events": Rate(350, 3500),
    "event": Rate(10, 150),
    "aggregates": Rate(3, 60),
    # One a second: two a minute and 225 a day are counted in the warehouse, for all tasks together.
    REPORTS: Rate(1, 61),
}
_NUMBER = re.compile(r"\s*(\d+)")


class Limits:
    """The budgets of one account, corrected by what Klaviyo says is left of a window: others use the account too."""

    def __init__(
        self,
        quotas: Mapping[str, Quota] | None = None,
        budgets: Mapping[str, Budget] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.budgets = budgets or {group: rate.budget() for group, rate in RATES.items()}
        self.quotas = quotas or {}
        self._now = now
        self._reports_refused = False

    def explain(self, response: Response, retry_after: float | None) -> HttpError | None:
        """The exception that a refusal stands for; where Klaviyo names no time to wait, the window that must be full.

        That is the minute's. Of reports it may be the day's: when they are refused once more after the minute, they are
        left alone for an hour.
        """
        if response.status == 429 and retry_after is None:
            is_report = _IS_REPORT.search(response.where) is not None
            retry_after = _HOUR if is_report and self._reports_refused else _MINUTE
            self._reports_refused |= is_report
        return explained(response, retry_after, self._now)

    def heard(self, group: str, headers: Mapping[str, str]) -> None:
        """Takes note of an answer, and of its RateLimit headers."""
        if group == REPORTS:
            self._reports_refused = False
        left, reset = (_number(headers.get(f"RateLimit-{name}")) for name in ("Remaining", "Reset"))
        rate = RATES[group]
        if left is None or left >= rate.burst:
            return
        if not left and reset and not RetryPolicy().stays_for(reset):
            if group in self.quotas:
                self.quotas[group].close(reset, "Klaviyo says that none is left")
            return
        # What is left of the window lasts until its end: then the next request finds one grown back.
        available = left or 1 - min(reset or _MINUTE, _MINUTE) * rate.refill
        self.budgets[group].report(available=available, rate=rate.refill, capacity=rate.burst)


def _number(text: str | None) -> int | None:
    found = _NUMBER.match(text or "")
    return int(found[1]) if found else None
