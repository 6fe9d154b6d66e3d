"""Fetching ahead: order, bounds, errors and stopping."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tributary.warehouse.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_items_come_in_order() -> None:
    with read_ahead(iter(range(100)), depth=3) as items:
        assert list(items) == list(range(100))


def test_it_runs_ahead_but_not_further_than_its_depth() -> None:
    made: list[int] = []
    full = threading.Event()

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if len(made) == 4:
                full.set()
            yield number

    with read_ahead(source(), depth=3) as items:
        assert full.wait(10)
        assert len(made) == 4
        assert next(items) == 0


def test_an_error_comes_behind_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("page 2 is broken")

    with read_ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="page 2 is broken"):
            next(items)


def test_leaving_early_stops_the_source() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    endless = source()
    with read_ahead(endless, depth=1) as items:
        next(items)
    endless.close()
    assert closed.is_set()
    assert not any(thread.name == "read-ahead" for thread in threading.enumerate())
