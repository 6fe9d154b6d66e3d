"""What an `/_admin` request says, read and checked, and how it is answered."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

AMOUNTS = {
    "price", "cost", "discount", "shipping", "tip", "amount", "withheld", "seller_discount", "platform_discount",
    "shipping_seller_discount", "shipping_platform_discount", "shipping_cofunded_discount", "delivery_fee",
}  # fmt: skip


class NotThereError(LookupError):
    """Something that an admin route names does not exist."""


def route(path: str, handler: Callable[[Request], Awaitable[Any]], *methods: str) -> Route:
    """A route below `/_admin` that says in words what cannot be done."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except NotThereError as error:
            return JSONResponse({"error": str(error)}, 404)
        except (ValueError, LookupError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except RuntimeError as error:
            return JSONResponse({"error": str(error)}, 409)

    return Route("/_admin" + path, answer, methods=list(methods))


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
