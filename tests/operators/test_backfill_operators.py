"""What the steps of a backfill leave behind: where it is, why it failed, and what people hear of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from tests.backfill.rows import asked, schemas, told
from tests.operators.airflow_run import AirflowRun
from tributary.backfill.errors import LeaseLost
from tributary.backfill.lease import take
from tributary.backfill.state import Backfill, load
from tributary.channels import CHANNELS
from tributary.operators.backfill.build import GateBackfillOperator, RereadOperator, TakeLeaseOperator
from tributary.operators.backfill.end import CloseBackfillOperator, PublishBackfillOperator
from tributary.operators.backfill.step import BackfillOperator, tell_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from airflow.sdk import Context

    from tests.operators.conftest import Messengers

AUDIT = "analytics-audit"


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection], messengers: Messengers) -> psycopg.Connection:
    conn = connect()
    conn.autocommit = True
    return conn


class Step(BackfillOperator):
    """Does what a test wants."""

    step = "scope"
    raises: ClassVar[Exception | None] = None

    def __init__(self, *, about: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.about = about

    def execute(self, context: Context) -> None:
        with self.entered(context, self.about):
            if self.raises:
                raise self.raises


def run(task: BackfillOperator, states: dict[str, str] | None = None) -> Any:
    dag = DAG("backfill")
    dag.add_task(task)
    return task.execute(AirflowRun(dag, "today", states or {}).context(task.task_id))


def step(monkeypatch: pytest.MonkeyPatch, raises: Exception | None, about: str = "") -> None:
    monkeypatch.setattr(Step, "raises", raises)
    task = Step(task_id="scope", about=about)
    if raises is None:
        run(task)
        return
    with pytest.raises(type(raises)):
        run(task)


def error(conn: psycopg.Connection, backfill: Backfill) -> str | None:
    return load(conn, backfill.backfill_id).error


def test_the_first_error_stays_until_its_own_step_is_tried_again(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, messengers: Messengers
) -> None:
    backfill = asked(conn, "today")
    step(monkeypatch, LeaseLost("it expired"), "aurora")
    step(monkeypatch, KeyError("because of it"), "nordlicht")
    assert error(conn, backfill) == "scope aurora: it expired"
    step(monkeypatch, None, "nordlicht")
    assert error(conn, backfill) == "scope aurora: it expired"
    step(monkeypatch, None, "aurora")
    assert error(conn, backfill) is None
    assert "(running: scope)" in messengers.said(AUDIT)[0]


def test_an_error_tells_no_secret_and_a_skip_is_none(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    backfill = asked(conn, "today")
    step(monkeypatch, AirflowSkipException("nothing to do"))
    assert error(conn, backfill) is None
    step(monkeypatch, RuntimeError("GET https://api.example/?access_token=tte5t0k3n failed"))
    assert error(conn, backfill) == "scope: RuntimeError: GET https://api.example/?*** failed"


def test_what_is_over_is_not_begun_again(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(conn, "today", status="failed", error="it was killed")
    step(monkeypatch, AirflowFailException())
    assert [status for (status,) in conn.execute("select step from ops.backfills")] == ["scope"]


def test_a_refused_attempt_is_told_and_one_that_left_no_record_is_not(
    conn: psycopg.Connection, messengers: Messengers
) -> None:
    context = AirflowRun(DAG("backfill"), "today").context("request")
    tell_refusal(context)
    assert messengers.said(AUDIT) == []
    asked(conn, "today", status="refused", error="Refused (production): ask an engineer", requested_by="analyst")
    tell_refusal(context)
    [head] = messengers.said(AUDIT)
    assert "(refused)" in head


def test_the_lease_skips_the_channels_that_are_not_read(conn: psycopg.Connection) -> None:
    chosen = CHANNELS[0].name
    backfill = asked(conn, "today", mode="reread", channels=[chosen])
    with DAG("backfill") as dag:
        lease = TakeLeaseOperator(task_id="lease")
        for channel in CHANNELS:
            lease >> RereadOperator.partial(task_id=channel.name, channel=channel.name).expand(merchant_id=["aurora"])
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        lease.execute(AirflowRun(dag, "today").context("lease"))
    assert set(skipped.value.tasks) == {channel.name for channel in CHANNELS} - {chosen}
    assert conn.execute("select merchant_id, backfill_id from ops.leases").fetchall() == [
        ("aurora", backfill.backfill_id)
    ]
    assert schemas(conn) == {backfill.build_schema}


def close(conn: psycopg.Connection, states: dict[str, str]) -> str:
    return str(run(CloseBackfillOperator(task_id="close"), states))


@pytest.mark.parametrize(
    ("known", "states", "why"),
    [
        ({"error": "gate aurora: negative"}, {"gate_0": "failed"}, "gate aurora: negative"),
        ({}, {"dbt.core.fct_orders": "failed", "scope": "success"}, "dbt: fct_orders failed, see the task's log"),
        ({"step": "publish"}, {"publish": "failed"}, "it was killed or cancelled in publish"),
        ({"step": "scope"}, {"scope": "skipped"}, "it was killed or cancelled in scope"),
    ],
)
def test_the_end_says_what_it_failed_of(
    conn: psycopg.Connection, messengers: Messengers, known: dict[str, str], states: dict[str, str], why: str
) -> None:
    backfill = asked(conn, "today")
    take(conn, backfill)
    for column, value in known.items():
        conn.execute(f"update ops.backfills set {column} = %s", (value,))
    with pytest.raises(AirflowFailException, match=why):
        close(conn, states)
    assert told(conn, backfill)[-1] == ("failed", why)
    assert conn.execute("select from ops.leases").fetchall() == []
    assert schemas(conn) == set()
    assert f"Failed: {why}" in messengers.said(AUDIT)[-1]


def test_a_dry_run_ends_well_and_so_does_what_somebody_rejected(
    conn: psycopg.Connection, messengers: Messengers
) -> None:
    backfill = asked(conn, "today", is_dry_run=True)
    conn.execute("update ops.backfills set compared_at = now()")
    assert close(conn, {"publish": "skipped"}) == "dry run"
    assert "nothing is published" in messengers.said(AUDIT)[-1]
    conn.execute("update ops.backfills set status = 'rejected', error = 'Rejected by manager'")
    assert close(conn, {"approve": "failed", "publish": "upstream_failed"}) == "rejected"
    assert [status for status, _ in told(conn, backfill)] == ["running", "dry run"]


def test_a_dry_run_never_publishes(conn: psycopg.Connection) -> None:
    asked(conn, "today", is_dry_run=True)
    with pytest.raises(AirflowSkipException):
        run(PublishBackfillOperator(task_id="publish"))


def test_a_publication_without_its_approval_is_refused_and_says_why(conn: psycopg.Connection) -> None:
    backfill = asked(conn, "today", needs_approval=True, compared_at="2026-03-05")
    with pytest.raises(Exception, match="was not approved"):
        run(PublishBackfillOperator(task_id="publish"))
    assert str(error(conn, backfill)).startswith("publish: Refused (approval): ")


def test_the_gates_sentence_is_what_it_failed_of(conn: psycopg.Connection) -> None:
    backfill = asked(conn, "today", mode="reread", channels=[CHANNELS[0].name])
    take(conn, backfill)
    with pytest.raises(AirflowFailException, match="aurora is held back: "):
        run(GateBackfillOperator(task_id="gate", schema=backfill.build_schema, merchant_id="aurora"))
    assert str(error(conn, backfill)).startswith("gate aurora: aurora is held back: ")
    judged = {name for (name,) in conn.execute("select distinct dataset from ops.check_results")}
    again = {f"{CHANNELS[0].name}_{stream.name}" for stream in CHANNELS[0].streams}
    assert {*again, "fct_revenue"} <= judged
    assert "fct_freshness" not in judged
    assert not {name for name in judged if name.startswith(CHANNELS[1].name)}
