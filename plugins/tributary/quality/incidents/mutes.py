"""Silence for an incident, for a time and a reason: nobody is told or paged, and nothing is unblocked by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tributary.notify import replies
from tributary.notify.mrkdwn import minute
from tributary.notify.outbox import page, tell
from tributary.notify.wording import CHANNELS
from tributary.quality.incidents.settle import LOCK
from tributary.quality.incidents.telling import dedup_key, refresh, told

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from tributary.quality.incidents.observation import Run

_OPEN = """
select merchant_id, dataset, check_name, severity, message_id, coalesce(muted_until > %(now)s, false)
from ops.incidents
where incident_id = %(number)s and status = 'open'
"""

_SAME = """
merchant_id is not distinct from %(merchant_id)s and dataset = %(dataset)s and check_name = %(check)s
and severity = %(severity)s and expires_at > %(now)s
"""

_SAID_BEFORE = f"""
select exists (
    select from ops.mutes
    where {_SAME} and muted_by = %(muted_by)s and reason = %(reason)s and expires_at = %(until)s
)
"""  # noqa: S608 -- the condition is written above

_END = f"update ops.mutes set expires_at = %(now)s where {_SAME}"  # noqa: S608 -- the condition is written above

_MUTE = """
insert into ops.mutes (merchant_id, dataset, check_name, severity, muted_by, reason, muted_at, expires_at)
values (
    %(merchant_id)s, %(dataset)s, %(check)s, %(severity)s, %(muted_by)s, %(reason)s, %(now)s, %(until)s
)
"""


class NoSuchIncident(LookupError):  # noqa: N818 (an error that names what happened needs no suffix)
    """No open incident has that number."""

    def __init__(self, number: int, resolved_at: datetime | None) -> None:
        why = f"it was resolved {minute(resolved_at)}" if resolved_at else f"its message would name it as #{number}"
        super().__init__(
            f"No open incident has the number {number}: {why}. Those of ops.incidents with the status 'open' can be "
            "muted."
        )


def mute(
    conn: Connection[Any],
    incident_id: int,
    muted_by: str,
    reason: str,
    until: datetime,
    run: Run,
    now: datetime,
    pages: bool,
) -> str:
    """Silence an open incident until then, also when it returns meanwhile; until now ends its mute. Says what it did.

    The same mute again, as by a task that is tried again, is not said again.
    """
    if not reason.strip():
        raise ValueError("reason is empty: say why nobody needs to hear of it, for those who wonder")
    values: dict[str, Any] = {"number": incident_id, "muted_by": muted_by, "reason": reason, "until": until, "now": now}
    with conn.transaction():
        conn.execute(LOCK)
        row = conn.execute(_OPEN, values).fetchone()
        if row is None:
            known = conn.execute("select resolved_at from ops.incidents where incident_id = %(number)s", values)
            raise NoSuchIncident(incident_id, *(known.fetchone() or (None,)))
        merchant_id, dataset, check, severity, message_id, is_muted = row
        values |= {"merchant_id": merchant_id, "dataset": dataset, "check": check, "severity": severity}
        ends = until <= now
        done = f"#{incident_id} {merchant_id or ''} {dataset}: {check}: " + (
            "its mute is over, the next run that sees it says so" if ends else f"muted until {minute(until)}"
        )
        if (not is_muted) if ends else conn.execute(_SAID_BEFORE, values).fetchone() == (True,):
            return done
        conn.execute(_END, values)
        conn.execute(_MUTE, values)
        conn.execute("update ops.incidents set muted_until = %(until)s where incident_id = %(number)s", values)
        (incident,) = told(conn, [incident_id], run, now)
        text = (
            replies.mute_ended(incident, muted_by, reason) if ends else replies.muted(incident, muted_by, reason, until)
        )
        if message_id:
            tell(conn, CHANNELS[severity], text, thread_id=message_id)
        if pages and severity == "blocking" and not ends and not is_muted:
            page(conn, dedup_key(incident), replies.all_clear())
        refresh(conn, run, [incident_id], now)
    return done
