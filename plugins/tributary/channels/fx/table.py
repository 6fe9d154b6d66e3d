"""Reads a provider's CSV; what is malformed is said with its line, its column and its value."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from tributary.channels.fx.rates import BASE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

RATE = r"^[0-9]{1,12}(\.[0-9]{1,10})?$"
CURRENCY = r"^[A-Z]{3}$"
_NO_VALUE = frozenset({"", "N/A", "NaN"})


class MalformedError(ValueError):
    """The table cannot be what it should be."""


class Row(NamedTuple):
    """One line of a table."""

    line: int
    cells: Mapping[str, str]

    def day(self, column: str) -> date:
        """The date in a column."""
        text = self.cells[column]
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or str(found) != text:
            raise self.malformed(column, "is no date such as 2026-11-20")
        return found

    def currency(self, column: str) -> str:
        """The currency in a column."""
        if not is_currency(self.cells[column]):
            raise self.malformed(column, f"is no currency such as USD, or is {BASE} itself")
        return self.cells[column]

    def rate(self, column: str) -> str | None:
        """The rate in a column, if there is any."""
        text = self.cells[column]
        if text in _NO_VALUE:
            return None
        if not re.fullmatch(RATE, text) or not text.strip("0."):
            raise self.malformed(column, "is no positive decimal such as 1.0873")
        return text

    def malformed(self, column: str, what: str) -> MalformedError:
        """The error about a value."""
        return MalformedError(f"line {self.line}, column {column}: {self.cells[column][:40]!r} {what}")


def is_currency(text: str) -> bool:
    """Whether it names a currency that can be quoted for one of the base."""
    return re.fullmatch(CURRENCY, text) is not None and text != BASE


class Table(NamedTuple):
    """What a text holds."""

    columns: Sequence[str]
    rows: Iterator[Row]
    """Read as they are gone through, once."""


def table(text: str, required: Collection[str]) -> Table:
    """The text's table, which has at least these columns; a comma at the end of its lines makes no column."""
    lines = _lines(text)
    _, header = next(lines, (1, []))
    columns = header[:-1] if header and not header[-1] else header
    if not all(columns) or len(set(columns)) < len(columns) or not set(required) <= set(columns):
        told = ",".join(header)[:80]
        raise MalformedError(f"line 1: {told!r} is no header with the columns {', '.join(required)}, each once")
    return Table(columns, _rows(header, lines))


def _rows(header: Sequence[str], lines: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for number, cells in lines:
        if len(cells) != len(header):
            raise MalformedError(f"line {number}: has {len(cells)} columns, the header has {len(header)}")
        yield Row(number, dict(zip(header, cells, strict=True)))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise MalformedError(f"line {reader.line_num}: {error}") from None
