"""Incidents as rows of ops.incidents: what is known before a run is settled, and what is written after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from tributary.quality.incidents.lifecycle import CALLS, RETURNS_WITHIN, Incident, Known
from tributary.quality.incidents.observation import Key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.quality.incidents.lifecycle import Step
    from tributary.quality.incidents.observation import Observation, Run

_INCIDENTS = """
select
    incident_id, merchant_id, dataset, check_name, severity, status = 'open', what, examples, dag_id, run_id,
    muted_until, root_id, message_id
from ops.incidents
where coalesce(merchant_id, '') = any(%s) and (status = 'open' or resolved_at > %s)
order by incident_id
"""

_MUTES = """
select merchant_id, dataset, check_name, severity, max(expires_at)
from ops.mutes
where coalesce(merchant_id, '') = any(%s) and expires_at > %s
group by merchant_id, dataset, check_name, severity
"""

_OPEN = """
insert into ops.incidents (
    merchant_id, dataset, check_name, severity, holds_back, what, examples, remedy, owner, runbook, dag_id, run_id,
    run_url, run_started_at, opened_at, last_seen_at, told_at, muted_until, root_id
)
values (
    %(merchant_id)s, %(dataset)s, %(check)s, %(severity)s, %(holds_back)s, %(what)s, %(examples)s, %(remedy)s,
    %(owner)s, %(runbook)s, %(dag_id)s, %(run_id)s, %(run_url)s, %(run_started_at)s, %(now)s, %(now)s,
    case when %(calls)s then %(now)s end, %(muted_until)s, %(root_id)s
)
returning incident_id
"""

_GO_ON = """
update ops.incidents
set
    status = 'open', resolved_at = null, holds_back = %(holds_back)s, what = %(what)s, examples = %(examples)s,
    remedy = %(remedy)s, owner = %(owner)s, runbook = %(runbook)s, dag_id = %(dag_id)s, run_id = %(run_id)s,
    run_url = %(run_url)s, run_started_at = %(run_started_at)s, last_seen_at = %(now)s,
    told_at = case when %(calls)s then %(now)s else told_at end,
    escalated_at = case when %(calls)s then null else escalated_at end,
    muted_until = %(muted_until)s, root_id = %(root_id)s, occurrences = occurrences + %(counts)s::integer
where incident_id = %(number)s
returning incident_id
"""

_RESOLVE = "update ops.incidents set status = 'resolved', resolved_at = %(now)s where incident_id = %(number)s"


def known(conn: Connection[Any], merchants: Collection[str | None], now: datetime) -> Known:
    """The incidents and mutes of these merchants; nothing that one explains is another merchant's."""
    ids = [merchant_id or "" for merchant_id in merchants]
    incidents = [
        Incident(incident_id, Key(merchant_id, dataset, check), *rest)
        for incident_id, merchant_id, dataset, check, *rest in conn.execute(_INCIDENTS, (ids, now - RETURNS_WITHIN))
    ]
    mutes = {
        (Key(merchant_id, dataset, check), severity): until
        for merchant_id, dataset, check, severity, until in conn.execute(_MUTES, (ids, now))
    }
    return Known(incidents, mutes)


def write(conn: Connection[Any], run: Run, steps: Sequence[Step], before: Known, now: datetime) -> dict[int, Step]:
    """Write what becomes of each incident; the steps by their incidents' numbers."""
    number_of = {incident.key: incident.incident_id for incident in before.incidents if incident.is_open}
    written = {}
    for step in steps:
        number = step.incident.incident_id if step.incident else None
        if step.observation is None:
            conn.execute(_RESOLVE, {"number": number, "now": now})
        else:
            values = _values(run, step, step.observation, now)
            values |= {"number": number, "root_id": number_of[step.root] if step.root else None}
            number = _number(conn.execute(_GO_ON if step.incident else _OPEN, values).fetchone())
            number_of[step.observation.key] = number
        written[_number((number,))] = step
    return written


def _values(run: Run, step: Step, observation: Observation, now: datetime) -> dict[str, Any]:
    return {
        **observation.key._asdict(),
        "severity": observation.severity,
        "holds_back": observation.holds_back,
        "what": observation.what,
        "examples": Jsonb([dict(row) for row in observation.examples]),
        "remedy": observation.remedy,
        "owner": observation.owner,
        "runbook": observation.runbook,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "run_url": run.url,
        "run_started_at": run.started_at,
        "now": now,
        "calls": step.said in CALLS,
        "counts": step.counts,
        "muted_until": step.muted_until,
    }


def _number(row: Sequence[Any] | None) -> int:
    assert row is not None
    return int(row[0])
