"""What a run's records tell: every check, how the channel was read, and what failed without a word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tributary.quality.finding import Finding, Ran, record
from tributary.quality.incidents.observation import Key, Observation, Run
from tributary.quality.incidents.observed import headline, observations_of_run
from tributary.quality.incidents.settle import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

RUN = Run("ingest", "this", datetime.now(UTC) - timedelta(minutes=5), "http://airflow/r", "http://airflow/runbooks")
READ, ENDED_WELL = "Every stream was read", "The run ended well"
SPENT = "QuotaSpent: The quota of reports is used up until 2026-11-21 12:00:00 UTC: all 225 requests a day are used."


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    return connect()


def sync(
    conn: psycopg.Connection,
    merchant_id: str,
    error: str | None,
    *,
    minutes_ago: float = 2,
    channel: str = "shop",
    stream: str = "orders",
    status: str | None = None,
    kind: str = "sync",
) -> None:
    conn.execute(
        """
        insert into ops.syncs (
            sync_id, merchant_id, channel, stream, window_start, window_end, status, started_at, error, kind
        )
        values (%s, %s, %s, %s, now(), now(), %s, now() - %s, %s, %s)
        """,
        (
            uuid4(),
            merchant_id,
            channel,
            stream,
            status or ("failed" if error else "succeeded"),
            timedelta(minutes=minutes_ago),
            error,
            kind,
        ),
    )


def reading(conn: psycopg.Connection, merchant_id: str = "aurora") -> Observation:
    seen = {observation.key: observation for observation in observations_of_run(conn, RUN, "shop", [])}
    return seen[Key(merchant_id, "shop", READ)]


def ending(conn: psycopg.Connection, failed: list[str], failed_syncs: list[str], channel: str = "shop") -> Observation:
    *_, last = observations_of_run(conn, RUN, channel, failed, failed_syncs)
    assert last.key == Key(None, "ingest", ENDED_WELL)
    return last


def checked(conn: psycopg.Connection, *findings: Finding) -> list[Observation]:
    record(conn, Ran("ingest", "this"), "aurora", findings)
    *checks, _ = observations_of_run(conn, RUN, None, [])
    return checks


def test_every_check_of_this_run_and_no_other(conn: psycopg.Connection) -> None:
    twice = Finding(
        "fct_orders",
        "No order twice",
        "order_id",
        "fail",
        "failed",
        "2",
        "must be: 0",
        "Mend it.",
        [{"order_id": "1"}],
        owner="data",
        runbook="held-back-merchant",
    )
    fewer = Finding("fct_orders", "As many as ever", None, "warn", "warned", "40", "must be at least 60")
    for other in (Ran("ingest", "another"), Ran("ingest_of_the_same_hour", "this")):
        record(conn, other, "nordlicht", [twice])
    fine, many, bad = checked(conn, twice, fewer, Finding("dim_days", "Fine", None, "fail", "passed"))
    assert fine == Observation(Key("aurora", "dim_days", "Fine"), None)
    assert bad == Observation(
        Key("aurora", "fct_orders", "No order twice"),
        "blocking",
        "order_id: measured 2, must be: 0",
        "Mend it.",
        "data",
        "held-back-merchant",
        [{"order_id": "1"}],
        holds_back=True,
    )
    assert (many.severity, many.what, many.holds_back) == ("warning", "measured 40, must be at least 60", False)


def test_a_check_that_cannot_be_evaluated_blocks_and_knows_its_root(conn: psycopg.Connection) -> None:
    missing, because = checked(
        conn,
        Finding("dim_days", "The table is there", None, "fail", "error", "build.dim_days does not exist"),
        Finding("fct_orders", "No order twice", None, "warn", "error", root="dim_days"),
    )
    assert (missing.severity, missing.what, missing.root) == ("blocking", "build.dim_days does not exist", None)
    assert (because.severity, because.root) == ("blocking", missing.key)


@pytest.mark.parametrize("dataset", ["marts", "dbt"])
def test_what_is_judged_after_its_publication_holds_nobody_back(conn: psycopg.Connection, dataset: str) -> None:
    (bad,) = checked(conn, Finding(dataset, "Published days equal a rebuild", None, "fail", "failed", "3 rows differ"))
    assert (bad.severity, bad.holds_back) == ("blocking", False)


def test_a_sync_that_failed_for_good_but_not_one_that_a_retry_mended(conn: psycopg.Connection) -> None:
    sync(conn, "aurora", "HTTP 401")
    sync(conn, "nordlicht", "HTTP 401")
    sync(conn, "nordlicht", None, minutes_ago=1)
    sync(conn, "before", "HTTP 401", minutes_ago=24 * 60)
    sync(conn, "elsewhere", "HTTP 401", channel="another")
    sync(conn, "rereading", "HTTP 401", kind="reread")
    observed = observations_of_run(conn, RUN, "shop", [])
    assert [(one.key.merchant_id, one.severity) for one in observed if one.key.check == READ] == [
        ("aurora", "warning"),
        ("nordlicht", None),
    ]
    assert not [one for one in observations_of_run(conn, RUN, None, []) if one.key.check == READ]


def test_one_stream_that_was_not_read_is_enough_and_a_killed_one_is_one(conn: psycopg.Connection) -> None:
    sync(conn, "aurora", None)
    sync(conn, "aurora", None, stream="returns", status="running")
    assert reading(conn).what == "returns: It was interrupted before it could end."


def test_streams_that_failed_for_the_same_reason_are_said_together(conn: psycopg.Connection) -> None:
    sync(conn, "aurora", "It was refused (GET /orders, request id 1). Renew it.")
    sync(conn, "aurora", "It was refused (GET /returns, request id 2). Renew it.", stream="returns")
    sync(conn, "aurora", "HTTP 503 (GET /videos).", stream="videos")
    assert reading(conn).what == (
        "orders, returns: It was refused (GET /orders, request id 1). Renew it.; videos: HTTP 503 (GET /videos)."
    )


@pytest.mark.parametrize(
    ("errors", "runbook", "remedy"),
    [
        ([SPENT], "quotas", "Nothing: the first run after that time goes on there."),
        (["TooManyDeadLetters: 5 of 111", SPENT], "dead-letters", "Mend the cause, then replay them"),
        ([SPENT, "AuthError: HTTP 401", "TooManyDeadLetters: 5"], "sync-failed", "Mend the cause; the next run"),
    ],
)
def test_what_asks_most_of_people_says_what_to_do(
    conn: psycopg.Connection, errors: list[str], runbook: str, remedy: str
) -> None:
    for number, error in enumerate(errors):
        sync(conn, "aurora", error, stream=str(number))
    unread = reading(conn)
    assert (unread.severity, unread.runbook, unread.holds_back) == ("warning", runbook, False)
    assert str(unread.remedy).startswith(remedy)


def test_a_run_ends_well_when_every_failed_task_left_its_reason(conn: psycopg.Connection) -> None:
    sync(conn, "aurora", "HTTP 401")
    assert ending(conn, [], ["stream.sync_0"]).severity is None
    two = ending(conn, [], ["stream.sync_0", "stream.sync_1"])
    assert (two.severity, two.what) == ("blocking", "failed: stream.sync_0, stream.sync_1")
    many = ending(conn, [f"plan_{number}" for number in range(7)], ["stream.sync_0"])
    assert many.what == "failed: plan_0, plan_1, plan_2, plan_3, plan_4 and 2 more"
    assert (many.runbook, many.holds_back) == ("run-failed", False)


def test_a_run_that_publishes_nothing_holds_everybody_back(conn: psycopg.Connection) -> None:
    run = Run("transform", "this", RUN.started_at, RUN.url, RUN.runbooks_url)
    (failed,) = observations_of_run(conn, run, None, ["dbt.core.fct_orders"])
    assert (failed.key, failed.holds_back) == (Key(None, "transform", ENDED_WELL), True)


def test_a_headline_names_what_a_run_failed_of_but_no_spent_quota(conn: psycopg.Connection) -> None:
    missing = Finding("dim_days", "The table is there", None, "fail", "error")
    explained = [Finding("fct_orders", f"Rule {number}", None, "fail", "error", root="dim_days") for number in range(9)]
    assert headline(checked(conn, missing, *explained)) == "aurora: dim_days: The table is there"
    sync(conn, "aurora", SPENT)
    assert headline([reading(conn), ending(conn, [], ["stream.sync_0"])]) is None
    sync(conn, "aurora", "AuthError: HTTP 401", stream="returns")
    assert headline([reading(conn)]) == f"aurora: shop: {READ}"
    assert headline([ending(conn, ["plan"], [])]) == f"all: ingest: {ENDED_WELL}"


def test_a_check_is_not_well_by_a_build_without_the_days_that_its_incident_is_about(
    conn: psycopg.Connection,
) -> None:
    today = datetime.now(UTC).date()
    lately, long_ago = str(today - timedelta(days=2)), str(today - timedelta(days=20))
    conn.execute("create schema hourly")
    conn.execute("create table hourly.scope (merchant_id text, date_day date)")

    def warned(run: Run, day: str) -> None:
        found = Finding("credits", "Few are direct", None, "warn", "warned", "1", rows=[{"date_day": day}])
        record(conn, Ran("ingest", run.run_id), "aurora", [found])
        settle(conn, run, observations_of_run(conn, run, None, []), datetime.now(UTC), pages=False)

    def is_partial(built: str, *, looks_back: bool = False) -> bool:
        conn.execute("delete from hourly.scope")
        conn.execute("insert into hourly.scope values ('aurora', %s), ('nordlicht', %s)", (built, lately))
        well = Finding("credits", "Few are direct", None, "warn", "passed", schema="hourly", looks_back=looks_back)
        record(conn, Ran("ingest", "next"), "aurora", [well])
        observed = observations_of_run(conn, replace(RUN, run_id="next"), None, [])
        return next(each.is_partial for each in observed if each.key.check == "Few are direct")

    warned(RUN, lately)
    assert is_partial(str(today))
    assert not is_partial(lately)
    assert not is_partial(str(today), looks_back=True)
    warned(replace(RUN, run_id="another"), long_ago)
    assert not is_partial(str(today))
