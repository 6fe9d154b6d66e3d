"""Money as whole cents: sums are exact, and every rounding is written down where it happens."""

from __future__ import annotations


def rounded(numerator: int, denominator: int) -> int:
    """The quotient rounded half away from zero, as PostgreSQL rounds numerics."""
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    quotient, remainder = divmod(abs(numerator), abs(denominator))
    return sign * (quotient + (2 * remainder >= abs(denominator)))


def share(amount: int, part: int, whole: int) -> int:
    """`amount` for `part` of `whole` units; nothing of nothing is nothing."""
    return rounded(amount * part, whole) if whole else 0


def split(amount: int, weights: list[int]) -> list[int]:
    """Split by weight without losing a cent: each part is the growth of the rounded running total."""
    whole = sum(weights)
    parts, running, given = [], 0, 0
    for weight in weights:
        running += weight
        upto = share(amount, running, whole)
        parts.append(upto - given)
        given = upto
    return parts


def decimal_text(cents: int) -> str:
    """Two exact decimals, for control totals."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def vendor_text(cents: int) -> str:
    """As Shopify's Decimal prints it: no trailing zero beyond the first decimal (`100.0`, `24.5`, `24.99`)."""
    text = decimal_text(cents)
    return text[:-1] if text.endswith("0") else text
