"""The one shape of every raw table, and the indexes that its declaration asks for."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psycopg import Connection

    from tributary.declaration import Channel, Stream, Unfinished

_TABLE = sql.SQL("""
create table if not exists {table} (
    merchant_id text not null,
    record_id text collate "C" not null,
    event_at timestamptz not null,
    updated_at timestamptz not null,
    payload jsonb {compression} not null,
    payload_hash bytea not null,
    api_version text,
    first_loaded_at timestamptz not null default now(),
    loaded_at timestamptz not null default now(),
    sync_id uuid not null,
    masked_at timestamptz,
    primary key (merchant_id, record_id)
)
""")


def raw_table_name(channel: Channel, stream: str) -> str:
    """The table's name inside schema `raw`."""
    return f"{channel.name}_{stream}"


def raw_table(channel: Channel, stream: str, schema: str = "raw") -> sql.Identifier:
    """The raw table of a stream or of a child stream; a backfill has views of that name in a schema of its own."""
    return sql.Identifier(schema, raw_table_name(channel, stream))


def identity_expression(expression: str) -> sql.SQL:
    """A declared identity as it is indexed and compared: cut, because an index refuses values of some kilobytes."""
    return sql.SQL(f"left(({expression}), 500)")


def unfinished_condition(unfinished: Unfinished) -> sql.SQL:
    """The declared condition as it is indexed and asked."""
    return sql.SQL(f"({unfinished.condition})")


def create_raw_tables(conn: Connection, channels: Iterable[Channel]) -> None:
    """Create what is missing: one table per stream and child, one index per way it is looked up."""
    lz4 = conn.execute(
        "select 'lz4' = any(enumvals) from pg_settings where name = 'default_toast_compression'"
    ).fetchone()
    compression = sql.SQL("compression lz4" if lz4 == (True,) else "")
    for channel in channels:
        for stream in channel.streams:
            for name in (stream.name, *stream.children):
                table = raw_table(channel, name)
                conn.execute(_TABLE.format(table=table, compression=compression))
                # Tables of the first releases were without them.
                conn.execute(sql.SQL("alter table {} add column if not exists api_version text").format(table))
                conn.execute(sql.SQL("alter table {} add column if not exists masked_at timestamptz").format(table))
                conn.execute(
                    sql.SQL("create index if not exists {index} on {table} (merchant_id, event_at)").format(
                        index=sql.Identifier(f"{raw_table_name(channel, name)}_by_event"), table=table
                    )
                )
            _index_declared(conn, channel, stream)


def _index_declared(conn: Connection, channel: Channel, stream: Stream) -> None:
    table = raw_table_name(channel, stream.name)
    wanted = dict(declared_indexes(table, stream))
    existing = conn.execute(
        "select indexname from pg_indexes where schemaname = 'raw' and tablename = %s and indexname like %s",
        (table, f"{table}\\_is\\_%"),
    ).fetchall()
    for (index,) in existing:
        if index not in wanted:
            conn.execute(sql.SQL("drop index {}").format(sql.Identifier("raw", index)))
    for index, definition in wanted.items():
        conn.execute(
            sql.SQL("create index if not exists {index} on {table} {definition}").format(
                index=sql.Identifier(index), table=raw_table(channel, stream.name), definition=definition
            )
        )


def declared_indexes(table: str, stream: Stream) -> Iterator[tuple[str, sql.Composable]]:
    """Names carry a digest of the expression, so that an edited declaration gets a new index."""
    for kind, expression in (*stream.identities.items(), *stream.links.items()):
        definition = sql.SQL("(merchant_id, ({}))").format(identity_expression(expression))
        yield f"{table}_is_{kind}_{_digest(expression)}", definition
    if stream.unfinished is not None:
        definition = sql.SQL("(merchant_id, event_at) where {}").format(unfinished_condition(stream.unfinished))
        yield f"{table}_is_unfinished_{_digest(stream.unfinished.condition)}", definition


def _digest(expression: str) -> str:
    return blake2b(expression.encode(), digest_size=3).hexdigest()
