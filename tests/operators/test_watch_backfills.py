"""Backfills that wait for somebody become warnings, and end with the answer; the dead are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG

from tests.backfill.rows import asked, let_expire, told
from tests.operators.airflow_run import AirflowRun
from tributary.backfill import audit, lease
from tributary.operators.backfill.watch import ANSWERED, CLOSED, WatchBackfillsOperator
from tributary.operators.housekeeping import ExpireOperator
from tributary.operators.incident import ReportIncidentOperator
from tributary.paths import MERCHANTS
from tributary.warehouse.settings.merchants import apply_merchants, load_merchants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tests.operators.conftest import Messengers

MERCHANT, OTHER, *_ = [merchant.merchant_id for merchant in load_merchants(MERCHANTS)]
MONITORING = "analytics-monitoring"
DIED = "its lease expired in step dbt: its run was killed or lost"


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> Iterator[psycopg.Connection]:
    with connect() as conn:
        conn.autocommit = True
        apply_merchants(conn, load_merchants(MERCHANTS))
        yield conn


@pytest.fixture
def watch(messengers: Messengers) -> Callable[[str], None]:
    with DAG("watch") as dag:
        backfills = WatchBackfillsOperator(task_id="backfills")
        report = ReportIncidentOperator(task_id="report_incident")

    def run(run_id: str) -> None:
        context = AirflowRun(dag, run_id, {"backfills": "success"})
        backfills.execute(context.context("backfills"))
        report.execute(context.context("report_incident"))

    return run


def incidents(conn: psycopg.Connection) -> list[tuple[str, str, str, str]]:
    query = "select merchant_id, check_name, severity, status from ops.incidents order by incident_id"
    return conn.execute(query).fetchall()


def test_an_approval_that_nobody_gives_is_a_warning_until_it_is_given(
    conn: psycopg.Connection, watch: Callable[[str], None], messengers: Messengers
) -> None:
    backfill = asked(conn, "first", MERCHANT, requested_by="mia", needs_approval=True)
    audit.move(conn, backfill.backfill_id, "waiting")
    watch("at once")
    assert incidents(conn) == []

    # Two hours go by; only a superuser may change the audit.
    conn.execute("update audit.backfill_events set recorded_at = recorded_at - interval '2 hours'")
    watch("later")
    watch("later still")
    assert incidents(conn) == [(MERCHANT, ANSWERED, "warning", "open")]
    (said,) = messengers.said(MONITORING)
    for word in (MERCHANT, backfill.short, "mia", "Required Actions", "backfill_process"):
        assert word in said

    audit.move(conn, backfill.backfill_id, "rejected")
    watch("answered")
    assert incidents(conn) == [(MERCHANT, ANSWERED, "warning", "resolved")]


def test_the_dead_are_closed_and_their_story_is_told(
    conn: psycopg.Connection, watch: Callable[[str], None], messengers: Messengers
) -> None:
    dead = asked(conn, "dead", MERCHANT, step="dbt")
    alive = asked(conn, "alive", OTHER)
    for each in (dead, alive):
        lease.take(conn, each)
    let_expire(conn, dead)
    watch("now")
    assert (told(conn, dead)[1:], told(conn, alive)[1:]) == ([("failed", DIED)], [])
    assert conn.execute("select merchant_id from ops.leases").fetchall() == [(OTHER,)]
    assert incidents(conn) == []
    head, *_ = messengers.said("analytics-audit")
    assert dead.short in head
    assert DIED in head


def test_a_lease_that_cannot_be_closed_is_a_warning_until_it_is(
    conn: psycopg.Connection, connect: Callable[[], psycopg.Connection], watch: Callable[[str], None]
) -> None:
    backfill = asked(conn, "dead", MERCHANT)
    lease.take(conn, backfill)
    conn.execute("update ops.leases set expires_at = now() - interval '31 minutes'")
    with connect() as stuck:
        stuck.execute("select from ops.leases for update")
        watch("stuck")
        assert incidents(conn) == [(MERCHANT, CLOSED, "warning", "open")]
    watch("free")
    assert incidents(conn) == [(MERCHANT, CLOSED, "warning", "resolved")]
    assert told(conn, backfill)[-1][0] == "failed"


def test_housekeeping_sweeps_too(conn: psycopg.Connection, messengers: Messengers) -> None:
    dead = asked(conn, "dead", MERCHANT, step="dbt")
    lease.take(conn, dead)
    let_expire(conn, dead)
    with DAG("housekeeping"):
        ExpireOperator(task_id="expire").execute({})
    assert told(conn, dead)[1:] == [("failed", DIED)]
    queued = conn.execute("select body ->> 'text' from ops.messages where thread_id is null").fetchall()
    assert [DIED in text for (text,) in queued] == [True]
