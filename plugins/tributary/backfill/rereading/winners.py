"""What of a backfill's reading counts for more than raw: what it changes, and how it is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.rereading.staged import PARENT, beside_raw, reread_streams
from tributary.warehouse.raw_table import raw_table
from tributary.warehouse.staging import empty_staged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel, Stream

_CHANGES = sql.SQL("""
create table if not exists {changes}
(like ops.changes including defaults including identity including constraints);
delete from {changes};
""")

_PARENT_KEYS = sql.SQL("select merchant_id, record_id from {winning}")
_CHILD_KEYS = sql.SQL("""
select winning.merchant_id, child.record_id
from {winning} as winning
cross join lateral (
    select record_id
    from {raw}
    where
        merchant_id = winning.merchant_id
        and record_id > winning.record_id || '/'
        and record_id < winning.record_id || '0'
        and strpos(substr(record_id, length(winning.record_id) + 2), '/') = 0
    offset 0
) as child
union
select child.merchant_id, child.record_id
from {staged} as child
inner join {winning} as winning on winning.merchant_id = child.merchant_id and winning.record_id = {parent}
""")
_COLLECT = sql.SQL("""
insert into {changes} (
    merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload, sync_id
)
select
    touched.merchant_id, {channel}, {stream}, touched.record_id,
    case when old.record_id is null then 'insert' when new.record_id is null then 'delete' else 'update' end,
    old.event_at, new.event_at, old.payload, {backfill_id}
from ({keys}) as touched
left join lateral (
    select record_id, event_at, payload, payload_hash
    from {raw}
    where merchant_id = touched.merchant_id and record_id = touched.record_id
    offset 0
) as old on true
left join {staged} as new on new.merchant_id = touched.merchant_id and new.record_id = touched.record_id
where
    (old.record_id is not null or new.record_id is not null)
    and (old.payload_hash, old.event_at) is distinct from (new.payload_hash, new.event_at)
""")

_STAGE = sql.SQL("""
insert into staged (ordinal, record_id, event_at, updated_at, payload, payload_hash)
select
    row_number() over (order by kept.record_id), kept.record_id, kept.event_at, kept.updated_at, kept.payload,
    kept.payload_hash
from {staged} as kept
inner join {winning} as winning on winning.merchant_id = kept.merchant_id and winning.record_id = kept.record_id
where kept.merchant_id = %(merchant_id)s
""")
_STAGE_CHILDREN = sql.SQL("""
insert into staged_children (ordinal, stream, record_id, event_at, updated_at, payload, payload_hash)
select
    staged.ordinal, {stream}, child.record_id, child.event_at, child.updated_at, child.payload, child.payload_hash
from {staged} as child
inner join staged on staged.record_id = {parent}
where child.merchant_id = %(merchant_id)s
""")
_STAGE_GONE = sql.SQL("""
insert into staged_gone (record_id)
select kept.record_id
from {gone} as kept
inner join {winning} as winning on winning.merchant_id = kept.merchant_id and winning.record_id = kept.record_id
where kept.merchant_id = %(merchant_id)s
""")

# Refused before it was read again, and good now, or gone.
_CURED = sql.SQL("""
select distinct letters.record_id
from ops.dead_letters as letters
inner join (
    select record_id, read_at from {staged} where merchant_id = %(merchant_id)s
    union all
    select record_id, read_at from {gone} where merchant_id = %(merchant_id)s
) as kept on kept.record_id = letters.record_id
where
    letters.merchant_id = %(merchant_id)s
    and letters.channel = %(channel)s
    and letters.stream = %(stream)s
    and letters.resolved_at is null
    and letters.last_seen_at <= kept.read_at
    and (
        exists (select from staged where staged.record_id = letters.record_id)
        or exists (select from staged_gone where staged_gone.record_id = letters.record_id)
    )
""")


def collect_changes(conn: Connection, backfill: Backfill, channels: Sequence[Channel]) -> None:
    """Fill the build schema's `changes`: as raw's change log will read when this is published as things stand."""
    changes = sql.Identifier(backfill.build_schema, "changes")
    with conn.transaction():
        conn.execute(_CHANGES.format(changes=changes))
        for channel, stream in reread_streams(backfill, channels):
            parent = beside_raw(backfill.build_schema, channel, stream.name)
            for name in (stream.name, *stream.children):
                staged, raw = beside_raw(backfill.build_schema, channel, name).staged, raw_table(channel, name)
                # Without it, what reads through the views would be planned for empty tables.
                conn.execute(sql.SQL("analyze {}").format(staged))
                keys = _PARENT_KEYS if name == stream.name else _CHILD_KEYS
                of_child = PARENT.format(id=sql.SQL("child.record_id"))
                conn.execute(
                    _COLLECT.format(
                        changes=changes,
                        channel=sql.Literal(channel.name),
                        stream=sql.Literal(name),
                        backfill_id=sql.Literal(backfill.backfill_id),
                        keys=keys.format(winning=parent.winning, raw=raw, staged=staged, parent=of_child),
                        raw=raw,
                        staged=staged,
                    )
                )
            conn.execute(sql.SQL("analyze {}").format(parent.gone))


def stage_winners(conn: Connection, backfill: Backfill, channel: Channel, stream: Stream, merchant_id: str) -> set[str]:
    """Stage what wins in the session's own tables, where merging finds it: then raw becomes what the views show.

    Returns the ids whose dead letters it cures. What wins is judged in the caller's transaction, which has to be the
    one that merges, and a repeatable-read one.
    """
    over = beside_raw(backfill.build_schema, channel, stream.name)
    values = {"merchant_id": merchant_id, "channel": channel.name, "stream": stream.name}
    empty_staged(conn)
    conn.execute(_STAGE.format(staged=over.staged, winning=over.winning), values)
    conn.execute(_STAGE_GONE.format(gone=over.gone, winning=over.winning), values)
    for child in stream.children:
        staged = beside_raw(backfill.build_schema, channel, child).staged
        parent = PARENT.format(id=sql.SQL("child.record_id"))
        conn.execute(_STAGE_CHILDREN.format(staged=staged, stream=sql.Literal(child), parent=parent), values)
    return {record_id for (record_id,) in conn.execute(_CURED.format(staged=over.staged, gone=over.gone), values)}
