"""Incidents on record: what a run saw opens, repeats and resolves them, and what nobody answers is said again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tributary.notify import replies
from tributary.notify.outbox import page, tell
from tributary.notify.wording import CHANNELS, RESPONSE
from tributary.quality.incidents.lifecycle import decide
from tributary.quality.incidents.table import known, write
from tributary.quality.incidents.telling import announce, dedup_key, told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.quality.incidents.observation import Observation, Run

LOCK = "select pg_advisory_xact_lock(hashtext('tributary.incidents'))"
"""Whoever changes incidents does it alone: two runs that see the same thing open one incident."""

_OVERDUE = """
update ops.incidents
set escalated_at = %(now)s
where
    status = 'open' and message_id is not null and root_id is null and muted_until is null and escalated_at is null
    and severity = %(severity)s and told_at <= %(told_before)s
returning incident_id, message_id
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """How many incidents a run opened (or saw return), saw again, and resolved."""

    opened: int
    repeated: int
    resolved: int


def settle(conn: Connection[Any], run: Run, observations: Sequence[Observation], now: datetime, pages: bool) -> Settled:
    """Bring incidents to what the run saw and queue what people are to hear, in one transaction.

    Settling the same run again changes nothing and says nothing.
    """
    with conn.transaction():
        conn.execute(LOCK)
        before = known(conn, {observation.key.merchant_id for observation in observations}, now)
        steps = decide(run, observations, before)
        announce(conn, run, write(conn, run, steps, before, now), now, pages)
    return Settled(
        opened=sum(step.opens for step in steps),
        repeated=sum(step.observation is not None and not step.opens and step.counts for step in steps),
        resolved=sum(step.observation is None for step in steps),
    )


def escalate(conn: Connection[Any], run: Run, now: datetime, pages: bool) -> int:
    """Say once more, to the whole channel, what is open beyond its response target; how many incidents that are."""
    number = 0
    with conn.transaction():
        conn.execute(LOCK)
        for severity, target in RESPONSE.items():
            values = {"now": now, "severity": severity, "told_before": now - target}
            message_of = dict(conn.execute(_OVERDUE, values).fetchall())
            overdue = told(conn, message_of, run, now)
            for message_id in sorted(set(message_of.values())):
                group = [each for each in overdue if message_of[each.number] == message_id]
                tell(conn, CHANNELS[severity], replies.escalated(group), message_id, is_broadcast=True)
            for each in overdue:
                if pages and severity == "blocking":
                    # Somebody may have closed the alert; an open one stays as it is.
                    page(conn, dedup_key(each), replies.alert(each))
            number += len(overdue)
    return number
