"""Fetching from a vendor while the warehouse is busy with what was fetched before."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Item = TypeVar("Item")

_CHECK_SECONDS = 0.2


@contextmanager
def read_ahead(source: Iterator[Item], depth: int = 8) -> Iterator[Iterator[Item]]:
    """Iterate over the source in a thread of its own, at most `depth` items ahead of whoever consumes them.

    An error of the source is raised where its item would have come. Leaving the context stops the source.
    """
    items: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: Item | _End) -> bool:
        while not stopped.is_set():
            try:
                items.put(item, timeout=_CHECK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            for item in source:
                if not put(item):
                    return
            put(_End(None))
        except BaseException as error:
            put(_End(error))

    def consume() -> Iterator[Item]:
        while not isinstance(item := items.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=run, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join(timeout=_CHECK_SECONDS * 5)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error
