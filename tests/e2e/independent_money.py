"""Exact sums, and quotients that are rounded once, halves away from zero."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.e2e.independent import as_decimal

if TYPE_CHECKING:
    from collections.abc import Iterable

amount = as_decimal
"""Whole cents; anything finer would be an error of the reader."""


def total(parts: Iterable[Fraction]) -> Fraction:
    return sum(parts, Fraction(0))


def decimal(exact: Fraction, places: int) -> Decimal:
    """So many decimals."""
    scaled = exact * 10**places
    whole = (abs(scaled) + Fraction(1, 2)) // 1
    return Decimal(int(whole) * (1 if scaled >= 0 else -1)).scaleb(-places)


def quotient(part: Fraction | int, whole: Fraction | int | None, places: int = 6) -> Decimal | None:
    """Nothing is a share of nothing."""
    return decimal(Fraction(part) / Fraction(whole), places) if whole else None


def median(values: list[Fraction]) -> Decimal | None:
    """The mean of the two in the middle."""
    ordered = sorted(values)
    if not ordered:
        return None
    return decimal((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2, 2)
