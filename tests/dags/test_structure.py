"""The DAGs as Airflow parses them: which there are, what waits for what, and what people read in the UI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, RetryAction, TriggerRule

from tributary.channels import CHANNELS
from tributary.http import AuthError, QuotaSpent, RateLimited, VendorUnavailable
from tributary.operators.dbt import POKE_INTERVAL
from tributary.warehouse.errors import TooManyDeadLetters

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dags(manifest: Path) -> dict[str, DAG]:
    bag = DagBag(dag_folder=str(ROOT / "dags"))
    assert bag.import_errors == {}
    assert bag.dags, "an empty bag would pass every other test"
    return dict(bag.dags)


def test_one_ingestion_per_declared_channel(dags: dict[str, DAG]) -> None:
    assert {dag_id for dag_id in dags if dag_id.startswith("ingest_")} == {f"ingest_{c.name}" for c in CHANNELS}
    for channel in CHANNELS:
        assert dags[f"ingest_{channel.name}"].get_task("stream.sync").pool == channel.pool


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (QuotaSpent("225 requests a day are used", retry_after=7200), RetryAction.FAIL),
        (AuthError("HTTP 401"), RetryAction.FAIL),
        (TooManyDeadLetters("5 of 111"), RetryAction.FAIL),
        (RateLimited("HTTP 429", retry_after=17), RetryAction.DEFAULT),
        (VendorUnavailable("HTTP 503"), RetryAction.DEFAULT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.value,
)
def test_a_sync_is_tried_again_where_that_may_help(dags: dict[str, DAG], error: Exception, action: RetryAction) -> None:
    for channel in CHANNELS:
        sync = dags[f"ingest_{channel.name}"].get_task("stream.sync")
        assert sync.retry_policy.evaluate(error, 1, sync.retries).action == action


def test_transform_waits_for_any_channel(dags: dict[str, DAG]) -> None:
    schedule = str(dags["transform"].timetable.asset_condition)
    for channel in CHANNELS:
        assert f"raw_{channel.name}" in schedule


def test_transform_reads_like_a_sentence(dags: dict[str, DAG]) -> None:
    dag = dags["transform"]
    assert dag.get_task("merchant.gate").downstream_task_ids == {"merchant.publish"}
    assert dag.get_task("merchant.publish").downstream_task_ids == {"report_incident"}
    assert dag.get_task("report_incident").trigger_rule == TriggerRule.ALL_DONE


def test_what_is_stored_is_in_the_graph_and_one_task_builds_everything(dags: dict[str, DAG], manifest: Path) -> None:
    models = [node for node in json.loads(manifest.read_text())["nodes"].values() if node["resource_type"] == "model"]
    stored = {node["name"] for node in models if node["config"]["materialized"] == "table"}
    assert "fct_orders" in stored
    shown = {task_id for task_id in dags["transform"].task_ids if task_id.startswith("dbt.")}
    assert shown == {f"dbt.{name}_run" for name in stored} | {
        "dbt.dbt_producer_watcher",
        "dbt.dbt_producer_watcher_done",
    }
    producer = dags["transform"].get_task("dbt.dbt_producer_watcher")
    assert (producer.select, producer.exclude) == ("path:models", None)


def test_a_table_is_noticed_soon_after_dbt_has_built_it(dags: dict[str, DAG]) -> None:
    dag = dags["transform"]
    waiting = [task for task in dag.tasks if task.task_id.startswith("dbt.") and task.task_id.endswith("_run")]
    assert waiting
    assert {task.poke_interval for task in waiting} == {POKE_INTERVAL}
    heard = dag.get_task("dbt.dbt_producer_watcher")._make_parse_callable()
    # Without a context Cosmos would raise an error over a table.
    heard(json.dumps({"data": {"node_info": {"materialized": "view", "node_status": "success"}}}), None)


def test_no_dbt_test_runs_on_the_publishing_road(dags: dict[str, DAG]) -> None:
    assert not [task_id for task_id in dags["transform"].task_ids if "test" in task_id]


def test_every_dag_says_when_not_to_use_it(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert "do not use it" in (dag.doc_md or "").lower(), dag.dag_id


def test_one_active_run_so_that_builds_never_meet(dags: dict[str, DAG]) -> None:
    assert {dag.dag_id: dag.max_active_runs for dag in dags.values()} == dict.fromkeys(dags, 1)


def test_the_proof_never_touches_the_production_build(dags: dict[str, DAG]) -> None:
    models = [task for task in dags["housekeeping"].tasks if "_run" in task.task_id]
    assert models
    assert {task.env["TRIBUTARY_BUILD_SCHEMA"] for task in models} == {"proof"}
    assert dags["housekeeping"].get_task("proof.compare").downstream_task_ids == {"report_incident"}


def test_control_totals_wait_for_the_vendors_pool(dags: dict[str, DAG]) -> None:
    for channel in (channel for channel in CHANNELS if channel.totals is not None):
        assert dags["housekeeping"].get_task(f"control_totals_{channel.name}.compare").pool == channel.pool


def test_dead_letters_are_replayed_dry_unless_asked_otherwise(dags: dict[str, DAG]) -> None:
    params = dags["dead_letters"].params
    assert params["dry_run"] is True
    assert dags["dead_letters"].get_task("announce").upstream_task_ids == {"replay"}
