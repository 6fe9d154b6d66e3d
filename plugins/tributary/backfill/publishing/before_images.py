"""Rows of raw as they were before a backfill, and bringing back those that nobody has changed since.

A record and its children are one: they are brought back together, or left together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from tributary.backfill.publishing import snapshot
from tributary.warehouse.raw_table import raw_table, raw_table_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from psycopg import Connection

    from tributary.declaration import Channel, Stream

_STAGED = "select exists (select from staged union all select from staged_gone)"

# A sync waits for these rows, and never the other way round: two that wait for each other's rows would be a deadlock.
_HOLD = sql.SQL("""
select from {table} as stored
where
    stored.merchant_id = %(merchant_id)s
    and stored.record_id = any (array(select record_id from staged union select record_id from staged_gone))
for update nowait
""")

_KEEP = sql.SQL("""
insert into {images}
select stored.*
from {table} as stored
where
    stored.merchant_id = %(merchant_id)s
    and stored.record_id = any (array(select record_id from staged union select record_id from staged_gone))
""")

_KEEP_CHILDREN = sql.SQL("""
insert into {images}
select stored.*
from (select record_id from staged union select record_id from staged_gone) as parent
cross join lateral (
    select *
    from {table}
    where
        merchant_id = %(merchant_id)s
        and record_id > parent.record_id || '/'
        and record_id < parent.record_id || '0'
    offset 0
) as stored
""")

# Which rows a merge changed, and by what to know later that nobody has touched them since; of a record whose children
# alone changed, too. Neither a sync nor whoever masks leaves these three as they were.
_CREATE_KEYS = sql.SQL("""
create table {keys} (
    channel text not null,
    stream text not null,
    merchant_id text not null,
    record_id text collate "C" not null,
    is_changed boolean not null,
    sync_id uuid,
    loaded_at timestamptz,
    masked_at timestamptz,
    primary key (channel, stream, merchant_id, record_id)
);
""")

_NOTE = sql.SQL("""
insert into {keys} (channel, stream, merchant_id, record_id, is_changed, sync_id, loaded_at, masked_at)
select
    {channel}, {stream}, changed.merchant_id, changed.record_id, changed.is_changed,
    stored.sync_id, stored.loaded_at, stored.masked_at
from (
    select merchant_id, record_id, bool_or(is_changed) as is_changed
    from (
        select merchant_id, record_id, true as is_changed
        from ops.changes
        where sync_id = {backfill_id} and channel = {channel} and stream = {stream}
        union all
        select merchant_id, left(record_id, -strpos(reverse(record_id), '/')), false
        from ops.changes
        where sync_id = {backfill_id} and channel = {channel} and stream = any({children})
    ) as logged
    group by merchant_id, record_id
) as changed
left join lateral (
    select sync_id, loaded_at, masked_at
    from {table}
    where merchant_id = changed.merchant_id and record_id = changed.record_id
    offset 0
) as stored on true
""")

_FORGET_UNCHANGED = sql.SQL("""
delete from {images} as image
where not exists (
    select from {keys} as keys
    where
        keys.channel = {channel}
        and keys.stream = {stream}
        and keys.merchant_id = image.merchant_id
        and keys.record_id = image.record_id
)
""")

# What became of each record since, its children's fate included.
_CREATE_FATES = """
drop table if exists pg_temp.fates;
create temporary table fates (
    channel text not null,
    stream text not null,
    merchant_id text not null,
    parent_id text collate "C" not null,
    is_masked boolean not null,
    primary key (channel, stream, merchant_id, parent_id)
) on commit drop
"""

_FATES = sql.SQL("""
insert into fates (channel, stream, merchant_id, parent_id, is_masked)
select
    {channel}, {parent_stream}, keys.merchant_id, {parent_id},
    bool_or(stored.masked_at is distinct from keys.masked_at and stored.record_id is not null)
from {keys} as keys
left join lateral (
    select record_id, sync_id, loaded_at, masked_at
    from {table}
    where merchant_id = keys.merchant_id and record_id = keys.record_id
    offset 0
) as stored on true
where
    keys.channel = {channel}
    and keys.stream = {stream}
    and (stored.sync_id, stored.loaded_at, stored.masked_at)
    is distinct from (keys.sync_id, keys.loaded_at, keys.masked_at)
group by keys.merchant_id, {parent_id}
on conflict (channel, stream, merchant_id, parent_id) do update
set is_masked = fates.is_masked or excluded.is_masked
""")

_RETURNING = sql.SQL("""
select keys.merchant_id, keys.record_id, fates.parent_id is not null as is_left, coalesce(is_masked, false) as is_masked
from {keys} as keys
left join fates
    on
        fates.channel = {channel}
        and fates.stream = {parent_stream}
        and fates.merchant_id = keys.merchant_id
        and fates.parent_id = {parent_id}
where keys.channel = {channel} and keys.stream = {stream} and keys.is_changed
""")

_COUNT = sql.SQL("""
select
    count(*) filter (where not is_left),
    count(*) filter (where is_left and not is_masked),
    count(*) filter (where is_masked)
from ({returning}) as returning_key
""")

# Whatever happens to a row, its days are built again: those of what is there now, and of what was there before.
_LOG = sql.SQL("""
insert into ops.changes (
    merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload, sync_id
)
select
    fate.merchant_id, {channel}, {stream}, fate.record_id,
    case when was.record_id is null then 'insert' when becomes.record_id is null then 'delete' else 'update' end,
    was.event_at, becomes.event_at, was.payload, {rollback_id}
from ({returning}) as fate
left join {images} as image on image.merchant_id = fate.merchant_id and image.record_id = fate.record_id
left join lateral (
    select * from {table} where merchant_id = fate.merchant_id and record_id = fate.record_id offset 0
) as stored on true
cross join lateral (
    select
        case when fate.is_left then image.record_id else stored.record_id end as record_id,
        case when fate.is_left then image.event_at else stored.event_at end as event_at,
        case when fate.is_left then image.payload else stored.payload end as payload
) as was
cross join lateral (
    select
        case when fate.is_left then stored.record_id else image.record_id end as record_id,
        case when fate.is_left then stored.event_at else image.event_at end as event_at
) as becomes
where coalesce(was.record_id, becomes.record_id) is not null
""")

_HOLD_RETURNING = sql.SQL("""
select from {table} as stored
where
    (stored.merchant_id, stored.record_id) in (
        select fate.merchant_id, fate.record_id from ({returning}) as fate where not fate.is_left
    )
for update of stored nowait
""")

_REMOVE = sql.SQL("""
delete from {table} as stored
using ({returning}) as fate
where stored.merchant_id = fate.merchant_id and stored.record_id = fate.record_id and not fate.is_left
""")

# Somebody may have been erased meanwhile who is in the old row: it then counts as loaded now, so that it is looked at.
_RETURN = sql.SQL("""
insert into {table} ({columns})
select {values}
from {images} as image
inner join ({returning}) as fate on fate.merchant_id = image.merchant_id and fate.record_id = image.record_id
where not fate.is_left
""")


class Fate(NamedTuple):
    """How many rows of raw come back, and how many stay because a sync wrote them or they were masked since."""

    restored: int = 0
    changed: int = 0
    masked: int = 0


def keep(conn: Connection, backfill_id: UUID, channel: Channel, stream: Stream, merchant_id: str) -> None:
    """Keep whatever merging what is staged may change; raises LockNotAvailable when a sync is changing it."""
    if conn.execute(_STAGED).fetchone() != (True,):
        return
    conn.execute(_HOLD.format(table=raw_table(channel, stream.name)), {"merchant_id": merchant_id})
    for name in (stream.name, *stream.children):
        table = raw_table(channel, name)
        snapshot.create(conn, backfill_id, raw_table_name(channel, name), table)
        kept = _KEEP if name == stream.name else _KEEP_CHILDREN
        images = snapshot.table(backfill_id, raw_table_name(channel, name))
        conn.execute(kept.format(images=images, table=table), {"merchant_id": merchant_id})


def note(conn: Connection, backfill_id: UUID, channels: Sequence[Channel]) -> None:
    """Note what merging changed, as its log says, and forget the images of all else."""
    create = _CREATE_KEYS.format(keys=snapshot.table(backfill_id, snapshot.RAW_KEYS))
    conn.execute(sql.SQL("set local role tributary_pipeline; {} reset role").format(create))
    for _, parts in _tables(conn, backfill_id, channels):
        conn.execute(_NOTE.format(**parts))
        conn.execute(_FORGET_UNCHANGED.format(**parts))


def look(conn: Connection, backfill_id: UUID, channels: Sequence[Channel]) -> Fate:
    """What would come back now; found out for the rest of the transaction."""
    conn.execute(_CREATE_FATES)
    tables = [parts for _, parts in _tables(conn, backfill_id, channels)]
    for parts in tables:
        conn.execute(_FATES.format(**parts))
    counts = [conn.execute(_COUNT.format(**parts)).fetchone() or (0, 0, 0) for parts in tables]
    return Fate(*map(sum, zip(*counts, strict=True))) if counts else Fate()


def bring_back(
    conn: Connection, backfill_id: UUID, channels: Sequence[Channel], rollback_id: UUID, erased: Sequence[str]
) -> None:
    """Restore what `look` found, and log both what came back and what did not. At `erased` people were since.

    Raises LockNotAvailable when a sync is changing one of its rows.
    """
    for table, parts in _tables(conn, backfill_id, channels):
        named = parts | {"rollback_id": sql.Literal(rollback_id)}
        conn.execute(_HOLD_RETURNING.format(**parts))
        conn.execute(_LOG.format(**named))
        conn.execute(_REMOVE.format(**named))
        columns = list(snapshot.columns(conn, snapshot.table(backfill_id, table)))
        loaded = sql.SQL("case when image.merchant_id = any({}) then now() else image.loaded_at end")
        values = [
            loaded.format(sql.Literal([*erased])) if column == "loaded_at" else sql.Identifier("image", column)
            for column in columns
        ]
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        conn.execute(_RETURN.format(columns=listed, values=sql.SQL(", ").join(values), **named))


def _tables(
    conn: Connection, backfill_id: UUID, channels: Sequence[Channel]
) -> Iterator[tuple[str, dict[str, sql.Composable]]]:
    """Every table of raw of which something is kept, and what statements call its parts."""
    kept = snapshot.names(conn, backfill_id)
    for channel in channels:
        for stream in channel.streams:
            for name in (stream.name, *stream.children):
                table = raw_table_name(channel, name)
                if table in kept:
                    parts: dict[str, sql.Composable] = {
                        "backfill_id": sql.Literal(backfill_id),
                        "channel": sql.Literal(channel.name),
                        "stream": sql.Literal(name),
                        "parent_stream": sql.Literal(stream.name),
                        "children": sql.Literal([*stream.children] if name == stream.name else []),
                        "parent_id": sql.SQL(
                            "keys.record_id"
                            if name == stream.name
                            else "left(keys.record_id, -strpos(reverse(keys.record_id), '/'))"
                        ),
                        "table": raw_table(channel, name),
                        "images": snapshot.table(backfill_id, table),
                        "keys": snapshot.table(backfill_id, snapshot.RAW_KEYS),
                    }
                    yield table, parts | {"returning": _RETURNING.format(**parts)}
