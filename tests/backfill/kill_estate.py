"""Warehouses in which a backfill has come to each of its steps, cloned for whoever disturbs the next one."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from tests.backfill import kill_world
from tests.backfill.kill_build import MADE, MANIFEST_FILE, run_dbt
from tests.backfill.kill_state import left, production, production_exactly
from tests.backfill.steps import RUNS, STEPS, STEPS_BACK
from tests.warehouse.crash_server import Server, open_server
from tests.warehouse.crash_worker import DONE, Workshop, open_workshop
from tributary.channels import CHANNELS
from tributary.warehouse.migrate import migrate
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.backfill.kill_state import Shown

Seen = TypeVar("Seen")

PUBLISHED = "published by schedule"
FIRST, BACK = RUNS[0], RUNS[-1]
PATH = (PUBLISHED, *(f"{step} {FIRST.name}" for step in STEPS), *(f"{step} {BACK.name}" for step in STEPS_BACK))
"""A backfill that is taken back afterwards: the states that a warehouse goes through, each by the operation before."""


@dataclass
class Estate:
    """The server, who works on it, and the states that a warehouse may be found in."""

    server: Server
    workshop: Workshop
    made: Path
    _stack: ExitStack
    _states: dict[str, str] = field(default_factory=dict)
    """By the last operation: the name of a database."""
    _seen: dict[tuple[str, str], Any] = field(default_factory=dict)

    @contextmanager
    def after(self, operation: str = PUBLISHED) -> Iterator[str]:
        """A warehouse that has come so far, undisturbed."""
        with self.server.database(template=self._states[operation]) as url:
            yield url

    @contextmanager
    def copy(self, url: str) -> Iterator[str]:
        """Another one as it is now; nobody may be connected."""
        with self.server.database(template=url.rpartition("/")[2]) as copied:
            yield copied

    def url(self, operation: str) -> str:
        """The original of a state, to be looked at only."""
        return f"{self.server.url.rpartition('/')[0]}/{self._states[operation]}"

    def run(self, url: str, *operations: str) -> None:
        """Each from its beginning to its end."""
        for operation in operations:
            ended = self.workshop.run(operation, url)
            assert ended == DONE, f"{operation}: {ended}"

    def shown(self, operation: str) -> Shown:
        """Production in that state, but for clocks."""
        return self._look("shown", operation, production)

    def shown_exactly(self, operation: str) -> Shown:
        """Production in that state, byte by byte."""
        return self._look("exactly", operation, production_exactly)

    def left(self, operation: str) -> dict[str, list[str]]:
        """What else is there in that state."""
        return self._look("left", operation, left)

    def _look(self, what: str, operation: str, look: Callable[[str], Seen]) -> Seen:
        # Originals stay as they are.
        if (what, operation) not in self._seen:
            self._seen[what, operation] = look(self.url(operation))
        return self._seen[what, operation]

    def _settle(self) -> None:
        """Two weeks of three shops, built by dbt and published."""
        url = self._stack.enter_context(self.server.database())
        migrate(url, CHANNELS)
        kill_world.settle(url)
        with psycopg.connect(url) as conn:
            build = open_build(conn, "build", kill_world.WORLD)
        assert build is not None
        run_dbt(url, self.made, "build")
        for merchant_id in build.merchants:
            with psycopg.connect(url) as conn:
                publish(conn, build.build_id, "build", merchant_id, self.made / MANIFEST_FILE)
        self._states[PUBLISHED] = url.rpartition("/")[2]

    def _walk(self) -> None:
        """Along the path; dbt itself builds."""
        for before, operation in pairwise(PATH):
            url = self._stack.enter_context(self.server.database(template=self._states[before]))
            if operation.startswith("build"):
                run_dbt(url, self.made, FIRST.schema, FIRST.schema)
            else:
                self.run(url, operation)
            self._states[operation] = url.rpartition("/")[2]


@contextmanager
def open_estate(made: Path) -> Iterator[Estate]:
    """A server of its own, with all states of an undisturbed run."""
    os.environ[MADE] = str(made)
    with ExitStack() as stack:
        server = stack.enter_context(open_server())
        workshop = stack.enter_context(open_workshop("tests.backfill.steps"))
        estate = Estate(server, workshop, made, stack)
        estate._settle()
        estate._walk()
        yield estate
    os.environ.pop(MADE, None)
