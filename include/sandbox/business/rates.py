"""Exchange rates as a central bank quotes them: made up, the same in every world, none on days without business."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zlib import crc32
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "EUR"
FIRST, LAST = date(2025, 1, 1), date(2031, 12, 31)
_UNITS = {"USD": (4, 10_850), "GBP": (5, 85_600), "CAD": (4, 14_800)}
"""Currency -> decimals, and what one of the base is worth on average, in units of the last decimal."""
CURRENCIES = tuple(_UNITS)
"""In the order of the ECB's columns."""
# Periods in days and swings in thousandths: slow ones for the years, quick ones for the weeks.
_WAVES = ((911, 38), (367, 17), (59, 8), (13, 3))


def quotation(day: date) -> dict[str, str] | None:
    """The units of each currency for one of the base; None on a day without a quotation."""
    if not FIRST <= day <= LAST or day.weekday() >= 5 or _is_holiday(day):
        return None
    return {currency: _rate(currency, day) for currency in CURRENCIES}


def quotations(first: date, last: date) -> Iterator[tuple[date, dict[str, str]]]:
    """The days with a quotation, both included, in order."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        rates = quotation(day)
        if rates is not None:
            yield day, rates


def published_at(day: date) -> datetime:
    """When a day's rates come out."""
    return datetime.combine(day, time(16), ZoneInfo("Europe/Berlin"))


def csv_text() -> str:
    """All of them in the form of the ECB's eurofxref-hist.csv."""
    lines = [f"Date,{','.join(CURRENCIES)},"]
    lines += [f"{day},{','.join(rates.values())}," for day, rates in reversed([*quotations(FIRST, LAST)])]
    return "\n".join(lines) + "\n"


def _rate(currency: str, day: date) -> str:
    """Whole numbers throughout: the same on every machine."""
    decimals, middle = _UNITS[currency]
    units = middle + crc32(f"{currency} {day}".encode()) % (middle // 300) - middle // 600
    for number, (period, swing) in enumerate(_WAVES):
        shift = crc32(f"{currency} {number}".encode()) % period
        units += _triangle(day.toordinal() + shift, period, middle * swing // 1000)
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}}".rstrip("0").rstrip(".")


def _triangle(moment: int, period: int, height: int) -> int:
    """A wave between `-height` and `height`."""
    place = moment % period
    return 4 * height * min(place, period - place) // period - height


def _is_holiday(day: date) -> bool:
    """Whether the banks' settlement rests."""
    if (day.month, day.day) in {(1, 1), (5, 1), (12, 25), (12, 26)}:
        return True
    return day - _easter(day.year) in (timedelta(days=-2), timedelta(days=1))


def _easter(year: int) -> date:
    """The Gregorian Easter Sunday, by Gauss as corrected, for 1900 to 2099."""
    moon = (19 * (year % 19) + 24) % 30
    week = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7
    days = moon + week
    if (moon, week) == (29, 6) or (moon == 28 and week == 6 and year % 19 > 10):
        days -= 7
    return date(year, 3, 22) + timedelta(days=days)
