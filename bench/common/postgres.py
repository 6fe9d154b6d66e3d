"""A server with the durability that production has, and databases in it that nobody used before."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tributary.channels import CHANNELS
from tributary.local.postgres import temporary_server
from tributary.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def server() -> Iterator[str]:
    """The superuser's URL of a server of its own, with PostgreSQL's defaults for durability."""
    with temporary_server(settings=()) as url:
        yield url


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    name = sql.Identifier(f"bench_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(name))
    try:
        yield f"{server_url.rpartition('/')[0]}/{name.as_string().strip(chr(34))}"
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("drop database {} with (force)").format(name))


@contextmanager
def warehouse(server_url: str) -> Iterator[str]:
    """The URL of a migrated warehouse without rows, dropped afterwards."""
    with database(server_url) as url:
        migrate(url, CHANNELS)
        yield url


def dbt_environment(url: str) -> dict[str, str]:
    """How dbt learns which warehouse it builds in."""
    parts = conninfo_to_dict(url)
    return {
        "WAREHOUSE_HOST": str(parts["host"]),
        "WAREHOUSE_PORT": str(parts["port"]),
        "WAREHOUSE_USER": str(parts["user"]),
        "WAREHOUSE_PASSWORD": str(parts.get("password", "")),
        "WAREHOUSE_DATABASE": str(parts["dbname"]),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def settle(url: str, *statements: str) -> None:
    """Write out what earlier work left behind, so that it is not charged to what is measured next."""
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in (*statements, "checkpoint"):
            conn.execute(statement)
