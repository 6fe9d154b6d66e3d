"""The last task of a DAG: people hear of what is wrong once and of its end, and the run is as red as its work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from tests.operators.airflow_run import AirflowRun
from tributary.operators.failure import fail_as_recorded
from tributary.operators.incident import ReportIncidentOperator
from tributary.operators.ingest import SyncOperator
from tributary.quality.finding import Finding, Ran, record

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.operators.conftest import Messengers

INCIDENTS, MONITORING = "analytics-incidents", "analytics-monitoring"
NEGATIVE = Finding("fct_orders", "No order is negative", None, "fail", "failed", "1", "must be: 0", "Mend it.")
WELL = Finding("fct_orders", "No order is negative", None, "fail", "passed", "0", "must be: 0")


class Gate(BaseOperator):
    """Records what it is given, as a gate does."""

    def judge(self, conn: psycopg.Connection, run: AirflowRun, finding: Finding, index: int = 0) -> None:
        record(conn, Ran(run.dag.dag_id, run.run_id), "aurora", [finding])
        conn.commit()
        if finding.is_blocking:
            run.states[f"gate_{index}"] = "failed"
            with pytest.raises(AirflowFailException):
                fail_as_recorded(run.context(self.task_id, index), finding.sentence())


@pytest.fixture(scope="module")
def dag() -> DAG:
    with DAG("transform") as dag:
        syncs: Any = {"channel": "shop", "merchant_id": "aurora", "connection": "shop", "history_start": "2026-01-01"}
        [Gate(task_id="gate"), SyncOperator(task_id="sync", stream="orders", **syncs)] >> (
            ReportIncidentOperator(task_id="report_incident", channel="shop")
        )
    return dag


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    return connect()


def report(run: AirflowRun) -> None:
    run.dag.get_task("report_incident").execute(run.context("report_incident"))


def judged(conn: psycopg.Connection, dag: DAG, run_id: str, finding: Finding) -> AirflowRun:
    run = AirflowRun(dag, run_id, {"gate_0": "success"})
    dag.get_task("gate").judge(conn, run, finding)
    return run


def unread(conn: psycopg.Connection, error: str) -> None:
    conn.execute(
        """
        insert into ops.syncs (
            sync_id, merchant_id, channel, stream, window_start, window_end, status, started_at, error
        )
        values (%s, 'aurora', 'shop', 'orders', now(), now(), 'failed', clock_timestamp(), %s)
        """,
        (uuid4(), error),
    )
    conn.commit()


@pytest.mark.parametrize("is_there", [True, False], ids=["they answer", "they do not"])
def test_a_run_is_as_red_as_its_work_whether_anybody_hears_or_not(
    conn: psycopg.Connection, dag: DAG, messengers: Messengers, is_there: bool
) -> None:
    messengers.connect(slack=is_there, pagerduty=is_there)
    with pytest.raises(AirflowFailException, match=r"^aurora: fct_orders: No order is negative$"):
        report(judged(conn, dag, "first", NEGATIVE))
    assert len(messengers.said(INCIDENTS)) == is_there
    report(judged(conn, dag, "second", WELL))
    assert conn.execute("select status from ops.incidents").fetchall() == [("resolved",)]

    messengers.connect()
    report(AirflowRun(dag, "third"))
    told, over = messengers.said(INCIDENTS)
    assert "aurora" in told
    assert "Resolved" in over
    assert messengers.alerts() == ["resolved"]


@pytest.mark.parametrize("connection", [None, '{"conn_type": "pagerduty_events"}'], ids=["none", "without a key"])
def test_who_has_no_pager_is_not_paged_later_either(
    conn: psycopg.Connection,
    dag: DAG,
    messengers: Messengers,
    monkeypatch: pytest.MonkeyPatch,
    connection: str | None,
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_PAGERDUTY")
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_PAGERDUTY", connection)
    with pytest.raises(AirflowFailException):
        report(judged(conn, dag, "first", NEGATIVE))
    messengers.connect()
    report(AirflowRun(dag, "second"))
    assert (len(messengers.said(INCIDENTS)), messengers.alerts()) == (1, [])


def test_a_warning_is_said_and_the_run_is_green(conn: psycopg.Connection, dag: DAG, messengers: Messengers) -> None:
    report(judged(conn, dag, "first", Finding("fct_orders", "As many as ever", None, "warn", "warned", "1", "2")))
    assert (len(messengers.said(MONITORING)), messengers.said(INCIDENTS), messengers.alerts()) == (1, [], [])


@pytest.mark.parametrize(
    ("error", "is_red"), [("QuotaSpent: used up until noon.", False), ("AuthError: HTTP 401", True)]
)
def test_a_channel_that_was_not_read_is_a_warning_and_red_unless_nobody_can_help(
    conn: psycopg.Connection, dag: DAG, messengers: Messengers, error: str, is_red: bool
) -> None:
    run = AirflowRun(dag, "first", {"sync": "failed", "gate": "upstream_failed"})
    unread(conn, error)
    if is_red:
        with pytest.raises(AirflowFailException, match=r"^aurora: shop: Every stream was read$"):
            report(run)
    else:
        report(run)
    (said,) = messengers.said(MONITORING)
    assert error in said
    assert messengers.said(INCIDENTS) == []


def test_who_is_held_back_by_an_earlier_run_keeps_this_one_red_without_another_incident(
    conn: psycopg.Connection, dag: DAG, messengers: Messengers
) -> None:
    run = judged(conn, dag, "first", NEGATIVE)
    record(conn, Ran("transform", "first"), "aurora", [WELL])
    conn.commit()
    with pytest.raises(AirflowFailException, match=r"^for a reason of an earlier run: gate_0$"):
        report(run)
    assert messengers.said(INCIDENTS) == []


def test_a_task_that_failed_without_a_word_is_told_beside_one_that_left_its_reason(
    conn: psycopg.Connection, dag: DAG, messengers: Messengers
) -> None:
    run = judged(conn, dag, "first", NEGATIVE)
    run.states |= {"gate_1": "failed", "sync": "failed"}
    with pytest.raises(AirflowFailException, match="all: transform: The run ended well"):
        report(run)
    incidents = conn.execute("select merchant_id, what from ops.incidents order by merchant_id").fetchall()
    assert incidents == [("aurora", "measured 1, must be: 0"), (None, "failed: gate_1, sync")]


def test_a_warehouse_that_does_not_answer_is_named_and_slack_is_left_alone(
    dag: DAG, messengers: Messengers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://nobody:secret@127.0.0.1:9/none")
    with pytest.raises(AirflowFailException, match="The warehouse does not answer") as failure:
        report(AirflowRun(dag, "first", {"gate": "failed"}))
    assert "secret" not in str(failure.value)
    assert messengers.said(INCIDENTS) == []
