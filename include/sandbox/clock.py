"""The sandbox's clock: the wall clock, shifted or standing still, always whole seconds in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def parse_instant(text: str) -> datetime:
    """An ISO 8601 time as an aware UTC time; a time without an offset is an error, never a guess."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"time {text!r} has no UTC offset; write it like 2026-11-15T12:00:00Z")
    return instant.astimezone(UTC)


def iso(instant: datetime) -> str:
    """A UTC time as Shopify writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """What the whole sandbox calls now."""

    def __init__(self, frozen_at: datetime | None = None) -> None:
        self._frozen_at = frozen_at
        self._offset = timedelta()

    def now(self) -> datetime:
        instant = self._frozen_at or datetime.now(UTC) + self._offset
        return instant.replace(microsecond=0)

    def freeze(self, at: datetime) -> None:
        """Stand still at that time."""
        self._frozen_at = at

    def advance(self, by: timedelta) -> None:
        """Jump ahead; a frozen clock stays frozen, at the later time."""
        if self._frozen_at is not None:
            self._frozen_at += by
        else:
            self._offset += by

    def run(self) -> None:
        """Go with the wall clock again."""
        self._frozen_at = None
        self._offset = timedelta()

    def state(self) -> dict[str, object]:
        """What `restore` needs to go on the same way in another process."""
        return {
            "now": iso(self.now()),
            "frozen": self._frozen_at is not None,
            "offset_seconds": int(self._offset.total_seconds()),
        }

    def restore(self, state: dict[str, object]) -> None:
        self._offset = timedelta(seconds=int(str(state["offset_seconds"])))
        self._frozen_at = parse_instant(str(state["now"])) if state["frozen"] else None
