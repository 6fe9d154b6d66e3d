"""Killed anywhere, a backfill leaves production exactly as it was or exactly as it was shown; then it goes on, or ends.

So does the rollback that takes it back. What is compared are digests of every mart and every raw table of every
merchant.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from tests.backfill.kill_estate import BACK, FIRST, PATH, PUBLISHED
from tests.backfill.kill_state import left, outside, production, production_exactly
from tests.backfill.kill_world import ASKED, BYSTANDER, REPROCESSED
from tests.warehouse.crash_server import Watcher
from tests.warehouse.crash_worker import DONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.backfill.kill_estate import Estate
    from tests.backfill.kill_state import Shown
    from tests.backfill.steps import Run

NEW, OLD_AGAIN = f"close {FIRST.name}", f"close {BACK.name}"
"""With PUBLISHED, all that production is ever seen as."""
TOLD = {PUBLISHED: set(), NEW: {"published"}, OLD_AGAIN: {"rolled back", "restored"}}
"""What the audit says when production is seen so, of those that changed it."""


class Cell(NamedTuple):
    """An operation, and where it is disturbed: when it comes to that place for the n-th time."""

    operation: str
    place: str
    occurrence: int = 1

    @property
    def run(self) -> Run:
        return BACK if self.operation.endswith(BACK.name) else FIRST

    @property
    def before(self) -> str:
        """The state that it begins with."""
        return PATH[PATH.index(self.operation) - 1]

    @property
    def shown(self) -> str:
        """What production must be when it has come there."""
        is_over = self.place.endswith(": committed")
        seen = PATH[: PATH.index(self.operation) + is_over]
        return OLD_AGAIN if "rollback back" in seen else NEW if "publish first" in seen else PUBLISHED

    @property
    def shown_before(self) -> str:
        """What production is when it begins."""
        return Cell(self.operation, "").shown

    @property
    def is_known(self) -> bool:
        """Whether there is anything to close."""
        return not self.operation.startswith("request") or self.place == "request: committed"

    def __str__(self) -> str:
        return f"{self.operation}, {self.place}" + (f", time {self.occurrence}" if self.occurrence > 1 else "")


def _cells(operation: str) -> Iterator[Cell]:
    step = operation.partition(" ")[0]
    yield from (Cell(operation, f"{step}: {place}") for place in ("begins", "before commit", "committed"))


READING = (
    *(Cell("reread first", place) for place in ("reread: begins", "reading", "staged", "merged")),
    # One merchant after the other, one stream after the other.
    *(Cell("reread first", place, time) for place in ("before commit", "reread: committed") for time in (1, 4)),
)
BUILDING = tuple(Cell("build first", f"build: {place}") for place in ("half of it", "committed"))
PUBLISHING = (
    *_cells("publish first"),
    Cell("publish first", "marts prepared"),
    *(Cell("publish first", f"publish: {place}") for place in ("snapshotted", "merged", "swapped")),
)
RESTORING = (*_cells("rollback back"), Cell("rollback back", "rollback: restored"))
SPECIAL = {
    "reread first": READING,
    "build first": BUILDING,
    "publish first": PUBLISHING,
    "preview back": (Cell("preview back", "preview: begins"),),
    "rollback back": RESTORING,
}
CELLS = [cell for operation in PATH[1:] for cell in SPECIAL.get(operation) or _cells(operation)]


def query(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(statement.encode(), values).fetchall()


def disturb(estate: Estate, url: str, cell: Cell) -> None:
    """Kill it there, and let PostgreSQL notice."""
    estate.workshop.start_stopped(cell.operation, url, cell.place, cell.occurrence).kill()
    with psycopg.connect(url, autocommit=True) as conn:
        Watcher(conn).until_nobody_else()


def check_production(estate: Estate, url: str, shown: str, unless: str | None = None) -> None:
    """It is exactly as in the undisturbed run, byte by byte if it was not touched; the audit tells the truth."""
    assert production(url) == estate.shown(shown)
    if shown == unless:
        assert production_exactly(url) == estate.shown_exactly(shown)
    assert beyond_its_days(estate, url) == beyond_its_days(estate, estate.url(PUBLISHED))
    told = {status for (status,) in query(url, "select status from audit.backfills")}
    assert told & {"published", "rolled back", "restored"} == TOLD[shown]


def beyond_its_days(estate: Estate, url: str) -> Shown:
    days = f"select merchant_id, date_day::text from {FIRST.schema}.scope"
    return outside(url, query(estate.url("scope first"), days))


def check_over(url: str, run: Run, status: str) -> None:
    """Its outcome is on record, its merchants are free, and nothing is left beside production."""
    of_run = "where backfill_id = %s"
    assert query(url, f"select status from audit.backfills {of_run}", run.backfill_id) == [(status,)]
    known = query(url, f"select status, error is not null from ops.backfills {of_run}", run.backfill_id)
    assert known == [(status, status == "failed")]
    assert query(url, "select * from ops.leases") == []
    assert query(url, "select nspname from pg_namespace where nspname like 'backfill\\_%%'") == []


def test_undisturbed_it_publishes_what_is_true_now_and_nothing_else(estate: Estate) -> None:
    old, new = estate.shown_exactly(PUBLISHED), estate.shown_exactly(NEW)
    moved = {place for place in old.keys() | new.keys() if old.get(place) != new.get(place)}
    marts = ("fct_orders", "fct_revenue", "fct_refunds", "fct_daily_metrics", "fct_attributed_orders", "dim_customers")
    assert moved >= {(f"marts.{mart}", merchant_id) for mart in marts for merchant_id in REPROCESSED}
    assert moved >= {(f"raw.shopify_{name}", each) for name in ("orders", "refunds") for each in REPROCESSED}
    assert {merchant_id for _, merchant_id in moved} == {*REPROCESSED}
    assert ("marts.fct_orders", BYSTANDER) in old

    days = "select merchant_id, min(date_day), max(date_day) from {}.{} group by 1".format
    asked, wider = (query(estate.url("scope first"), days(FIRST.schema, table)) for table in ("asked", "scope"))
    assert {(first, last) for _, first, last in asked} == {ASKED}
    assert all(first < ASKED[0] and last > ASKED[1] for _, first, last in wider)
    beyond = beyond_its_days(estate, estate.url(PUBLISHED))
    assert {("marts.fct_orders", each) for each in (*REPROCESSED, BYSTANDER)} <= beyond.keys()
    check_over(estate.url(NEW), FIRST, "published")

    with estate.after(NEW) as url:
        estate.run(url, "rebuild everything")
        assert _marts(production(url)) == _marts(new)


def test_undisturbed_a_rollback_brings_all_of_it_back(estate: Estate) -> None:
    assert _marts(estate.shown_exactly(OLD_AGAIN)) == _marts(estate.shown_exactly(PUBLISHED))
    raw = "select merchant_id, record_id, event_at, updated_at, payload from raw.shopify_{} order by 1, 2".format
    for stream in ("orders", "refunds"):
        assert query(estate.url(OLD_AGAIN), raw(stream)) == query(estate.url(PUBLISHED), raw(stream))
    check_over(estate.url(OLD_AGAIN), BACK, "restored")


def _marts(shown: Shown) -> Shown:
    return {place: digest for place, digest in shown.items() if place[0].startswith("marts.")}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_killed_anywhere_it_goes_on_or_ends(estate: Estate, cell: Cell) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(estate.after(cell.before))
        disturb(estate, url, cell)
        check_production(estate, url, cell.shown, unless=cell.shown_before)
        ended = stack.enter_context(estate.copy(url))

        estate.run(url, cell.operation)
        assert left(url) == estate.left(cell.operation)
        after = Cell(cell.operation, f"{cell.operation}: committed").shown
        check_production(estate, url, after)

        if not cell.is_known:
            assert left(ended) == estate.left(cell.before)
        else:
            estate.run(ended, f"close {cell.run.name}")
            check_production(estate, ended, cell.shown, unless=cell.shown_before)
            check_over(ended, cell.run, _outcome(cell))
        estate.run(ended, "request second", "lease second")


def _outcome(cell: Cell) -> str:
    by_itself = {NEW: "published", OLD_AGAIN: "restored"} if cell.run is BACK else {NEW: "published"}
    if cell.run is BACK and cell.shown == NEW:
        return "failed"
    return by_itself.get(cell.shown, "failed")


def test_one_that_is_killed_at_every_place_comes_to_the_same_end(estate: Estate) -> None:
    with estate.after(PUBLISHED) as url:
        for operation in PATH[1:]:
            for cell in (cell for cell in CELLS if cell.operation == operation):
                worker = estate.workshop.start(cell.operation, url, cell.place)
                if worker.wait() != DONE:
                    worker.kill()
            estate.run(url, operation)
            assert left(url) == estate.left(operation)
        check_production(estate, url, OLD_AGAIN)


SWEPT = [
    cell for cell in CELLS if cell.is_known and cell.place in (f"{cell.operation.split()[0]}: committed", "staged")
]


@pytest.mark.parametrize("cell", SWEPT, ids=str)
def test_one_whose_run_never_comes_back_is_swept_away(estate: Estate, cell: Cell) -> None:
    with estate.after(cell.before) as url:
        disturb(estate, url, cell)

        estate.run(url, "sweep")

        check_production(estate, url, cell.shown, unless=cell.shown_before)
        check_over(url, cell.run, _outcome(cell))
        estate.run(url, "request second", "lease second")


RESTARTED = [*PUBLISHING, *RESTORING]


@pytest.fixture(scope="module", params=["fast", "immediate"])
def restarted(request: pytest.FixtureRequest, estate: Estate) -> Iterator[dict[Cell, tuple[str, str]]]:
    """For each cell a warehouse whose work stood there when PostgreSQL was restarted, and how it ended."""
    with ExitStack() as stack:
        urls = {cell: stack.enter_context(estate.after(cell.before)) for cell in RESTARTED}
        workers = {cell: estate.workshop.start_stopped(cell.operation, url, cell.place) for cell, url in urls.items()}
        estate.server.restart(request.param)
        yield {cell: (urls[cell], worker.finish()) for cell, worker in workers.items()}


@pytest.mark.parametrize("cell", RESTARTED, ids=str)
def test_when_postgresql_restarts_readers_see_old_or_new_and_a_retry_ends_as_undisturbed(
    estate: Estate, restarted: dict[Cell, tuple[str, str]], cell: Cell
) -> None:
    url, ended = restarted[cell]
    assert ended != DONE or cell.place.endswith(": committed")
    check_production(estate, url, cell.shown)

    estate.run(url, cell.operation)

    check_production(estate, url, Cell(cell.operation, f"{cell.operation}: committed").shown)
    assert left(url) == estate.left(cell.operation)
