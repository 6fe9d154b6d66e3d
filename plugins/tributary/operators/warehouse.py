"""The warehouse as every operator opens it: Airflow's PostgresHook knows the address, psycopg does the talking."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook

if TYPE_CHECKING:
    from psycopg import Connection


def warehouse(conn_id: str) -> Connection:
    """A new connection; as a context manager it commits (or rolls back) and closes."""
    return cast("Connection", PostgresHook(postgres_conn_id=conn_id).get_conn())
