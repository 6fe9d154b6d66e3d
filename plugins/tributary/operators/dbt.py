"""The dbt models as a group of Airflow tasks, building into a schema of choice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import PRODUCER_WATCHER_TASK_ID, ExecutionMode, LoadMode, TestBehavior
from cosmos.operators.watcher import DbtConsumerWatcherSensor
from cosmos.profiles import PostgresUserPasswordProfileMapping

from tributary.paths import DBT_MANIFEST, DBT_PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

POKE_INTERVAL = 2
"""Seconds until a table's task looks again whether dbt has built it; Cosmos' 10 are as long as a small build."""


def dbt_models(schema: str) -> DbtTaskGroup:
    """Every table as a task, for the days in `<schema>.scope`; contracts judge them per merchant, not dbt tests.

    The one task that runs dbt makes the views on the way: they take it no time, and Airflow a task each.
    """
    group = DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(dbt_project_path=DBT_PROJECT, manifest_path=DBT_MANIFEST, install_dbt_deps=False),
        profile_config=ProfileConfig(
            profile_name="tributary",
            target_name="airflow",
            profile_mapping=PostgresUserPasswordProfileMapping(
                conn_id="warehouse", profile_args={"schema": schema, "threads": 4}
            ),
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            select=["config.materialized:table"],
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
        ),
        execution_config=ExecutionConfig(execution_mode=ExecutionMode.WATCHER),
        operator_args={"install_deps": False, "append_env": True, "env": {"TRIBUTARY_BUILD_SCHEMA": schema}},
    )
    producer = group.children[f"{group.group_id}.{PRODUCER_WATCHER_TASK_ID}"]
    producer.select = "path:models"
    # Cosmos has no setting for it, and calls this once a run, when it begins to listen to dbt.
    listener = producer._make_parse_callable
    producer._make_parse_callable = lambda: _but_views(listener())
    for task in group.children.values():
        if isinstance(task, DbtConsumerWatcherSensor):
            task.poke_interval = POKE_INTERVAL
    return group


def _but_views(hear: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    """What Cosmos tells Airflow of dbt's events, without those of views that succeed.

    It writes six XComs for each node while dbt waits, which takes longer than making a view; no task asks for them.
    """

    def listen(event: str, context: Any) -> None:
        node = json.loads(event).get("data", {}).get("node_info") or {}
        if node.get("materialized") != "view" or node.get("node_status") == "error":
            hear(event, context)

    return listen
