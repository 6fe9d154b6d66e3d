"""Pages that go in circles end in an error, and honest ones are read once, whole and in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tributary.http import Cut, PagingError, follow
from tributary.http.paging import EMPTY_PAGES_IN_A_ROW


class Pager:
    """Serves pages by cursor `n`; `faults` replaces the n-th fetch's answer, once."""

    def __init__(self, pages: list[list[int]], faults: dict[int, Cut[list[int]]] | None = None) -> None:
        self.pages = pages
        self.faults = faults or {}
        self.fetched: list[str | None] = []

    def page(self, number: int) -> Cut[list[int]]:
        following = str(number + 1) if number + 1 < len(self.pages) else None
        return Cut(self.pages[number], self.pages[number], following)

    def __call__(self, cursor: str | None) -> Cut[list[int]]:
        self.fetched.append(cursor)
        return self.faults.pop(len(self.fetched) - 1, None) or self.page(int(cursor or 0))


# Pages of distinct records, a few of them empty.
books = st.lists(st.integers(0, 3), min_size=1, max_size=15).map(
    lambda sizes: [list(range(sum(sizes[:i]), sum(sizes[: i + 1]))) for i in range(len(sizes))]
)


@given(books)
def test_honest_pages_are_read_once_and_in_order(pages: list[list[int]]) -> None:
    pager = Pager(pages)
    assert list(follow(pager)) == pages
    assert len(pager.fetched) == len(pages)


@given(books, st.data())
def test_a_hiccup_is_asked_again_and_loses_nothing(pages: list[list[int]], data: st.DataObject) -> None:
    pager = Pager(pages)
    at = data.draw(st.integers(0, len(pages) - 1))
    earlier = [number for number in range(at) if pages[number]]
    if earlier:
        repeated = data.draw(st.sampled_from(earlier))
        following = data.draw(st.sampled_from([pager.page(at).next, pager.page(repeated).next, "other"]))
        pager.faults[at] = Cut(pages[repeated], pages[repeated], following)
    assert list(follow(pager)) == pages
    assert len(pager.fetched) == len(pages) + bool(earlier)


@given(st.integers(1, 10), st.data())
def test_a_cursor_that_comes_back_ends_the_reading(length: int, data: st.DataObject) -> None:
    back = str(data.draw(st.integers(1, length)))
    fresh = iter(range(1_000_000))

    def circle(cursor: str | None) -> Cut[int]:
        here = int(cursor or 0)
        record = next(fresh)
        return Cut(record, [record], back if here == length else str(here + 1))

    with pytest.raises(PagingError, match="circles"):
        list(follow(circle))


@given(st.integers(1, 10))
def test_a_page_that_insists_on_coming_twice_ends_the_reading(length: int) -> None:
    def stuck(cursor: str | None) -> Cut[int]:
        here = min(int(cursor or 0), length)
        return Cut(here, [here, -here - 1], str(int(cursor or 0) + 1))

    seen = []
    with pytest.raises(PagingError, match="the same 2 records came twice"):
        seen.extend(follow(stuck))


def test_records_that_moved_are_not_a_duplicate_page() -> None:
    pages = [[1, 2, 3], [3, 4, 5], [4, 5]]
    assert list(follow(Pager(pages))) == pages


def test_endless_empty_pages_end() -> None:
    fetched = []

    def empty(cursor: str | None) -> Cut[None]:
        fetched.append(cursor)
        return Cut(None, [], str(len(fetched)))

    with pytest.raises(PagingError, match="empty pages in a row"):
        list(follow(empty))
    assert len(fetched) == EMPTY_PAGES_IN_A_ROW + 1
