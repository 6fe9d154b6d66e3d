"""What PostgreSQL's backends hold of their own, beside the buffers that they share."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLE_SECONDS = 0.5


@contextmanager
def peak_of_backends(url: str) -> Iterator[list[float]]:
    """The most megabytes that all processes of the server held together for themselves, seen twice a second."""
    with psycopg.connect(url) as conn:
        postmaster = psutil.Process(conn.info.backend_pid).parent()
    assert postmaster is not None
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            total = 0
            for process in postmaster.children():
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    total += process.memory_full_info().uss
            peak[0] = max(peak[0], total / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
