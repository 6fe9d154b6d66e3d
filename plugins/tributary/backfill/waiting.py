"""Backfills that wait for somebody: for an approval that nobody gives, or to be closed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tributary.backfill.state import short
from tributary.notify.mrkdwn import minute

if TYPE_CHECKING:
    from psycopg import Connection

# It waits since the audit says so.
_WAITING = """
select merchant.id, backfills.backfill_id, backfills.requested_by, asked.since
from ops.backfills
cross join lateral unnest(backfills.merchants) as merchant (id)
inner join lateral (
    select max(events.recorded_at) as since
    from audit.backfill_events as events
    where events.backfill_id = backfills.backfill_id and events.status = 'waiting'
) as asked on true
where backfills.status = 'waiting' and asked.since < now() - interval '1 hour'
order by asked.since, merchant.id
"""

# By some minutes it is nothing but the time until the next sweep.
_EXPIRED = """
select merchant_id, backfill_id, holder, expires_at
from ops.leases
where expires_at < now() - interval '30 minutes'
order by expires_at, merchant_id
"""


def waiting_long(conn: Connection) -> dict[str, list[dict[str, str]]]:
    """By merchant, the backfills whose approval waits for more than an hour."""
    return _by_merchant(conn, _WAITING)


def expired_leases(conn: Connection) -> dict[str, list[dict[str, str]]]:
    """By merchant, the backfills that no sweep could close although their lease is over."""
    return _by_merchant(conn, _EXPIRED)


def _by_merchant(conn: Connection, query: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for merchant_id, backfill_id, who, since in conn.execute(query.encode()).fetchall():
        row = {"backfill": short(backfill_id), "requested_by": who or "somebody unknown", "since": minute(since)}
        found[merchant_id].append(row)
    return found
