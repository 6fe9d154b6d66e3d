"""Reads a list of the shop's: page by page without losing a row, and row by row through the checks of its kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import ceil, floor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tributary.channels.records import Rows
from tributary.declaration import Page
from tributary.http import BrokenResponse, Cut, follow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from tributary.channels.answer import Answer

Ask = Callable[[dict[str, str]], "Answer"]
"""Asks for one page; takes the page's part of the query."""


class _Listed(NamedTuple):
    rows: Rows
    next: str | None
    total: int | None
    where: str


def paged(ask: Ask, field: str, page_size: int) -> Iterator[Rows]:
    """The rows that stand under this name in the answers, to the last page.

    TikTok's pages are no snapshot: when rows leave the list while it is read, those behind them move up over the edge
    of the next page. The shrinking total tells, and the pages before are asked for once more.
    """
    tokens: list[str | None] = []
    total: int | None = None

    def fetch(token: str | None) -> Cut[list[Rows]]:
        nonlocal total
        if token not in tokens:
            tokens.append(token)
        listed = _listed(ask, field, page_size, token)
        brought, left = [listed.rows], listed.total
        for back, earlier in enumerate(reversed(tokens[:-1])):
            # What moved up by so many rows stands at most so many rows before this page.
            if total is None or left is None or total - left <= back * page_size:
                break
            again = _listed(ask, field, page_size, earlier)
            brought.append(again.rows)
            left = again.total
        total = listed.total
        return Cut(brought, listed.rows.payloads, listed.next, listed.where)

    for brought in follow(fetch):
        yield from brought


def rows_of(answer: Answer, field: str) -> Rows:
    """The rows of an answer that has no pages."""
    return Rows(list(answer.slices(answer.read(_decoder(field)).rows or ())), answer.flaw is None)


def id_at(*paths: str) -> Callable[[bytes], str]:
    """Reads the texts at these dotted paths, joined by slashes, whatever else is wrong with the row."""
    decoders = [_text_at(path.split(".")) for path in paths]
    return lambda payload: "/".join(read(payload) for read in decoders)


def _text_at(names: Sequence[str]) -> Callable[[bytes], str]:
    shape: Any = str
    for name in reversed(names):
        shape = msgspec.defstruct("Row", [("value", shape)], rename={"value": name})
    decoder = msgspec.json.Decoder(shape)

    def read(payload: bytes) -> str:
        found: Any = decoder.decode(payload)
        for _ in names:
            found = found.value
        return str(found)

    return read


def window(start: datetime, end: datetime) -> tuple[int, int]:
    """[start, end) in Unix time, widened to whole seconds."""
    return floor(start.timestamp()), ceil(end.timestamp())


def missing(asked: Iterable[str], pages: Iterable[Page]) -> list[str]:
    """The ids that no page brought. A row whose id cannot be read may be any of them: then none is missing."""
    found = set[str | None]().union(*map(_ids, pages))
    return [] if None in found else sorted(set(asked) - found)


def picked(pages: Iterable[Page], ids: Sequence[str]) -> Iterator[Page]:
    """What the pages hold of these ids, no further than needed; the others are gone, if every row told its id."""
    wanted, unread = set(ids), set(ids)
    readable = True
    for page in pages:
        found = Page(
            [record for record in page.records if record.record_id in wanted],
            [letter for letter in page.rejects if letter.record_id in wanted],
        )
        yield found
        unread -= _ids(found)
        readable &= None not in _ids(page)
        if not unread:
            return
    if readable:
        yield Page((), gone=sorted(unread))


def _ids(page: Page) -> set[str | None]:
    return {record.record_id for record in page.records} | {letter.record_id for letter in page.rejects}


def _listed(ask: Ask, field: str, page_size: int, token: str | None) -> _Listed:
    paging = {"page_size": str(page_size)}
    if token is not None:
        paging["page_token"] = token
    answer = ask(paging)
    found = answer.read(_decoder(field))
    if not found.rows and not found.next_page_token and token is None and found.total_count:
        what = f"TikTok Shop counts {found.total_count} {field} and lists none"
        raise BrokenResponse(what, where=answer.where)
    rows = Rows(list(answer.slices(found.rows or ())), answer.flaw is None)
    return _Listed(rows, found.next_page_token or None, found.total_count, answer.where)


@cache
def _decoder(field: str) -> msgspec.json.Decoder[Any]:
    """Reads a page whose rows stand under this name; an empty list may be left out."""
    shape = msgspec.defstruct(
        "Listed",
        [
            ("rows", list[msgspec.Raw] | None, None),
            ("next_page_token", str | None, None),
            ("total_count", int | None, None),
        ],
        rename={"rows": field},
    )
    return msgspec.json.Decoder(shape)
