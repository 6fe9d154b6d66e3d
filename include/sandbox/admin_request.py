"""What an `/_admin` request says, read and checked."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

AMOUNTS = {"price", "cost", "discount", "shipping", "tip", "amount", "withheld"}


class NotThereError(LookupError):
    """Something that an admin route names does not exist."""


async def body(request: Request, known: set[str] | None = None) -> dict[str, Any]:
    raw = await request.body()
    asked = json.loads(raw) if raw else {}
    if not isinstance(asked, dict):
        raise ValueError("the body is not a JSON object")
    if known is not None and set(asked) - known:
        raise ValueError(f"unknown fields {sorted(set(asked) - known)}; this route takes {sorted(known)}")
    return asked


def cents(value: Any) -> Any:
    """The body with its amounts in cents, wherever they stand."""
    if isinstance(value, list):
        return [cents(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _amount(key, inner) if key in AMOUNTS and isinstance(inner, str | int) and not isinstance(inner, bool)
        else cents(inner)
        for key, inner in value.items()
    }  # fmt: skip


def _amount(name: str, value: str | int) -> int:
    try:
        whole = Decimal(value) * 100
    except InvalidOperation:
        raise ValueError(f'{name} {value!r} is not an amount; write it like "12.50"') from None
    if whole != whole.to_integral_value() or whole < 0:
        raise ValueError(f"{name} {value!r} is negative or has fractions of a cent")
    return int(whole)
