"""What dbt's manifest tells people of its models: how they hang together, what a row is and what each column means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds; a metric also has a formula and says where it ends."""

    name: str
    data_type: str
    description: str
    formula: str
    limits: str


@dataclass(frozen=True, slots=True)
class Model:
    """A view or a table of the project."""

    unique_id: str
    name: str
    folder: str
    """Of a mart the folder among the marts, of others their layer."""
    is_mart: bool
    is_table: bool
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    """The models that it selects from, by `unique_id`."""


@dataclass(frozen=True, slots=True)
class Project:
    """All models by `unique_id`, and what their words mean."""

    models: dict[str, Model]
    definitions: str

    @property
    def tables(self) -> list[Model]:
        """What dbt stores, by folder and name."""
        return sorted((m for m in self.models.values() if m.is_table), key=lambda model: (model.folder, model.name))

    def tables_read(self, table: Model) -> list[str]:
        """The tables that it selects from itself, not through views: what Airflow lets its task wait for."""
        return [unique_id for unique_id in table.reads if self.models[unique_id].is_table]

    def groups(self) -> dict[str, str]:
        """The group that each table is drawn in: its folder, or `<folder>_after_<group>`.

        The latter where the folder's group comes before a table that this one waits for: Airflow refuses to show
        groups that wait for each other.
        """
        read = {table.unique_id: self.tables_read(table) for table in self.tables}
        drawn_in: dict[str, str] = {}
        before: dict[str, set[str]] = {}
        for table in TopologicalSorter(read).static_order():
            sources = {drawn_in[parent] for parent in read[table]}
            group = folder = self.models[table].folder
            while later := sorted(source for source in sources if source != group and group in before[source]):
                of_folder = [source for source in later if source.startswith(f"{folder}_after_")]
                group = of_folder[0] if of_folder else f"{group}_after_{later[0]}"
            earlier = (sources - {group}).union(*(before[source] for source in sources), before.get(group, ()))
            before[group] = earlier
            for others in before.values():
                if group in others:
                    others |= earlier
            drawn_in[table] = group
        return drawn_in


def read_project(manifest: Path) -> Project:
    """The project as dbt parsed it."""
    parsed = json.loads(manifest.read_text())
    nodes = {unique_id: node for unique_id, node in parsed["nodes"].items() if node["resource_type"] == "model"}
    return Project(
        models={unique_id: _model(node, nodes) for unique_id, node in nodes.items()},
        definitions=parsed["docs"]["doc.tributary.definitions"]["block_contents"].strip(),
    )


def _model(node: dict[str, Any], nodes: dict[str, Any]) -> Model:
    # models/<layer>/.../<name>.sql
    layer, *folders = PurePosixPath(node["original_file_path"]).parts[1:-1]
    keys = [constraint["columns"] for constraint in node["constraints"] if constraint["type"] == "primary_key"]
    return Model(
        unique_id=node["unique_id"],
        name=node["name"],
        folder=folders[0] if layer == "marts" else layer,
        is_mart=layer == "marts",
        is_table=node["config"]["materialized"] == "table",
        description=_one_line(node["description"]),
        key=tuple(keys[0]) if keys else (),
        columns=tuple(_column(column) for column in node["columns"].values()),
        reads=tuple(parent for parent in node["depends_on"]["nodes"] if parent in nodes),
    )


def _column(column: dict[str, Any]) -> Column:
    meta = column["config"]["meta"]
    return Column(
        name=column["name"],
        data_type=column["data_type"] or "",
        description=_one_line(column["description"]),
        formula=_one_line(meta.get("formula", "")),
        limits=_one_line(meta.get("limits", "")),
    )


def described(model: Model) -> Iterator[str]:
    """The model as paragraphs of Markdown: what a row is, its key, and every column with a metric's formula."""
    yield model.description
    if model.key:
        yield f"**Key:** {', '.join(f'`{name}`' for name in model.key)}"
    if model.columns:
        yield "\n".join(("| column | meaning |", "|---|---|", *map(_row, model.columns)))


def _row(column: Column) -> str:
    meaning = [column.description]
    meaning += [f"**Formula:** {column.formula}"] if column.formula else []
    meaning += [f"**Limits:** {column.limits}"] if column.limits else []
    text = " ".join(meaning).replace("|", r"\|")
    return f"| `{column.name}` {column.data_type} | {text} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())
