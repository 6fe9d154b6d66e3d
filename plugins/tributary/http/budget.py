"""A rate budget: how much may be asked of a vendor, and how fast it grows back."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Quota(Protocol):
    """A count of requests that all processes share."""

    def take(self) -> None:
        """Books one request, or raises RateLimited (QuotaSpent when it is long), which says until when none may go."""

    def close(self, seconds: float, reason: str) -> None:
        """The vendor refuses for so long: nothing may be sent until then."""


class Budget:
    """A token bucket that several threads may share, and that the vendor's own account of it corrects."""

    def __init__(
        self,
        *,
        rate: float,
        capacity: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0 or capacity <= 0:
            raise ValueError(f"a budget needs a positive rate and capacity, not rate={rate} and capacity={capacity}")
        self._rate = rate
        self._capacity = capacity
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._level = capacity
        self._updated = clock()

    @property
    def rate(self) -> float:
        """How much grows back a second."""
        return self._rate

    def take(self, cost: float = 1.0) -> None:
        """Waits until the cost fits, then returns: over any span at most `capacity + rate * span` is spent."""
        with self._lock:
            self._refill()
            # The level may go below zero: what is owed makes this caller wait, and those behind it longer.
            self._level -= cost
            wait = -self._level / self._rate
        if wait > 0:
            self._sleep(wait)

    def report(self, *, available: float, rate: float, capacity: float) -> None:
        """Adopts what the vendor just said is left: it also counts other clients of the same shop."""
        with self._lock:
            self._rate, self._capacity = rate, capacity
            self._level = min(available, capacity)
            self._updated = self._clock()

    def _refill(self) -> None:
        now = self._clock()
        self._level = min(self._capacity, self._level + (now - self._updated) * self._rate)
        self._updated = now
