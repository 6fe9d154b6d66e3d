"""What the typed shapes of TikTok Shop's records are made of: what does not fit them would fail in staging."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
# TikTok leaves out what does not apply to a region, or sends it empty; the longest whole part stays below 1e15.
Amount = Annotated[str, Meta(pattern=r"^(-?[0-9]{1,15}(\.[0-9]{1,12})?)?$")] | None
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)] | None
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
# Seconds of this century; anything else is a mistake, as milliseconds are, and would stretch every calendar.
Seconds = Annotated[int, Meta(ge=946_684_800, lt=4_102_444_800)]
# Of something that may not have happened yet; TikTok leaves it out, or sends 0.
MaybeSeconds = Annotated[int, Meta(ge=0, lt=4_102_444_800)] | None
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)


class Money(msgspec.Struct, gc=False):
    """An amount in the currency beside it."""

    amount: Amount = None
    currency: str | None = None


def instant(seconds: int) -> datetime:
    """The moment of a Unix time."""
    return datetime.fromtimestamp(seconds, UTC)


def day(name: str, text: str) -> date:
    """The date that a vendor's text names."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"Expected a date, got {text} - at `$.{name}`") from None
    if not 2000 <= found.year < 2100:
        raise ValueError(f"Expected a date from 2000 to 2099, got {text} - at `$.{name}`")
    return found


def moment(name: str, text: str) -> datetime:
    """The time, or the date, that a vendor's text names, in a form that PostgreSQL reads the same way."""
    if not _MOMENT.match(text):
        raise ValueError(f"Expected a time, got {text} - at `$.{name}`")
    day(name, text[:10])
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"Expected a time, got {text} - at `$.{name}`") from None
