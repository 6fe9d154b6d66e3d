"""The days that a report is asked for: whole ones, by the account's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from tributary.channels.records import first_noon, noon
from tributary.declaration import Slice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.declaration import Reader

ONE_DAY = timedelta(days=1)
_A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last, both included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + number * ONE_DAY for number in range((self.last - self.first).days + 1))

    @property
    def after(self) -> date:
        """The day after the last."""
        return self.last + ONE_DAY

    def parts(self, most: int) -> Iterator[Days]:
        """So many days at a time."""
        first = self.first
        while first <= self.last:
            last = min(first + (most - 1) * ONE_DAY, self.last)
            yield Days(first, last)
            first = last + ONE_DAY

    def bounds(self) -> tuple[str, str]:
        """The first moment, and the first one after, as Klaviyo reads them: by the account's clock."""
        return f"{self.first}T00:00:00", f"{self.after}T00:00:00"


def touched(start: datetime, end: datetime, zone: ZoneInfo) -> Days:
    """The account's days that [start, end) lies in."""
    return Days(start.astimezone(zone).date(), (end - _A_MOMENT).astimezone(zone).date())


def standing(start: datetime, end: datetime) -> Days:
    """The dates whose noon UTC lies in [start, end); none, when the last is before the first."""
    return Days(first_noon(start), first_noon(end) - ONE_DAY)


def midnight(of: date, zone: ZoneInfo) -> datetime:
    """When the account's day begins."""
    return datetime.combine(of, time(), zone).astimezone(UTC)


def slices_at_noon(api: KlaviyoApi, start: datetime, end: datetime, most: int, read: Reader) -> Iterator[Slice]:
    """Whole days that stand at noon UTC, today included, as many at a time as one call gives."""
    if start < end:
        for part in touched(start, end, api.account().time_zone).parts(most):
            yield Slice(noon(part.first), noon(part.after), read)
