"""Brings a warehouse to the shape that this code expects: migrations, then what the channels declare."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import yoyo  # type: ignore[import-untyped]

from tributary.paths import ROOT
from tributary.warehouse.raw_table import create_raw_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tributary.declaration import Channel

MIGRATIONS = ROOT / "include" / "warehouse"

_STREAM = """
insert into ops.streams (channel, stream, sla, blocks_after) values (%s, %s, %s, %s)
on conflict (channel, stream) do update set sla = excluded.sla, blocks_after = excluded.blocks_after
"""
_GONE_STREAMS = """
delete from ops.streams
where (channel, stream) not in (select * from unnest(%s::text[], %s::text[]))
"""


class MigrationError(RuntimeError):
    """The warehouse could not be migrated; the message says what to do."""


def migrate(url: str, channels: Sequence[Channel]) -> None:
    """Apply what is missing. Calls at the same time queue up, and a killed one leaves nothing locked.

    :param url: The warehouse as `postgresql://user:password@host:port/database`.
    :param channels: The channels whose streams get raw tables.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        # yoyo's own lock is a row that outlives a killed process, so a session's advisory lock goes around it.
        conn.execute("select pg_advisory_lock(hashtext('tributary.migrate'))")
        try:
            conn.execute("create schema if not exists ops")
            _apply_migrations(url)
            with conn.transaction():
                conn.execute("set local role tributary_pipeline")
                create_raw_tables(conn, channels)
                _declare_streams(conn, channels)
        except psycopg.errors.InsufficientPrivilege as error:
            user, database = conn.info.user, conn.info.dbname
            raise MigrationError(
                f"user {user!r} may not migrate database {database!r}: {error.diag.message_primary}. Run it once as a "
                f"superuser, or let one run `alter role {user} createrole; alter database {database} owner to {user}`"
            ) from None


def _apply_migrations(url: str) -> None:
    query = "&".join(filter(None, [urlsplit(url).query, "schema=ops"]))
    with yoyo.get_backend(urlsplit(url)._replace(scheme="postgresql+psycopg", query=query).geturl()) as backend:
        backend.apply_migrations(backend.to_apply(yoyo.read_migrations(str(MIGRATIONS))))


def _declare_streams(conn: psycopg.Connection, channels: Sequence[Channel]) -> None:
    """How old each stream may be, for the warehouse to judge by."""
    rows = [
        (channel.name, stream.name, stream.sla, stream.blocks_after)
        for channel in channels
        for stream in channel.streams
    ]
    conn.cursor().executemany(_STREAM, rows)
    conn.execute(_GONE_STREAMS, ([row[0] for row in rows], [row[1] for row in rows]))


if __name__ == "__main__":
    from tributary.channels import CHANNELS

    try:
        migrate(os.environ["WAREHOUSE_URL"], CHANNELS)
    except KeyError as error:
        sys.exit(f"{error.args[0]} is not set: the warehouse as postgresql://user:password@host:port/database")
    except MigrationError as error:
        sys.exit(str(error))
