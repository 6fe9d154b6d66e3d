"""What the typed shapes of Shopify's records are made of: what does not fit them would fail in staging."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

# Read leniently, a number in a string is checked without the cost of keeping it; the payload keeps the vendor's text.
Amount = Annotated[float, Meta(ge=-1e13, le=1e13)]
Rate = Annotated[float, Meta(ge=0, le=10)]
Quantity = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Key = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$")]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
# Text, because lenient reading would take any number for a time.
Time = Annotated[str, Meta(min_length=20, max_length=40)]
_MOMENT = msgspec.json.Decoder(Annotated[datetime, Meta(tz=True)])


def instant(name: str, text: str) -> datetime:
    """The moment that a vendor's time names; outside this century it is a mistake that would stretch every calendar."""
    try:
        moment: datetime = _MOMENT.decode(f'"{text}"')
    except msgspec.DecodeError as error:
        raise ValueError(f"{error} - at `$.{name}`") from None
    if not 2000 <= moment.year < 2100:
        raise ValueError(f"Expected a time from 2000 to 2099, got {text} - at `$.{name}`")
    return moment


class PageInfo(msgspec.Struct, rename="camel", gc=False):
    """Where a connection goes on; nested ones ask only whether."""

    has_next_page: bool
    end_cursor: str | None = None


class Connection(msgspec.Struct, Generic[T], rename="camel", gc=False):
    """A page of a collection."""

    nodes: list[T]
    page_info: PageInfo


class PlainMoney(msgspec.Struct, gc=False):
    """An amount in one currency."""

    amount: Amount


class Money(msgspec.Struct, rename="camel", gc=False):
    """An amount in the shop's currency."""

    shop_money: PlainMoney
