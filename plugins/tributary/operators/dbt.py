"""The dbt models as a group of Airflow tasks, building into a schema of choice."""

from __future__ import annotations

from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import PRODUCER_WATCHER_TASK_ID, ExecutionMode, LoadMode, TestBehavior
from cosmos.profiles import PostgresUserPasswordProfileMapping

from tributary.paths import DBT_MANIFEST, DBT_PROJECT


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
    group.children[f"{group.group_id}.{PRODUCER_WATCHER_TASK_ID}"].select = "path:models"
    return group
