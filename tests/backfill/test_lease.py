"""The lease: one backfill at a time per merchant, all of its merchants or none, and nobody's without being alive."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.backfill.rows import asked, let_expire, schemas, told
from tests.warehouse.shop import add_merchants, merchant
from tributary.backfill import lease
from tributary.backfill.errors import LeaseLost, Refused
from tributary.backfill.state import load
from tributary.warehouse.leases import hold_days, leased_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.backfill.state import Backfill

    Connect = Callable[[], psycopg.Connection]

DAYS = [date(2026, 3, day) for day in (2, 3, 4)]
NOBODY = "00000000-0000-0000-0000-000000000000"
EXPIRED = "its lease expired in step request: its run was killed or lost"


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """As operators have it: a transaction is begun by whatever is asked first."""
    with psycopg.connect(warehouse_url) as connection:
        add_merchants(connection, merchant(), merchant("nordlicht", "Europe/Berlin"))
        connection.commit()
        yield connection


def held(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute("select merchant_id, backfill_id from ops.leases order by 1").fetchall()


def wait_for_lock(connect: Connect) -> None:
    """Until somebody waits for a lock that somebody else has."""
    with connect() as conn:
        query = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not conn.execute(query).fetchall():
            conn.rollback()


def test_holds_the_asked_days_of_all_its_merchants_and_opens_its_schema(conn: psycopg.Connection) -> None:
    backfill = asked(conn, "first", "nordlicht", "aurora")
    lease.take(conn, backfill)

    own = conn.execute("select merchant_id, holder, reason, days, expires_at > now() from ops.leases order by 1")
    assert own.fetchall() == [
        (merchant_id, "engineer", "Orders of the first week are missing.", DAYS, True)
        for merchant_id in ("aurora", "nordlicht")
    ]
    assert conn.execute(f"select count(*) from {backfill.build_schema}.scope").fetchone() == (0,)  # type: ignore[arg-type]
    assert leased_days(conn, "aurora", NOBODY) == DAYS
    assert leased_days(conn, "aurora", backfill.backfill_id) == []


def test_repeated_it_keeps_the_days_and_what_is_staged(conn: psycopg.Connection) -> None:
    backfill = asked(conn)
    lease.take(conn, backfill)
    conn.execute(f"create table {backfill.build_schema}.staged_orders ()")  # type: ignore[arg-type]
    hold_days(conn, backfill.backfill_id, "aurora", [*DAYS, date(2026, 3, 9)])
    conn.commit()
    let_expire(conn, backfill)

    lease.take(conn, backfill)
    assert leased_days(conn, "aurora", NOBODY) == [*DAYS, date(2026, 3, 9)]
    assert conn.execute("select to_regclass(%s)", (f"{backfill.build_schema}.staged_orders",)).fetchone() != (None,)


def test_a_rollback_holds_the_days_that_the_other_published(conn: psycopg.Connection) -> None:
    original = asked(conn)
    conn.execute(
        "insert into ops.publications (build_id, merchant_id, date_day, models, rows) "
        "values (%s, 'aurora', %s, '{}', 0)",
        (original.backfill_id, date(2026, 3, 20)),
    )
    rollback = asked(conn, "second", kind="rollback", mode="restore", restores=original.backfill_id)
    lease.take(conn, rollback)
    assert leased_days(conn, "aurora", NOBODY) == [*DAYS, date(2026, 3, 20)]


def test_a_second_is_refused_and_told_who_since_when_and_why(conn: psycopg.Connection, connect: Connect) -> None:
    first = asked(conn, "first", "nordlicht", requested_by="mia")
    lease.take(conn, first)
    conn.execute("update ops.leases set since = '2026-11-21 10:02:30+00'")
    second = asked(conn, "second", "aurora", "nordlicht")
    before = held(conn)
    with pytest.raises(Refused) as refused:
        lease.take(conn, second)
    conn.rollback()

    assert str(refused.value) == (
        "Refused (one backfill at a time per merchant): nordlicht is held by mia since 2026-11-21 10:02 UTC: Orders of "
        "the first week are missing. Trigger it again when that has ended (http://airflow/dags/backfill/runs/first)."
    )
    with connect() as other:
        assert held(other) == before
        assert told(other, second) == [("running", None), ("refused", str(refused.value))]
        assert load(other, second.backfill_id).status == "refused"
        assert schemas(other) == {first.build_schema}
    # A task that is tried again does not begin what the audit calls refused.
    conn.execute("delete from ops.leases")
    with pytest.raises(Refused):
        lease.take(conn, second)
    assert held(conn) == []


def test_what_expired_is_closed_and_taken_over_and_comes_too_late_itself(conn: psycopg.Connection) -> None:
    dead, second = asked(conn, "dead", "aurora", "nordlicht"), asked(conn, "second")
    lease.take(conn, dead)
    let_expire(conn, dead)
    lease.take(conn, second)

    assert held(conn) == [("aurora", second.backfill_id)]
    assert told(conn, dead) == [("running", None), ("failed", EXPIRED)]
    assert schemas(conn) == {second.build_schema}
    for step in (lease.check, lease.renew):
        with pytest.raises(LeaseLost, match=r"lease of aurora, nordlicht is lost: .* failed \(its lease expired"):
            step(conn, dead.backfill_id)
    with pytest.raises(LeaseLost, match="ended as failed"):
        lease.take(conn, dead)
    assert held(conn) == [("aurora", second.backfill_id)]


def test_it_is_alive_as_long_as_it_says_so(conn: psycopg.Connection) -> None:
    backfill = asked(conn, "first", "aurora", "nordlicht")
    lease.take(conn, backfill)
    lease.renew(conn, backfill.backfill_id, timedelta(hours=5))
    alive = "select bool_and(expires_at > now() + interval '4 hours') from ops.leases"
    assert conn.execute(alive).fetchone() == (True,)
    lease.check(conn, backfill.backfill_id)

    conn.execute("update ops.leases set expires_at = now() where merchant_id = 'nordlicht'")
    conn.commit()
    for step in (lease.check, lease.renew):
        with pytest.raises(LeaseLost, match="lease of nordlicht is lost: it expired"):
            step(conn, backfill.backfill_id)
    lease.release(conn, backfill.backfill_id)
    assert held(conn) == []


def test_of_those_that_want_the_same_merchants_at_once_one_gets_them(
    conn: psycopg.Connection, connect: Connect
) -> None:
    wanted = [
        asked(conn, str(number), *(("aurora", "nordlicht") if number % 2 else ("nordlicht", "aurora")))
        for number in range(6)
    ]
    conn.commit()
    begin = threading.Barrier(len(wanted))
    ended: dict[Any, str] = {}

    def run(backfill: Backfill) -> None:
        with connect() as own:
            begin.wait(20)
            try:
                lease.take(own, backfill)
                ended[backfill.backfill_id] = "running"
            except Refused:
                ended[backfill.backfill_id] = "refused"

    threads = [threading.Thread(target=run, args=(backfill,)) for backfill in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended.values()) == ["refused"] * 5 + ["running"]
    (winner,) = [backfill_id for backfill_id, status in ended.items() if status == "running"]
    assert held(conn) == [("aurora", winner), ("nordlicht", winner)]
    assert {each.backfill_id: load(conn, each.backfill_id).status for each in wanted} == ended


def test_a_publication_under_way_is_waited_for_and_later_ones_see_the_days(
    conn: psycopg.Connection, connect: Connect
) -> None:
    backfill = asked(conn)
    conn.commit()
    publishing = connect()
    assert leased_days(publishing, "aurora", NOBODY) == []

    def run() -> None:
        with connect() as own:
            lease.take(own, backfill)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for_lock(connect)
    assert held(conn) == []
    conn.rollback()
    publishing.commit()
    thread.join(60)
    assert leased_days(publishing, "aurora", NOBODY) == DAYS
    publishing.close()


def test_whoever_publishes_keeps_its_merchants_until_it_has(conn: psycopg.Connection, connect: Connect) -> None:
    first, second = asked(conn, "first"), asked(conn, "second")
    lease.take(conn, first)
    conn.commit()
    lease.check(conn, first.backfill_id)
    refusals = []

    def run() -> None:
        with connect() as own:
            try:
                lease.take(own, second)
            except Refused as refused:
                refusals.append(refused)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for_lock(connect)
    lease.release(conn, first.backfill_id)
    conn.commit()
    thread.join(60)
    assert (held(conn), refusals) == ([("aurora", second.backfill_id)], [])
