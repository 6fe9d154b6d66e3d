"""Runs that see checks fail and recover, an hour apart, and what people hear of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tributary.quality.incidents.mutes import mute
from tributary.quality.incidents.observation import Key, Observation, Run
from tributary.quality.incidents.settle import Settled, settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from tributary.quality.incidents.observation import Severity

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TWICE = Key("aurora", "fct_orders", "No order twice")


class Message(NamedTuple):
    message_id: int
    service: str
    channel: str
    body: dict[str, Any]
    thread_id: int | None

    @property
    def text(self) -> str:
        return str(self.body["text"])


def bad(
    key: Key = TWICE,
    what: str = "measured 1, must be: 0",
    severity: Severity = "blocking",
    root: Key | None = None,
    examples: Sequence[dict[str, str]] = (),
) -> Observation:
    return Observation(key, severity, what, examples=examples, holds_back=severity == "blocking", root=root)


def well(key: Key = TWICE) -> Observation:
    return Observation(key, None)


@dataclass
class World:
    """A warehouse and its clock: every run begins an hour after the one before."""

    conn: psycopg.Connection
    now: datetime = START
    runs: int = 0
    heard: int = field(default=0)

    def run(self, *observations: Observation, dag_id: str = "transform", later: timedelta = HOUR) -> Settled:
        self.runs += 1
        self.now += later
        return self.again(*observations, dag_id=dag_id)

    def again(self, *observations: Observation, dag_id: str = "transform") -> Settled:
        return settle(self.conn, self.this_run(dag_id), observations, self.now, pages=True)

    def this_run(self, dag_id: str = "transform") -> Run:
        started_at = self.now - timedelta(minutes=5)
        return Run(dag_id, f"run {self.runs}", started_at, f"http://airflow/{self.runs}", "http://airflow/runbooks")

    def mute(self, number: int, length: timedelta, reason: str = "A known import.") -> str:
        return mute(self.conn, number, "ada", reason, self.now + length, self.this_run("mute"), self.now, pages=True)

    def said(self) -> list[Message]:
        """What was queued since this was asked last."""
        rows = self.conn.execute(
            "select message_id, service, channel, body, thread_id from ops.messages where message_id > %s order by 1",
            (self.heard,),
        )
        messages = [Message(*row) for row in rows]
        self.heard = max((each.message_id for each in messages), default=self.heard)
        return messages

    def slack(self) -> list[Message]:
        return [message for message in self.said() if message.service == "slack"]

    def text(self, message_id: int) -> str:
        row = self.conn.execute("select body ->> 'text' from ops.messages where message_id = %s", (message_id,))
        return str(row.fetchone()[0])  # type: ignore[index]

    def incidents(self, status: str = "open") -> list[tuple[Any, ...]]:
        return self.conn.execute(
            "select check_name, severity, occurrences from ops.incidents where status = %s order by incident_id",
            (status,),
        ).fetchall()
