"""Crashes, real ones: whatever is killed, restarted, full or in the way, wherever; a re-run ends the same."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest

from tests.warehouse.crash_server import Server, Watcher, open_server
from tests.warehouse.crash_shop import OPERATIONS, PLACES, outcome, prepare, state, unsuccessful
from tests.warehouse.crash_worker import DONE, STOPPED, Workshop, open_workshop
from tests.warehouse.shop import SHOP
from tributary.warehouse import load
from tributary.warehouse.errors import WarehouseBusy
from tributary.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Undisturbed = Callable[..., dict[str, list[str]]]

HOLDS_LOCKS = ("merged", "before commit")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with open_server() as server:
        yield server


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with open_workshop() as workshop:
        yield workshop


@pytest.fixture(scope="module")
def prepared(server: Server) -> Iterator[str]:
    """The name of a database whose stream has been synced once."""
    with server.database() as url:
        migrate(url, [SHOP])
        prepare(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def url(server: Server, prepared: str) -> Iterator[str]:
    """A warehouse whose stream has been synced once."""
    with server.database(template=prepared) as url:
        yield url


@pytest.fixture
def conn(url: str) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection]:
    """A connection with a transaction of somebody else, rolled back at the end; a deadlock never ends it."""
    with psycopg.connect(url) as connection:
        connection.execute("set deadlock_timeout = '1h'")
        yield connection
        connection.rollback()


@pytest.fixture
def watcher(conn: psycopg.Connection) -> Watcher:
    return Watcher(conn)


@pytest.fixture(scope="module")
def undisturbed(server: Server, prepared: str, workshop: Workshop) -> Undisturbed:
    """What operations leave, one after the other, when nothing disturbs them."""

    @cache
    def left(by: Callable[[str], dict[str, list[str]]], *operations: str) -> dict[str, list[str]]:
        with server.database(template=prepared) as url:
            for operation in operations:
                assert workshop.run(operation, url) == DONE
            return by(url)

    return left


class Cell(NamedTuple):
    """Where an operation is disturbed: when it comes to a place for the n-th time."""

    operation: str
    place: str
    occurrence: int = 1

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to be done there: a sync goes on with its next slice."""
        return self.place == "committed" and not self.operation.startswith("sync")

    @property
    def completed(self) -> list[str]:
        """What it and its re-run amount to. Only a sync knows that its last slice was committed already."""
        return [self.operation] * (2 if self.is_over else 1)


CELLS = [
    *(Cell("sync", place, occurrence) for place in PLACES for occurrence in (1, 2)),
    *(Cell(operation, place) for operation in ("sync of a report", "reread", "replay") for place in PLACES),
]
IDS = [" ".join(map(str, cell)) for cell in CELLS]


@pytest.mark.parametrize("cell", CELLS, ids=IDS)
def test_killed_anywhere_a_rerun_ends_the_same(
    url: str, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed, cell: Cell
) -> None:
    workshop.start_stopped(cell.operation, url, cell.place, cell.occurrence).kill()
    watcher.until_alone()

    assert workshop.run(cell.operation, url) == DONE

    assert state(url) == undisturbed(state, *cell.completed)
    assert set(unsuccessful(url)) <= {("failed", "interrupted before it could end")}
    if cell.place != "reading":
        assert len(unsuccessful(url)) == (0 if cell.place == "committed" else 1)


@pytest.fixture(scope="module", params=["fast", "immediate"])
def restarted(
    request: pytest.FixtureRequest, server: Server, prepared: str, workshop: Workshop
) -> Iterator[dict[Cell, tuple[str, str]]]:
    """For each cell a warehouse whose operation stood there when PostgreSQL was restarted, and how it ended."""
    with ExitStack() as stack:
        urls = {cell: stack.enter_context(server.database(template=prepared)) for cell in CELLS}
        workers = {
            cell: workshop.start_stopped(cell.operation, url, cell.place, cell.occurrence) for cell, url in urls.items()
        }
        server.restart(request.param)
        yield {cell: (urls[cell], worker.finish()) for cell, worker in workers.items()}


@pytest.mark.parametrize("cell", CELLS, ids=IDS)
def test_when_postgresql_restarts_anywhere_the_error_says_so_and_a_rerun_ends_the_same(
    restarted: dict[Cell, tuple[str, str]], workshop: Workshop, undisturbed: Undisturbed, cell: Cell
) -> None:
    url, ended = restarted[cell]
    if cell.is_over:
        assert ended == DONE
    else:
        assert ended.startswith("WarehouseLost: the warehouse went away")
    assert set(unsuccessful(url)) <= {("failed", ended)}

    assert workshop.run(cell.operation, url) == DONE

    assert state(url) == undisturbed(state, *cell.completed)


def test_a_commit_whose_answer_was_lost_stays_a_success(
    url: str, conn: psycopg.Connection, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed
) -> None:
    conn.execute(
        """
        create function wait_behind_the_commit() returns trigger language plpgsql as $$
        begin perform set_config('synchronous_commit', 'on', true); return new; end $$;
        create trigger wait_behind_the_commit before update on ops.checkpoints
        for each row execute function wait_behind_the_commit()
        """
    )
    worker = workshop.start("sync", url)
    watcher.until_waiting("SyncRep")
    conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")

    assert worker.wait().startswith("WarehouseLost: ")
    assert unsuccessful(url) == []
    conn.execute("drop trigger wait_behind_the_commit on ops.checkpoints")
    assert workshop.run("sync", url) == DONE
    assert state(url) == undisturbed(state, "sync")


@pytest.mark.parametrize("occurrence", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_of_two_syncs_one_wins_each_slice(
    url: str, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed, place: str, occurrence: int
) -> None:
    first = workshop.start_stopped("sync", url, place, occurrence)
    second = workshop.start("sync", url)
    if place in HOLDS_LOCKS:
        watcher.until_waiting("Lock")
        ended = [first.finish(), second.wait()]
    else:
        ended = [second.wait(), first.finish()]

    assert ended[0] == DONE
    assert ended[1].startswith("ConcurrentSync: another sync of aurora shop orders moved the checkpoint")
    assert state(url) == undisturbed(state, "sync")
    assert [status for status, _ in unsuccessful(url)] in ([], ["failed"])


def test_of_two_syncs_that_commit_at_once_one_wins(url: str, workshop: Workshop, undisturbed: Undisturbed) -> None:
    workers = [workshop.start_stopped("sync", url, "staged") for _ in range(2)]
    for worker in workers:
        worker.send(signal.SIGCONT)

    done, lost = sorted((worker.finish() for worker in workers), key=lambda ended: ended != DONE)

    assert done == DONE
    assert lost.startswith("ConcurrentSync: ")
    assert state(url) == undisturbed(state, "sync")


# The slice that is stopped and the other operation change the same rows.
BESIDES = [
    *((Cell("sync", place, 1), "reread") for place in PLACES),
    *((Cell("sync", place, 2), "replay") for place in PLACES),
    *((Cell(operation, place), "sync") for operation in ("reread", "replay") for place in PLACES),
]


@pytest.mark.parametrize(
    ("cell", "beside"), BESIDES, ids=[f"{' '.join(map(str, cell))} beside {beside}" for cell, beside in BESIDES]
)
def test_side_by_side_ends_as_one_after_the_other(
    url: str, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed, cell: Cell, beside: str
) -> None:
    first = workshop.start_stopped(cell.operation, url, cell.place, cell.occurrence)
    second = workshop.start(beside, url)
    if cell.place in HOLDS_LOCKS:
        watcher.until_waiting("Lock")
        ended = [first.finish(), second.wait()]
    else:
        ended = [second.wait()]
        if cell.place == "staged":
            assert unsuccessful(url) == [("running", None)]
        ended.append(first.finish())

    assert ended == [DONE, DONE]
    assert outcome(url) in (
        undisturbed(outcome, cell.operation, beside),
        undisturbed(outcome, beside, cell.operation),
    )
    assert unsuccessful(url) == []


def test_a_deadlock_repeats_the_slice(
    url: str,
    other: psycopg.Connection,
    watcher: Watcher,
    workshop: Workshop,
    undisturbed: Undisturbed,
) -> None:
    worker = workshop.start_stopped("sync", url, "merged")
    other.execute("select from ops.checkpoints for update")
    theirs = threading.Thread(
        target=other.execute, args=("select from raw.shop_orders where record_id = '1' for update",)
    )
    theirs.start()
    watcher.until_waiting("Lock")

    # Now each has what the other wants. PostgreSQL ends ours, so theirs goes on.
    worker.send(signal.SIGCONT)
    theirs.join()
    other.rollback()

    assert worker.wait() == STOPPED
    assert worker.finish() == DONE
    watcher.until("select deadlocks = 1 from pg_stat_database where datname = current_database()")
    assert state(url) == undisturbed(state, "sync")
    assert unsuccessful(url) == []


def test_a_concurrent_change_repeats_the_slice(
    url: str, other: psycopg.Connection, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed
) -> None:
    other.execute("update raw.shop_orders set loaded_at = now() where record_id = '33'")
    worker = workshop.start("sync", url)
    watcher.until_waiting("Lock")
    other.commit()

    assert worker.wait() == DONE
    assert state(url) == undisturbed(state, "sync")
    assert unsuccessful(url) == []


def test_a_slice_that_is_always_in_the_way_fails_in_clear_words(
    url: str, conn: psycopg.Connection, workshop: Workshop, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute(
        """
        create function refuse() returns trigger language plpgsql as $$
        begin raise 'could not serialize access' using errcode = 'serialization_failure'; end $$;
        create trigger refuse before update on ops.checkpoints for each row execute function refuse()
        """
    )
    with monkeypatch.context() as patch:
        patch.setattr(load, "_ATTEMPTS", 2)
        with pytest.raises(WarehouseBusy, match=r"each of 2 attempts .*could not serialize.*nothing of orders 2026-03"):
            OPERATIONS["sync"](url)
    assert [status for status, _ in unsuccessful(url)] == ["failed"]

    conn.execute("drop trigger refuse on ops.checkpoints")
    assert workshop.run("sync", url) == DONE
    assert state(url) == undisturbed(state, "sync")


def test_a_full_disk_is_named_and_nothing_is_half_written(
    server: Server, url: str, conn: psycopg.Connection, workshop: Workshop, undisturbed: Undisturbed
) -> None:
    before = state(url)
    # A table that grows beyond four pages gets a map of its free space. On this device there is no room for one.
    ((table,),) = conn.execute("select pg_relation_filepath('raw.shop_orders')").fetchall()
    disk = Path(server.data / f"{table}_fsm")
    disk.symlink_to("/dev/full")

    ended = workshop.run("sync", url)

    assert ended.startswith("WarehouseFull: the warehouse's disk is full (could not extend file")
    assert ended.endswith("free space, then run it again")
    assert state(url) == before
    assert unsuccessful(url) == [("failed", ended)]

    disk.unlink()
    assert workshop.run("sync", url) == DONE
    assert state(url) == undisturbed(state, "sync")


INTERRUPTIONS = pytest.mark.parametrize(
    ("sign", "name"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")],
    ids=["SIGINT", "SIGTERM"],
)


@INTERRUPTIONS
def test_interrupted_while_the_vendor_hangs_it_ends(
    url: str, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed, sign: signal.Signals, name: str
) -> None:
    worker = workshop.start("sync of a vendor that hangs", url)
    watcher.until("exists (select from ops.syncs where status = 'running')")
    worker.send(sign)

    assert worker.wait().startswith(name)

    assert [status for status, _ in unsuccessful(url)] == ["failed"]
    assert workshop.run("sync", url) == DONE
    assert state(url) == undisturbed(state, "sync")


@INTERRUPTIONS
@pytest.mark.parametrize("awaited", ["raw.shop_orders where record_id = '1'", "ops.syncs where status = 'running'"])
def test_interrupted_while_it_waits_for_a_lock_it_ends(
    url: str,
    other: psycopg.Connection,
    watcher: Watcher,
    workshop: Workshop,
    undisturbed: Undisturbed,
    awaited: str,
    sign: signal.Signals,
    name: str,
) -> None:
    worker = workshop.start_stopped("sync", url, "staged")
    other.execute(f"select from {awaited} for update")
    worker.send(signal.SIGCONT)
    watcher.until_waiting("Lock")
    worker.send(sign)
    other.rollback()

    assert worker.wait().startswith(name)

    assert [status for status, _ in unsuccessful(url)] == ["failed"]
    assert workshop.run("sync", url) == DONE
    assert state(url) == undisturbed(state, "sync")


def test_killed_while_it_waits_for_a_lock_it_gives_its_own_back(
    url: str, other: psycopg.Connection, watcher: Watcher, workshop: Workshop, undisturbed: Undisturbed
) -> None:
    other.execute("select from ops.checkpoints for update")
    worker = workshop.start("sync", url)
    watcher.until_waiting("Lock")
    worker.kill()

    watcher.until_alone()

    other.rollback()
    assert workshop.run("sync", url) == DONE
    assert state(url) == undisturbed(state, "sync")
