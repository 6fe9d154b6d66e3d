"""The filter language: `equals(name,'x')`, `any(id,['a','b'])`, `greater-than(created,2026-11-01T00:00:00Z)`, joined by
commas or by `and(...)`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.klaviyo.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = re.compile(r"\s*([a-z-]+)\s*\(")
_FIELD = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^,()'\"\[\]]+?))\s*(?=[,)])")
_QUOTED = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*")
_BARE = re.compile(r"\s*([^,()\[\]'\"]+?)\s*(?=[,)\]])")


class Bare(str):
    """A value without quotes: a time, a number, true or false."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Condition:
    operator: str
    field: str
    value: Any = None


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda own, value: own in value if isinstance(value, list) else own == value,
    "any": lambda own, value: own in value,
    "contains-any": lambda own, value: own in value,
    "contains-all": lambda own, value: {own} == set(value),
    "contains": lambda own, value: value.lower() in (own or "").lower(),
    "starts-with": lambda own, value: (own or "").startswith(value),
    "ends-with": lambda own, value: (own or "").endswith(value),
    "greater-than": lambda own, value: own is not None and own > value,
    "greater-or-equal": lambda own, value: own is not None and own >= value,
    "less-than": lambda own, value: own is not None and own < value,
    "less-or-equal": lambda own, value: own is not None and own <= value,
    "has": lambda own, value: own is not None,
}


def holds(condition: Condition, own: Any) -> bool:
    return OPERATORS[condition.operator](own, condition.value)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def conditions(self, closed_by: str = "") -> list[Condition]:
        """What is joined by commas."""
        found = self._condition()
        while self._skip(","):
            found += self._condition()
        if closed_by and not self._skip(closed_by):
            raise self._wrong()
        if not closed_by and self._text[self._at :].strip():
            raise self._wrong()
        return found

    def _condition(self) -> list[Condition]:
        name = self._match(_NAME)[0]
        if name == "and":
            return self.conditions(closed_by=")")
        field = next(filter(None, self._match(_FIELD)), "")
        value = self._value() if self._skip(",") else None
        if not self._skip(")"):
            raise self._wrong()
        return [Condition(name, field, value)]

    def _value(self) -> Any:
        if not self._skip("["):
            return self._scalar()
        values = [self._scalar()]
        while self._skip(","):
            values.append(self._scalar())
        if not self._skip("]"):
            raise self._wrong()
        return values

    def _scalar(self) -> str:
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is None:
            return Bare(self._match(_BARE)[0])
        self._at = quoted.end()
        return re.sub(r"\\(.)", r"\1", quoted[1][1:-1])

    def _match(self, pattern: re.Pattern[str]) -> tuple[str, ...]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong()
        self._at = found.end()
        return tuple(found.groups(default=""))

    def _skip(self, mark: str) -> bool:
        rest = self._text[self._at :].lstrip()
        if not rest.startswith(mark):
            return False
        self._at = len(self._text) - len(rest) + len(mark)
        return True

    def _wrong(self) -> ValueError:
        return ValueError(f"Unable to parse the filter at {self._text[self._at :]!r}.")


def parsed(text: str) -> list[Condition]:
    """ValueError when it is not of this language."""
    return _Reader(text).conditions()


def query_filter(text: str, allowed: Mapping[str, Any]) -> list[Condition]:
    """The conditions of a list's filter, with their values read as the published types."""
    try:
        return [_checked(condition, allowed) for condition in parsed(text)]
    except ValueError as error:
        raise Refused(400, str(error), parameter="filter") from None


def _checked(condition: Condition, allowed: Mapping[str, Any]) -> Condition:
    name, operator, value = condition.field, condition.operator, condition.value
    if name not in allowed:
        raise ValueError(f"'{name}' is not a filterable field; these are: {', '.join(sorted(allowed))}.")
    shape = "none" if value is None else "list" if isinstance(value, list) else "single"
    if operator not in allowed[name]["operators"].get(shape, ()):
        raise ValueError(f"Operator '{operator}' with {shape} value is not allowed on '{name}'.")
    if value is None:
        return condition
    schema = allowed[name]["value"]
    read = [_typed(name, one, schema) for one in value] if isinstance(value, list) else _typed(name, value, schema)
    return Condition(operator, name, read)


def _typed(name: str, value: str, schema: Mapping[str, Any]) -> Any:
    bare = isinstance(value, Bare)
    if schema.get("format") == "date-time":
        if not bare:
            raise ValueError(f"'{name}' takes a time without quotes, not '{value}'.")
        return instant(value)
    if schema["type"] == "boolean" and bare and value in ("true", "false"):
        return value == "true"
    if schema["type"] == "number" and bare:
        return float(value)
    if schema["type"] == "string" and not bare:
        if "enum" in schema and value not in schema["enum"]:
            raise ValueError(f"'{value}' is not a value of '{name}'; these are: {json.dumps(schema['enum'])}.")
        return str(value)
    raise ValueError(f"'{value}' is not a {schema['type']}, as '{name}' wants it.")


def instant(text: str) -> datetime:
    """A time; without an offset it is meant in UTC."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
