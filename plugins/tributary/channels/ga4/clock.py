"""Google's clock, as its answers show it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tributary.http.retry import http_date

if TYPE_CHECKING:
    from collections.abc import Callable


class VendorClock:
    """This machine's clock, put right by the `Date` of every answer."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._ahead = timedelta()
        self.is_known = False
        """Whether an answer has told the time yet."""

    def hear(self, date: str | None) -> None:
        """Takes an answer's `Date`; without one, nothing changes."""
        theirs = http_date(date)
        if theirs is not None:
            self._ahead = theirs - self._now()
            self.is_known = True

    def now(self) -> datetime:
        """The present moment at Google."""
        return self._now() + self._ahead
