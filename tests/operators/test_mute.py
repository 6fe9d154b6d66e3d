"""A mute through its task: by a person, for a time, and said in the incident's thread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from tests.operators.airflow_run import AirflowRun
from tributary.operators.incident import run_of
from tributary.operators.mute import MuteOperator
from tributary.quality.incidents.observation import Key, Observation
from tributary.quality.incidents.settle import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.operators.conftest import Messengers

INCIDENTS, REASON = "analytics-incidents", "Ticket 4711, it takes until Friday"
KEY = Key("aurora", "fct_orders", "No order is negative")


def mute(number: int, hours: int, user: str | None = "ann") -> str:
    with DAG("mute_incident") as dag:
        task = MuteOperator(task_id="mute", incident_id=str(number), hours=str(hours), reason=f" {REASON}")
    return task.execute(AirflowRun(dag, "muting", user=user).context("mute"))


def settled(connect: Callable[[], psycopg.Connection], observation: Observation) -> int:
    """What a run saw; the number of the latest incident."""
    run, now = run_of(AirflowRun(DAG("transform"), "first").context("report_incident")), datetime.now(UTC)
    with connect() as conn:
        settle(conn, run, [observation], now, True)
        ((number,),) = conn.execute("select max(incident_id) from ops.incidents").fetchall()
    return int(number)


def test_a_person_mutes_for_hours_and_ends_it_and_the_thread_says_who_and_why(
    connect: Callable[[], psycopg.Connection], messengers: Messengers
) -> None:
    number = settled(connect, Observation(KEY, "blocking", "measured 1, must be: 0"))
    assert "muted until" in mute(number, 24)
    with connect() as conn:
        ((who, why, until),) = conn.execute("select muted_by, reason, expires_at from ops.mutes").fetchall()
    assert (who, why) == ("ann", REASON)
    assert abs(until - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=5)
    head, reply = messengers.said(INCIDENTS)
    assert f"#{number}" in head
    assert "ann" in reply
    assert REASON in reply
    assert messengers.alerts() == ["resolved"]

    assert "over" in mute(number, 0)
    with connect() as conn:
        assert conn.execute("select count(*) from ops.mutes where expires_at > now()").fetchone() == (0,)


def test_what_cannot_be_muted_says_why(connect: Callable[[], psycopg.Connection], messengers: Messengers) -> None:
    with pytest.raises(AirflowFailException, match="number 999"):
        mute(999, 1)
    number = settled(connect, Observation(KEY, "blocking", "measured 1"))
    with pytest.raises(AirflowFailException, match="by a person"):
        mute(number, 1, user=None)
    settled(connect, Observation(KEY, None))
    with pytest.raises(AirflowFailException, match=rf"number {number}: .*resolved .*{datetime.now(UTC):%Y-%m-%d}"):
        mute(number, 1)
