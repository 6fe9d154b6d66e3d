"""The dbt models as a group of Airflow tasks, building into a schema of choice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import (
    PRODUCER_WATCHER_DONE_TASK_ID,
    PRODUCER_WATCHER_TASK_ID,
    DbtResourceType,
    ExecutionMode,
    InvocationMode,
    LoadMode,
    TestBehavior,
)
from cosmos.operators.watcher import DbtRunWatcherOperator
from cosmos.profiles import PostgresUserPasswordProfileMapping

from tributary.operators.dbt_docs import about_folder, about_models, about_producer, about_table
from tributary.paths import DBT_MANIFEST, DBT_PROJECT
from tributary.warehouse.model_docs import read_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cosmos.dbt.graph import DbtNode

    from tributary.warehouse.model_docs import Project

POKE_INTERVAL = 2
"""Seconds until a table's task looks again whether dbt has built it; Cosmos' 10 are as long as a small build."""


def dbt_models(schema: str, raw: str = "raw") -> DbtTaskGroup:
    """Every table as a task, for the days in `<schema>.scope`; contracts judge them per merchant, not dbt tests.

    Both schemas may be templates: a backfill builds in one of its own, which also shows raw as it will be.

    The one task that runs dbt makes the views on the way: they take it no time, and Airflow a task each. Its docs name
    them. No arrow runs through a view either: each link in the longest chain costs a run one more round of scheduling.
    """
    project = read_project(DBT_MANIFEST)
    group = DbtTaskGroup(
        group_id="dbt",
        doc_md=about_models(project),
        project_config=ProjectConfig(dbt_project_path=DBT_PROJECT, manifest_path=DBT_MANIFEST, install_dbt_deps=False),
        profile_config=_profile("build", "warehouse"),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            select=["config.materialized:table"],
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
            node_converters={DbtResourceType.MODEL: _table_in_its_folder(project)},
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            setup_operator_args={"task_display_name": "dbt build", "doc_md": about_producer(project)},
        ),
        operator_args=_environment(schema, raw),
    )
    producer = group.tasks_map[PRODUCER_WATCHER_TASK_ID]
    producer.select = "path:models"
    # Cosmos has no settings for these; it calls the first once a run, when it begins to listen to dbt.
    listener = producer._make_parse_callable
    producer._make_parse_callable = lambda: _but_views(listener())
    group.tasks_map[PRODUCER_WATCHER_DONE_TASK_ID]._task_display_name = "dbt done"
    return group


def dbt_command(schema: str, project: Path, warehouse_conn_id: str) -> dict[str, Any]:
    """What every operator that runs one dbt command by itself is given."""
    return {
        "project_dir": str(project),
        "profile_config": _profile(schema, warehouse_conn_id),
        "invocation_mode": InvocationMode.DBT_RUNNER,
        "emit_datasets": False,
        "should_store_compiled_sql": False,
        **_environment(schema),
    }


def _profile(schema: str, warehouse_conn_id: str) -> ProfileConfig:
    return ProfileConfig(
        profile_name="tributary",
        target_name="airflow",
        profile_mapping=PostgresUserPasswordProfileMapping(
            conn_id=warehouse_conn_id, profile_args={"schema": schema, "threads": 4}
        ),
    )


def _environment(schema: str, raw: str = "raw") -> dict[str, Any]:
    schemas = {"TRIBUTARY_BUILD_SCHEMA": schema, "TRIBUTARY_RAW_SCHEMA": raw}
    return {"install_deps": False, "append_env": True, "env": schemas}


def _table_in_its_folder(project: Project) -> Callable[..., DbtRunWatcherOperator]:
    """How Cosmos makes a table's task: with the table's name and documentation, in the group of its folder.

    Cosmos itself would make a group of every folder in the path, `models` and `marts` too, and name a task `..._run`.
    """
    drawn_in = project.groups()

    def convert(node: DbtNode, task_group: TaskGroup, task_args: dict[str, Any], **_: Any) -> DbtRunWatcherOperator:
        name = drawn_in[node.unique_id]
        folder = task_group.children.get(f"{task_group.group_id}.{name}") or TaskGroup(
            name,
            parent_group=task_group,
            doc_md=about_folder(table for table in project.tables if drawn_in[table.unique_id] == name),
        )
        return DbtRunWatcherOperator(
            task_id=node.name,
            task_group=folder,
            dag=task_group.dag,
            poke_interval=POKE_INTERVAL,
            doc_md=about_table(project, project.models[node.unique_id], task_group),
            extra_context={"dbt_node_config": node.context_dict},
            **task_args,
        )

    return convert


def _but_views(hear: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    """What Cosmos tells Airflow of dbt's events, without those of views that succeed.

    It writes six XComs for each node while dbt waits, which takes longer than making a view; no task asks for them.
    """

    def listen(event: str, context: Any) -> None:
        node = json.loads(event).get("data", {}).get("node_info") or {}
        if node.get("materialized") != "view" or node.get("node_status") == "error":
            hear(event, context)

    return listen
