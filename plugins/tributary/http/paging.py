"""Following a cursor to its end, and noticing when the pages cannot be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from tributary.http.errors import PagingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator

T = TypeVar("T")

EMPTY_PAGES_IN_A_ROW = 20
"""Vendors may filter after cutting a page, so an empty page with a next cursor is followed; not for ever."""

AGAIN = "Nothing of this slice was kept; the next run reads it again. If it stays so, the vendor's support has to help."


@dataclass(frozen=True)
class Cut(Generic[T]):
    """One page: what it holds, the keys that tell it from others, and the cursor of the next, if any."""

    content: T
    keys: Collection[Hashable]
    next: str | None
    where: str = ""
    """Where the page came from, for whoever has to look into it."""


def follow(fetch: Callable[[str | None], Cut[T]]) -> Iterator[T]:
    """Yields every page's content, from no cursor to the last.

    A page that points back to a cursor already used, or that repeats an earlier page, is asked for once more;
    when the vendor insists, the reading fails: going on would lose records or never end.
    """
    cursor: str | None = None
    cursors: set[str] = set()
    pages: set[int] = set()
    empty = 0
    while True:
        cut = fetch(cursor)
        if _wrong(cut, cursors, pages):
            cut = fetch(cursor)
            if reason := _wrong(cut, cursors, pages):
                raise PagingError(reason, where=cut.where, remedy=AGAIN)
        if cut.keys:
            pages.add(hash(frozenset(cut.keys)))
        empty = 0 if cut.keys else empty + 1
        if empty > EMPTY_PAGES_IN_A_ROW:
            what = f"The vendor's paging leads nowhere: {empty} empty pages in a row, each with a next cursor"
            raise PagingError(what, where=cut.where, remedy=AGAIN)
        yield cut.content
        if cut.next is None:
            return
        cursors.add(cut.next)
        cursor = cut.next


def _wrong(cut: Cut[T], cursors: set[str], pages: set[int]) -> str | None:
    if cut.next is not None and cut.next in cursors:
        return "The vendor's paging goes in circles: it named the same next cursor twice"
    if cut.keys and hash(frozenset(cut.keys)) in pages:
        return f"The vendor's paging repeats itself: the same {len(cut.keys)} records came twice"
    return None
