"""Who may say yes to a backfill, what is kept of the answer, and what no answer means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput

from tests.backfill.rows import asked, told
from tests.operators.airflow_run import AirflowRun
from tributary.backfill.errors import Refused
from tributary.backfill.lease import take
from tributary.backfill.state import Backfill, load
from tributary.operators.backfill.approval import ApproveBackfillOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.operators.conftest import Messengers

AUDIT = "analytics-audit"


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection], messengers: Messengers) -> psycopg.Connection:
    conn = connect()
    conn.autocommit = True
    return conn


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Airflow's API server is asked to show; the server is Airflow's."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **question: shown.append(question)
    )
    return shown


def waiting(conn: psycopg.Connection, **changed: Any) -> Backfill:
    """One that holds its lease and has come to its approval."""
    backfill = asked(conn, "today", **{"needs_approval": True, **changed})
    take(conn, backfill)
    conn.execute("update ops.backfills set compared_at = now()")
    return backfill


def approval() -> tuple[ApproveBackfillOperator, Any]:
    with DAG("backfill") as dag:
        task = ApproveBackfillOperator(task_id="approve", shown_by="difference")
    context = AirflowRun(dag, "today").context("approve")
    context["task_instance"] = SimpleNamespace(id=uuid4())
    return task, context


def answer(option: str, user: str | None) -> None:
    task, context = approval()
    event = {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": user, "name": user} if user else None,
    }
    task.execute_complete(context, event)


def ask() -> Any:
    task, context = approval()
    return task.execute(context)


@pytest.mark.parametrize("changed", [{"needs_approval": False}, {"is_dry_run": True}])
def test_nobody_is_asked_where_nobody_has_to(
    conn: psycopg.Connection, asks: list[dict[str, Any]], changed: dict[str, Any]
) -> None:
    backfill = waiting(conn, **changed)
    with pytest.raises(AirflowSkipException):
        ask()
    assert asks == []
    assert load(conn, backfill.backfill_id).status == "running"
    assert load(conn, backfill.backfill_id).error is None


def test_the_managers_are_asked_and_the_merchants_held_until_after_their_time(
    conn: psycopg.Connection, asks: list[dict[str, Any]], messengers: Messengers
) -> None:
    backfill = waiting(conn)
    with pytest.raises(TaskAwaitingInput) as parked:
        ask()
    assert parked.value.timeout == timedelta(hours=4)
    [question] = asks
    assert question["assigned_users"] == [{"id": "manager", "name": "manager"}]
    assert question["defaults"] == ["Reject"]
    assert f"Backfill {backfill.short}: aurora" in question["subject"]
    [(held,)] = conn.execute("select expires_at - now() from ops.leases").fetchall()
    assert timedelta(hours=4, minutes=29) < held < timedelta(hours=4, minutes=31)
    assert [status for status, _ in told(conn, backfill)] == ["running", "waiting"]
    _, waits = messengers.said(AUDIT)
    assert "/tasks/approve/required_actions" in waits


def test_a_manager_never_approves_what_they_asked_for(conn: psycopg.Connection, asks: list[dict[str, Any]]) -> None:
    waiting(conn, requested_by="manager", role="manager")
    with pytest.raises(Refused, match="there is no other manager"):
        ask()
    assert asks == []


def test_an_approval_is_on_record_and_is_not_asked_for_again(
    conn: psycopg.Connection, asks: list[dict[str, Any]], messengers: Messengers
) -> None:
    backfill = waiting(conn)
    with pytest.raises(TaskAwaitingInput):
        ask()
    answer("Approve", "manager")
    approved = load(conn, backfill.backfill_id)
    assert (approved.status, approved.approved_by) == ("running", "manager")
    events = conn.execute("select status, approved_by from audit.backfill_events order by event_id").fetchall()
    assert events == [("running", None), ("waiting", None), ("running", "manager")]
    assert messengers.said(AUDIT)[-1] == ":thumbsup: Approved by manager."
    # The worker was killed before Airflow knew of its end.
    ask()
    assert len(asks) == 1


@pytest.mark.parametrize(
    ("option", "user", "status", "why"),
    [
        ("Reject", "manager", "rejected", "Rejected by manager"),
        ("Reject", None, "expired", "Nobody approved it within 4 hours"),
        ("Approve", "engineer", "rejected", "engineer approved it, which only a manager may who did not ask for it"),
        ("Approve", "viewer", "rejected", "viewer approved it, which only a manager may who did not ask for it"),
    ],
)
def test_anything_else_ends_it(
    conn: psycopg.Connection,
    asks: list[dict[str, Any]],
    messengers: Messengers,
    option: str,
    user: str | None,
    status: str,
    why: str,
) -> None:
    backfill = waiting(conn)
    with pytest.raises(TaskAwaitingInput):
        ask()
    with pytest.raises(AirflowFailException, match=why):
        answer(option, user)
    assert told(conn, backfill)[-1] == (status, why)
    assert load(conn, backfill.backfill_id).approved_by is None
    assert why in messengers.said(AUDIT)[-1]
    # Tried again or cleared, it stays so.
    with pytest.raises(AirflowFailException, match="is over"):
        ask()
    assert len(asks) == 1
