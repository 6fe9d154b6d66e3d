"""The most memory that processes held together while something ran."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@contextmanager
def peak_of_tree(pid: int) -> Iterator[list[float]]:
    """The megabytes that a process and its children held, seen ten times a second."""
    root = psutil.Process(pid)
    with _peak(lambda: [root, *root.children(recursive=True)], lambda one: one.memory_info().rss, 0.1) as peak:
        yield peak


@contextmanager
def peak_of_backends(url: str) -> Iterator[list[float]]:
    """The megabytes that a server's processes held of their own, beside the buffers that they share, twice a second."""
    with psycopg.connect(url) as conn:
        postmaster = psutil.Process(conn.info.backend_pid).parent()
    assert postmaster is not None
    with _peak(postmaster.children, lambda one: one.memory_full_info().uss, 0.5) as peak:
        yield peak


@contextmanager
def _peak(
    processes: Callable[[], Iterable[psutil.Process]], held: Callable[[psutil.Process], int], seconds: float
) -> Iterator[list[float]]:
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(seconds):
            total = 0
            with suppress(psutil.NoSuchProcess):
                for process in processes():
                    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                        total += held(process)
            peak[0] = max(peak[0], total / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
