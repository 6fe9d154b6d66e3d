"""A wrong model in a backfill: refused by the gate, unseen by readers, and told in one thread."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.backfill.kill_build import run_dbt
from tests.backfill.kill_estate import FIRST, PUBLISHED
from tests.backfill.kill_state import production_exactly
from tests.backfill.kill_world import REPROCESSED
from tests.operators.airflow_run import AirflowRun
from tests.operators.conftest import Messengers
from tributary.operators.backfill.build import GateBackfillOperator
from tributary.operators.backfill.end import CloseBackfillOperator, PublishBackfillOperator
from tributary.paths import DBT_PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.backfill.kill_estate import Estate
    from tributary.operators.backfill.step import BackfillOperator

RIGHT = "{{ revenue_of_order('joined') }} as revenue"
WRONG = "-1 * ({{ revenue_of_order('joined') }}) as revenue"
REASON = "fct_daily_metrics: Revenue of a closed day is not negative"


@pytest.fixture(scope="module")
def slack() -> Iterator[str]:
    today = datetime.now(UTC)
    with serve(create_app(Settings(first_day=today.date() - timedelta(days=1), frozen_at=today))) as url:
        yield url


@pytest.fixture
def url(estate: Estate, slack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A warehouse in which a backfill has found its days, as Airflow's tasks reach it; nobody has heard of it yet."""
    with estate.after("scope first") as url:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url)
        messengers = Messengers(slack, monkeypatch)
        messengers.connect()
        messengers.forget()
        yield url


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project with one mistake in one model."""
    project = tmp_path_factory.mktemp("wrong") / "dbt"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    model = project / "models" / "marts" / "core" / "fct_orders.sql"
    written = model.read_text()
    assert written.count(RIGHT) == 1
    model.write_text(written.replace(RIGHT, WRONG))
    return project


def perform(task: BackfillOperator, **states: str) -> Any:
    """A task of the run, in the states of the others."""
    dag = DAG(FIRST.dag_id)
    dag.add_task(task)
    return task.execute(AirflowRun(dag, FIRST.name, states).context(task.task_id))


def gate(merchant_id: str) -> Any:
    return perform(GateBackfillOperator(task_id="gate", schema=FIRST.schema, merchant_id=merchant_id))


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(statement.encode()).fetchall()


def messages(slack: str) -> list[dict[str, Any]]:
    return list(requests.get(f"{slack}/_admin/slack/messages", timeout=20).json())


def test_the_right_models_pass(estate: Estate, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with estate.after("build first") as built:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", built)
        for merchant_id in REPROCESSED:
            assert gate(merchant_id)["checks"] > 100


def test_a_wrong_model_is_refused_by_the_gate_and_readers_never_see_it(
    estate: Estate, url: str, slack: str, wrong: Path, tmp_path: Path
) -> None:
    run_dbt(url, tmp_path / "target", FIRST.schema, FIRST.schema, wrong)
    assert query(url, f"select bool_and(revenue < 0) from {FIRST.schema}.fct_orders") == [(True,)]

    for merchant_id in REPROCESSED:
        with pytest.raises(AirflowFailException, match=f"{merchant_id} is held back: {REASON}"):
            gate(merchant_id)
    assert production_exactly(url) == estate.shown_exactly(PUBLISHED)
    with pytest.raises(AirflowFailException):
        perform(CloseBackfillOperator(task_id="close"), gate_0="failed", gate_1="failed")

    assert production_exactly(url) == estate.shown_exactly(PUBLISHED)
    ((status, error),) = query(url, "select status, error from audit.backfills")
    assert status == "failed"
    assert REASON in error
    assert query(url, "select status from audit.backfill_events order by event_id") == [("running",), ("failed",)]
    assert query(url, "select * from ops.leases") == []
    assert query(url, "select nspname from pg_namespace where nspname like 'backfill\\_%'") == []

    told = messages(slack)
    (head,) = [message for message in told if not message.get("thread_ts")]
    assert head["channel"] == "analytics-audit"
    assert "failed" in head["text"]
    assert [REASON in message["text"] for message in told if message.get("thread_ts") == head["ts"]] == [True]

    # Whoever clears the task of the publication publishes nothing, and the next one begins.
    with pytest.raises(AirflowFailException, match=r"is over \(failed\)"):
        perform(PublishBackfillOperator(task_id="publish"))
    assert production_exactly(url) == estate.shown_exactly(PUBLISHED)
    estate.run(url, "request second", "lease second")
