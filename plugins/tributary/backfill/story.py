"""The one thread in Slack that tells a backfill's story: its head says how it stands, replies what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, scalar_row

from tributary.backfill.comparing.card import headline
from tributary.backfill.state import load
from tributary.notify.mrkdwn import link, minute, names, text
from tributary.notify.outbox import revise
from tributary.notify.outbox import tell as queue

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill, Status

AUDIT = "#analytics-audit"

MODES = {
    "reread": "Read again from the vendors",
    "rebuild": "Built again from raw",
    "restore": "What a backfill replaced is put back",
}
_SIGNS: dict[Status, str] = {
    "refused": ":no_entry:",
    "running": ":hourglass_flowing_sand:",
    "waiting": ":raised_hand:",
    "dry run": ":mag:",
    "rejected": ":x:",
    "expired": ":x:",
    "failed": ":x:",
    "published": ":white_check_mark:",
    "restored": ":white_check_mark:",
    "rolled back": ":leftwards_arrow_with_hook:",
}
_UNCHANGED = "Readers see what they saw before."
_LONGEST_WHY = 1000
"""A vendor's refusal ends with its remedy."""

# The first event is what the head itself is about.
_UNTOLD = """
select event_id, status, approved_by, rows_affected, error
from audit.backfill_events
where
    backfill_id = %(backfill_id)s
    and event_id > (
        select min(first.event_id) from audit.backfill_events as first where first.backfill_id = %(backfill_id)s
    )
    and event_id not in (
        select (told.body ->> 'event')::bigint from ops.messages as told
        where told.thread_id = %(thread_id)s and told.body ? 'event'
    )
order by event_id
"""
_UNTOLD_ANYWHERE = """
select distinct event.backfill_id
from audit.backfill_events as event
inner join ops.backfills as backfill on event.backfill_id = backfill.backfill_id
where
    event.recorded_at > clock_timestamp() - interval '2 days'
    and (
        backfill.thread_id is null
        or (
            exists (
                select from audit.backfill_events as first
                where first.backfill_id = event.backfill_id and first.event_id < event.event_id
            )
            and not exists (
                select from ops.messages as told
                where told.thread_id = backfill.thread_id and told.body ->> 'event' = event.event_id::text
            )
        )
    )
"""


@dataclass(frozen=True, slots=True)
class _Event:
    event_id: int
    status: Status
    approved_by: str | None
    rows_affected: int | None
    error: str | None


def tell(conn: Connection, backfill_id: UUID) -> None:
    """Queue what of the story is not yet told: each event of the audit once, in their order. Repeated, nothing."""
    with conn.transaction():
        backfill = load(conn, backfill_id, lock=True)
        thread = backfill.thread_id or _begin(conn, backfill)
        events = _untold(conn, backfill_id, thread)
        for event in events:
            said = queue(conn, AUDIT, _reply(conn, backfill, event), thread)
            conn.execute(
                "update ops.messages set body = body || jsonb_build_object('event', %s::bigint) where message_id = %s",
                (event.event_id, said),
            )
        revise(conn, thread, _head(conn, backfill))


def untold(conn: Connection) -> list[UUID]:
    """Of which backfills something is not told yet: whoever made it so was killed, or was somebody else's task."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_UNTOLD_ANYWHERE).fetchall()


def _begin(conn: Connection, backfill: Backfill) -> int:
    """Open the thread; that of the backfill which it takes back hears of it, too."""
    thread = queue(conn, AUDIT, _head(conn, backfill))
    conn.execute("update ops.backfills set thread_id = %s where backfill_id = %s", (thread, backfill.backfill_id))
    if backfill.restores:
        original = conn.execute(
            "select thread_id from ops.backfills where backfill_id = %s", (backfill.restores,)
        ).fetchone()
        if original and original[0]:
            asked = "was refused" if backfill.status == "refused" else "is asked for"
            queue(conn, AUDIT, f"A rollback {asked} by {_who(backfill)}: {text(backfill.reason)}", original[0])
    return thread


def _untold(conn: Connection, backfill_id: UUID, thread: int) -> list[_Event]:
    with conn.cursor(row_factory=class_row(_Event)) as cursor:
        return cursor.execute(_UNTOLD, {"backfill_id": backfill_id, "thread_id": thread}).fetchall()


def _head(conn: Connection, backfill: Backfill) -> str:
    stands = f"{backfill.status}: {backfill.step}" if backfill.status == "running" else backfill.status
    role = f"{text(backfill.role)}, {text(backfill.environment)}"
    lines = [
        f"{_SIGNS[backfill.status]} *{title(backfill)}* ({text(stands)})",
        f"By {_who(backfill)} ({role}), {minute(backfill.requested_at)}. {_what(backfill)}",
        f"_Why:_ {text(backfill.reason)}" + (f" · _Incident:_ {text(backfill.incident)}" if backfill.incident else ""),
    ]
    if backfill.compared_at and backfill.kind == "backfill":
        lines.append(f"_Difference:_ {text(headline(conn, backfill.backfill_id), _LONGEST_WHY)}")
    if backfill.approved_by:
        lines.append(f"_Approved by:_ {text(backfill.approved_by)}")
    if backfill.is_over and backfill.error:
        lines.append(text(backfill.error, _LONGEST_WHY))
    lines.append(link(backfill.run_url, "Open the run"))
    return "\n".join(lines)


def title(backfill: Backfill) -> str:
    """What it is called: its kind, its twelve digits, and whose days it is about."""
    days = f", {backfill.first_day} to {backfill.last_day}" if backfill.first_day and backfill.last_day else ""
    dry = "Dry run of " if backfill.is_dry_run else ""
    kind = f"{dry}{backfill.kind}"
    return f"{kind[:1].upper()}{kind[1:]} {backfill.short}: {names(backfill.merchants)}{days}"


def _who(backfill: Backfill) -> str:
    return text(backfill.requested_by or "nobody")


def _what(backfill: Backfill) -> str:
    """How it does it, as far as it is not all there is."""
    if backfill.restores:
        return f"{MODES['restore']}: {backfill.restores}."
    channels = f": {names(backfill.channels)}" if backfill.channels else ""
    models = f". Marts: {names(backfill.models)}" if backfill.mode == "rebuild" and backfill.models else ""
    return f"{MODES.get(backfill.mode, text(backfill.mode))}{channels}{models}."


def _reply(conn: Connection, backfill: Backfill, event: _Event) -> str:
    sign = _SIGNS[event.status]
    why = text(event.error, _LONGEST_WHY) if event.error else ""
    rows = f"{event.rows_affected or 0:,} rows"
    match event.status:
        case "waiting":
            place = link(approval_url(backfill), "Look at the difference, then approve or reject")
            return f"{sign} Waits up to 4 hours for somebody's approval, not {_who(backfill)}'s own. {place}"
        case "running":
            return f":thumbsup: Approved by {text(event.approved_by or 'nobody')}."
        case "dry run":
            return f"{sign} {_shown(conn, backfill)} It was a dry run: nothing is published. {_UNCHANGED}"
        case "published":
            return (
                f"{sign} Published: {rows}. {_shown(conn, backfill)} Within 7 days `rollback_backfill` takes it back; "
                f"its id is {backfill.backfill_id}"
            )
        case "restored":
            return f"{sign} Put back: {rows}."
        case "rolled back":
            return f"{sign} Taken back: {_taken_back_by(conn, backfill.backfill_id)}"
        case "refused" | "rejected" | "expired":
            return f"{sign} {why or text(event.status)}\n{_UNCHANGED}"
        case _:
            return f"{sign} Failed: {why or 'see the run'}\n{_UNCHANGED}"


def _shown(conn: Connection, backfill: Backfill) -> str:
    if backfill.kind == "rollback" or not backfill.compared_at:
        return ""
    return f"{text(headline(conn, backfill.backfill_id), _LONGEST_WHY)}."


def approval_url(backfill: Backfill) -> str:
    """Where Airflow asks for the approval."""
    return f"{backfill.run_url}/tasks/approve/required_actions"


def _taken_back_by(conn: Connection, backfill_id: UUID) -> str:
    query = """
        select coalesce(requested_by, 'nobody') || ': ' || reason from ops.backfills
        where restores = %s and status <> 'refused' order by requested_at desc limit 1
    """
    with conn.cursor(row_factory=scalar_row) as cursor:
        said: Any = cursor.execute(query, (backfill_id,)).fetchone()
    return text(said or "see audit.backfills")
