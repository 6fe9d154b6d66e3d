"""When to ask again, and how long to wait before."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import tenacity

from tributary.http.errors import QuotaSpent, RateLimited, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

A_YEAR = timedelta(days=365).total_seconds()
"""No vendor means more: beyond it lie slips, and moments that no calendar holds."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off; a wait that the vendor asks for is honoured up to a limit."""

    attempts: int = 6
    base: float = 1.0
    longest_back_off: float = 60.0
    jitter: float | None = None
    """Seconds of chance on top of each wait, where a vendor says how much; None: the whole wait is drawn."""
    longest_retry_after: float = 300.0
    """A vendor that asks for more (a daily quota, say) is left alone: the task ends, and a later run goes on."""

    def retrying(self, sleep: Callable[[float], None]) -> tenacity.Retrying:
        """The loop that calls a function until it succeeds or asking again is pointless."""
        back_off: tenacity.wait.wait_base = tenacity.wait_random_exponential(
            multiplier=self.base, max=self.longest_back_off
        )
        if self.jitter is not None:
            growing = tenacity.wait_exponential(multiplier=self.base, max=self.longest_back_off)
            back_off = growing + tenacity.wait_random(0, self.jitter)

        def wait(state: tenacity.RetryCallState) -> float:
            asked = getattr(_error(state), "retry_after", None)
            # Everyone is told the same moment, so those who obey must not all come back at it.
            return back_off(state) if asked is None else asked + min(back_off(state), self.base)

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=wait,
            retry=tenacity.retry_if_exception(self._may_help),
            sleep=sleep,
            before_sleep=self._announce,
            retry_error_callback=self._give_up,
            reraise=True,
        )

    def stays_for(self, seconds: float | None) -> bool:
        """Whether a task sits out a wait that the vendor asked for, if it asked for one."""
        return seconds is None or seconds <= self.longest_retry_after

    def rate_limited(self, seconds: float | None) -> type[RateLimited]:
        """What a refusal for so long is: one that a task sits out, or one that a later run goes on from."""
        return RateLimited if self.stays_for(seconds) else QuotaSpent

    def told(self, seconds: float | None, now: Callable[[], datetime]) -> str:
        """What a person should know about a wait that the vendor asked for."""
        if seconds is None:
            return ""
        if self.stays_for(seconds):
            return f"It asks to wait {seconds:.0f} s."
        until = f"{now() + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
        limit = f"{self.longest_retry_after:.0f} s"
        return (
            f"It asks to wait {seconds:.0f} s, until {until}: longer than the {limit} that a task stays for it. "
            "A run after that goes on where this one stopped."
        )

    def _may_help(self, error: BaseException) -> bool:
        if not isinstance(error, Transient):
            return False
        return self.stays_for(error.retry_after)

    def _announce(self, state: tenacity.RetryCallState) -> None:
        log.warning(
            "%s Attempt %d of %d; next in %.1f s",
            _error(state),
            state.attempt_number,
            self.attempts,
            state.upcoming_sleep,
        )

    def _give_up(self, state: tenacity.RetryCallState) -> None:
        error = _error(state)
        error.args = (f"{error} Given up after {state.attempt_number} attempts.",)
        raise error


def _error(state: tenacity.RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    if error is None:
        raise RuntimeError("a retry is only ever considered after an exception")
    return error


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Seconds to wait by `Retry-After`, given in seconds or as an HTTP date; None when absent or unreadable.

    A date is compared with the answer's own `Date`, so that a wrong clock on either side does not matter.
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until, sent = http_date(value), http_date(headers.get("Date"))
        if until is None:
            return None
        seconds = (until - (sent or now())).total_seconds()
    return min(max(seconds, 0.0), A_YEAR) if math.isfinite(seconds) else None


def http_date(value: str | None) -> datetime | None:
    """The moment that a header names; None when absent or unreadable."""
    try:
        moment = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
