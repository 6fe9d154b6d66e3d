"""A record for every calendar day: the rates quoted on it, or the last ones before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from tributary.channels.fx.rates import PATIENCE
from tributary.channels.fx.table import CURRENCY, RATE
from tributary.channels.records import Kind, Rows, first_noon, noon
from tributary.declaration import Page, Record, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.fx.rates import Quotations, Rates

ONE_DAY = timedelta(days=1)
SLICE = timedelta(days=366)

Currency = Annotated[str, Meta(pattern=CURRENCY)]
Rate = Annotated[str, Meta(pattern=RATE)]


class DayRates(msgspec.Struct, rename={"day": "date"}):
    """What one of the base is worth on a day."""

    day: date
    quoted_on: date
    base: Currency
    rates: dict[Currency, Rate]

    def record(self, payload: bytes) -> Record:
        """The record, which stands at noon UTC of the day."""
        return Record(str(self.day), noon(self.day), noon(self.day), payload)


class _Dated(msgspec.Struct):
    date: date


_DATED = msgspec.json.Decoder(_Dated)
KIND = Kind(msgspec.json.Decoder(DayRates), lambda payload: str(_DATED.decode(payload).date))
replayed = KIND.replayed


def changed(api: Rates, start: datetime, end: datetime) -> Iterator[Page]:
    """The days whose noon lies in the window, up to tomorrow: ahead of UTC it has begun already."""
    first, last = first_noon(start), min(first_noon(end), _tomorrow(api.now()) + ONE_DAY) - ONE_DAY
    if first > last:
        return
    quotations = api.quotations(first - PATIENCE, last)
    dates = (first + number * ONE_DAY for number in range((last - first).days + 1))
    found = (_rates_of(day, quotations, api.base) for day in dates)
    yield KIND.page(Rows([msgspec.json.encode(rates) for rates in found if rates], sound=True))


happened = changed


def history(api: Rates, start: datetime, end: datetime) -> Iterator[Slice]:
    """Slices from the day that the window starts in to tomorrow."""
    first, beyond = start.astimezone(UTC).date(), _tomorrow(end) + ONE_DAY
    while first < beyond:
        following = min(first + SLICE, beyond)
        yield Slice(noon(first), noon(following), changed)
        first = following


def by_id(api: Rates, ids: Sequence[str]) -> Iterator[Page]:
    """Days that have no rates any more."""
    yield Page((), gone=ids)


def _rates_of(day: date, quotations: Quotations, base: str) -> DayRates | None:
    """A day's rates; None when the last quotation is too old."""
    for age in range(PATIENCE.days + 1):
        quoted_on = day - age * ONE_DAY
        if quoted_on in quotations:
            return DayRates(day, quoted_on, base, dict(sorted(quotations[quoted_on].items())))
    return None


def _tomorrow(moment: datetime) -> date:
    return moment.astimezone(UTC).date() + ONE_DAY
