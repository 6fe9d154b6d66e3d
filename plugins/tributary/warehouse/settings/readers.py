"""The role of a merchant's own reader, who sees that merchant's rows of the marts alone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from psycopg import Connection


def create_reader(conn: Connection, role: str) -> None:
    """Create the reader's role when it is missing and this user may create roles."""
    missing_and_may = conn.execute(
        """
        select (rolcreaterole or rolsuper) and not exists (select from pg_roles where rolname = %s)
        from pg_roles where rolname = current_user
        """,
        (role,),
    ).fetchone()
    if missing_and_may == (True,):
        # Roles belong to the whole server: another warehouse may create the same one at this moment, and whoever made
        # the group may not let others grant it. Then an administrator creates the reader, when one is wanted.
        expected = (
            psycopg.errors.DuplicateObject,
            psycopg.errors.UniqueViolation,
            psycopg.errors.InsufficientPrivilege,
        )
        with suppress(*expected), conn.transaction():
            create = sql.SQL("create role {} nologin in role tributary_merchant_reader")
            conn.execute(create.format(sql.Identifier(role)))
