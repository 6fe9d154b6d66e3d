"""The second half of a slice: one transaction that moves what was staged into raw, and everything that goes with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.warehouse.raw_table import raw_table

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from tributary.declaration import Channel, Stream

# Of several versions in the slice the newest stays, on a tie the one read last. Grouping by the narrow key alone finds
# the rare duplicates; sorting whole rows would cost every load a sixth of its time.
_DROP_SUPERSEDED = """
delete from staged
using (select record_id from staged group by record_id having count(*) > 1) as repeated
where
    staged.record_id = repeated.record_id
    and exists (
        select from staged as newer
        where
            newer.record_id = staged.record_id
            and (newer.updated_at, newer.ordinal) > (staged.updated_at, staged.ordinal)
    )
"""

_DROP_GONE = """
delete from staged
using staged_gone as gone
where staged.record_id = gone.record_id
"""

# Here and below, subqueries are written so that each staged row probes an index (see staging.py).
_DROP_OUTDATED = sql.SQL("""
delete from staged
where
    staged.updated_at < (
        select stored.updated_at
        from {table} as stored
        where stored.merchant_id = %(merchant_id)s and stored.record_id = staged.record_id
    )
""")

_LOG_RECORDS = sql.SQL("""
with logged as (
    insert into ops.changes (
        merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload, sync_id
    )
    select
        %(merchant_id)s, %(channel)s, {stream}, incoming.record_id,
        case when stored.record_id is null then 'insert' else 'update' end,
        stored.event_at, incoming.event_at, stored.payload, %(sync_id)s
    from {incoming} as incoming
    left join lateral (
        select record_id, event_at, updated_at, payload, payload_hash
        from {table}
        where merchant_id = %(merchant_id)s and record_id = incoming.record_id
        limit 1
    ) as stored on true
    where stored.record_id is null or {differs}
    returning operation
)
select operation, count(*) from logged group by operation
""")

_MERGE_RECORDS = sql.SQL("""
insert into {table} as stored (
    merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id
)
select
    %(merchant_id)s, incoming.record_id, incoming.event_at, incoming.updated_at,
    incoming.payload, incoming.payload_hash, %(api_version)s, %(sync_id)s
from {incoming} as incoming
on conflict (merchant_id, record_id) do update
set
    event_at = excluded.event_at,
    updated_at = excluded.updated_at,
    payload = excluded.payload,
    payload_hash = excluded.payload_hash,
    api_version = excluded.api_version,
    loaded_at = now(),
    sync_id = excluded.sync_id
where {differs}
""")

_REMOVE = sql.SQL("""
with removed as (
    delete from {table} as stored
    where
        stored.merchant_id = %(merchant_id)s
        and stored.record_id = any (array({gone}))
    returning stored.record_id, stored.event_at, stored.payload
),
logged as (
    insert into ops.changes (merchant_id, channel, stream, record_id, operation, old_event_at, old_payload, sync_id)
    select
        %(merchant_id)s, %(channel)s, {stream}, removed.record_id, 'delete',
        removed.event_at, removed.payload, %(sync_id)s
    from removed
    returning operation
)
select operation, count(*) from logged group by operation
""")

_GONE = sql.SQL("select record_id from staged_gone")

# The children of a gone parent, and those that a parent was staged without.
_GONE_CHILDREN = sql.SQL("""
    select stored.record_id
    from (select ordinal, record_id from staged union all select null, record_id from staged_gone) as parent
    cross join lateral (
        select record_id
        from {table}
        where
            merchant_id = %(merchant_id)s
            and record_id > parent.record_id || '/'
            and record_id < parent.record_id || '0'
            and strpos(substr(record_id, length(parent.record_id) + 2), '/') = 0
        offset 0
    ) as stored
    where
        not exists (
            select from staged_children as child
            where
                child.ordinal = parent.ordinal
                and child.stream = {stream}
                and child.record_id = stored.record_id
        )
""")

_CHILDREN_OF_STAGED = sql.SQL("""(
    select child.record_id, child.event_at, child.updated_at, child.payload, child.payload_hash
    from staged_children as child
    inner join staged as parent on parent.ordinal = child.ordinal
    where child.stream = {stream}
)""")

# A replay may be refusing a dead letter that a sync has closed meanwhile.
_BURY_REJECTS = """
insert into ops.dead_letters as known (
    merchant_id, channel, stream, record_id, reason, payload, payload_hash, sync_id, times_seen
)
select distinct on (payload_hash)
    %(merchant_id)s, %(channel)s, %(stream)s, record_id, reason, payload, payload_hash, %(sync_id)s,
    count(*) over (partition by payload_hash)
from staged_rejects
order by payload_hash asc, ordinal desc
on conflict (merchant_id, channel, stream, payload_hash) do update
set
    record_id = excluded.record_id,
    reason = excluded.reason,
    sync_id = excluded.sync_id,
    last_seen_at = now(),
    times_seen = known.times_seen + excluded.times_seen,
    resolved_at = null
where
    known.resolved_at is null
    or not exists (select from ops.syncs where syncs.sync_id = excluded.sync_id and syncs.kind = 'replay')
"""

_RESOLVE_CURED = """
update ops.dead_letters
set resolved_at = now()
where
    merchant_id = %(merchant_id)s
    and channel = %(channel)s
    and stream = %(stream)s
    and resolved_at is null
    and record_id = any(%(cured)s)
"""


def merge_staged(
    conn: Connection, channel: Channel, stream: Stream, merchant_id: str, sync_id: UUID, cured: set[str]
) -> Counter[str]:
    """Bring raw, its change log and the dead letters up to what is staged; count changes by operation.

    Runs in the caller's repeatable-read transaction: whoever changes the same rows meanwhile makes it fail, not err.
    """
    values: dict[str, object] = {
        "merchant_id": merchant_id,
        "channel": channel.name,
        "stream": stream.name,
        "api_version": stream.api_version,
        "sync_id": sync_id,
    }
    table = raw_table(channel, stream.name)
    settle_staged(conn)
    if stream.write != "replace_slice":
        conn.execute(_DROP_OUTDATED.format(table=table), values)
    # What is left is accepted. A child's own time says nothing (it takes its parent's), so content alone decides there.
    counts = _merge(conn, table, stream.name, sql.Identifier("staged"), _differs("updated_at"), values)
    counts += _remove(conn, table, stream.name, _GONE, values)
    for child in stream.children:
        table = raw_table(channel, child)
        named = {"table": table, "stream": sql.Literal(child)}
        counts += _remove(conn, table, child, _GONE_CHILDREN.format(**named), values)
        counts += _merge(conn, table, child, _CHILDREN_OF_STAGED.format(**named), _differs(), values)
    bury_rejects(conn, channel, stream, merchant_id, sync_id)
    if cured:
        conn.execute(_RESOLVE_CURED, values | {"cured": sorted(cured)})
    return counts


def settle_staged(conn: Connection) -> None:
    """Of each record that is staged, leave the one version that counts."""
    conn.execute(_DROP_GONE)
    conn.execute(_DROP_SUPERSEDED)


def bury_rejects(conn: Connection, channel: Channel, stream: Stream, merchant_id: str, sync_id: UUID) -> None:
    """Make dead letters of the staged rejects, in the caller's transaction."""
    conn.execute(
        _BURY_REJECTS,
        {"merchant_id": merchant_id, "channel": channel.name, "stream": stream.name, "sync_id": sync_id},
    )


def _merge(
    conn: Connection,
    table: sql.Identifier,
    stream: str,
    incoming: sql.Composable,
    differs: str,
    values: dict[str, object],
) -> Counter[str]:
    parts = {"table": table, "stream": sql.Literal(stream), "incoming": incoming}
    logged = conn.execute(_LOG_RECORDS.format(differs=sql.SQL(differs.format("incoming")), **parts), values)
    counts: Counter[str] = Counter(dict(logged.fetchall()))
    conn.execute(_MERGE_RECORDS.format(differs=sql.SQL(differs.format("excluded")), **parts), values)
    return counts


def _remove(
    conn: Connection, table: sql.Identifier, stream: str, gone: sql.Composable, values: dict[str, object]
) -> Counter[str]:
    remove = _REMOVE.format(table=table, stream=sql.Literal(stream), gone=gone)
    return Counter(dict(conn.execute(remove, values).fetchall()))


def _differs(*more: str) -> str:
    columns = ("payload_hash", "event_at", *more)
    return "(" + " or ".join(f"{{0}}.{column} <> stored.{column}" for column in columns) + ")"
