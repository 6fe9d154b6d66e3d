"""What dbt's manifest says about the marts: how each is published, keyed and indexed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tributary.warehouse.errors import UnpublishableModel

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class MartModel:
    """A model that is published into `marts`, as its contract and `meta` declare it."""

    name: str
    columns: dict[str, str]
    """Column -> data type."""
    required: frozenset[str]
    primary_key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    key: tuple[str, ...]
    """What a row is replaced by when the mart is published by key; empty when it is published by day."""


def read_marts(manifest: Path) -> list[MartModel]:
    """Every model of schema `marts`, in the manifest's order."""
    nodes = json.loads(manifest.read_text())["nodes"].values()
    return [
        _mart(node)
        for node in nodes
        if node["resource_type"] == "model"
        and node["config"].get("schema") == "marts"
        and node["config"].get("enabled", True)
        and node["config"].get("materialized") != "ephemeral"
    ]


def _mart(node: dict[str, Any]) -> MartModel:
    name = node.get("alias") or node["name"]
    if not node["config"].get("contract", {}).get("enforced"):
        raise UnpublishableModel(f"{name}: a mart needs `config: {{contract: {{enforced: true}}}}` in its YAML")
    columns = {}
    required = set()
    primary_key: tuple[str, ...] = ()
    for column in node["columns"].values():
        if not column.get("data_type"):
            raise UnpublishableModel(f"{name}: column {column['name']!r} of its contract needs a `data_type`")
        columns[column["name"]] = column["data_type"]
        kinds = {constraint["type"] for constraint in column.get("constraints") or ()}
        if kinds & {"not_null", "primary_key"}:
            required.add(column["name"])
        if "primary_key" in kinds:
            primary_key = (column["name"],)
    for constraint in node.get("constraints") or ():
        if constraint["type"] == "primary_key":
            primary_key = tuple(constraint["columns"])
    # dbt keeps a model's `meta` in both places, or only in `config` from 1.10 on.
    meta = (node.get("meta") or {}) | (node["config"].get("meta") or {})
    return MartModel(
        name=name,
        columns=columns,
        required=frozenset(required),
        primary_key=primary_key,
        indexes=tuple(tuple(index) for index in meta.get("indexes", ())),
        key=_key(name, columns, meta.get("publish")),
    )


def _key(name: str, columns: dict[str, str], publish: Any) -> tuple[str, ...]:
    if publish == {"by": "day"}:
        key: tuple[str, ...] = ()
        needed = {"merchant_id", "date_day"}
    elif isinstance(publish, dict) and publish.get("by") == "key" and publish.get("key"):
        key = tuple(publish["key"])
        needed = {"merchant_id", *key}
    else:
        raise UnpublishableModel(
            f"{name}: `meta.publish` is {publish!r}; it must be {{by: day}} or {{by: key, key: [column, ...]}}"
        )
    if missing := sorted(needed - columns.keys()):
        raise UnpublishableModel(f"{name}: published by {'key' if key else 'day'}, it needs column {missing[0]!r}")
    return key
