"""Whether a backfill can be taken back at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg import sql

from tributary.backfill.errors import Refused
from tributary.backfill.publishing import snapshot
from tributary.notify.mrkdwn import minute

if TYPE_CHECKING:
    from psycopg import Connection

_KNOWN = "select kind, status, models from ops.backfills where backfill_id = %s"
_PUBLISHED = """
select max(recorded_at) from audit.backfill_events where backfill_id = %s and status = 'published'
"""
_REBUILD = "Trigger `transform` with *full rebuild* to compute all days anew instead."
_AGAIN = "Trigger `backfill` over the same days instead."


def check_restorable(conn: Connection, restores: UUID | str | None) -> UUID:
    """The id of a backfill that can be taken back now; Refused, with what to do instead, when it cannot."""
    with conn.transaction():
        return _check(conn, restores)


def _check(conn: Connection, restores: UUID | str | None) -> UUID:
    try:
        backfill_id = restores if isinstance(restores, UUID) else UUID(restores or "")
    except ValueError:
        remedy = "Give the backfill_id of a published backfill, as `select * from audit.backfills` shows it."
        raise Refused("backfill_id", f"{restores!r:.60} is no id of a backfill", remedy) from None
    row = conn.execute(_KNOWN, (backfill_id,)).fetchone()
    if row is None:
        remedy = "Look for the backfill_id in audit.backfills, status published."
        raise Refused("backfill_id", f"there is no backfill {backfill_id}", remedy)
    kind, status, models = row
    if kind != "backfill":
        raise Refused("backfill_id", f"{backfill_id} is a rollback itself, and cannot be taken back", _AGAIN)
    if status == "rolled back":
        raise Refused("backfill_id", f"backfill {backfill_id} was rolled back already", "There is nothing left to do.")
    if status != "published":
        why = f"backfill {backfill_id} is not published but {status}, so readers never saw it"
        raise Refused("backfill_id", why, "There is nothing to take back.")
    _check_kept(conn, backfill_id)
    for model in models:
        _check_columns(conn, backfill_id, model)
    return backfill_id


def _check_kept(conn: Connection, backfill_id: UUID) -> None:
    [(published_at,)] = conn.execute(_PUBLISHED, (backfill_id,)).fetchall()
    if datetime.now(UTC) - published_at > snapshot.KEPT_FOR:
        why = (
            f"backfill {backfill_id} was published {minute(published_at)}, more than {snapshot.KEPT_FOR.days} days ago"
        )
        raise Refused("within 7 days", why, _AGAIN)
    if snapshot.RAW_KEYS not in snapshot.names(conn, backfill_id):
        raise Refused("within 7 days", f"what backfill {backfill_id} replaced is not kept any more", _AGAIN)


def _check_columns(conn: Connection, backfill_id: UUID, mart: str) -> None:
    now = snapshot.columns(conn, sql.Identifier("marts", mart))
    for column, type_ in snapshot.columns(conn, snapshot.table(backfill_id, mart)).items():
        if now.get(column) != type_:
            is_now = f"has type {now[column]}" if column in now else "is not there any more"
            why = f"column {column!r} of marts.{mart} had type {type_} when it was replaced, and now {is_now}"
            raise Refused("the marts' columns", why, _REBUILD)
