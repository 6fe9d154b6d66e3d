"""The end of a backfill, whatever became of it: its outcome on record, its merchants free, its schema gone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tributary.backfill import audit
from tributary.backfill.state import load
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.leases import release
from tributary.warehouse.publish import retried

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill, Status

log = logging.getLogger(__name__)

_IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_ATTEMPTS = 5

# In the order in which whoever publishes locks: the leases first, then the backfill.
_LOCK_LEASES = "select from ops.leases where backfill_id = %s order by merchant_id for update"

# By the warehouse's clock, as all who ask for leases do.
_EXPIRED = """
select backfill_id from ops.leases
where
    expires_at <= clock_timestamp()
    and (%(merchants)s::text[] is null or merchant_id = any(%(merchants)s))
    and backfill_id is distinct from %(but)s
group by backfill_id
order by min(expires_at)
"""
# One whose row is locked is being worked for.
_STILL_EXPIRED = """
select merchant_id from ops.leases
where backfill_id = %s and expires_at <= clock_timestamp()
order by merchant_id
for update skip locked
"""

# A run that was killed before it had a lease leaves nothing but its row.
_STOOD_STILL = """
select backfill_id from ops.backfills
where
    status in ('running', 'waiting')
    and requested_at < %s - interval '30 hours'
    and not exists (select from ops.leases where leases.backfill_id = backfills.backfill_id)
order by requested_at
"""

_LEFT_SCHEMAS = """
select pg_namespace.nspname
from pg_namespace
left join ops.backfills on pg_namespace.nspname = backfills.build_schema
where
    pg_namespace.nspname ~ '^backfill_[0-9a-f]{12}$'
    and (backfills.backfill_id is null or backfills.status not in ('running', 'waiting'))
order by pg_namespace.nspname
"""

# A snapshot is made in the transaction that publishes; whoever is about to restore it keeps it.
_OLD_SNAPSHOTS = """
select pg_class.relname
from pg_class
left join ops.backfills on left(pg_class.relname, 12) = left(replace(backfills.backfill_id::text, '-', ''), 12)
where
    pg_class.relnamespace = 'snapshots'::regnamespace
    and pg_class.relkind = 'r'
    and pg_class.relname ~ '^[0-9a-f]{12}_'
    and coalesce(
        (
            select min(events.recorded_at)
            from audit.backfill_events as events
            where events.backfill_id = backfills.backfill_id and events.status in ('published', 'restored')
        ),
        backfills.requested_at,
        '-infinity'
    ) < %s - interval '7 days'
    and not exists (
        select from ops.backfills as rollbacks
        where rollbacks.restores = backfills.backfill_id and rollbacks.status in ('running', 'waiting')
    )
order by pg_class.relname
"""


def close(conn: Connection, backfill_id: UUID, error: str | None) -> Status:
    """Record how it ended unless that is on record, release its merchants, drop its schema; what it ended as.

    It may be called at any time and again: what was published stays published, and nobody else's lease is touched.
    """
    backfill = retried(conn, lambda: _end(conn, backfill_id, error), _ATTEMPTS)
    # Its outcome stands, whatever becomes of its schema.
    conn.commit()
    failpoint("close: committed")
    _drop(conn, sql.SQL("schema"), sql.Identifier(backfill.build_schema))
    return backfill.status


def close_expired(conn: Connection, merchants: Sequence[str] | None = None, but: UUID | None = None) -> list[UUID]:
    """Close, as failed, the backfills whose lease expired, of these merchants or of all; which they were."""
    wanted = {"merchants": None if merchants is None else [*merchants], "but": but}
    expired = [backfill_id for (backfill_id,) in conn.execute(_EXPIRED, wanted).fetchall()]
    return [backfill_id for backfill_id in expired if _close_expired(conn, backfill_id)]


def sweep(conn: Connection, now: datetime) -> list[UUID]:
    """Close what is dead, and drop what its end has left: schemas, and snapshots that nobody may restore any more."""
    closed = close_expired(conn)
    for (backfill_id,) in conn.execute(_STOOD_STILL, (now,)).fetchall():
        close(conn, backfill_id, "it stood still for 30 hours without a lease: its run was killed or lost")
        closed.append(backfill_id)
    for (schema,) in conn.execute(_LEFT_SCHEMAS).fetchall():
        _drop(conn, sql.SQL("schema"), sql.Identifier(schema))
    for (table,) in conn.execute(_OLD_SNAPSHOTS, (now,)).fetchall():
        _drop(conn, sql.SQL("table"), sql.Identifier("snapshots", table))
    return closed


def _close_expired(conn: Connection, backfill_id: UUID) -> bool:
    with conn.transaction():
        if not conn.execute(_STILL_EXPIRED, (backfill_id,)).fetchall():
            return False
        step = load(conn, backfill_id).step
        backfill = _end(conn, backfill_id, f"its lease expired in step {step}: its run was killed or lost")
    conn.commit()
    _drop(conn, sql.SQL("schema"), sql.Identifier(backfill.build_schema))
    return True


def _end(conn: Connection, backfill_id: UUID, error: str | None) -> Backfill:
    conn.execute("set local lock_timeout = '5s'")
    conn.execute(_LOCK_LEASES, (backfill_id,))
    backfill = load(conn, backfill_id, lock=True)
    if not backfill.is_over:
        if backfill.is_dry_run and backfill.compared_at is not None and error is None:
            audit.move(conn, backfill_id, "dry run")
        else:
            audit.move(conn, backfill_id, "failed", error or f"it ended in step {backfill.step}, before it published")
    release(conn, backfill_id)
    failpoint("close: before commit")
    return load(conn, backfill_id)


def _drop(conn: Connection, kind: sql.SQL, name: sql.Identifier) -> bool:
    """Drop it, unless somebody uses it all the while: then the next sweep does."""

    def drop() -> None:
        # Whoever wants to read from it queues up behind a wait for its locks.
        conn.execute("set local lock_timeout = '500ms'")
        conn.execute(sql.SQL("drop {} if exists {} cascade").format(kind, name))

    try:
        retried(conn, drop, _ATTEMPTS)
    except _IN_THE_WAY as error:
        log.warning("%s stays until the next sweep, somebody uses it: %s", name.as_string(conn), error)
        return False
    finally:
        conn.commit()
    return True
