"""The Google Ads Query Language as far as the sandbox reads it, with Google's names for what is wrong in a query."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.google_ads.fields import DATE, FIELDS, RESOURCES, check, value
from sandbox.google_ads.refusals import Refused, query_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = re.compile(
    r"""\s*(?:(?P<string>'[^'\n]*'|"[^"\n]*")|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<word>[A-Za-z_][\w.]*)"""
    r"""|(?P<sign><=|>=|!=|[=<>(),])|(?P<quote>['"])|(?P<other>\S))"""
)
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
    "IN": lambda found, values: found in values, "NOT IN": lambda found, values: found not in values,
    "BETWEEN": lambda found, values: values[0] <= found <= values[1],
}  # fmt: skip
NOT_SIMULATED = {"DURING", "LIKE", "IS", "CONTAINS", "REGEXP_MATCH", "PARAMETERS"}
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    operator: str
    value: Any

    def holds(self, row: Mapping[str, Any]) -> bool:
        return bool(COMPARISONS[self.operator](row[self.field], self.value))


@dataclass(frozen=True, slots=True)
class Query:
    fields: list[str]
    resource: str
    conditions: list[Condition]
    order: list[tuple[str, bool]]
    """Each field with whether the largest comes first."""
    limit: int | None

    @property
    def metrics(self) -> list[str]:
        used = [*self.fields, *(one.field for one in self.conditions)]
        return [name for name in used if name.startswith("metrics.")]

    @property
    def is_segmented(self) -> bool:
        return DATE in self.fields

    def days(self) -> tuple[date, date]:
        """The first and the last day that the conditions leave; without any, all days."""
        first, last = date.min, date.max
        for one in self.conditions:
            if one.field != DATE:
                continue
            if one.operator in ("=", ">=", ">"):
                first = max(first, one.value + ONE_DAY if one.operator == ">" else one.value)
            if one.operator in ("=", "<=", "<"):
                last = min(last, one.value - ONE_DAY if one.operator == "<" else one.value)
            if one.operator == "BETWEEN":
                first, last = max(first, one.value[0]), min(last, one.value[1])
        return first, last


class _Reader:
    """The words of a query, one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        for found in TOKEN.finditer(text.rstrip()):
            kind = str(found.lastgroup)
            if kind == "quote":
                raise query_error("STRING_NOT_TERMINATED", "Error in query: string is not terminated.")
            if kind == "other":
                reason = "UNEXPECTED_INPUT" if found[kind].isascii() else "BAD_SYMBOL"
                raise query_error(reason, f"Error in query: unexpected input {found[kind]}.")
            self._tokens.append((kind, found[kind]))
        self._at = 0

    def peek(self) -> str:
        """The next word in capitals; nothing at the end."""
        return self._tokens[self._at][1].upper() if self._at < len(self._tokens) else ""

    def take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise query_error("UNEXPECTED_END_OF_QUERY", "Error in query: unexpected end of query.")
        self._at += 1
        return self._tokens[self._at - 1]

    def skip(self, word: str) -> bool:
        found = self.peek() == word
        self._at += found
        return found

    def expect(self, word: str, reason: str, says: str) -> None:
        if not self.skip(word):
            raise query_error(reason, says)

    def names(self) -> list[str]:
        found = [self._name()]
        while self.skip(","):
            found.append(self._name())
        return found

    def _name(self) -> str:
        kind, text = self.take()
        if kind != "word":
            raise query_error("BAD_FIELD_NAME", f"Error in query: invalid field name '{text}'.")
        return text

    def value(self) -> str:
        kind, text = self.take()
        if kind == "sign":
            reason = "EXPECTED_SINGLE_VALUE" if text == "(" else "BAD_VALUE"
            raise query_error(reason, f"Error in WHERE clause: invalid value {text}.")
        return text[1:-1] if kind == "string" else text

    def values(self) -> list[str]:
        self.expect("(", "EXPECTED_LIST", "Error in WHERE clause: a list of values is expected.")
        if self.skip(")"):
            raise query_error("PROHIBITED_EMPTY_LIST_IN_CONDITION", "Error in WHERE clause: the list is empty.")
        found = [self.value()]
        while self.skip(","):
            found.append(self.value())
        self.expect(")", "UNEXPECTED_INPUT", "Error in WHERE clause: ')' is expected.")
        return found


def read(text: str) -> Query:
    """A query, with every field and value checked."""
    words = _Reader(text)
    words.expect("SELECT", "EXPECTED_SELECT", "Error in query: SELECT is expected.")
    fields = words.names()
    words.expect("FROM", "EXPECTED_FROM", "Error in query: FROM clause is expected.")
    resource = words.take()[1]
    if resource not in RESOURCES:
        raise query_error("BAD_RESOURCE_TYPE_IN_FROM_CLAUSE", f"Error in FROM clause: invalid resource '{resource}'.")
    check(fields, resource, "SELECT")
    conditions = []
    if words.skip("WHERE"):
        conditions.append(_condition(words, resource))
        while words.skip("AND"):
            conditions.append(_condition(words, resource))
    order = []
    if words.skip("ORDER"):
        words.expect("BY", "EXPECTED_BY", "Error in query: BY is expected after ORDER.")
        order.append(_ordering(words, fields))
        while words.skip(","):
            order.append(_ordering(words, fields))
    query = Query(fields, resource, conditions, order, _limit(words) if words.skip("LIMIT") else None)
    if words.peek() in NOT_SIMULATED:
        raise Refused("UNIMPLEMENTED", message=f"The sandbox does not simulate {words.peek()}.")
    if words.peek():
        raise query_error("UNEXPECTED_INPUT", f"Error in query: unexpected input {words.take()[1]}.")
    first, last = query.days()
    if query.is_segmented and (first == date.min or last == date.max):
        raise query_error(
            "EXPECTED_FILTERS_ON_DATE_RANGE",
            f"Expects filters on the following field to limit a finite date range: '{DATE}'",
        )
    if last < first:
        raise query_error("DATE_RANGE_TOO_NARROW", f"Filters on '{DATE}' have a start date after the end date.")
    return query


def _condition(words: _Reader, resource: str) -> Condition:
    (_, field), (_, sign) = words.take(), words.take()
    check([field], resource, "WHERE")
    sign = sign.upper()
    if sign == "NOT" and words.skip("IN"):
        sign = "NOT IN"
    if sign in NOT_SIMULATED or sign == "NOT":
        raise Refused("UNIMPLEMENTED", message=f"The sandbox does not simulate {sign}.")
    if sign not in COMPARISONS:
        raise query_error("BAD_OPERATOR", f"Error in WHERE clause: invalid operator {sign}.")
    if sign == "BETWEEN":
        low = value(field, words.value(), sign)
        words.expect("AND", "EXPECTED_AND", "Error in WHERE clause: AND is expected between the values of BETWEEN.")
        return Condition(field, sign, (low, value(field, words.value(), sign)))
    if sign in ("IN", "NOT IN"):
        return Condition(field, sign, [value(field, one, sign) for one in words.values()])
    if FIELDS[field] in ("ENUM", "BOOLEAN") and sign not in ("=", "!="):
        raise query_error("OPERATOR_FIELD_MISMATCH", f"The operator {sign} cannot be used with '{field}'.")
    return Condition(field, sign, value(field, words.value(), sign))


def _ordering(words: _Reader, fields: list[str]) -> tuple[str, bool]:
    field = words.take()[1]
    if field not in fields:
        raise query_error(
            "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
            f"The following field must be present in SELECT clause: '{field}'.",
        )
    return field, words.skip("DESC") or (words.skip("ASC") and False)


def _limit(words: _Reader) -> int:
    kind, text = words.take()
    if kind != "number" or not text.isdecimal():
        raise query_error("BAD_LIMIT_VALUE", f"Error in LIMIT clause: invalid value {text}.")
    if int(text) < 1:
        raise query_error("LIMIT_VALUE_TOO_LOW", f"Error in LIMIT clause: {text} is too low.")
    return int(text)
