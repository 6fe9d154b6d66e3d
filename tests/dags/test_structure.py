"""The DAGs as Airflow parses them: which there are, what waits for what, and what people read in the UI."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, RetryAction, TaskGroup, TriggerRule
from airflow.sdk.exceptions import ParamValidationError

from tributary.backfill.errors import LeaseLost, NotEqual, Overtaken, Refused
from tributary.channels import CHANNELS
from tributary.http import AuthError, QuotaSpent, RateLimited, VendorUnavailable
from tributary.operators.dbt import POKE_INTERVAL
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.model_docs import Project, read_project

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


def test_every_dag_that_runs_by_itself_ends_in_its_report(dags: dict[str, DAG]) -> None:
    scheduled = {dag_id for dag_id, dag in dags.items() if dag.schedule is not None}
    assert scheduled == {"transform", "housekeeping", "watch", *(f"ingest_{channel.name}" for channel in CHANNELS)}
    for dag_id in scheduled:
        report = dags[dag_id].get_task("report_incident")
        assert report.trigger_rule == TriggerRule.ALL_DONE
        assert {*report.get_flat_relative_ids(upstream=True), "report_incident"} == set(dags[dag_id].task_ids)
        assert report.channel == (dag_id.removeprefix("ingest_") if dag_id.startswith("ingest_") else None)


def test_freshness_is_watched_every_ten_minutes(dags: dict[str, DAG]) -> None:
    dag = dags["watch"]
    assert (dag.schedule, dag.max_active_runs, dag.catchup) == ("*/10 * * * *", 1, False)
    assert dag.get_task("freshness").downstream_task_ids == {"backfills"}
    assert dag.get_task("backfills").downstream_task_ids == {"report_incident"}


def test_what_is_found_in_raw_holds_back_in_transform(dags: dict[str, DAG]) -> None:
    gate = dags["transform"].get_task("merchant.gate")
    assert (gate.contracts, gate.after) == (MART_CONTRACTS, RAW_CONTRACTS)


def test_a_mute_is_asked_for_by_number_for_a_while_and_with_a_reason(dags: dict[str, DAG]) -> None:
    params = dags["mute_incident"].params
    params["incident"], params["reason"] = 12, "Ticket 4711"
    params.validate()
    for name, refused in (("incident", "twelve"), ("incident", 0), ("hours", 5), ("reason", "for ann@example.com")):
        with pytest.raises(ParamValidationError):
            params[name] = refused
    schema = params.get_param("hours").schema
    assert schema["enum"] == list(schema["values_display"]) == [1, 4, 24, 72, 168, 0]


@pytest.fixture(scope="module")
def project(manifest: Path) -> Project:
    return read_project(manifest)


MODELS = {"transform": "dbt", "housekeeping": "proof.dbt", "backfill": "dbt"}
"""The group of the models in each DAG that builds them."""


def models_of(dag: DAG) -> TaskGroup:
    return dag.task_group.get_task_group_dict()[MODELS[dag.dag_id]]


@pytest.mark.parametrize("dag_id", MODELS)
def test_each_table_is_a_task_in_the_group_of_its_folder(dags: dict[str, DAG], project: Project, dag_id: str) -> None:
    drawn_in = project.groups()
    expected = {f"{MODELS[dag_id]}.{drawn_in[table.unique_id]}.{table.name}": table.name for table in project.tables}
    assert {"dbt.core.fct_orders", "dbt.metrics.fct_revenue"} <= {task.removeprefix("proof.") for task in expected}
    shown = {task.task_id: task.label for task in models_of(dags[dag_id])}
    machinery = {f"{MODELS[dag_id]}.dbt_producer_watcher", f"{MODELS[dag_id]}.dbt_producer_watcher_done"}
    assert {task_id: name for task_id, name in shown.items() if task_id not in machinery} == expected


@pytest.mark.parametrize("dag_id", MODELS)
def test_one_task_builds_everything_and_tells_the_views(dags: dict[str, DAG], project: Project, dag_id: str) -> None:
    producer = models_of(dags[dag_id]).children[f"{MODELS[dag_id]}.dbt_producer_watcher"]
    assert (producer.select, producer.exclude, producer.task_display_name) == ("path:models", None, "dbt build")
    views = {model.name for model in project.models.values() if not model.is_table}
    assert "int_orders" in views
    assert {view for view in views if f"`{view}`" not in producer.doc_md} == set()


@pytest.mark.parametrize("dag_id", MODELS)
def test_a_table_waits_for_the_tables_that_it_reads(dags: dict[str, DAG], project: Project, dag_id: str) -> None:
    tasks = {task.label: task for task in models_of(dags[dag_id])}
    for table in project.tables:
        read = {project.models[unique_id].name for unique_id in project.tables_read(table)}
        assert {task.label for task in tasks[table.name].upstream_list} & tasks.keys() == read


def test_airflow_can_put_every_group_in_order(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        for group in dag.task_group.get_task_group_dict().values():
            assert len(group.topological_sort()) == len(group.children), group.group_id


def test_the_graph_explains_itself(dags: dict[str, DAG], project: Project) -> None:
    dag = dags["transform"]
    models = models_of(dag)
    assert "the group of the models, `dbt`" in (dag.doc_md or "")
    assert project.definitions in (models.doc_md or "")
    orders = next(table for table in project.tables if table.name == "fct_orders")
    task = dag.get_task("dbt.core.fct_orders")
    assert orders.description in task.doc_md
    assert {
        column.name for column in orders.columns if f"| `{column.name}` {column.data_type} |" not in task.doc_md
    } == set()
    assert "(dags/transform/tasks/group/dbt)" in task.doc_md
    assert f"`fct_orders`: {orders.description}" in models.children["dbt.core"].doc_md


@pytest.mark.parametrize("dag_id", MODELS)
def test_a_table_is_noticed_soon_after_dbt_has_built_it(dags: dict[str, DAG], dag_id: str) -> None:
    tasks = [task for task in models_of(dags[dag_id]) if "watcher" not in task.task_id]
    assert tasks
    assert {task.poke_interval for task in tasks} == {POKE_INTERVAL}
    assert {task.producer_task_id for task in tasks} == {f"{MODELS[dag_id]}.dbt_producer_watcher"}
    heard = dags[dag_id].get_task(f"{MODELS[dag_id]}.dbt_producer_watcher")._make_parse_callable()
    # Without a context Cosmos would raise an error over a table.
    heard(json.dumps({"data": {"node_info": {"materialized": "view", "node_status": "success"}}}), None)


def test_no_dbt_test_runs_on_the_publishing_road(dags: dict[str, DAG]) -> None:
    assert not [task_id for task_id in dags["transform"].task_ids if "test" in task_id]


def test_every_dag_says_when_not_to_use_it(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert "do not use it" in (dag.doc_md or "").lower(), dag.dag_id


def test_one_active_run_so_that_builds_never_meet(dags: dict[str, DAG]) -> None:
    # Backfills build in a schema of their own each, and a second one of a merchant is refused instead of queued.
    several = dict.fromkeys(("backfill", "rollback_backfill"), 8)
    assert {dag.dag_id: dag.max_active_runs for dag in dags.values()} == dict.fromkeys(dags, 1) | several


def test_the_proof_never_touches_the_production_build(dags: dict[str, DAG]) -> None:
    models = [task for task in models_of(dags["housekeeping"]) if hasattr(task, "env")]
    assert models
    assert {task.env["TRIBUTARY_BUILD_SCHEMA"] for task in models} == {"proof"}
    assert dags["housekeeping"].get_task("proof.compare").downstream_task_ids == {"report_incident"}


def test_dbts_tests_run_over_what_the_proof_has_built(dags: dict[str, DAG]) -> None:
    dag = dags["housekeeping"]
    tests = dag.get_task("proof.dbt_tests")
    assert tests.env["TRIBUTARY_BUILD_SCHEMA"] == "proof"
    assert tests.upstream_task_ids == dag.get_task("proof.compare").upstream_task_ids
    assert "report_incident" in tests.downstream_task_ids
    assert "report_incident" in dag.get_task("source_freshness").downstream_task_ids


STEPS = ("request", "plan", "lease", "scope", "gate", "difference", "approve", "publish", "close")


def test_a_backfill_reads_like_a_sentence(dags: dict[str, DAG]) -> None:
    dag = dags["backfill"]
    for before, after in pairwise(STEPS):
        assert before in dag.get_task(after).get_flat_relative_ids(upstream=True), (before, after)
    reads = [f"reread.{channel.name}" for channel in CHANNELS]
    assert dag.get_task("lease").downstream_task_ids == set(reads)
    assert [dag.get_task(read).pool for read in reads] == [channel.pool for channel in CHANNELS]
    assert dag.get_task("scope").upstream_task_ids == set(reads)
    assert dags["rollback_backfill"].task_ids == ["request", "lease", "preview", "approve", "restore", "close"]


@pytest.mark.parametrize("dag_id", ["backfill", "rollback_backfill"])
def test_whatever_becomes_of_it_its_end_is_recorded_when_nothing_is_at_work_any_more(
    dags: dict[str, DAG], dag_id: str
) -> None:
    dag = dags[dag_id]
    close = dag.get_task("close")
    assert close.is_teardown
    assert close.trigger_rule == TriggerRule.ALL_DONE_SETUP_SUCCESS
    assert [task.task_id for task in dag.tasks if task.is_setup] == ["request"]
    # A task that fails lets all after it fail at once, while its neighbours go on.
    neighbours = {task.task_id for task in dag.tasks if task.task_id.startswith(("reread.", "gate"))}
    ends = {task.task_id for task in dag.tasks if task.downstream_task_ids <= {"close", "gate"}} - {"close"}
    assert neighbours | ends <= close.upstream_task_ids
    # What was rejected is skipped by nobody's rule: only what is not needed is.
    skips = {"scope", "publish", "restore"} & set(dag.task_ids)
    assert {dag.get_task(task_id).trigger_rule for task_id in skips} == {TriggerRule.NONE_FAILED}


class Instance(NamedTuple):
    """What Airflow looks at of a task's instance."""

    task_id: str
    state: str


@pytest.mark.parametrize(("dag_id", "last"), [("backfill", "publish"), ("rollback_backfill", "restore")])
def test_a_run_fails_when_nothing_could_be_published_however_well_it_was_closed(
    dags: dict[str, DAG], dag_id: str, last: str
) -> None:
    dag = dags[dag_id]
    instances = {Instance(task_id, "any") for task_id in dag.task_ids}
    deciding = DagRun(dag_id=dag_id)._tis_for_dagrun_state(dag=dag, tis=instances)
    assert {instance.task_id for instance in deciding} == {last}
    # It fails with whatever fails before it.
    before = dag.get_task(last).get_flat_relative_ids(upstream=True)
    assert before == set(dag.task_ids) - {last, "close"}


def test_a_backfill_builds_in_its_own_schema_over_its_own_view_of_raw(dags: dict[str, DAG]) -> None:
    models = [task for task in models_of(dags["backfill"]) if getattr(task, "env", None)]
    assert len(models) > 20
    own = "{{ ti.xcom_pull(task_ids='request')['schema'] }}"
    for task in models:
        assert task.env == {"TRIBUTARY_BUILD_SCHEMA": own, "TRIBUTARY_RAW_SCHEMA": own}
        assert "env" in task.template_fields
    assert dags["backfill"].get_task("gate").partial_kwargs["schema"] == own


def test_a_backfill_is_asked_for_by_known_names_days_and_a_reason(dags: dict[str, DAG], project: Project) -> None:
    params = dags["backfill"].params
    assert params["dry_run"] is True
    filled = {"merchants": ["aurora"], "start_date": "2026-03-01", "end_date": "2026-03-08", "reason": "Ticket 4711"}
    for name, value in filled.items():
        params[name] = value
    params.validate()
    wrong: list[tuple[str, Any]] = [
        ("merchants", []),
        ("merchants", ["nobody"]),
        ("channels", ["nobody"]),
        ("models", ["int_orders"]),
        ("start_date", "yesterday"),
        ("mode", "guess"),
        ("reason", "short"),
        ("reason", "for ann@example.com"),
    ]
    for name, refused in wrong:
        with pytest.raises(ParamValidationError):
            params[name] = refused
    assert "fct_revenue" in params.get_param("models").schema["items"]["enum"]
    params = dags["rollback_backfill"].params
    assert params["dry_run"] is True
    for refused in ("", "1a2b3c4d5e6f", "'; drop table"):
        with pytest.raises(ParamValidationError):
            params["backfill_id"] = refused
    params["backfill_id"], params["reason"] = "1a2b3c4d-0000-5000-8000-1a2b3c4d5e6f", "Ticket 4711"
    params.validate()


@pytest.mark.parametrize("error", [Refused("a rule", "why", "remedy"), LeaseLost(), Overtaken(), NotEqual()])
def test_what_asking_again_cannot_mend_is_not_tried_again(dags: dict[str, DAG], error: Exception) -> None:
    for step in ("lease", "publish"):
        task = dags["backfill"].get_task(step)
        assert task.retry_policy.evaluate(error, 1, task.retries).action == RetryAction.FAIL


def test_control_totals_wait_for_the_vendors_pool(dags: dict[str, DAG]) -> None:
    for channel in (channel for channel in CHANNELS if channel.totals is not None):
        assert dags["housekeeping"].get_task(f"control_totals_{channel.name}.compare").pool == channel.pool


def test_dead_letters_are_replayed_dry_unless_asked_otherwise(dags: dict[str, DAG]) -> None:
    params = dags["dead_letters"].params
    assert params["dry_run"] is True
    assert dags["dead_letters"].get_task("announce").upstream_task_ids == {"replay"}


def test_nobody_is_erased_unless_asked_for_by_a_key(dags: dict[str, DAG]) -> None:
    dag = dags["erase_customer"]
    params = dag.params
    assert params["dry_run"] is True
    assert dag.get_task("announce").upstream_task_ids == {"erase"}
    params["merchant_id"], params["reason"], params["customer_key"] = "aurora", "Ticket 4711", "0" * 64
    params.validate()
    for name, refused in (("customer_key", "ann@example.com"), ("reason", "for ann@example.com"), ("reason", "short")):
        with pytest.raises(ParamValidationError):
            params[name] = refused


def test_people_are_masked_before_the_proof_reads_them(dags: dict[str, DAG]) -> None:
    assert "personal_data" in dags["housekeeping"].get_task("proof.draw").upstream_task_ids
