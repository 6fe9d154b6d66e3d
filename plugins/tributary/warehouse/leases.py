"""Days that a backfill is at work on: what is published by schedule leaves them as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from psycopg import Connection

_LOCK = "select pg_advisory_xact_lock{shared}(hashtextextended('tributary.lease ' || %s, 0))"

_LEASED = """
select coalesce(array_agg(distinct day), '{}')
from ops.leases cross join unnest(leases.days) as day
where merchant_id = %s and backfill_id <> %s and expires_at > now()
"""

# A change of no vendor at the day's noon: it touches this day, and nothing is computed from it. One is enough
# unless a build has claimed it, which may have read raw before.
_WAITS = """
insert into ops.changes (merchant_id, channel, stream, record_id, operation, new_event_at)
select
    merchants.merchant_id, 'settings', 'days', days.day::text, 'update',
    (days.day + time '12:00') at time zone merchants.time_zone
from unnest(%(days)s::date[]) as days (day)
inner join ops.merchants on merchants.merchant_id = %(merchant_id)s
where not exists (
    select from ops.changes
    where
        changes.merchant_id = merchants.merchant_id
        and changes.channel = 'settings'
        and changes.stream = 'days'
        and changes.record_id = days.day::text
        and changes.build_id is null
)
"""


def leased_days(conn: Connection, merchant_id: str, build_id: UUID | str) -> list[date]:
    """The merchant's days that others than this build hold; until the transaction ends no lease gains a day."""
    conn.execute(_LOCK.format(shared="_shared").encode(), (merchant_id,))
    row = conn.execute(_LEASED, (merchant_id, str(build_id))).fetchone()
    return list(row[0]) if row else []


def hold_days(conn: Connection, backfill_id: UUID, merchant_id: str, days: Sequence[date]) -> None:
    """Let the backfill's lease be about these days; who is publishing them at the moment is waited for."""
    conn.execute(_LOCK.format(shared="").encode(), (merchant_id,))
    conn.execute(
        "update ops.leases set days = %s where merchant_id = %s and backfill_id = %s", (days, merchant_id, backfill_id)
    )


def release(conn: Connection, backfill_id: UUID) -> None:
    """Let the backfill's days be published by schedule again."""
    conn.execute("delete from ops.leases where backfill_id = %s", (backfill_id,))


def mark_days(conn: Connection, merchant_id: str, days: Sequence[date]) -> None:
    """Have these days computed again by the next build, whatever else touches them."""
    conn.execute(_WAITS, {"merchant_id": merchant_id, "days": [*days]})
