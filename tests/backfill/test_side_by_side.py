"""Backfills beside each other, beside what goes on by schedule, and beside readers: none waits for ever, none lies."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.backfill.kill_estate import FIRST, PUBLISHED
from tests.backfill.kill_state import left, production
from tests.backfill.kill_world import DAYS, REPROCESSED, ZONES
from tests.backfill.steps import REASON, RUNS, STEPS
from tests.warehouse.crash_server import Watcher
from tests.warehouse.crash_worker import DONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.backfill.kill_estate import Estate
    from tests.backfill.kill_state import Shown
    from tests.warehouse.crash_worker import Worker

SECOND = next(run for run in RUNS if run.name == "second")
NEW = f"close {FIRST.name}"


@pytest.fixture
def clone(estate: Estate) -> Iterator[Callable[[str], str]]:
    """The URL of a warehouse that has come so far; whatever is done in it, nobody ever locks out another there."""
    with _clones(estate) as clone:
        yield clone


@contextmanager
def _clones(estate: Estate) -> Iterator[Callable[[str], str]]:
    with ExitStack() as stack:
        urls: list[str] = []

        def clone(operation: str) -> str:
            urls.append(stack.enter_context(estate.after(operation)))
            return urls[-1]

        yield clone
        for url in urls:
            deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
            assert query(url, deadlocks) == [(0,)]


def query(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(statement.encode(), values).fetchall()


@contextmanager
def watching(url: str) -> Iterator[Watcher]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield Watcher(conn)


def marts(shown: Shown) -> Shown:
    return {place: digest for place, digest in shown.items() if place[0].startswith("marts.")}


def check_true_in_the_end(estate: Estate, url: str) -> None:
    """The next hourly run publishes all that waits; then readers see what a build of everything shows."""
    estate.run(url, "publish hourly")
    published = marts(production(url))
    assert query(url, "select merchant_id, stream, record_id from ops.changes") == []
    estate.run(url, "rebuild everything")
    assert marts(production(url)) == published


# Two backfills.


def test_a_second_backfill_of_a_merchant_is_refused_and_told_who_since_when_and_why(
    estate: Estate, clone: Callable[[str], str]
) -> None:
    url = clone("lease first")
    before = query(url, "select * from ops.leases order by 1")
    ((since,),) = query(url, "select to_char(since at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from ops.leases limit 1")

    estate.run(url, "request second")
    refused = estate.workshop.run("lease second", url)

    assert refused.startswith("Refused: Refused (one backfill at a time per merchant): ")
    for word in (
        "aurora is held by engineer since",
        "nordlicht is held by",
        since,
        REASON,
        "http://airflow.example/first",
    ):
        assert word in refused
    assert query(url, "select * from ops.leases order by 1") == before
    told = query(url, "select status, error from audit.backfills where backfill_id = %s", SECOND.backfill_id)
    assert told == [("refused", refused.removeprefix("Refused: "))]
    estate.run(url, *(f"{step} first" for step in STEPS[2:]))
    assert marts(production(url)) == marts(estate.shown(NEW))


@pytest.mark.parametrize("is_killed", [False, True], ids=["which stays", "which is killed"])
def test_a_second_one_waits_for_the_first_that_is_about_to_take_the_lease(
    estate: Estate, clone: Callable[[str], str], is_killed: bool
) -> None:
    url = clone("request first")
    estate.run(url, "request second")
    first = estate.workshop.start_stopped("lease first", url, "lease: before commit")
    second = estate.workshop.start("lease second", url)
    with watching(url) as watcher:
        watcher.until_waiting("Lock")
    if is_killed:
        first.kill()
        assert second.wait() == DONE
    else:
        assert first.finish() == DONE
        assert second.wait().startswith("Refused: ")
    holder = SECOND if is_killed else FIRST
    assert query(url, "select distinct backfill_id from ops.leases") == [(holder.backfill_id,)]


def test_two_of_different_merchants_go_on_at_once_to_the_end_of_one_over_both(
    estate: Estate, clone: Callable[[str], str]
) -> None:
    url = clone(PUBLISHED)
    names = ("of aurora", "of nordlicht")
    for step in STEPS[:-2]:
        estate.run(url, *(f"{step} {name}" for name in names))
    # The second comes to its end while the first stands in its transaction.
    one = estate.workshop.start_stopped(f"publish {names[0]}", url, "publish: swapped")
    other = estate.workshop.start_stopped(f"publish {names[1]}", url, "publish: swapped")
    assert [other.finish(), one.finish()] == [DONE, DONE]
    estate.run(url, *(f"close {name}" for name in names))

    assert marts(production(url)) == marts(estate.shown(NEW))
    assert query(url, "select status, count(*) from audit.backfills group by 1") == [("published", 2)]


# Beside the hourly run, and beside syncs.

PLACES_OF_HOURLY = ("marts prepared", "swapped")


@pytest.mark.parametrize("place", PLACES_OF_HOURLY)
def test_a_backfill_begins_while_the_hourly_run_publishes(
    estate: Estate, clone: Callable[[str], str], place: str
) -> None:
    url = clone("request first")
    estate.run(url, "sync")
    hourly = estate.workshop.start_stopped("publish hourly", url, place)
    lease = estate.workshop.start("lease first", url)
    if place == "swapped":
        # It waits for who is publishing the days that it wants.
        with watching(url) as watcher:
            watcher.until_waiting("Lock")
        assert [hourly.finish(), lease.wait()] == [DONE, DONE]
    else:
        assert [lease.wait(), hourly.finish()] == [DONE, DONE]
    estate.run(url, *(f"{step} first" for step in STEPS[2:]))

    check_true_in_the_end(estate, url)


@pytest.mark.parametrize("place", PLACES_OF_HOURLY)
def test_a_backfill_publishes_while_the_hourly_run_does_so(
    estate: Estate, clone: Callable[[str], str], place: str
) -> None:
    url = clone("difference first")
    estate.run(url, "sync")
    hourly = estate.workshop.start_stopped("publish hourly", url, place)
    estate.run(url, "publish first", "close first")
    found = estate_rows(url, estate.url(NEW))
    assert hourly.finish() == DONE

    # What it built before the backfill published takes nothing back.
    assert estate_rows(url, estate.url(NEW)) == found
    check_true_in_the_end(estate, url)


def estate_rows(url: str, like: str) -> list[tuple[Any, ...]]:
    """What readers see of the days that were asked for."""
    statement = (
        "select merchant_id, date_day, order_id, revenue from marts.fct_orders "
        "where merchant_id = any(%s) and date_day between '2026-03-05' and '2026-03-08' order by 1, 2, 3"
    )
    rows = query(url, statement, [*REPROCESSED])
    assert rows == query(like, statement, [*REPROCESSED])
    return rows


@pytest.mark.parametrize("place", ["marts prepared", "publish: merged", "publish: swapped"])
def test_the_hourly_run_publishes_other_days_while_a_backfill_does_so(
    estate: Estate, clone: Callable[[str], str], place: str
) -> None:
    url = clone("difference first")
    estate.run(url, "sync kumo")
    backfill = estate.workshop.start_stopped("publish first", url, place)
    estate.run(url, "publish hourly")
    assert backfill.finish() == DONE
    estate.run(url, "close first")

    check_true_in_the_end(estate, url)


def test_what_changed_at_the_vendor_since_it_was_read_is_published_by_the_next_hourly_run(
    estate: Estate, clone: Callable[[str], str]
) -> None:
    url = clone("difference first")
    estate.run(url, "sync")
    estate.run(url, "publish first", "close first")

    # As it was shown, although raw is ahead of it by now.
    estate_rows(url, estate.url(NEW))
    check_newest(url)
    assert {record_id for (record_id,) in query(url, "select record_id from ops.changes")} >= {"71", "51"}
    check_true_in_the_end(estate, url)


def check_newest(url: str) -> None:
    """Raw holds what the vendor said last, of what was read again too."""
    amount = "payload #>> '{totalPriceSet,shopMoney,amount}'"
    rows = query(url, f"select distinct {amount} from raw.shopify_orders where record_id in ('51', '71', '81')")
    assert rows == [("77.00",)]


def start_in_vain(estate: Estate, operation: str, url: str) -> Worker:
    """Begin it while somebody else holds its rows: it gives up at once, gives its own back, and tries again."""
    with watching(url) as watcher:
        undone = "select xact_rollback from pg_stat_database where datname = current_database()"
        ((before,),) = query(url, undone)
        worker = estate.workshop.start(operation, url)
        watcher.until(f"({undone}) > %s", before)
    return worker


@pytest.mark.parametrize("place", ["merged", "before commit"])
def test_a_publication_gives_way_to_a_sync_of_the_same_rows(
    estate: Estate, clone: Callable[[str], str], place: str
) -> None:
    url = clone("difference first")
    sync = estate.workshop.start_stopped("sync", url, place)
    backfill = start_in_vain(estate, "publish first", url)
    assert [sync.finish(), backfill.wait()] == [DONE, DONE]

    estate.run(url, "close first")
    check_newest(url)
    check_true_in_the_end(estate, url)


@pytest.mark.parametrize("place", ["publish: merged", "publish: swapped", "publish: before commit"])
def test_a_sync_waits_for_a_publication_of_the_same_rows(
    estate: Estate, clone: Callable[[str], str], place: str
) -> None:
    url = clone("difference first")
    backfill = estate.workshop.start_stopped("publish first", url, place)
    sync = estate.workshop.start("sync", url)
    with watching(url) as watcher:
        watcher.until_waiting("Lock")
    assert [backfill.finish(), sync.wait()] == [DONE, DONE]

    estate.run(url, "close first")
    check_newest(url)
    check_true_in_the_end(estate, url)


@pytest.mark.parametrize("place", ["staged", "merged", "before commit"])
def test_a_rollback_during_a_sync_of_the_same_rows(estate: Estate, clone: Callable[[str], str], place: str) -> None:
    url = clone("preview back")
    sync = estate.workshop.start_stopped("sync", url, place)
    if place == "staged":
        ended = [estate.workshop.run("rollback back", url), sync.finish()]
    else:
        rollback = start_in_vain(estate, "rollback back", url)
        ended = [sync.finish(), rollback.wait()]
    assert ended == [DONE, DONE]

    check_restored_but_newest(estate, url)


@pytest.mark.parametrize("place", ["rollback: restored", "rollback: before commit"])
def test_a_sync_during_a_rollback_of_the_same_rows(estate: Estate, clone: Callable[[str], str], place: str) -> None:
    url = clone("preview back")
    rollback = estate.workshop.start_stopped("rollback back", url, place)
    sync = estate.workshop.start("sync", url)
    with watching(url) as watcher:
        watcher.until_waiting("Lock")
    assert [rollback.finish(), sync.wait()] == [DONE, DONE]

    check_restored_but_newest(estate, url)


@pytest.mark.parametrize(
    ("state", "operation"), [("difference first", "publish first"), ("preview back", "rollback back")]
)
def test_rows_changed_in_opposite_orders_are_no_deadlock(
    estate: Estate, clone: Callable[[str], str], state: str, operation: str
) -> None:
    url = clone(state)
    with psycopg.connect(url) as other, watching(url) as watcher:
        # The sync goes from the last to the first, and comes as far as the one between.
        other.execute("select from raw.shopify_orders where (merchant_id, record_id) = ('aurora', '71') for update")
        sync = estate.workshop.start("sync", url)
        watcher.until_waiting("transactionid")
        changing = start_in_vain(estate, operation, url)
        other.rollback()
    assert {sync.wait(), changing.wait()} == {DONE}
    estate.run(url, f"close {operation.rpartition(' ')[2]}")
    check_newest(url)
    check_true_in_the_end(estate, url)


def check_restored_but_newest(estate: Estate, url: str) -> None:
    estate.run(url, "close back")
    check_newest(url)
    # Deleted, overlooked and moved: as if nobody had read them again.
    kept = (
        "select record_id, event_at from raw.shopify_orders where record_id in ('53', '61', '64', '91') order by 1, 2"
    )
    assert query(url, kept) == query(estate.url(PUBLISHED), kept)
    assert query(url, "select kind, status from audit.backfills order by 1") == [
        ("backfill", "rolled back"),
        ("rollback", "restored"),
    ]
    check_true_in_the_end(estate, url)


# Who lost the lease, or is closed while at work.


@pytest.mark.parametrize("next_one", [(), ("request second", "lease second")], ids=["nobody", "the next one"])
def test_one_that_slept_beyond_its_lease_publishes_nothing(
    estate: Estate, clone: Callable[[str], str], next_one: tuple[str, ...]
) -> None:
    url = clone("difference first")
    asleep = estate.workshop.start_stopped("publish first", url, "marts prepared")
    estate.run(url, "sweep", *next_one)
    leases = query(url, "select * from ops.leases order by 1")

    assert asleep.finish().startswith("LeaseLost: ")

    assert production(url) == estate.shown(PUBLISHED)
    assert query(url, "select status from audit.backfills where backfill_id = %s", FIRST.backfill_id) == [("failed",)]
    assert query(url, "select * from ops.leases order by 1") == leases
    assert len(leases) == (len(REPROCESSED) if next_one else 0)


def test_closing_it_while_it_publishes_waits_for_the_outcome(estate: Estate, clone: Callable[[str], str]) -> None:
    url = clone("difference first")
    backfill = estate.workshop.start_stopped("publish first", url, "publish: swapped")
    close = estate.workshop.start("close first", url)
    with watching(url) as watcher:
        watcher.until_waiting("Lock")
    assert [backfill.finish(), close.wait()] == [DONE, DONE]

    assert left(url) == estate.left(NEW)
    assert production(url) == estate.shown(NEW)


def test_housekeeping_leaves_one_alone_that_is_publishing(estate: Estate, clone: Callable[[str], str]) -> None:
    url = clone("difference first")
    backfill = estate.workshop.start_stopped("publish first", url, "publish: swapped")
    estate.run(url, "sweep as it is")
    assert backfill.finish() == DONE
    estate.run(url, "close first")
    assert left(url) == estate.left(NEW)


# Readers.

_LOCKS = """
select distinct pg_class.relname, pg_locks.mode
from pg_locks
inner join pg_class on pg_locks.relation = pg_class.oid
where
    pg_locks.database = (select oid from pg_database where datname = current_database())
    and pg_class.relnamespace = 'marts'::regnamespace
    and pg_class.relkind = 'r'
    and pg_locks.mode <> 'AccessShareLock'
"""
_IN_A_READERS_WAY = {"AccessExclusiveLock", "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock"}


@pytest.mark.parametrize(
    ("state", "operation", "place"),
    [
        *(("difference first", "publish first", f"publish: {p}") for p in ("snapshotted", "merged", "swapped")),
        ("difference first", "publish first", "publish: before commit"),
        *(("preview back", "rollback back", f"rollback: {p}") for p in ("restored", "before commit")),
    ],
)
def test_whoever_publishes_is_in_no_readers_way(
    estate: Estate, clone: Callable[[str], str], state: str, operation: str, place: str
) -> None:
    url = clone(state)
    worker = estate.workshop.start_stopped(operation, url, place)
    locks = query(url, _LOCKS)
    assert {mode for _, mode in locks}.isdisjoint(_IN_A_READERS_WAY)
    if place not in ("publish: snapshotted", "publish: merged"):
        assert ("fct_orders", "RowExclusiveLock") in locks

    # A reader that would give up at the first wait reads all of the old state.
    assert production(f"{url}?options=-clock_timeout%3D1ms") == estate.shown(state)
    assert worker.finish() == DONE


_DAYS_OF = "select merchant_id, count(*) from marts.{} group by 1 order by 1".format
_SALES = "select coalesce(sum(gross_sales), 0) from marts.{} where merchant_id = %s".format


class Reader(threading.Thread):
    """Reads in one transaction after the other until it is told to stop."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.enough = threading.Event()
        self.read = 0
        self.wrong: list[str] = []
        self.seen: set[Any] = set()
        self.longest = 0.0

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not self.enough.is_set():
                with conn.transaction():
                    self._look(conn)
                self.read += 1

    def _look(self, conn: psycopg.Connection) -> None:
        def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
            began = time.monotonic()
            found = conn.execute(statement.encode(), values).fetchall()
            self.longest = max(self.longest, time.monotonic() - began)
            return found

        for merchant_id in ZONES:
            told = {
                mart: ask(_SALES(mart), merchant_id)[0][0]
                for mart in ("fct_orders", "fct_revenue", "fct_daily_metrics")
            }
            if len(set(told.values())) != 1:
                self.wrong.append(f"{merchant_id}: {told}")
            self.seen.add((merchant_id, told["fct_orders"]))
        days = dict(ask(_DAYS_OF("fct_daily_metrics")))
        if any(days.get(merchant_id, 0) < DAYS for merchant_id in ZONES):
            self.wrong.append(f"days are missing: {days}")


def test_readers_never_see_a_mixed_or_missing_day(
    estate: Estate, clone: Callable[[str], str], record_property: Callable[[str, object], None]
) -> None:
    url = clone("difference first")
    readers = [Reader(url) for _ in range(3)]
    for reader in readers:
        reader.start()
    _rounds(readers)
    quiet = max(reader.longest for reader in readers)
    for reader in readers:
        reader.longest = 0.0
    swaps = ("publish first", "rollback back", "publish second", "publish hourly")
    estate.run(url, swaps[0], "close first", "request back", "lease back", "preview back", swaps[1], "close back")
    estate.run(url, *(f"{step} second" for step in STEPS[:-1]), "close second", "sync", swaps[3])
    _rounds(readers)
    for reader in readers:
        reader.enough.set()
        reader.join()

    assert [wrong for reader in readers for wrong in reader.wrong] == []
    # Each state was seen: as it was, as it is at the vendor, and with what was told later.
    seen = {sales for reader in readers for merchant_id, sales in reader.seen if merchant_id == "aurora"}
    assert len(seen) == 3
    longest = max(reader.longest for reader in readers)
    record_property(
        "figures",
        f"{sum(reader.read for reader in readers)} readings by {len(readers)} readers over {len(swaps)} swaps: "
        f"the longest query took {1000 * longest:.0f} ms, {1000 * quiet:.0f} ms before the swaps",
    )


def _rounds(readers: list[Reader]) -> None:
    """Let each of them read some more times."""
    wanted = {reader: reader.read + 5 for reader in readers}
    while any(reader.read < wanted[reader] and reader.is_alive() for reader in readers):
        threading.Event().wait(0.01)
