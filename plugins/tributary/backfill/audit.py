"""The audit: what became of every backfill, for ever, written in the transaction that made it so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Status

# A backfill that came to its end moves on only to being rolled back: a late or repeated message changes nothing.
_MOVE = """
update ops.backfills set status = %(status)s, error = coalesce(%(error)s, error)
where
    backfill_id = %(backfill_id)s
    and status <> %(status)s
    and (status in ('running', 'waiting') or (status = 'published' and %(status)s = 'rolled back'))
returning backfill_id
"""
_RECORD = """
insert into audit.backfill_events (
    backfill_id, kind, status, triggered_by, triggered_at, environment, role, merchants, date_range_start,
    date_range_end, channels, models_affected, mode, is_dry_run, reason, incident, restores, approved_by, rows_affected,
    duration_seconds, code_version, error
)
select
    backfill_id, kind, status, requested_by, requested_at, environment, role, merchants, first_day,
    last_day, channels, models, mode, is_dry_run, reason, incident, restores, approved_by, rows_affected,
    extract(epoch from clock_timestamp() - requested_at), code_version, error
from ops.backfills
where backfill_id = %s
"""


def begin(conn: Connection, backfill_id: UUID) -> None:
    """Record how it begins: running, or refused. Part of the transaction that writes its row."""
    conn.execute(_RECORD, (backfill_id,))


def move(conn: Connection, backfill_id: UUID, status: Status, error: str | None = None) -> bool:
    """Record a new state; False, and nothing, when it is there already or has come to its end."""
    moved = conn.execute(_MOVE, {"backfill_id": backfill_id, "status": status, "error": error}).fetchone()
    if moved:
        conn.execute(_RECORD, (backfill_id,))
    return moved is not None
