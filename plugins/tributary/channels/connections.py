"""What every hook asks of its connection's fields, in the same words."""

from __future__ import annotations


def required(conn_id: str, name: str, value: object, meaning: str) -> str:
    """The field's text without blanks around it; ValueError names the field and what belongs there."""
    text = str(value or "").strip()
    if not text:
        raise ValueError(f"Connection {conn_id!r} has no {name}; put in {meaning}.")
    return text


def address(host: str) -> str:
    """The address that a host stands for, which may leave the scheme out."""
    host = host.strip().rstrip("/")
    return host if "://" in host else f"https://{host}"
