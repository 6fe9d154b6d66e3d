"""The outbox: what is to be said is written with what it is about, and sent afterwards, once, in its order."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from tributary.notify.service import NotSentError, unanswered
from tributary.notify.slack import LONGEST, LOST, Posted, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psycopg import Connection

    from tributary.notify.pagerduty import Pager
    from tributary.notify.slack import Slack

_INSERT = """
insert into ops.messages (service, channel, body, thread_id) values (%s, %s, %s, %s)
returning message_id
"""
_NEXT = """
select message.message_id, message.service, message.channel, message.body, message.created_at, message.is_unclear,
    message.sent_as, message.thread_id, head.sent_as as thread_ts,
    coalesce(message.sent_to, (
        select other.sent_to from ops.messages as other
        where other.service = message.service and other.channel = message.channel and other.sent_to is not null
        order by other.message_id desc limit 1
    )) as sent_to
from ops.messages as message
left join ops.messages as head on head.message_id = message.thread_id
where message.message_id > %s and message.service = any(%s)
    and (message.sent_body is null or message.sent_body <> message.body)
order by message.message_id
limit 1
"""
_ATTEMPT = """
update ops.messages set attempts = attempts + 1, attempted_at = now(), is_unclear = %s where message_id = %s
"""
_SENT = """
update ops.messages
set sent_at = coalesce(sent_at, now()), sent_body = %s, sent_as = %s, sent_to = %s, error = %s, is_unclear = false
where message_id = %s
"""
_NOT_SENT = "update ops.messages set error = %s, is_unclear = %s where message_id = %s"
_WAITING = """
select count(*) from ops.messages where service = any(%s) and (sent_body is null or sent_body <> body)
"""


def tell(
    conn: Connection[Any], channel: str, text: str, thread_id: int | None = None, is_broadcast: bool = False
) -> int:
    """Queue a message to a Slack channel, or an answer in the thread of another one, which may show in the channel."""
    body = {"text": _cut(text), **({"reply_broadcast": True} if is_broadcast else {})}
    return _queue(conn, "slack", channel, body, thread_id)


def revise(conn: Connection[Any], message_id: int, text: str) -> None:
    """Say something else in a message's stead; one that was sent is edited."""
    conn.execute(
        "update ops.messages set body = body || %s where message_id = %s", (Jsonb({"text": _cut(text)}), message_id)
    )


def page(conn: Connection[Any], dedup_key: str, event: Mapping[str, Any]) -> int:
    """Queue an event of PagerDuty: what opens the alert of that key, or ends it."""
    return _queue(conn, "pagerduty", dedup_key, event, None)


def _queue(conn: Connection[Any], service: str, channel: str, body: Mapping[str, Any], thread_id: int | None) -> int:
    with conn.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(_INSERT, (service, channel, Jsonb(dict(body)), thread_id)).fetchone() or 0)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2].rstrip()} …"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a pass has done."""

    sent: int = 0
    """Messages sent or edited."""
    waiting: int = 0
    """Messages that a later pass is to send or edit."""
    errors: Sequence[str] = ()
    """Why they wait, each reason once."""


@dataclass(slots=True)
class _Message:
    message_id: int
    service: str
    channel: str
    body: dict[str, Any]
    created_at: datetime
    is_unclear: bool
    sent_as: str | None
    sent_to: str | None
    thread_id: int | None
    thread_ts: str | None


def deliver(conn: Connection[Any], slack: Slack, pager: Pager | None) -> Delivered:
    """Send what waits, in order, and commit each outcome; what fails waits for the next pass, and nothing is raised.

    One pass goes on at a time; whoever comes meanwhile has nothing to do. What the caller has written is committed
    first. Without a pager its messages stay where they are, and nobody waits for them.
    """
    done = _Pass(conn, slack, pager)
    try:
        conn.commit()
        with _alone(conn) as is_alone:
            if not is_alone:
                return Delivered()
            done.run()
            return Delivered(done.sent, done.waiting(), tuple(done.errors))
    except psycopg.Error as error:
        return Delivered(done.sent, 0, (*done.errors, f"warehouse: {type(error).__name__}"))


@contextmanager
def _alone(conn: Connection[Any]) -> Iterator[bool]:
    with conn.transaction():
        (is_alone,) = conn.execute("select pg_try_advisory_lock(hashtext('tributary.outbox'))").fetchone() or (False,)
    try:
        yield is_alone
    finally:
        # A connection that broke has lost its lock with it.
        with suppress(psycopg.Error):
            if is_alone:
                with conn.transaction():
                    conn.execute("select pg_advisory_unlock(hashtext('tributary.outbox'))")


@dataclass(slots=True)
class _Pass:
    """One go through what waits; a service or channel that failed is not asked again in it."""

    conn: Connection[Any]
    slack: Slack
    pager: Pager | None
    sent: int = 0
    errors: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)

    def run(self) -> None:
        last = 0
        while (message := self._next(last)) is not None:
            last = message.message_id
            waits_for_head = message.thread_id is not None and message.thread_ts is None
            if message.channel not in self.failed and not waits_for_head:
                self._send(message)

    def waiting(self) -> int:
        with self.conn.transaction(), self.conn.cursor(row_factory=scalar_row) as cursor:
            return int(cursor.execute(_WAITING, (self._services(),)).fetchone() or 0)

    def _services(self) -> list[str]:
        return ["slack", "pagerduty"] if self.pager else ["slack"]

    def _next(self, last: int) -> _Message | None:
        services = [service for service in self._services() if service not in self.failed]
        with self.conn.transaction(), self.conn.cursor(row_factory=class_row(_Message)) as cursor:
            return cursor.execute(_NEXT, (last, services)).fetchone()

    def _write(self, statement: str, *values: Any) -> None:
        with self.conn.transaction():
            self.conn.execute(statement, values)

    def _send(self, message: _Message) -> None:
        """Give one message to its service, and write down what came of it."""
        is_post = message.service == "slack" and message.sent_as is None
        # Written before the call: a process that dies during it must leave the question behind, too.
        self._write(_ATTEMPT, is_post, message.message_id)
        try:
            posted, note = self._give(message)
        except Exception as raised:
            error = raised if isinstance(raised, NotSentError) else unanswered(type(raised).__name__)
            if error.reach != "message":
                self.failed.add(message.service if error.reach == "service" else message.channel)
            self._object(message, str(error))
            self._write(_NOT_SENT, str(error), message.is_unclear or not error.is_clear, message.message_id)
            return
        self.sent += 1
        if note:
            self._object(message, note)
        name = (posted.ts, posted.channel_id) if posted else (None, None)
        self._write(_SENT, Jsonb(message.body), *name, note, message.message_id)

    def _give(self, message: _Message) -> tuple[Posted | None, str | None]:
        """How the service names the message now, and what is to be said of that it went well with a flaw."""
        if message.service == "pagerduty" and self.pager:
            self.pager.send(message.channel, message.body)
            return None, None
        if message.sent_as is None:
            return self._post(message)
        return self._edit(message, Posted(str(message.sent_to), message.sent_as))

    def _post(self, message: _Message) -> tuple[Posted, str | None]:
        text, key, note = message.body["text"], self._key(message), None
        if message.is_unclear:
            try:
                found = self.slack.find(
                    message.channel, message.sent_to, text, key, message.created_at, message.thread_ts
                )
            except UnreadableError as error:
                note = f"it may be there twice: an attempt got no answer, and the history may not be read ({error})"
            else:
                if found:
                    return found, None
                message.is_unclear = False
        is_broadcast = bool(message.body.get("reply_broadcast"))
        return self.slack.post(message.channel, text, key, message.thread_ts, is_broadcast), note

    def _edit(self, message: _Message, posted: Posted) -> tuple[Posted, str | None]:
        try:
            self.slack.update(posted, message.body["text"], self._key(message))
        except NotSentError as error:
            if error.code not in LOST:
                raise
            return posted, f"{error.code}: it stays as it is"
        return posted, None

    def _key(self, message: _Message) -> str:
        """One in the world: several warehouses may speak in one workspace, and each counts its messages from 1."""
        return (
            f"{self.conn.info.dbname}/{message.message_id}/{message.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        )

    def _object(self, message: _Message, why: str) -> None:
        error = f"{message.service} {message.channel}: {why}"
        if error not in self.errors:
            self.errors.append(error)
