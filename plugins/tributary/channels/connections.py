"""What every hook asks of its connection's fields, in the same words."""

from __future__ import annotations

import re


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
