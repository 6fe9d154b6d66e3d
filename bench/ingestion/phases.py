"""Where a sync's time goes: PostgreSQL's own account of each statement, and the CPU of the fetching thread.

Statements are told apart by what they touch, so that the loader needs to know nothing of being watched.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from psycopg.errors import Diagnostic

    from tributary.declaration import Page, Stream

_PHASES = {
    name: re.compile(pattern, re.DOTALL)
    for name, pattern in {
        "copy into staging": r"^\s*copy ",
        "compare with raw": r"unnest\(",
        "log of changes": r"insert into ops\.changes.*staged(?!_)",
        "merge": r"insert into \"raw\"\.\S+ as stored.*from \"staged\"",
        "merge of children": r"insert into \"raw\"",
        "other statements": "",
    }.items()
}
_CPU = re.compile(r"([\d.]+) s user, ([\d.]+) s system, [\d.]+ s elapsed\n!\t\[")


class Phases:
    """Seconds by phase: of the wall clock, and of PostgreSQL's CPU."""

    def __init__(self) -> None:
        self.wall: defaultdict[str, float] = defaultdict(float)
        self.server_cpu: defaultdict[str, float] = defaultdict(float)
        self.fetching_cpu = 0.0
        self._current = "begin and commit"

    def connect(self, url: str) -> psycopg.Connection:
        """A connection whose statements are accounted for; it takes a superuser to ask PostgreSQL for that."""
        phases = self

        class Cursor(psycopg.Cursor[Any]):
            def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
                with phases.phase(query if isinstance(query, str) else query.as_string(self)):
                    return super().execute(query, *args, **kwargs)

            @contextmanager
            def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
                with phases.phase(statement), super().copy(statement, *args, **kwargs) as copy:
                    yield copy

        conn = psycopg.connect(url, cursor_factory=Cursor)
        conn.add_notice_handler(self._note)
        conn.execute("set client_min_messages = log; set log_statement_stats = on")
        conn.commit()
        return conn

    @contextmanager
    def phase(self, statement: str) -> Iterator[None]:
        """Account for one statement."""
        self._current = next(name for name, pattern in _PHASES.items() if pattern.search(statement))
        started = time.perf_counter()
        try:
            yield
        finally:
            self.wall[self._current] += time.perf_counter() - started
            self._current = "begin and commit"

    def reading(self, stream: Stream) -> Stream:
        """The stream, with the CPU time of its reader noted."""

        def changed(api: Any, start: datetime, end: datetime) -> Iterator[Page]:
            pages = stream.changed(api, start, end)
            while True:
                before = time.thread_time()
                page = next(pages, None)
                self.fetching_cpu += time.thread_time() - before
                if page is None:
                    return
                yield page

        return replace(stream, changed=changed)

    def _note(self, notice: Diagnostic) -> None:
        if found := _CPU.search(notice.message_detail or ""):
            self.server_cpu[self._current] += float(found[1]) + float(found[2])

    def seconds(self) -> dict[str, tuple[float, float]]:
        """Of each phase: how long the loader waited, and how much CPU it cost, the costliest first."""
        names = sorted(self.wall | self.server_cpu, key=lambda name: -self.server_cpu[name])
        fetching = {"fetching and parsing (a thread)": (0.0, self.fetching_cpu)}
        return fetching | {name: (self.wall[name], self.server_cpu[name]) for name in names}
