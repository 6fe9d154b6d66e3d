"""What the graph of the models says of itself in Airflow: the documentation of its groups and tasks."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tributary.warehouse.model_docs import described

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import TaskGroup

    from tributary.warehouse.model_docs import Model, Project

# Airflow takes documentation that ends with `.md` for the name of a file.
PAGE = "The page `docs/metrics.md` of the repository has all marts, formulas and definitions in one place."

WHERE = f"""
Every table that dbt stores is a task here, in the group of its folder; its documentation says what a row is, and tells
every column and every metric's formula and limits. Views have no task: that of `dbt build` lists them. {PAGE}
""".strip()

PRODUCER = """
Runs dbt once for all models; the task of a table waits until its table is there. Its log says why a table failed.

These views it makes on the way. They are no tasks: making one takes dbt no time, and Airflow seconds.
""".strip()


def about_models(project: Project) -> str:
    """Of the group of all models: what the words in them mean."""
    return f"{WHERE}\n\n## What the figures mean\n\n{project.definitions}"


def about_folder(tables: Iterable[Model]) -> str:
    """Of the group of a folder: its tables, and what a row of each is."""
    return "\n".join(f"* `{table.name}`: {table.description}" for table in tables)


def about_table(project: Project, table: Model, group: TaskGroup) -> str:
    """Of a table's task, in this group of all models: what a row is, every column, and what it is made from."""
    parents = sorted(project.models[unique_id].name for unique_id in table.reads)
    made_from = f"**Made from:** {', '.join(f'`{name}`' for name in parents)}"
    # Without a slash in front it is below Airflow's own address, which may have a path.
    meaning = f"[What the figures mean](dags/{group.dag.dag_id}/tasks/group/{group.group_id}). {PAGE}"
    return "\n\n".join((*described(table), made_from, meaning))


def about_producer(project: Project) -> str:
    """Of the task that runs dbt: what it does for the others, and the views that it makes on the way."""
    views = sorted((m for m in project.models.values() if not m.is_table), key=lambda model: (model.folder, model.name))
    listed = (
        f"* {folder}: {', '.join(f'`{view.name}`' for view in of_folder)}"
        for folder, of_folder in groupby(views, key=lambda view: view.folder)
    )
    return "\n".join((PRODUCER, "", *listed))
