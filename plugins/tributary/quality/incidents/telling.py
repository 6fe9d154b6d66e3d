"""Queues what people are told of incidents: one message per run and severity, its thread, and pages."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from tributary.notify import replies
from tributary.notify.outbox import page, revise, tell
from tributary.notify.wording import CHANNELS, Told, head
from tributary.quality.incidents.lifecycle import CALLS
from tributary.quality.incidents.observation import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.quality.incidents.lifecycle import Said, Step
    from tributary.quality.incidents.observation import Run, Severity

_REPLIES: dict[Said, Callable[[Sequence[Told], str], str]] = {
    "changed": replies.changed,
    "returned": replies.returned,
    "unmuted": replies.unmuted,
    "resolved": replies.resolved,
}

_TOLD = """
select
    incident.incident_id as number, incident.merchant_id, incident.dataset, incident.check_name as check,
    incident.severity, incident.holds_back, incident.what, incident.examples, incident.remedy, incident.owner,
    %(runbooks)s || '/' || incident.runbook as runbook_url, incident.dag_id, incident.run_url, incident.opened_at,
    incident.last_seen_at, coalesce(incident.told_at, incident.opened_at) as told_at, incident.resolved_at,
    case when incident.muted_until > %(now)s then incident.muted_until end as muted_until, incident.occurrences,
    (
        select count(*) from ops.failed_rows as failed
        where
            (failed.dag_id, failed.run_id) = (incident.dag_id, incident.run_id)
            and failed.merchant_id is not distinct from incident.merchant_id
            and failed.dataset = incident.dataset and failed.check_name = incident.check_name
    ) as kept,
    (
        select count(*) from ops.incidents as folded
        where folded.root_id = incident.incident_id and folded.status = 'open'
    ) as folded,
    case when incident.holds_back and incident.status = 'open' then (
        select max(publication.published_at) from ops.publications as publication
        where incident.merchant_id is null or publication.merchant_id = incident.merchant_id
    ) end as published_at
from ops.incidents as incident
where incident.incident_id = any(%(ids)s)
order by incident.merchant_id nulls first, incident.incident_id
"""

_PUBLISHED_TOO = """
with held as (
    select merchant_id, run_started_at from ops.incidents
    where incident_id = any(%s) and holds_back and status = 'open'
)
select distinct publication.merchant_id
from ops.publications as publication
where
    publication.published_at >= (select max(held.run_started_at) from held)
    and publication.merchant_id not in (select held.merchant_id from held where held.merchant_id is not null)
order by publication.merchant_id
"""


_MESSAGES = """
select told.message_id, array_agg(told.incident_id)
from ops.incidents as told
where told.message_id in (
    select concerned.message_id
    from ops.incidents as concerned
    where
        concerned.incident_id = any(%(ids)s)
        or concerned.incident_id in (
            select folded.root_id from ops.incidents as folded where folded.incident_id = any(%(ids)s)
        )
)
group by told.message_id
"""


def announce(conn: Connection[Any], run: Run, steps: Mapping[int, Step], now: datetime, pages: bool) -> None:
    """Say what became of the incidents, by their numbers: new ones in one message, the others in their threads."""
    heads: dict[Severity, list[Told]] = defaultdict(list)
    threads: dict[tuple[int, Said], list[Told]] = defaultdict(list)
    for each in told(conn, [number for number, step in steps.items() if step.said], run, now):
        step = steps[each.number]
        if step.said and step.incident and step.incident.message_id and step.said != "new":
            threads[step.incident.message_id, step.said].append(each)
        else:
            heads[each.severity].append(each)
        if pages and each.severity == "blocking" and step.said != "changed":
            page(conn, dedup_key(each), replies.alert(each) if step.said in CALLS else replies.all_clear())
    for severity, new in heads.items():
        numbers = [each.number for each in new]
        message_id = tell(conn, CHANNELS[severity], head(new, _published_too(conn, numbers)))
        conn.execute("update ops.incidents set message_id = %s where incident_id = any(%s)", (message_id, numbers))
    numbers_now = {step.observation.key: number for number, step in steps.items() if step.observation}
    for (thread_id, said), group in threads.items():
        if said == "moved":
            text = replies.moved([(each, numbers_now[_key(each)]) for each in group], run.url)
        else:
            text = _REPLIES[said](group, run.url)
        tell(conn, CHANNELS[group[0].severity], text, thread_id, is_broadcast=said in CALLS)
    roots = {step.incident.root_id for step in steps.values() if step.incident and step.incident.root_id}
    refresh(conn, run, {*steps, *roots}, now)


def refresh(conn: Connection[Any], run: Run, numbers: Collection[int], now: datetime) -> None:
    """Bring the messages that tell these incidents, or what explains them, up to date."""
    messages = conn.execute(_MESSAGES, {"ids": list(numbers)}).fetchall()
    for message_id, together in messages:
        revise(conn, message_id, head(told(conn, together, run, now), _published_too(conn, together)))


def dedup_key(incident: Told) -> str:
    """What PagerDuty knows the alert by: the same for the same check, dataset and merchant, for ever."""
    digest = sha256(f"{incident.dataset}/{incident.check}".encode()).hexdigest()[:32]
    return f"tributary/{incident.merchant_id or '-'}/{digest}"


def told(conn: Connection[Any], numbers: Collection[int], run: Run, now: datetime) -> list[Told]:
    """What the words need of these incidents, merchant by merchant."""
    values = {"ids": list(numbers), "runbooks": run.runbooks_url.rstrip("/"), "now": now}
    with conn.cursor(row_factory=class_row(Told)) as cursor:
        return cursor.execute(_TOLD, values).fetchall()


def _key(incident: Told) -> Key:
    return Key(incident.merchant_id, incident.dataset, incident.check)


def _published_too(conn: Connection[Any], numbers: Collection[int]) -> list[str]:
    return [merchant_id for (merchant_id,) in conn.execute(_PUBLISHED_TOO, (list(numbers),))]
