"""Pages of a list: sorted, cut after `page[size]`, and linked by cursors that name the last item."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sandbox.klaviyo.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.klaviyo.published import Endpoint

Key = tuple[str, str]
"""What an item is sorted by, as text, and its id."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a list is asked for."""

    size: int
    sort: str
    descending: bool
    after: Key | None


def asked(query: Mapping[str, str], endpoint: Endpoint, default_size: int = 100) -> Asked:
    """The page that the query names; the first of the published sortings is the default."""
    known = endpoint.parameters
    size = int(known.get("page[size]", {}).get("default", default_size))
    most = int(known.get("page[size]", {}).get("maximum", size))
    if "page[size]" in query:
        text = query["page[size]"]
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise Refused(400, f"Page size must be an integer between 1 and {most}.", parameter="page[size]")
        size = int(text)
    sortings = known.get("sort", {}).get("enum", ["id"])
    sort = query.get("sort", sortings[0])
    if sort not in sortings:
        raise Refused(400, f"'{sort}' is not a valid sort; these are: {', '.join(sortings)}.", parameter="sort")
    cursor = query.get("page[cursor]")
    return Asked(size, sort.removeprefix("-"), sort.startswith("-"), _decoded(cursor) if cursor else None)


def cut(items: list[Any], page: Asked, key: Callable[[Any], Key]) -> tuple[list[Any], Key | None]:
    """The page's items, and the key of its last when there are more."""
    ordered = sorted(items, key=key, reverse=page.descending)
    if page.after is not None:
        if page.descending:
            ordered = [item for item in ordered if key(item) < page.after]
        else:
            ordered = ordered[bisect_right(ordered, page.after, key=key) :]
    shown = ordered[: page.size]
    return shown, key(shown[-1]) if len(ordered) > page.size else None


def links(base: str, path: str, query: Mapping[str, str], last: Key | None) -> dict[str, str]:
    """This page and, when there is one, the next."""
    told = {"self": _url(base + path, query)}
    if last is not None:
        told["next"] = _url(base + path, {**query, "page[cursor]": _encoded(last)})
    return told


def _url(address: str, query: Mapping[str, str]) -> str:
    return f"{address}?{urlencode(query)}" if query else address


def _encoded(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _decoded(cursor: str) -> Key:
    try:
        value, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        raise Refused(400, "Invalid cursor.", parameter="page[cursor]") from None
    return str(value), str(number)
