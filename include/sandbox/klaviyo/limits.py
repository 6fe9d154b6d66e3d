"""How often a key may ask: fixed windows of a second, a minute and a day for each group of endpoints.

Seconds and minutes pass by the machine's clock, so that they also pass while the world's stands still; days pass by the
world's. A window of a second or a minute begins with its first request.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.klaviyo.published import ENDPOINTS
from sandbox.klaviyo.refusals import Refused

if TYPE_CHECKING:
    from sandbox.world import World

SECONDS = {"burst": 1, "steady": 60, "daily": 86_400}


@dataclass(slots=True)
class Counted:
    """What a window let pass, and when it ends."""

    until: float = 0.0
    used: int = 0
    keeps_silent: bool = False
    """Whether refusals do not say when to come back."""


@dataclass(slots=True)
class Group:
    """Endpoints that draw from the same windows."""

    limits: dict[str, int]
    counted: dict[str, Counted] = field(default_factory=dict)


class Limits:
    """The windows of the one account."""

    def __init__(self, world: World, factor: int) -> None:
        """`factor` says how many times the vendor's requests a second and a minute are allowed."""
        self._world = world
        self._factor = factor
        self.groups: dict[str, Group] = {}
        self.reset()

    def reset(self) -> None:
        """As if nobody had asked yet, with the vendor's limits."""
        for endpoint in ENDPOINTS:
            limits = {name: rate * (1 if name == "daily" else self._factor) for name, rate in endpoint.rates.items()}
            self.groups[endpoint.group] = Group(limits, {name: Counted() for name in limits})

    def take(self, name: str) -> dict[str, str]:
        """Count a request, and tell in headers what is left; refuse it when a window is full."""
        group = self.groups[name]
        for window in group.limits:
            counted = self._current(group, window)
            if counted.used >= group.limits[window]:
                wait = self._left(window, counted)
                headers = {} if counted.keeps_silent else {"Retry-After": str(wait)}
                detail = f"Request was throttled. Expected available in {wait} seconds."
                raise Refused(429, detail, headers=headers)
        for counted in group.counted.values():
            counted.used += 1
        told = min(
            (window for window in group.limits if window != "burst"),
            key=lambda window: group.limits[window] - group.counted[window].used,
        )
        policy = ", ".join(f"{limit};w={SECONDS[window]}" for window, limit in group.limits.items())
        return {
            "RateLimit-Limit": f"{group.limits[told]}, {policy}",
            "RateLimit-Remaining": str(group.limits[told] - group.counted[told].used),
            "RateLimit-Reset": str(self._left(told, group.counted[told])),
        }

    def change(self, name: str, limits: dict[str, int]) -> None:
        """Other limits for a group, counted from now on."""
        merged = self.groups[name].limits | limits
        self.groups[name] = Group(merged, {window: Counted() for window in merged})

    def exhaust(self, name: str, window: str, keeps_silent: bool) -> None:
        """Nothing is left of a window, until it ends."""
        group = self.groups[name]
        counted = self._current(group, window)
        counted.used, counted.keeps_silent = group.limits[window], keeps_silent

    def _current(self, group: Group, window: str) -> Counted:
        now = self._now(window)
        if group.counted[window].until <= now:
            until = now + SECONDS[window]
            if window == "daily":
                midnight = self._world.now().replace(hour=0, minute=0, second=0) + timedelta(days=1)
                until = midnight.timestamp()
            group.counted[window] = Counted(until)
        return group.counted[window]

    def _left(self, window: str, counted: Counted) -> int:
        return max(1, math.ceil(counted.until - self._now(window)))

    def _now(self, window: str) -> float:
        return self._world.now().timestamp() if window == "daily" else time.monotonic()
