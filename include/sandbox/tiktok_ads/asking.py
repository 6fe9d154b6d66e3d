"""The parameters of a request, read and checked as the vendor does: lists and objects are JSON in the query."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.tiktok_ads.access import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MISSING = "Missing data for required field."


def text(query: Mapping[str, str], name: str, default: str | None = None) -> str:
    value = query.get(name, default)
    if not value:
        raise Refused(40002, f"{name}: {MISSING}")
    return value


def advertiser(query: Mapping[str, str]) -> str:
    value = text(query, "advertiser_id")
    if not value.isdigit():
        raise Refused(40002, "advertiser_id: Not a valid integer.")
    return value


def choice(query: Mapping[str, str], name: str, choices: Collection[str], default: str | None = None) -> str:
    value = text(query, name, default)
    if value not in choices:
        raise Refused(40002, f"{name}: {value} is not one of {sorted(choices)}.")
    return value


def number(query: Mapping[str, str], name: str, default: int, most: int | None = None) -> int:
    try:
        value = int(query.get(name, str(default)))
    except ValueError:
        raise Refused(40002, f"{name}: Not a valid integer.") from None
    if value < 1 or (most is not None and value > most):
        raise Refused(40002, f"{name}: Must be between 1 and {most}." if most else f"{name}: Must be at least 1.")
    return value


def loaded(query: Mapping[str, str], name: str, kind: type) -> Any:
    """A parameter that is JSON; nothing when it is not there."""
    if name not in query:
        return kind()
    try:
        value = json.loads(query[name])
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise Refused(40002, f"{name}: Field must be set to {'object' if kind is dict else kind.__name__}.")
    return value


def texts(value: Any, name: str, most: int | None = None) -> list[str]:
    """A list of strings, the given ones without exception."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(40002, f"{name}: Not a valid list of strings.")
    if most is not None and len(value) > most:
        raise Refused(40002, f"{name}: Length must be between 1 and {most}.")
    return value


def listed(query: Mapping[str, str], name: str, most: int | None = None) -> list[str]:
    """A list that must be there."""
    if not (values := texts(loaded(query, name, list), name, most)):
        raise Refused(40002, f"{name}: {MISSING}")
    return values


def within(values: Collection[str], known: Collection[str], what: str) -> None:
    """Refuse what the vendor does not know, by its name."""
    if unknown := [value for value in values if value not in known]:
        raise Refused(40002, f"Invalid {what}: {unknown}")


def days(query: Mapping[str, str], most: int) -> tuple[date, date]:
    """The range asked for, both ends included."""
    found = []
    for name in ("start_date", "end_date"):
        value = text(query, name)
        try:
            # The vendor takes YYYY-MM-DD only, of what ISO 8601 allows.
            found.append(date.fromisoformat(value) if len(value) == 10 else date.min)
        except ValueError:
            found.append(date.min)
        if found[-1] == date.min:
            raise Refused(40002, f"{name}: Not a valid date.")
    first, last = found
    if last < first:
        raise Refused(40002, "end_date: must not be earlier than start_date.")
    if (last - first).days + 1 > most:
        raise Refused(40002, f"The time range between start_date and end_date cannot exceed {most} days.")
    return first, last


def page(found: list[Any], query: Mapping[str, str], most: int) -> dict[str, Any]:
    """One page of what was found; pages are cut anew at each request."""
    number_, size = number(query, "page", 1), number(query, "page_size", 10, most)
    return {
        "list": found[(number_ - 1) * size : number_ * size],
        "page_info": {
            "page": number_,
            "page_size": size,
            "total_number": len(found),
            "total_page": -(-len(found) // size),
        },
    }
