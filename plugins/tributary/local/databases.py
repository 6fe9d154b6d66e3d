"""The two databases of an installation: Airflow's metadata and the warehouse, each with a login of its own."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tributary.local.environment import (
    METADATA_DATABASE,
    METADATA_USER,
    WAREHOUSE_DATABASE,
    WAREHOUSE_USER,
    external_postgres,
)
from tributary.local.problem import ProblemError

if TYPE_CHECKING:
    from tributary.local.environment import Installation

AUDIT_ROLE = "tributary_audit"


def admin_url(installation: Installation) -> str:
    """The URL of a user who may create databases and roles."""
    return external_postgres() or installation.server().url


def create_databases(admin: str, metadata_password: str, warehouse_password: str) -> None:
    """Create what is missing, and set the passwords to these."""
    try:
        with psycopg.connect(admin, autocommit=True) as conn:
            ensure_login(conn, METADATA_USER, metadata_password)
            ensure_login(conn, WAREHOUSE_USER, warehouse_password)
            # The warehouse's migrations make its readers.
            conn.execute(sql.SQL("alter role {} createrole").format(sql.Identifier(WAREHOUSE_USER)))
            ensure_audit(conn)
            ensure_database(conn, METADATA_DATABASE, METADATA_USER)
            ensure_database(conn, WAREHOUSE_DATABASE, WAREHOUSE_USER)
    except psycopg.Error as error:
        raise ProblemError(
            f"The databases could not be prepared: {str(error).strip().splitlines()[0]}",
            "The user of TRIBUTARY_POSTGRES_URL must be allowed to create roles and databases. If this is the embedded "
            "server, and its secrets were lost, delete the installation's folder and start anew.",
        ) from None


def ensure_audit(conn: psycopg.Connection) -> None:
    """The role that the audit belongs to: the warehouse's user may act as it until `seal_audit`, and never grant it."""
    if not exists(conn, "pg_roles", "rolname", AUDIT_ROLE):
        conn.execute(sql.SQL("create role {} nologin").format(sql.Identifier(AUDIT_ROLE)))
    # PostgreSQL 15 knows no such options, and lets who may create roles grant any role: there nothing can be sealed.
    lent = "with admin false, inherit false, set true" if conn.info.server_version >= 160_000 else ""
    # An administrator who is no superuser may not grant a role that the warehouse's user made; its maker may act as it.
    with suppress(psycopg.errors.InsufficientPrivilege):
        conn.execute(
            sql.SQL("grant {} to {} {}").format(
                sql.Identifier(AUDIT_ROLE), sql.Identifier(WAREHOUSE_USER), sql.SQL(lent)
            )
        )


def seal_audit(admin: str) -> None:
    """After the migrations nobody who can log in may act as the audit's owner, nor let anybody do so."""
    with psycopg.connect(admin, autocommit=True) as conn, suppress(psycopg.errors.InsufficientPrivilege):
        conn.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(AUDIT_ROLE), sql.Identifier(WAREHOUSE_USER)))


def exists(conn: psycopg.Connection, catalog: str, column: str, name: str) -> bool:
    """Whether a catalog has an entry of this name."""
    query = sql.SQL("select 1 from {} where {} = {}").format(
        sql.Identifier(catalog), sql.Identifier(column), sql.Literal(name)
    )
    return conn.execute(query).fetchone() is not None


def ensure_login(conn: psycopg.Connection, name: str, password: str) -> None:
    """A role that may log in with this password, and that the administrator may make an owner."""
    verb = "alter" if exists(conn, "pg_roles", "rolname", name) else "create"
    conn.execute(
        sql.SQL("{} role {} login password {}").format(sql.SQL(verb), sql.Identifier(name), sql.Literal(password))
    )
    conn.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(name)))


def ensure_database(conn: psycopg.Connection, name: str, owner: str) -> None:
    """A UTF-8 database of this owner."""
    if not exists(conn, "pg_database", "datname", name):
        conn.execute(
            sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )


if __name__ == "__main__":
    try:
        if "--seal-audit" in sys.argv:
            seal_audit(os.environ["TRIBUTARY_POSTGRES_URL"])
        else:
            create_databases(
                *(os.environ[name] for name in ("TRIBUTARY_POSTGRES_URL", "METADATA_PASSWORD", "WAREHOUSE_PASSWORD"))
            )
    except KeyError as missing:
        sys.exit(f"The environment variable {missing.args[0]} is not set.")
    except ProblemError as problem:
        sys.exit(str(problem))
