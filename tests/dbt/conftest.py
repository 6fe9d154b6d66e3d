"""A warehouse of its own for dbt: a fresh server, the real migrations, and dbt in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from tributary.warehouse.scope import write_scope

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

PROJECT = Path(__file__).resolve().parents[2] / "dbt"
MERCHANTS = """
insert into ops.merchants (merchant_id, name, time_zone, currency, revenue_includes_tax, history_start)
values
    ('aurora', 'Aurora', 'America/New_York', 'USD', false, '2026-01-01'),
    ('nordlicht', 'Nordlicht', 'Europe/Berlin', 'EUR', false, '2026-01-01'),
    ('withtax', 'With tax', 'Asia/Tokyo', 'USD', true, '2026-01-01')
"""

Rows = Callable[..., list[dict[str, Any]]]
Dbt = Callable[..., "dbtRunnerResult"]


def make_scope(conn: psycopg.Connection, schema: str, days: Sequence[str], *merchants: str) -> None:
    """A build schema that is about these days of these merchants, or of all of them."""
    conn.execute(
        """
        create temporary table touched_day as
        select merchant_id, unnest(%s::date[]) as date_day from ops.merchants
        where merchant_id = any(%s) or %s
        """,
        (list(days), list(merchants), not merchants),
    )
    assert write_scope(conn, schema, uuid4())
    conn.execute("drop table touched_day")
    conn.commit()


@pytest.fixture(scope="module")
def module_warehouse_url(postgres_server_url: str, migrated_database: str) -> str:
    """A migrated warehouse, made anew for each module.

    All have one name, because dbt parses the whole project again when it finds what it parsed for another database.
    """
    name = "tributary_dbt"
    with psycopg.connect(postgres_server_url, autocommit=True) as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template {migrated_database}")
    return urlsplit(postgres_server_url)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="module")
def conn(module_warehouse_url: str) -> Iterator[psycopg.Connection]:
    """A connection to that warehouse, with three merchants in it."""
    with psycopg.connect(module_warehouse_url) as connection:
        connection.execute(MERCHANTS)
        connection.commit()
        yield connection


@pytest.fixture(scope="session")
def dbt_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt leaves its files, below a folder for each build schema."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="module")
def dbt(conn: psycopg.Connection, postgres_server_url: str, dbt_target: Path) -> Dbt:
    """Runs a dbt command on that warehouse, in the build schema that is asked for. A manifest saves it from parsing."""
    from dbt.cli.main import dbtRunner

    environment = {
        "WAREHOUSE_HOST": "127.0.0.1",
        "WAREHOUSE_PORT": str(conn.info.port),
        "WAREHOUSE_USER": conn.info.user,
        "WAREHOUSE_PASSWORD": unquote(urlsplit(postgres_server_url).password or ""),
        "WAREHOUSE_DATABASE": conn.info.dbname,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }

    def run(*command: str, build_schema: str = "build", manifest: Manifest | None = None) -> dbtRunnerResult:
        # Each schema has a folder of its own: dbt parses all again when it finds what it parsed for another one.
        target = dbt_target / build_schema
        target.mkdir(exist_ok=True)
        places = {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (environment | places | {"TRIBUTARY_BUILD_SCHEMA": build_schema}).items():
                patch.setenv(name, value)
            patch.chdir(target)
            return dbtRunner(manifest).invoke(
                [*command, "--quiet", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
            )

    return run


@pytest.fixture(scope="module")
def rows(conn: psycopg.Connection) -> Rows:
    """What a query returns, a dictionary a row."""

    def fetch(query: str, *parameters: object) -> list[dict[str, Any]]:
        with conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(query, parameters).fetchall()  # type: ignore[arg-type]
        conn.rollback()
        return found

    return fetch
