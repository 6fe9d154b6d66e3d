"""How many operations a Cloud project may ask for in a day, and the refusals that a test ordered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sandbox.google_ads.refusals import HTTP_CODES, SAYS, Refused, quota_error

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATIONS = 15_000
"""Of basic access, in a day."""
PACIFIC = ZoneInfo("America/Los_Angeles")


class Quota:
    """The operations of the day; all of them are back when the next one begins in Los Angeles."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._day = now().astimezone(PACIFIC).date()
        self.left = OPERATIONS
        self.spent = 0
        """Operations answered since the sandbox started."""

    def open(self) -> None:
        """Refuses when none are left."""
        here = self._now().astimezone(PACIFIC)
        if here.date() != self._day:
            self._day, self.left = here.date(), OPERATIONS
        if self.left <= 0:
            midnight = datetime.combine(self._day + timedelta(days=1), time(), PACIFIC)
            raise quota_error("RESOURCE_EXHAUSTED", round(midnight.timestamp() - here.timestamp()))

    def take(self) -> None:
        self.left -= 1
        self.spent += 1


@dataclass(slots=True)
class Ordered:
    """Refuses requests that would have been answered: lets `skip` pass, then refuses `times` of them."""

    code: str
    """One of `SAYS`, or a status alone."""
    times: int | None = 1
    skip: int = 0
    retry_delay: int | None = None
    """The seconds that a quota's refusal says."""
    customer_id: str | None = None
    """Only requests for this account are refused, and counted."""
    longer_than: int | None = None
    """Only queries day by day over more days than this are refused, and counted."""
    hits: int = 0

    def __post_init__(self) -> None:
        if self.code not in SAYS and self.code not in HTTP_CODES:
            raise ValueError(f"there is no refusal {self.code!r}; there are {sorted([*SAYS, *HTTP_CODES])}")

    def strike(self, customer_id: str | None, days: int) -> None:
        """Raises when this request is to be refused."""
        if self.times == self.hits or self.customer_id not in (None, customer_id) or days <= (self.longer_than or -1):
            return
        if self.skip:
            self.skip -= 1
            return
        self.hits += 1
        kind, _, name = self.code.partition(".")
        raise quota_error(name, self.retry_delay) if kind == "quotaError" else Refused(self.code)
