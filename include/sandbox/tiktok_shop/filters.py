"""What a search asks for: filters of its body and query, with the sort order and the refusals of the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.tiktok_shop.endpoint import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from sandbox.tiktok_shop.endpoint import Asked

T = TypeVar("T")


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def choice(given: Mapping[str, Any], name: str, allowed: Iterable[str], default: str | None = None) -> str | None:
    """One of the allowed values, written as text."""
    value = given.get(name, default)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(36009022, f"Invalid {name}: expected a string", 400)
    if value not in allowed:
        raise Refused(36009004, f"Invalid {name} {value}: expected one of {', '.join(sorted(allowed))}", 400)
    return value


def texts(given: Mapping[str, Any], name: str, allowed: Iterable[str] | None = None, most: int = 0) -> set[str]:
    """A list of texts; empty when not given, which filters nothing."""
    value = given.get(name)
    if value is None:
        return set()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(36009022, f"Invalid {name}: expected a list of strings", 400)
    if most and len(value) > most:
        raise Refused(36009004, f"Invalid {name}: {len(value)} values, the maximum is {most}", 400)
    for item in value if allowed is not None else ():
        choice({name: item}, name, allowed or ())
    return set(value)


def flag(given: Mapping[str, Any], name: str) -> bool | None:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise Refused(36009022, f"Invalid {name}: expected a boolean", 400)
    return value


def instant(given: Mapping[str, Any], name: str) -> int | None:
    """A Unix time in seconds, as a number."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(36009022, f"Invalid {name}: expected an integer", 400)
    if not 0 <= value < 10_000_000_000:
        raise Refused(36009004, f"Invalid {name} {value}: expected a 10-digit Unix timestamp", 400)
    return value


def within(given: Mapping[str, Any], rows: Iterable[T], name: str, time: Callable[[T], datetime]) -> list[T]:
    """The rows from `<name>_ge` on and before `<name>_lt`; a missing end is open."""
    low, high = instant(given, f"{name}_ge"), instant(given, f"{name}_lt")
    return [
        row
        for row in rows
        if (low is None or seconds(time(row)) >= low) and (high is None or seconds(time(row)) < high)
    ]


def in_order(asked: Asked, rows: Iterable[T], default: str, times: Mapping[str, Callable[[T], Any]]) -> list[T]:
    """Sorted by the asked field, the first one if none is asked; `default` is ASC or DESC."""
    field = choice(asked.query, "sort_field", times, next(iter(times)))
    order = choice(asked.query, "sort_order", ("ASC", "DESC"), default)
    return sorted(rows, key=times[str(field)], reverse=order == "DESC")
