"""Slim CI of the models: builds what a change touches beside production, tests it, and says what became of it.

`python -m tributary.ci.slim --production CHECKOUT --schema ci_42 --out FOLDER` takes what production runs from that
checkout: `dbt/target/manifest.json`, `dbt/dbt_project.yml` and the contracts. Only models that differ from it, and
those downstream of them, are built, in a schema that is dropped afterwards; every other model is read where production
has it. The warehouse is the one of WAREHOUSE_HOST and so on, as in dbt's profile.

Not for publishing: what is built here is judged and thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg
import yaml
from msgspec.structs import replace
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tributary.ci.results import told, unreadable
from tributary.ci.telling import comment
from tributary.ci.verdict import FILE, Problem, Verdict, keep
from tributary.paths import DBT_PROJECT, MART_CONTRACTS, RAW_CONTRACTS, ROOT
from tributary.quality.contract import read
from tributary.quality.gate import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbt.cli.main import dbtRunnerResult

COMMENT = "comment.md"
MANIFEST = Path("dbt", "target", "manifest.json")

_SCHEMA = re.compile(r"ci_[a-z0-9_]{1,40}")
_CHANGED, _ALL = "state:modified", "path:models"
_MADE = "select schemaname, viewname from pg_views union all select schemaname, tablename from pg_tables"
_MERCHANTS = "select merchant_id from ops.merchants order by merchant_id"
_CONNECTED = "select merchant_id, channel from ops.merchant_channels order by merchant_id, channel"


class Dbt:
    """dbt in this process; each command goes on with what the first one has read."""

    def __init__(self, schema: str, target: Path) -> None:
        os.environ |= {
            "TRIBUTARY_BUILD_SCHEMA": schema,
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        self._manifest: Any = None

    def read(self) -> dbtRunnerResult:
        """Read the project."""
        result = self("parse")
        self._manifest = result.result
        return result

    def __call__(self, *command: str) -> dbtRunnerResult:
        """Run one command."""
        from dbt.cli.main import dbtRunner

        folders = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT))
        return dbtRunner(self._manifest).invoke([*command, "--no-use-colors", *folders])


def judge(conn: psycopg.Connection, production: Path, schema: str, out: Path) -> Verdict:
    """Build what differs from production, and test it."""
    dbt = Dbt(schema, out / "dbt")
    read_project = dbt.read()
    if not read_project.success:
        return Verdict(errors=[unreadable(str(read_project.exception))])
    state = _state(conn, production, out)
    changed_vars = _changed_vars(production)
    selected = _ALL if changed_vars else _CHANGED
    with_state = ("--state", str(state))
    listed = dbt("ls", "--select", selected, "--resource-type", "model", "--output", "name", "--quiet", *with_state)
    ran = dbt("build", "--select", f"{selected}+", "--defer", "--favor-state", *with_state)
    if ran.result is None:
        return Verdict(errors=[unreadable(str(ran.exception))])
    verdict = told(cast("list[str]", listed.result), ran.result)
    if changed_vars:
        note = f"vars of dbt_project.yml changed ({', '.join(changed_vars)}): every model was built"
        verdict = replace(verdict, notes=[note])
    return verdict if verdict.errors else _with_contracts(conn, verdict, production, schema)


def _state(conn: psycopg.Connection, production: Path, out: Path) -> Path:
    """Production's manifest as dbt compares with it: marts stand where people read them, not where they were built."""
    manifest = json.loads((production / MANIFEST).read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            node["database"] = conn.info.dbname
            if node["config"]["schema"] == "marts":
                node["schema"] = "marts"
            node["relation_name"] = f'"{node["database"]}"."{node["schema"]}"."{node["alias"]}"'
    state = out / "state"
    state.mkdir(exist_ok=True)
    (state / "manifest.json").write_text(json.dumps(manifest))
    return state


def _changed_vars(production: Path) -> list[str]:
    """The project's variables that differ: dbt does not see which models a variable changes."""
    before, after = (
        yaml.safe_load((project / "dbt_project.yml").read_text()).get("vars") or {}
        for project in (production / "dbt", DBT_PROJECT)
    )
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _with_contracts(conn: psycopg.Connection, verdict: Verdict, production: Path, schema: str) -> Verdict:
    """Add what the contracts say of every merchant: those of built marts, and those that changed themselves."""
    marts = [file for file in _contracts(MART_CONTRACTS) if file.stem in verdict.built or _differs(file, production)]
    raw = [file for file in _contracts(RAW_CONTRACTS) if _differs(file, production)]
    _complete(conn, schema, marts)
    merchants = [merchant_id for (merchant_id,) in conn.execute(_MERCHANTS).fetchall()]
    asked = [(merchant_id, marts, schema) for merchant_id in merchants if marts]
    for merchant_id, channel in conn.execute(_CONNECTED).fetchall():
        if of_channel := [file for file in raw if file.stem.startswith(f"{channel}_")]:
            asked.append((merchant_id, of_channel, "raw"))
    tests = verdict.tests
    of_outcome = {"error": [*verdict.errors], "failed": [*verdict.blocking], "warned": [*verdict.warnings]}
    for merchant_id, files, place in asked:
        findings = verify(conn, files, {"schema": place, "merchant_id": merchant_id})
        tests += len(findings)
        for found in findings:
            if found.outcome in of_outcome and found.root is None:
                file = next((file for file in files if file.stem == found.dataset), files[0].parent)
                problem = Problem(f"{merchant_id}: {found.sentence()}", str(file.relative_to(ROOT)), found.remedy or "")
                of_outcome[found.outcome].append(problem)
    return replace(
        verdict,
        tests=tests,
        errors=of_outcome["error"],
        blocking=of_outcome["failed"],
        warnings=of_outcome["warned"],
    )


def _contracts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yml"))


def _differs(file: Path, production: Path) -> bool:
    before = production / file.relative_to(ROOT)
    return not before.exists() or before.read_bytes() != file.read_bytes()


def _complete(conn: psycopg.Connection, schema: str, contracts: Sequence[Path]) -> None:
    """Let a contract find in this schema what it asks for and nobody built: production's."""
    conn.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    made = set(conn.execute(_MADE).fetchall())
    for check in read(contracts, {"schema": schema}):
        for table in check.tables:
            place = next((place for place in (schema, "marts", "build") if (place, table) in made), schema)
            if place != schema:
                conn.execute(
                    sql.SQL("create view {} as select * from {}").format(
                        sql.Identifier(schema, table), sql.Identifier(place, table)
                    )
                )
                made.add((schema, table))


def main() -> int:
    """Judge, and leave the comment and the verdict in a folder; 1 when something blocks."""
    parser = argparse.ArgumentParser(
        prog="python -m tributary.ci.slim",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--production", type=Path, required=True, help="the checkout that production runs")
    parser.add_argument("--schema", required=True, help="where to build, as ci_42; dropped before and afterwards")
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder for the comment, the verdict and dbt's files"
    )
    arguments = parser.parse_args()
    production, out = arguments.production.resolve(), arguments.out.resolve()
    if not _SCHEMA.fullmatch(arguments.schema):
        parser.error(f"--schema is {arguments.schema!r}: it is dropped, so name it ci_<number of the pull request>")
    if not (production / MANIFEST).exists():
        parser.error(f"--production is {str(production)!r}, without {MANIFEST}: let dbt parse or build there first")
    out.mkdir(parents=True, exist_ok=True)
    for name in (COMMENT, FILE):
        (out / name).unlink(missing_ok=True)
    drop = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(arguments.schema))
    with psycopg.connect(_address(), autocommit=True) as conn:
        conn.execute(drop)
        try:
            verdict = judge(conn, production, arguments.schema, out)
        finally:
            conn.execute(drop)
    keep(verdict, out)
    (out / COMMENT).write_text(comment(verdict))
    sys.stdout.write(comment(verdict))
    return 0 if verdict.passes else 1


def _address() -> str:
    """Where dbt's profile says the warehouse is."""
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "DATABASE"}
    given = {name: os.environ.get(f"WAREHOUSE_{suffix}", "") for name, suffix in names.items()}
    if missing := [f"WAREHOUSE_{names[name]}" for name, value in given.items() if not value]:
        sys.exit(f"{', '.join(missing)} not set: dbt's profile takes the warehouse's address from them (. .local/env)")
    return make_conninfo(**given)


if __name__ == "__main__":
    sys.exit(main())
