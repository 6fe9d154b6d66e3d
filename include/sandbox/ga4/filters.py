"""Filters on dimensions: a tree of and, or and not over comparisons of one dimension with values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.ga4.fields import known
from sandbox.ga4.refusals import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[Mapping[str, str]], bool]

MATCHES: dict[str, Callable[[str, str], bool]] = {
    "EXACT": str.__eq__,
    "BEGINS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
    "CONTAINS": str.__contains__,
}
MATCH_NUMBERS = ("MATCH_TYPE_UNSPECIFIED", "EXACT", "BEGINS_WITH", "ENDS_WITH", "CONTAINS")


def compiled(expression: Mapping[str, Any] | None) -> tuple[Test, set[str]]:
    """What says whether a row passes, and which dimensions it looks at."""
    if not expression:
        return lambda row: True, set()
    if len(expression) != 1:
        raise invalid(f"A filter expression has one of andGroup, orGroup, notExpression and filter, not {expression}.")
    ((kind, inner),) = expression.items()
    if kind in ("andGroup", "orGroup"):
        parts = [compiled(part) for part in inner.get("expressions", [])]
        if not parts:
            raise invalid(f"The filter's {kind} has no expressions.")
        combine = all if kind == "andGroup" else any
        return lambda row: combine(test(row) for test, _ in parts), {name for _, names in parts for name in names}
    if kind == "notExpression":
        test, names = compiled(inner)
        return lambda row: not test(row), names
    if kind == "filter":
        return _compared(inner)
    raise invalid(f"Invalid JSON payload received. Unknown name \"{kind}\" at 'dimension_filter': Cannot find field.")


def _compared(comparison: Mapping[str, Any]) -> tuple[Test, set[str]]:
    name = known(comparison.get("fieldName"), "dimension")
    if "stringFilter" in comparison:
        asked = comparison["stringFilter"]
        fold = str if asked.get("caseSensitive") else str.lower
        match = asked.get("matchType", "EXACT")
        if isinstance(match, int) and 0 <= match < len(MATCH_NUMBERS):
            match = MATCH_NUMBERS[match]
        if match == MATCH_NUMBERS[0]:
            match = "EXACT"
        if match not in MATCHES:
            raise Refused("UNIMPLEMENTED", f"The sandbox does not simulate the match type {match}.")
        matches, value = MATCHES[match], fold(asked.get("value", ""))
        return lambda row: matches(fold(row[name]), value), {name}
    if "inListFilter" in comparison:
        asked = comparison["inListFilter"]
        fold = str if asked.get("caseSensitive") else str.lower
        values = {fold(value) for value in asked.get("values", [])}
        if not values:
            raise invalid(f"The filter of {name} has an inListFilter without values.")
        return lambda row: fold(row[name]) in values, {name}
    kinds = sorted(set(comparison) - {"fieldName"})
    raise Refused("UNIMPLEMENTED", f"The sandbox does not simulate the filter {kinds} of {name}.")
