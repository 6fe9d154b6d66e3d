"""One authorisation and many tasks: refreshed once, stored encrypted, and never lost without saying so."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.crypto import get_fernet
from cryptography.fernet import Fernet

from tests.channels.token_vendor import DAY, FIRST, Key, Task, Vendor, open_vendor
from tributary.http import AuthError, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

TASKS = 8
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["cryptography.fernet", "msgspec", "psycopg", "requests"])


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with open_vendor() as vendor:
        yield vendor


@pytest.fixture
def task(warehouse_url: str, vendor: Vendor) -> Task:
    return Task(warehouse_url, vendor.url)


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> Iterator[psycopg.Connection]:
    with connect() as conn:
        conn.autocommit = True
        yield conn


def until(reached: Callable[[], Any]) -> None:
    """Looks again and again; what is waited for happens in another thread or process."""
    deadline = time.monotonic() + 60
    while not reached():
        threading.Event().wait(0.01)
        assert time.monotonic() < deadline


def waiting(conn: psycopg.Connection) -> int:
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return int(conn.execute(query).fetchall()[0][0])


def stored(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute("select connection, pair from ops.vendor_tokens order by replaced_at").fetchall()


def at_once(executor: Executor, ask: Callable[..., str], vendor: Vendor, conn: psycopg.Connection, *args: Any) -> Any:
    """What eight tasks get; the vendor answers when all others wait, or one did not."""
    before = len(vendor.asked)
    vendor.held.clear()
    with executor:
        answers = [executor.submit(ask, *args) for _ in range(TASKS)]
        until(lambda: waiting(conn) == TASKS - 1 or vendor.asked[before + 1 :] or any(each.done() for each in answers))
        vendor.held.set()
        return [answer.result() for answer in answers]


@pytest.mark.parametrize(
    "make_executor",
    [ThreadPoolExecutor, lambda workers: ProcessPoolExecutor(workers, mp_context=PROCESSES)],
    ids=["threads", "processes"],
)
def test_eight_tasks_with_an_expired_token_refresh_once(
    make_executor: Callable[[int], Executor], vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    vendor.access_seconds = 0
    assert task.value() == "access-token-1"
    vendor.access_seconds = 7 * DAY

    assert at_once(make_executor(TASKS), task.value, vendor, conn) == ["access-token-2"] * TASKS

    assert vendor.asked == [FIRST, "rotated-refresh-token/1"]
    assert task.value() == "access-token-2", "a new process reads what was stored"
    assert len(vendor.asked) == 2


def test_eight_tasks_with_a_new_authorisation_refresh_once(
    vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    assert at_once(ThreadPoolExecutor(TASKS), task.value, vendor, conn) == ["access-token-1"] * TASKS
    assert vendor.asked == [FIRST]


def test_eight_tasks_whose_token_was_refused_refresh_once(vendor: Vendor, task: Task, conn: psycopg.Connection) -> None:
    refused = task.value()
    new = at_once(ThreadPoolExecutor(TASKS), task.value_after, vendor, conn, refused)
    assert new == ["access-token-2"] * TASKS
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(("minutes", "refreshes"), [(4, 2), (6, 1)])
def test_a_token_is_replaced_five_minutes_before_its_end(
    vendor: Vendor, task: Task, minutes: int, refreshes: int
) -> None:
    vendor.access_seconds = minutes * 60
    tokens = task.tokens()
    tokens.value()
    tokens.value()
    assert len(vendor.asked) == refreshes


def test_neither_token_can_be_read_in_the_table(task: Task, conn: psycopg.Connection) -> None:
    for _ in range(2):
        tokens = task.tokens()
        tokens.renew(tokens.value())
    (row,) = conn.execute(
        "select vendor_tokens::text, convert_to(vendor_tokens::text, 'utf8') || pair from ops.vendor_tokens"
    ).fetchall()
    opened = Key(task.key).decrypt(stored(conn)[0][1])
    for secret in (FIRST, "rotated-refresh-token/3", "access-token-3"):
        assert (secret != FIRST) == (secret.encode() in opened), "the right secrets are looked for"
        assert secret not in row[0]
        assert secret.encode() not in row[1]


def test_a_new_authorisation_in_the_connection_starts_anew(
    vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    task.value()
    vendor.newest = "authorised-again"
    assert replace(task, first="authorised-again").value() == "access-token-2"
    assert task.value() == "access-token-1", "the former one keeps its row"
    assert [connection for connection, _ in stored(conn)] == ["shop_aurora", "shop_aurora"]


def test_another_connection_with_the_same_token_shares_the_row(
    vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    token = replace(task, connection_id="renamed").value()
    assert task.value() == token
    assert len(vendor.asked) == 1
    assert [connection for connection, _ in stored(conn)] == ["shop_aurora"], "the one that uses it is named"
    assert replace(task, connection_id="made up for a test").tokens(is_trial=True).value() == token
    assert [connection for connection, _ in stored(conn)] == ["shop_aurora"], "a trial is not written down"


def test_a_task_killed_while_it_refreshes_lets_the_next_go_on(
    vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    vendor.held.clear()
    vendor.unheard = 1
    killed = PROCESSES.Process(target=task.value)
    killed.start()
    until(lambda: vendor.asked)
    with ThreadPoolExecutor(1) as executor:
        second = executor.submit(task.value)
        until(lambda: waiting(conn) == 1)
        killed.kill()
        until(lambda: len(vendor.asked) == 2)
        vendor.held.set()
        assert second.result() == "access-token-2"
    killed.join()
    assert len(stored(conn)) == 1


def test_a_pair_is_kept_when_the_warehouse_goes_away_during_the_refresh(
    vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    task.value()
    others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> %s"
    vendor.before_answer = lambda: conn.execute(others, (conn.info.backend_pid,))
    tokens = task.tokens()
    assert tokens.renew("access-token-1")
    assert (tokens.value(), task.value()) == ("access-token-2", "access-token-2")
    assert vendor.asked == [FIRST, "rotated-refresh-token/1"]


def test_a_refused_refresh_says_what_to_do_and_where(vendor: Vendor, task: Task, conn: psycopg.Connection) -> None:
    token = task.value()
    before = stored(conn)
    vendor.newest = "revoked"
    with pytest.raises(AuthError) as caught:
        task.tokens().renew(token)
    assert "refresh token is invalid" in str(caught.value)
    assert "authorise the app again and put the new refresh token into the connection 'shop_aurora'" in str(
        caught.value
    )
    assert "rotated-refresh-token" not in str(caught.value)
    assert stored(conn) == before


def test_an_answer_that_a_killed_task_could_not_store_needs_a_new_authorisation(
    vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    """Known and documented: the vendor took the old pair back, and nobody has the new one."""
    killed = PROCESSES.Process(target=task.value)
    vendor.before_answer = killed.kill
    killed.start()
    until(lambda: vendor.newest != FIRST)
    killed.join()
    with pytest.raises(AuthError, match="authorise the app again"):
        task.value()
    assert stored(conn) == []


def airflow_fernet(monkeypatch: pytest.MonkeyPatch, keys: str) -> Any:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", keys)
    get_fernet.cache_clear()
    try:
        return get_fernet()
    finally:
        get_fernet.cache_clear()


def test_nothing_is_asked_or_stored_without_a_key(
    monkeypatch: pytest.MonkeyPatch, vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    with pytest.raises(AuthError, match="AIRFLOW__CORE__FERNET_KEY"):
        task.tokens(cipher=airflow_fernet(monkeypatch, "")).value()
    assert vendor.asked == []
    assert stored(conn) == []


def test_a_changed_key_needs_the_former_one_until_the_pair_was_replaced(
    monkeypatch: pytest.MonkeyPatch, vendor: Vendor, task: Task, conn: psycopg.Connection
) -> None:
    token = task.value()
    changed = Fernet.generate_key().decode()
    only_new, both = airflow_fernet(monkeypatch, changed), airflow_fernet(monkeypatch, f"{changed},{task.key}")
    before = stored(conn)
    with pytest.raises(AuthError, match=r"cannot be decrypted.*former key.*authorise the app again"):
        task.tokens(cipher=only_new).value()
    assert stored(conn) == before
    tokens = task.tokens(cipher=both)
    assert tokens.value() == token
    tokens.renew(token)
    assert task.tokens(cipher=only_new).value() == "access-token-2"
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(("days", "warnings"), [(29.9, 1), (30.1, 0)])
def test_the_end_of_an_authorisation_is_told_once(
    vendor: Vendor, task: Task, caplog: pytest.LogCaptureFixture, days: float, warnings: int
) -> None:
    vendor.authorisation_seconds = days * DAY
    vendor.access_seconds = 0
    tokens = task.tokens()
    with caplog.at_level(logging.WARNING, "tributary.channels.vendor_tokens"):
        tokens.value()
        tokens.value()
    assert len(caplog.messages) == warnings
    ends = time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * DAY))
    assert all("'shop_aurora'" in text and ends in text for text in caplog.messages)


def test_a_pair_shows_no_token(task: Task) -> None:
    shown = repr(task.refresh(FIRST))
    assert "access_ends_at" in shown
    assert "access-token-1" not in shown
    assert "rotated-refresh-token" not in shown


def test_every_token_is_learned_as_a_secret(task: Task) -> None:
    redact, masked = Redactor(), set[str]()
    tokens = task.tokens(redact=redact, mask=masked.add)
    tokens.renew(tokens.value())
    learned = {FIRST, "access-token-1", "rotated-refresh-token/1", "access-token-2", "rotated-refresh-token/2"}
    assert masked == learned
    assert redact(" ".join(sorted(learned))) == " ".join(["***"] * len(learned))
