"""One quota and many tasks: never more than its windows allow, and what the vendor closed is closed for everybody."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tributary.channels.vendor_quotas import SharedQuota, Window
from tributary.http import QuotaSpent, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ACCOUNT = "vendor/0123456789abcdef"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])
TASKS = 8

Connect = Any


@pytest.fixture
def conn(connect: Connect) -> Iterator[psycopg.Connection]:
    with connect() as conn:
        conn.autocommit = True
        yield conn


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def reports(connect: Connect, limit: int = 1, now: Callable[[], datetime] | None = None, **key: str) -> SharedQuota:
    windows = (Window(limit, DAY, "a day"),)
    return SharedQuota(connect=connect, **({"account": ACCOUNT, "quota": "reports"} | key), windows=windows, now=now)


def booked(conn: psycopg.Connection) -> int:
    return int(conn.execute("select coalesce(sum(cardinality(uses)), 0) from ops.vendor_quotas").fetchall()[0][0])


def until(conn: psycopg.Connection, state: str, sessions: int) -> None:
    """Returns when so many other sessions of the warehouse are in this state."""
    query = (
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
        "and case when wait_event_type = 'Lock' then 'waiting' else state end = %s"
    )
    deadline = time.monotonic() + 60
    while conn.execute(query, (state,)).fetchall() != [(sessions,)]:
        threading.Event().wait(0.01)
        assert time.monotonic() < deadline


def taken(url: str, limit: int, times: int) -> int:
    """How many of these requests a task may send."""
    quota = reports(lambda: psycopg.connect(url), limit)
    granted = 0
    for _ in range(times):
        try:
            quota.take()
        except QuotaSpent:
            continue
        granted += 1
    return granted


@pytest.mark.parametrize(
    "make_executor",
    [ThreadPoolExecutor, lambda workers: ProcessPoolExecutor(workers, mp_context=PROCESSES)],
    ids=["threads", "processes"],
)
def test_tasks_that_draw_at_once_never_draw_too_much(
    make_executor: Callable[[int], Executor], warehouse_url: str, connect: Connect, conn: psycopg.Connection
) -> None:
    reports(connect, 20).take()
    with connect() as another, make_executor(TASKS) as executor:
        another.execute("select from ops.vendor_quotas for update")
        answers = [executor.submit(taken, warehouse_url, 20, 3) for _ in range(TASKS)]
        until(conn, "waiting", TASKS)
        another.commit()
        assert sum(answer.result() for answer in answers) == 19
    assert booked(conn) == 20, "and none of them is lost"


def test_tasks_that_are_the_first_of_all_do_not_either(
    warehouse_url: str, connect: Connect, conn: psycopg.Connection
) -> None:
    with connect() as another, ThreadPoolExecutor(TASKS) as executor:
        another.execute("lock table ops.vendor_quotas in exclusive mode")
        answers = [executor.submit(taken, warehouse_url, 5, 1) for _ in range(TASKS)]
        until(conn, "waiting", TASKS)
        another.commit()
        assert sum(answer.result() for answer in answers) == 5
    assert booked(conn) == 5


WINDOWS = (
    Window(2, timedelta(seconds=1), "a second"),
    Window(4, timedelta(seconds=30), "half a minute"),
    Window(7, timedelta(seconds=100), "a hundred seconds"),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    windows=st.lists(st.sampled_from(WINDOWS), min_size=1, unique=True),
    waits=st.lists(st.sampled_from([0.0, 0.3, 0.5, 1.0, 5.0, 29.5, 30.0, 75.0]), min_size=6, max_size=20),
)
def test_any_span_keeps_to_every_limit_and_nothing_is_refused_without_need(
    connect: Connect, windows: list[Window], waits: list[float]
) -> None:
    clock, sent = Clock(), []
    quota = SharedQuota(connect=connect, account=str(uuid4()), quota="reports", windows=windows, now=clock)

    def full(at: datetime) -> bool:
        return any(sum(at - window.length < past <= at for past in sent) >= window.limit for window in windows)

    for wait in waits:
        clock.now += timedelta(seconds=wait)
        if full(clock.now):
            with pytest.raises(RateLimited) as refused:
                quota.take()
            assert refused.value.retry_after is not None
            free_at = clock.now + timedelta(seconds=refused.value.retry_after)
            assert full(free_at - timedelta(microseconds=1)), "it says the first moment"
            clock.now = free_at
        quota.take()
        assert not full(clock.now)
        sent.append(clock.now)


def test_it_says_until_when_and_why(connect: Connect, conn: psycopg.Connection) -> None:
    clock = Clock()
    quota = reports(connect, 2, clock)
    for hours in (0, 1):
        clock.now = NOON + timedelta(hours=hours)
        quota.take()

    clock.now = NOON + timedelta(hours=3, seconds=0.5)
    with pytest.raises(QuotaSpent) as refused:
        quota.take()

    assert str(refused.value) == (
        "The quota of reports is used up until 2026-11-21 12:00:00 UTC: all 2 requests a day are used. "
        "A run after that goes on where this one stopped."
    )
    assert refused.value.retry_after == 21 * 3600 - 0.5
    assert booked(conn) == 2


def test_a_limit_that_was_lowered_counts_what_was_used_before(connect: Connect) -> None:
    clock = Clock()
    for hours in range(3):
        clock.now = NOON + timedelta(hours=hours)
        reports(connect, 3, clock).take()
    with pytest.raises(QuotaSpent, match="until 2026-11-21 14:00:00 UTC"):
        reports(connect, 1, clock).take()


def test_uses_that_no_window_reaches_are_forgotten(connect: Connect, conn: psycopg.Connection) -> None:
    clock = Clock()
    for day in range(5):
        clock.now = NOON + day * DAY
        reports(connect, 1, clock).take()
    assert booked(conn) == 1


def test_a_wait_that_a_task_sits_out_is_no_spent_quota(connect: Connect) -> None:
    clock = Clock()
    quota = reports(connect, 1, clock)
    quota.close(300, "HTTP 429")
    with pytest.raises(RateLimited, match=r"until 2026-11-20 12:05:00 UTC: HTTP 429\.$") as refused:
        quota.take()
    assert type(refused.value) is RateLimited
    quota.close(301, "HTTP 429")
    with pytest.raises(QuotaSpent):
        quota.take()


def test_what_is_closed_is_closed_for_everybody_and_opens_by_itself(connect: Connect, conn: psycopg.Connection) -> None:
    clock = Clock()
    reports(connect, 2, clock).close(3600, "HTTP 429: tokens of the hour.")

    for task in (reports(connect, 2, clock), SharedQuota(connect=connect, account=ACCOUNT, quota="reports", now=clock)):
        with pytest.raises(QuotaSpent, match=r"until 2026-11-20 13:00:00 UTC: HTTP 429: tokens of the hour\. A run"):
            task.take()
    assert booked(conn) == 0
    reports(connect, 2, clock, quota="events").take()
    reports(connect, 2, clock, account="vendor/another").take()

    clock.now += timedelta(hours=1)
    reports(connect, 2, clock).take()


@pytest.mark.parametrize("ends", [(3600, 60), (60, 3600)])
def test_of_two_refusals_the_later_end_wins(connect: Connect, ends: tuple[int, int]) -> None:
    quota = reports(connect, 1, Clock())
    for seconds in ends:
        quota.close(seconds, f"wait {seconds} s")
    with pytest.raises(QuotaSpent, match=r"until 2026-11-20 13:00:00 UTC: wait 3600 s"):
        quota.take()


def test_a_quota_without_windows_counts_nothing(connect: Connect, conn: psycopg.Connection) -> None:
    quota = SharedQuota(connect=connect, account="vendor/properties/1", quota="tokens")
    for _ in range(3):
        quota.take()
    assert booked(conn) == 0


def test_a_clock_that_is_set_back_gives_no_more(connect: Connect) -> None:
    clock = Clock()
    quota = reports(connect, 2, clock)
    quota.take()
    clock.now -= timedelta(hours=2)
    quota.take()
    with pytest.raises(QuotaSpent, match="until 2026-11-21 10:00:00 UTC"):
        quota.take()


def test_the_clock_is_the_warehouses(connect: Connect, conn: psycopg.Connection) -> None:
    quota = reports(connect)
    quota.take()
    quota.close(100, "HTTP 429")
    assert conn.execute(
        "select uses[1] between now() - interval '1 minute' and now(), "
        "closed_until between now() + interval '40 seconds' and now() + interval '100 seconds' from ops.vendor_quotas"
    ).fetchall() == [(True, True)]


def test_no_secret_is_kept_in_a_reason(connect: Connect, conn: psycopg.Connection) -> None:
    reports(connect).close(3600, "HTTP 429 \x00for api_key=pk_123456 at https://api.example/reports?token=t0k3n")
    ((reason,),) = conn.execute("select reason from ops.vendor_quotas").fetchall()
    assert reason == "HTTP 429 for api_key=*** at https://api.example/reports?***"


def stand_still_while_booking(url: str) -> None:
    def never() -> datetime:
        threading.Event().wait()
        raise AssertionError

    reports(lambda: psycopg.connect(url), now=never).take()


def test_a_killed_task_holds_nothing(warehouse_url: str, connect: Connect, conn: psycopg.Connection) -> None:
    task = PROCESSES.Process(target=stand_still_while_booking, args=(warehouse_url,))
    task.start()
    until(conn, "idle in transaction", 1)
    task.kill()
    task.join()

    reports(connect).take()

    assert booked(conn) == 1
