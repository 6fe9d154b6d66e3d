"""How long the pipeline's own records are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

# A thread goes as a whole, replies together with their head, when no incident goes on in it and nothing of it waits.
_IS_OVER = """
created_at < %(now)s - interval '365 days'
and thread_id is null
and not exists (select from ops.incidents where incidents.message_id = messages.message_id)
and not exists (
    select from ops.messages as said
    where
        messages.message_id in (said.message_id, said.thread_id)
        and said.sent_body is distinct from said.body
)
"""

# What a backfill did stands in the audit for ever; its details are of use as long as somebody remembers it.
_OF_OLD_BACKFILLS = """
backfill_id in (
    select backfill_id from ops.backfills
    where status not in ('running', 'waiting') and requested_at < %(now)s - interval '90 days'
)
"""

# Table -> which of its rows have served their time, in this order. What is still open is never among them.
_EXPIRED = {
    "incidents": "status = 'resolved' and resolved_at < %(now)s - interval '365 days'",
    "mutes": "expires_at < %(now)s - interval '365 days'",
    "messages": _IS_OVER,
    "failed_rows": "failed_at < %(now)s - interval '30 days'",
    "check_results": "checked_at < %(now)s - interval '90 days'",
    "syncs": "status <> 'running' and finished_at < %(now)s - interval '90 days'",
    "dead_letters": "resolved_at < %(now)s - interval '30 days'",
    "backfill_reads": _OF_OLD_BACKFILLS,
    "backfill_differences": _OF_OLD_BACKFILLS,
    "backfill_rows": _OF_OLD_BACKFILLS,
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
