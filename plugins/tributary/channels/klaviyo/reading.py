"""Reads a JSON:API list page by page: its items as Klaviyo's own bytes, and the link to the next page."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec

from tributary.channels.records import Rows
from tributary.http import Cut, PagingError, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from tributary.channels.answer import Answer

_A_SECOND = timedelta(seconds=1)


class _Links(msgspec.Struct):
    next: str | None = None


class _Listed(msgspec.Struct):
    data: list[msgspec.Raw]
    links: _Links | None = None


_LISTED = msgspec.json.Decoder(_Listed)


def paged(fetch: Callable[[str], Answer], first: str) -> Iterator[Rows]:
    """The items of every page from the first address on."""

    def cut(address: str | None) -> Cut[Rows]:
        address = address or first
        answer = fetch(address)
        listed = answer.read(_LISTED)
        rows = Rows(list(answer.slices(listed.data)), answer.flaw is None)
        following = listed.links.next if listed.links else None
        return Cut(rows, rows.payloads, _same_host(address, following, answer.where), answer.where)

    return follow(cut)


def moment(at: datetime) -> str:
    """A time as Klaviyo's filters take it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def window(field: str, start: datetime, end: datetime) -> tuple[str, str]:
    """The conditions that a time lies in [start, end), and a second before, which does no harm.

    Profiles know no `greater-or-equal`, so every list is asked with `greater-than`.
    """
    return f"greater-than({field},{moment(start - _A_SECOND)})", f"less-than({field},{moment(end)})"


def any_id(ids: Sequence[str]) -> str:
    """The condition that an item has one of these ids."""
    quoted = ",".join(f"'{one}'" for one in ids)
    return f"any(id,[{quoted}])"


def all_of(*conditions: str) -> str:
    """A filter that wants all of these conditions."""
    return conditions[0] if len(conditions) == 1 else f"and({','.join(conditions)})"


def _same_host(asked: str, following: str | None, where: str) -> str | None:
    """The address of the next page. The private key goes along, so no answer may send it to another host."""
    if not following:
        return None
    address = urljoin(asked, following)
    if urlsplit(address)[:2] == urlsplit(asked)[:2]:
        return address
    to = urlsplit(address)
    what = f"The next page is said to be at {to.scheme}://{to.hostname}, another host than the one asked"
    raise PagingError(what, where=where, remedy="Put the host that Klaviyo itself names into the field api_host.")
