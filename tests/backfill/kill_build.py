"""dbt itself once; afterwards the SQL that it made of the models, since dbt takes ten seconds and a build one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from psycopg import sql

from tributary.paths import DBT_PROJECT
from tributary.warehouse.failpoint import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg
    from dbt.contracts.graph.nodes import ModelNode

MADE = "TRIBUTARY_TEST_MADE"
"""Names the folder where dbt left its manifest, and what it made of the models in an order in which they are built."""
MANIFEST_FILE, _FILE = "manifest.json", "made.json"

_VIEW = sql.SQL("create or replace view {place} as {code}")
_TABLE = sql.SQL("drop table if exists {place} cascade; create table {place} as {code}; analyze {place}")
_MART = sql.SQL("""
drop table if exists {place} cascade;
create table {place} (like {mart} including indexes);
insert into {place} ({columns}) select {columns} from ({code}) as built;
analyze {place}
""")


def run_dbt(url: str, target: Path, schema: str, raw: str = "raw", project: Path = DBT_PROJECT) -> None:
    """Build everything, as Airflow's task does; leave what was made of it in the folder."""
    from dbt.cli.main import dbtRunner

    address = urlsplit(url)
    environment = {
        "WAREHOUSE_HOST": "127.0.0.1",
        "WAREHOUSE_PORT": str(address.port),
        "WAREHOUSE_USER": address.username or "",
        "WAREHOUSE_PASSWORD": unquote(address.password or ""),
        "WAREHOUSE_DATABASE": address.path.lstrip("/"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "TRIBUTARY_BUILD_SCHEMA": schema,
        "TRIBUTARY_RAW_SCHEMA": raw,
    }
    target.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(target)
        command = ("run", "--select", "path:models", "--quiet")
        ran = dbtRunner().invoke([*command, "--project-dir", str(project), "--profiles-dir", str(project)])
    failed = [result.message for result in ran.result or () if result.status != "success"]  # type: ignore[union-attr]
    assert ran.success, failed or ran.exception
    (target / _FILE).write_text(json.dumps([*_made([result.node for result in ran.result], schema, raw)]))  # type: ignore[union-attr]


def made_by_dbt() -> Path:
    """The folder that the variable names."""
    return Path(os.environ[MADE])


def build(conn: psycopg.Connection, schema: str, raw: str = "raw") -> None:
    """What dbt would build now in this schema, each model in a transaction of its own."""
    layers = {"staging": "staging", "intermediate": "intermediate"} if schema == "build" else {}
    places = {**dict.fromkeys(("staging", "intermediate", "marts", "quality", "scope"), schema), **layers, "raw": raw}
    made = json.loads((made_by_dbt() / _FILE).read_text())
    for number, (kind, layer, name, columns, code) in enumerate(made):
        if number == len(made) // 2:
            failpoint("build: half of it")
        for place, placed in places.items():
            code = code.replace(f"<{place}>", f'"{placed}"')
        names = {
            "place": sql.Identifier(places[layer], name),
            "mart": sql.Identifier("marts", name),
            "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
            "code": sql.SQL(code.replace("{", "{{").replace("}", "}}")).format(),
        }
        conn.execute("set local jit = off")
        conn.execute((_VIEW if kind == "view" else _MART if layer == "marts" else _TABLE).format(**names))
        conn.commit()
    failpoint("build: committed")


def _made(nodes: Iterable[ModelNode], schema: str, raw: str) -> Iterable[tuple[str, str, str, list[str], str]]:
    layers = {node.name: str(node.config.schema) for node in nodes} | {"scope": "scope"}
    ours = re.compile(rf'"(?:{schema}|{raw})"[.]"(\w+)"')
    for node in nodes:
        code = (node.compiled_code or "").replace(f'"{node.database}".', "")
        code = ours.sub(lambda found: f'<{layers.get(found[1], "raw")}>."{found[1]}"', code)
        yield node.config.materialized, layers[node.name], node.name, [*node.columns], code
