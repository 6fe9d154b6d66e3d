"""What every hook asks of its connection's fields, in the same words, and how it tries a connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeVar

import psycopg

from tributary.http import RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

TRIAL = Timeouts(connect=5, read=10, total=15)
"""The patience of somebody who has pressed a button."""


class Closing(Protocol):
    """An API that gives its connections back."""

    def close(self) -> None:
        """Gives the connections back."""


A = TypeVar("A", bound=Closing)


def tried(make: Callable[[Timeouts, RetryPolicy], A], diagnose: Callable[[A], tuple[bool, str]]) -> tuple[bool, str]:
    """What the Test button says: the connection is tried once, quickly. `make` says in a ValueError what is missing."""
    try:
        api = make(TRIAL, RetryPolicy(attempts=1))
    except ValueError as error:
        return False, str(error)
    try:
        return diagnose(api)
    except psycopg.OperationalError:
        return False, "The warehouse does not answer; it says whether the vendor may be asked now."
    finally:
        api.close()


def required(conn_id: str, name: str, value: object, meaning: str) -> str:
    """The field's text without blanks around it; ValueError names the field and what belongs there."""
    text = str(value or "").strip()
    if not text:
        raise ValueError(f"Connection {conn_id!r} has no {name}; put in {meaning}.")
    return text


def number(conn_id: str, name: str, text: str, meaning: str, form: str = "[0-9]{1,20}") -> str:
    """An account's number in an extra field, digits alone; ValueError names what is none."""
    if not re.fullmatch(form, text.strip()):
        raise ValueError(f"Connection {conn_id!r}: the extra field {name} holds {text.strip()!r}; put in {meaning}.")
    return re.sub("[^0-9]", "", text)


def numbers(conn_id: str, name: str, value: object, meaning: str, form: str = "[0-9]{1,20}") -> list[str]:
    """The same of several, with commas between them; none may come twice."""
    meaning = f"{meaning}, with commas between them"
    parts = required(conn_id, f"extra field {name}", value, meaning).split(",")
    found = [number(conn_id, name, part, meaning, form) for part in parts]
    for one in found:
        if found.count(one) > 1:
            raise ValueError(
                f"Connection {conn_id!r}: the extra field {name} names {one} twice; name each account once."
            )
    return found


def address(host: str) -> str:
    """The address that a host stands for, which may leave the scheme out."""
    host = host.strip().rstrip("/")
    return host if "://" in host else f"https://{host}"
