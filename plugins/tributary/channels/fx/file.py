"""Rates from a file in the form of the ECB's eurofxref-hist.csv."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from tributary.channels.fx.rates import BASE, Quotations
from tributary.channels.fx.table import MalformedError, is_currency, table
from tributary.http import Fatal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = "Date"
_REMEDY = "Mend the file, or let the connection's host name another one. Nothing of it was kept."


class RatesFile:
    """A file, read once."""

    base = BASE

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self.now = now

    @property
    def source(self) -> str:
        """The file."""
        return f"the file {self._path}"

    def quotations(self, start: date, end: date) -> Quotations:
        """Those of the days from start to end, both included."""
        return {day: rates for day, rates in self._all.items() if start <= day <= end}

    def close(self) -> None:
        """Nothing is held."""

    @cached_property
    def _all(self) -> Quotations:
        try:
            # A spreadsheet begins its UTF-8 with a mark.
            return _read(self._path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            what = f"The file of exchange rates {self._path} cannot be read: {error}"
            raise Fatal(what, remedy="Put it there, or let the connection's host name another one.") from None
        except MalformedError as error:
            raise Fatal(f"The file of exchange rates {self._path} is malformed: {error}", remedy=_REMEDY) from None


def _read(text: str) -> Quotations:
    columns, rows = table(text, [DAY])
    currencies = [name for name in columns if name != DAY]
    for name in currencies:
        if not is_currency(name):
            raise MalformedError(f"line 1, column {name!r}: is no currency such as USD, or is {BASE} itself")
    found: dict[date, dict[str, str]] = {}
    for row in rows:
        day = row.day(DAY)
        if day in found:
            raise row.malformed(DAY, "comes twice")
        found[day] = {name: rate for name in currencies if (rate := row.rate(name)) is not None}
    quoted = {day: rates for day, rates in found.items() if rates}
    if not quoted:
        raise MalformedError("it holds no rate at all")
    return quoted
