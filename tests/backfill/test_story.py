"""One thread tells a backfill's story: what the audit says, each of it once, whoever is killed between the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.backfill.rows import asked
from tributary.backfill import audit, story

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tributary.backfill.state import Backfill, Status


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    conn = connect()
    conn.autocommit = True
    return conn


def thread(conn: psycopg.Connection, backfill: Backfill) -> list[str]:
    """The head and its replies, as they are queued."""
    query = """
        select message.body ->> 'text' from ops.messages as message
        inner join ops.backfills as backfill on backfill.thread_id in (message.message_id, message.thread_id)
        where backfill.backfill_id = %s and message.channel = '#analytics-audit'
        order by message.message_id
    """
    return [text for (text,) in conn.execute(query, (backfill.backfill_id,)).fetchall()]


def move(conn: psycopg.Connection, backfill: Backfill, status: Status, error: str | None = None, **known: Any) -> None:
    for column, value in known.items():
        conn.execute(
            f"update ops.backfills set {column} = %s where backfill_id = %s",
            (value, backfill.backfill_id),
        )
    assert audit.move(conn, backfill.backfill_id, status, error)


def compared(conn: psycopg.Connection, backfill: Backfill) -> None:
    conn.execute("update ops.backfills set compared_at = now() where backfill_id = %s", (backfill.backfill_id,))


def test_the_head_says_who_what_when_and_why(conn: psycopg.Connection) -> None:
    backfill = asked(
        conn, "first", "aurora", "nordlicht", mode="reread", incident="INC-12", reason="Gone <!channel> & b"
    )
    story.tell(conn, backfill.backfill_id)
    [head] = thread(conn, backfill)
    title, by, why, run = head.splitlines()
    assert f"*Backfill {backfill.short}: aurora, nordlicht, 2026-03-02 to 2026-03-04* (running: request)" in title
    assert by.startswith("By engineer (engineer, production), 20")
    assert by.endswith("Read again from the vendors: shop.")
    assert why == "_Why:_ Gone &lt;!channel&gt; &amp; b · _Incident:_ INC-12"
    assert run == "<http://airflow/dags/backfill/runs/first|Open the run>"


def test_each_event_is_told_once_and_the_head_says_the_latest(conn: psycopg.Connection) -> None:
    backfill = asked(conn)
    for _ in range(2):
        story.tell(conn, backfill.backfill_id)
    compared(conn, backfill)
    move(conn, backfill, "waiting")
    for _ in range(2):
        story.tell(conn, backfill.backfill_id)
    head, waits = thread(conn, backfill)
    assert "(waiting)" in head
    assert "_Difference:_ nothing changes; 3 days asked" in head
    assert "Waits up to 4 hours for somebody's approval, not engineer's own." in waits
    assert "<http://airflow/dags/backfill/runs/first/tasks/approve/required_actions|" in waits
    # Killed here: nobody told that it was approved. Whoever comes next does.
    move(conn, backfill, "running", approved_by="manager")
    move(conn, backfill, "published", rows_affected=1234)
    for _ in range(2):
        story.tell(conn, backfill.backfill_id)
    head, _, approved, published = thread(conn, backfill)
    assert "(published)" in head
    assert "_Approved by:_ manager" in head
    assert approved == ":thumbsup: Approved by manager."
    assert "Published: 1,234 rows. nothing changes; 3 days asked." in published
    assert str(backfill.backfill_id) in published


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("refused", "Refused (one at a time): aurora is held by ann", "is held by ann\nReaders see what they saw"),
        ("rejected", "Rejected by manager", "Rejected by manager\nReaders see what they saw"),
        ("expired", "Nobody approved it within 4 hours", "within 4 hours\nReaders see what they saw"),
        (
            "failed",
            "gate aurora: fct_orders: negative <0",
            "Failed: gate aurora: fct_orders: negative &lt;0\nReaders see",
        ),
        ("dry run", None, "nothing changes; 3 days asked. It was a dry run: nothing is published. Readers see"),
    ],
)
def test_what_is_not_published_says_so(conn: psycopg.Connection, status: Status, error: str | None, words: str) -> None:
    backfill = asked(conn, is_dry_run=status == "dry run")
    story.tell(conn, backfill.backfill_id)
    compared(conn, backfill)
    move(conn, backfill, status, error)
    story.tell(conn, backfill.backfill_id)
    head, outcome = thread(conn, backfill)
    assert f"({status})" in head
    assert words in outcome


def test_what_somebody_else_ended_is_not_forgotten(conn: psycopg.Connection) -> None:
    begun, ended = asked(conn, "begun"), asked(conn, "ended")
    assert set(story.untold(conn)) == {begun.backfill_id, ended.backfill_id}
    for backfill in (begun, ended):
        story.tell(conn, backfill.backfill_id)
    assert story.untold(conn) == []
    move(conn, ended, "failed", "its lease expired")
    assert story.untold(conn) == [ended.backfill_id]
    story.tell(conn, ended.backfill_id)
    assert story.untold(conn) == []


def test_a_refused_attempt_is_one_message(conn: psycopg.Connection) -> None:
    backfill = asked(conn, status="refused", error="Refused (production): ask an engineer", requested_by="analyst")
    for _ in range(2):
        story.tell(conn, backfill.backfill_id)
    [head] = thread(conn, backfill)
    assert "(refused)" in head
    assert "By analyst" in head
    assert "\nRefused (production): ask an engineer\n" in head


def test_a_rollback_is_told_in_the_backfills_thread_as_well(conn: psycopg.Connection) -> None:
    original = asked(conn)
    story.tell(conn, original.backfill_id)
    move(conn, original, "published")
    known = {"kind": "rollback", "mode": "restore", "restores": original.backfill_id, "reason": "It was too much"}
    rollback = asked(conn, "back", requested_by="ann", **known)
    for each in (original, rollback):
        story.tell(conn, each.backfill_id)
    move(conn, rollback, "restored", rows_affected=7)
    move(conn, original, "rolled back")
    for each in (original, rollback, original):
        story.tell(conn, each.backfill_id)
    head, _, asked_back, taken_back = thread(conn, original)
    assert "(rolled back)" in head
    assert asked_back == "A rollback is asked for by ann: It was too much"
    assert taken_back == ":leftwards_arrow_with_hook: Taken back: ann: It was too much"
    head, restored = thread(conn, rollback)
    assert f"*Rollback {rollback.short}: aurora, 2026-03-02 to 2026-03-04* (restored)" in head
    assert f"What a backfill replaced is put back: {original.backfill_id}." in head
    assert restored == ":white_check_mark: Put back: 7 rows."
