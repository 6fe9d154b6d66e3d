"""How long the pipeline's own records are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

# Table -> which of its rows have served their time. What is still open is never among them.
_EXPIRED = {
    "check_results": "checked_at < %(now)s - interval '90 days'",
    "syncs": "status <> 'running' and finished_at < %(now)s - interval '90 days'",
    "dead_letters": "resolved_at < %(now)s - interval '30 days'",
    "vendor_tokens": "authorisation_ends_at < %(now)s - interval '30 days'",
}


def expire(conn: Connection, now: datetime) -> dict[str, int]:
    """Delete what is past its time; returns how many rows went, by table of `ops`."""
    with conn.transaction():
        return {
            table: conn.execute(
                sql.SQL("delete from {} where {}").format(sql.Identifier("ops", table), sql.SQL(expired)), {"now": now}
            ).rowcount
            for table, expired in _EXPIRED.items()
        }
