"""Relay connections: a slice of a list with cursors, as Shopify pages it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

Rows = Sequence[tuple[Any, int]]
"""(sort value, id), ascending; the two together are a position that survives rows coming and going."""


def bad_request(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def cursor_of(row: tuple[Any, int]) -> str:
    return b64encode(json.dumps({"last_id": row[1], "last_value": str(row[0])}).encode()).decode()


def position_of(cursor: str, rows: Rows, after: bool) -> int:
    """Where a cursor points to in `rows`, whether or not its row is still there."""
    try:
        position = json.loads(b64decode(cursor, validate=True))
        key = (str(position["last_value"]), int(position["last_id"]))
    except (ValueError, KeyError, TypeError):
        raise bad_request("Invalid cursor for current pagination sort.") from None
    find = bisect_right if after else bisect_left
    return find(rows, key, key=lambda row: (str(row[0]), row[1]))


def connection(
    rows: Rows, node: Callable[[int], Any], arguments: dict[str, Any], cap: int | None = None
) -> dict[str, Any]:
    """The page that first/after/last/before ask for; `reverse` turns the order around, `cap` limits the depth."""
    ordered: Rows = rows
    after, before = arguments.get("after"), arguments.get("before")
    reverse = bool(arguments.get("reverse"))
    start, stop = 0, len(ordered)
    if after is not None:
        start, stop = (0, position_of(after, rows, after=False)) if reverse else (position_of(after, rows, True), stop)
    if before is not None:
        start, stop = (position_of(before, rows, True), stop) if reverse else (start, position_of(before, rows, False))
    first, last = arguments.get("first"), arguments.get("last")
    size = first if first is not None else last if last is not None else len(rows)
    at_low_end = (first is not None) != reverse
    low, high = (start, min(stop, start + size)) if at_low_end else (max(start, stop - size), stop)
    low = min(low, high)
    depth = len(rows) - low if reverse else high
    if cap is not None and depth > cap and high > low:
        raise bad_request(f"Pagination is limited to {cap} objects; narrow the query with a filter.")
    page = list(ordered[low:high])
    if reverse:
        page.reverse()
    more_low, more_high = low > 0, high < len(rows)
    return {
        "nodes": lambda info, **_: [node(row[1]) for row in page],
        "edges": lambda info, **_: [{"cursor": cursor_of(row), "node": node(row[1])} for row in page],
        "pageInfo": {
            "hasNextPage": more_low if reverse else more_high,
            "hasPreviousPage": more_high if reverse else more_low,
            "startCursor": cursor_of(page[0]) if page else None,
            "endCursor": cursor_of(page[-1]) if page else None,
        },
    }


def listed(nodes: Sequence[dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A resolver for a connection over a fixed list, in list order."""
    rows = [(f"{number:06d}", number) for number in range(len(nodes))]
    return lambda info, **arguments: connection(rows, nodes.__getitem__, arguments)
