"""Raw as a backfill leaves it: what was read again lies in tables of the build schema, and views lay it over raw.

A view has the name and the columns of its raw table, so that whatever reads raw reads it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.rereading.staged import PARENT, beside_raw, is_reread, reread_streams
from tributary.backfill.rereading.winners import collect_changes, stage_winners
from tributary.warehouse.raw_table import declared_indexes, raw_table, raw_table_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel, Stream

__all__ = ["collect_changes", "create_overlay", "reread_streams", "stage_winners"]

# `is_new`: raw did not hold it when it was read. Without it, what a sync removed since then would come back.
_STAGED = sql.SQL("""
create table if not exists {staged} (
    merchant_id text not null,
    record_id text collate "C" not null,
    event_at timestamptz not null,
    updated_at timestamptz not null,
    payload jsonb not null,
    payload_hash bytea not null,
    api_version text,
    read_at timestamptz not null,
    is_new boolean not null default true,
    primary key (merchant_id, record_id)
);
create index if not exists {by_event} on {staged} (merchant_id, event_at);
""")

_GONE = sql.SQL("""
create table if not exists {gone} (
    merchant_id text not null,
    record_id text collate "C" not null,
    read_at timestamptz not null,
    primary key (merchant_id, record_id)
);
""")

# What was staged wins over the version that it finds in raw.
_NEWER = sql.SQL(
    "(staged.updated_at > stored.updated_at"
    " or (staged.updated_at = stored.updated_at and stored.loaded_at <= staged.read_at))"
)
_READ_LATER = sql.SQL("stored.loaded_at <= staged.read_at")

# Where a slice is all there is of its window, ages do not count. A sync that read the window since then has the last
# word on it, even where it left raw as it was.
_NOT_READ_SINCE = sql.SQL("""
not exists (
    select from ops.syncs
    where
        syncs.merchant_id = staged.merchant_id
        and syncs.channel = {channel}
        and syncs.stream = {stream}
        and syncs.started_at > staged.read_at
        and syncs.kind in ('sync', 'reread')
        and syncs.status = 'succeeded'
        and syncs.window_start <= {event_at}
        and syncs.window_end > {event_at}
)
""")
_ALWAYS = sql.SQL("true")

# `offset 0` holds PostgreSQL to one index probe a row, as everywhere that few rows look into raw (see staging.py).
_WINNERS = sql.SQL("""
select staged.merchant_id, staged.record_id
from {staged} as staged
left join lateral (
    select merchant_id, updated_at, loaded_at
    from {raw}
    where merchant_id = staged.merchant_id and record_id = staged.record_id
    offset 0
) as stored on true
where case when stored.merchant_id is null then staged.is_new else {wins} end and {lasts}
""")
_GONE_WINNERS = sql.SQL("""
select staged.merchant_id, staged.record_id
from {gone} as staged
cross join lateral (
    select loaded_at, event_at
    from {raw}
    where merchant_id = staged.merchant_id and record_id = staged.record_id
    offset 0
) as stored
where {gone_wins} and {gone_lasts}
""")

_WINNING = sql.SQL("create or replace view {winning} as {staged_winners} union all {gone_winners}")

_PLAIN = sql.SQL("create or replace view {view} as select {columns} from {raw}")

_PARENTS = sql.SQL("""
create or replace view {view} as
select {columns}
from {raw} as stored
where
    not exists (
        select from {staged} as staged
        where
            staged.merchant_id = stored.merchant_id and staged.record_id = stored.record_id and {wins} and {lasts}
    )
    and not exists (
        select from {gone} as staged
        where
            staged.merchant_id = stored.merchant_id
            and staged.record_id = stored.record_id
            and {gone_wins}
            and {gone_lasts}
    )
union all
select {staged_columns}
from {staged} as staged
left join lateral (
    select merchant_id, updated_at, loaded_at, first_loaded_at
    from {raw}
    where merchant_id = staged.merchant_id and record_id = staged.record_id
    offset 0
) as stored on true
where case when stored.merchant_id is null then staged.is_new else {wins} end and {lasts}
""")

_CHILDREN = sql.SQL("""
create or replace view {view} as
select {columns}
from {raw_child} as stored
where
    not exists (
        select from ({staged_winners}) as winner
        where winner.merchant_id = stored.merchant_id and winner.record_id = {parent_of_stored}
    )
    and not exists (
        select from ({gone_winners}) as winner
        where winner.merchant_id = stored.merchant_id and winner.record_id = {parent_of_stored}
    )
union all
select {staged_columns}
from {staged_child} as staged
left join lateral (
    select first_loaded_at
    from {raw_child}
    where merchant_id = staged.merchant_id and record_id = staged.record_id
    offset 0
) as stored on true
where
    exists (
        select from ({staged_winners}) as winner
        where winner.merchant_id = staged.merchant_id and winner.record_id = {parent_of_staged}
    )
""")

_COLUMNS = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
order by attnum
"""


def create_overlay(
    conn: Connection, backfill: Backfill, channels: Sequence[Channel], reread: Collection[str] | None = None
) -> None:
    """Views over all raw tables in the build schema, and tables for what is read again; what is staged stays.

    `reread` names the channels whose streams are read again; None: those that the backfill is about.
    """
    if reread is None:
        reread = {channel.name for channel in channels if is_reread(backfill, channel)}
    with conn.transaction():
        for channel in channels:
            for stream in channel.streams:
                if channel.name in reread:
                    _lay_over(conn, backfill, channel, stream)
                else:
                    for name in (stream.name, *stream.children):
                        raw = raw_table(channel, name)
                        columns = sql.SQL(", ").join(sql.Identifier(column) for column, _ in _columns(conn, raw))
                        view = raw_table(channel, name, backfill.build_schema)
                        conn.execute(_PLAIN.format(view=view, columns=columns, raw=raw))


def _lay_over(conn: Connection, backfill: Backfill, channel: Channel, stream: Stream) -> None:
    raw = raw_table(channel, stream.name)
    over = beside_raw(backfill.build_schema, channel, stream.name)
    conditions = _conditions(channel, stream)
    staged_winners = _WINNERS.format(staged=over.staged, raw=raw, **conditions)
    gone_winners = _GONE_WINNERS.format(gone=over.gone, raw=raw, **conditions)
    for name in (stream.name, *stream.children):
        table = raw_table_name(channel, name)
        staged = beside_raw(backfill.build_schema, channel, name).staged
        conn.execute(_STAGED.format(staged=staged, by_event=sql.Identifier(f"{table}_by_event")))
    for index, definition in declared_indexes(raw_table_name(channel, stream.name), stream):
        conn.execute(
            sql.SQL("create index if not exists {index} on {staged} {definition}").format(
                index=sql.Identifier(index), staged=over.staged, definition=definition
            )
        )
    conn.execute(_GONE.format(gone=over.gone))
    conn.execute(_WINNING.format(winning=over.winning, staged_winners=staged_winners, gone_winners=gone_winners))
    columns, staged_columns = _both_columns(conn, raw, backfill)
    conn.execute(
        _PARENTS.format(
            view=over.view,
            raw=raw,
            staged=over.staged,
            gone=over.gone,
            **conditions,
            columns=columns,
            staged_columns=staged_columns,
        )
    )
    for child in stream.children:
        raw_child = raw_table(channel, child)
        columns, staged_columns = _both_columns(conn, raw_child, backfill)
        over_child = beside_raw(backfill.build_schema, channel, child)
        conn.execute(
            _CHILDREN.format(
                view=over_child.view,
                raw_child=raw_child,
                staged_child=over_child.staged,
                staged_winners=staged_winners,
                gone_winners=gone_winners,
                parent_of_stored=PARENT.format(id=sql.SQL("stored.record_id")),
                parent_of_staged=PARENT.format(id=sql.SQL("staged.record_id")),
                columns=columns,
                staged_columns=staged_columns,
            )
        )


def _conditions(channel: Channel, stream: Stream) -> dict[str, sql.Composable]:
    """When a version that was staged, or that a record is gone, counts for more than what raw holds."""
    if stream.write != "replace_slice":
        return {"wins": _NEWER, "lasts": _ALWAYS, "gone_wins": _READ_LATER, "gone_lasts": _ALWAYS}
    names = {"channel": sql.Literal(channel.name), "stream": sql.Literal(stream.name)}
    return {
        "wins": _READ_LATER,
        "lasts": _NOT_READ_SINCE.format(event_at=sql.SQL("staged.event_at"), **names),
        "gone_wins": _READ_LATER,
        "gone_lasts": _NOT_READ_SINCE.format(event_at=sql.SQL("stored.event_at"), **names),
    }


def _both_columns(conn: Connection, raw: sql.Identifier, backfill: Backfill) -> tuple[sql.Composed, sql.Composed]:
    """The columns of a raw table from itself, and from what is staged; what is not staged is null there."""
    named = _columns(conn, raw)
    known = {
        "first_loaded_at": sql.SQL("coalesce(stored.first_loaded_at, staged.read_at)"),
        "loaded_at": sql.SQL("staged.read_at"),
        "sync_id": sql.SQL("{}::uuid").format(sql.Literal(str(backfill.backfill_id))),
    }
    staged = ("merchant_id", "record_id", "event_at", "updated_at", "payload", "payload_hash", "api_version")
    known |= {column: sql.SQL("staged.{}").format(sql.Identifier(column)) for column in staged}
    return (
        sql.SQL(", ").join(sql.SQL("stored.{}").format(sql.Identifier(column)) for column, _ in named),
        sql.SQL(", ").join(
            sql.SQL("{} as {}").format(
                known.get(column, sql.SQL("null::{}").format(sql.SQL(type_))), sql.Identifier(column)
            )
            for column, type_ in named
        ),
    )


def _columns(conn: Connection, table: sql.Identifier) -> list[tuple[str, str]]:
    return conn.execute(_COLUMNS, (table.as_string(conn),)).fetchall()
