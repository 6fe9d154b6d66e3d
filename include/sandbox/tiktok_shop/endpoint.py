"""What an endpoint is: where it answers, what it insists on, and how it refuses."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sandbox.shop import Shop
    from sandbox.tiktok_shop.access import AuthorisedShop

T = TypeVar("T")


class Refused(Exception):  # noqa: N818
    """An answer with a code that is not 0; the vendor sends some of them with HTTP 200."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that passed signature, clock, token and cipher."""

    shop: Shop
    now: datetime
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    authorised: Sequence[AuthorisedShop] = ()
    """Every shop that the token stands for."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path such as `/order/202309/orders/search`; `handle` returns the answer's `data`."""

    method: str
    path: str
    handle: Callable[[Asked], dict[str, Any]]
    needs_cipher: bool = True
    scope: str = ""
    """The permission package without which it answers 105005; none when empty."""


def page(
    asked: Asked, rows: Sequence[T], *, default: int, least: int = 1, most: int, required: bool = False
) -> tuple[list[T], str, int]:
    """The asked page of the rows, the token of the next (empty on the last), and how many there are in all."""
    if required and "page_size" not in asked.query:
        raise Refused(36009004, "Required parameter page_size is missing", 400)
    size = number(asked.query.get("page_size", str(default)), "page_size")
    if not least <= size <= most:
        raise Refused(36009004, f"Invalid page_size {size}: valid range is [{least}-{most}]", 400)
    token = asked.query.get("page_token", "")
    start = 0
    if token:
        try:
            start = int(base64.b64decode(token, validate=True).decode().removeprefix("offset+/"))
        except ValueError:
            raise Refused(36009004, "Invalid page_token", 400) from None
    end = start + size
    following = base64.b64encode(f"offset+/{end}".encode()).decode() if end < len(rows) else ""
    return list(rows[start:end]), following, len(rows)


def number(text: Any, name: str) -> int:
    """An integer parameter, given as text or as a number."""
    try:
        return int(str(text))
    except ValueError:
        raise Refused(36009022, f"Invalid {name}: not an integer", 400) from None
