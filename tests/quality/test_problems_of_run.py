"""What a run's records tell about its incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tributary.quality.finding import Finding, record
from tributary.quality.incident import problems_of_run, published_since

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

STARTED = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    return connect()


def sync(
    conn: psycopg.Connection,
    merchant_id: str,
    status: str,
    minutes_ago: float,
    channel: str = "shopify",
    stream: str = "orders",
    error: str = "HTTP 401",
) -> None:
    conn.execute(
        """
        insert into ops.syncs (
            sync_id, merchant_id, channel, stream, window_start, window_end, status, started_at, error
        )
        values (%s, %s, %s, %s, now(), now(), %s, now() - %s, %s)
        """,
        (uuid4(), merchant_id, channel, stream, status, timedelta(minutes=minutes_ago), error),
    )


def test_blocking_checks_of_this_run_and_no_other(conn: psycopg.Connection) -> None:
    bad = Finding("fct_orders", "No order twice", None, "fail", "failed", "2", "must be: 0", "Mend it.", [{"a": "1"}])
    record(conn, "this", "aurora", [bad, Finding("fct_orders", "Fine", None, "fail", "passed")])
    record(conn, "another", "nordlicht", [bad])
    (problem,) = problems_of_run(conn, "this", STARTED, None, ["merchant.gate_0"])
    assert (problem.merchant_id, problem.remedy, problem.examples) == ("aurora", "Mend it.", [{"a": "1"}])
    assert "fct_orders: No order twice (measured 2, must be: 0)" in problem.what


def test_a_finding_below_the_blocking_level_holds_nobody_back(conn: psycopg.Connection) -> None:
    record(conn, "this", "aurora", [Finding("marts", "Published days equal a rebuild", None, "warn", "failed", "3")])
    (problem,) = problems_of_run(conn, "this", STARTED, None, ["proof.compare"])
    assert not problem.holds_back


def test_a_sync_that_failed_for_good_but_not_one_that_a_retry_mended(conn: psycopg.Connection) -> None:
    sync(conn, "aurora", "failed", 2)
    sync(conn, "nordlicht", "failed", 2)
    sync(conn, "nordlicht", "succeeded", 1)
    sync(conn, "before", "failed", 60)
    sync(conn, "elsewhere", "failed", 2, channel="another")
    problems = problems_of_run(conn, "run", STARTED, "shopify", ["stream.sync_0"])
    assert [(problem.merchant_id, "HTTP 401" in problem.what) for problem in problems] == [("aurora", True)]


def test_streams_that_failed_for_the_same_reason_are_one_problem(conn: psycopg.Connection) -> None:
    sync(conn, "aurora", "failed", 2, error="It was refused (GET /orders, request id 1). Renew it.")
    sync(conn, "aurora", "failed", 2, stream="returns", error="It was refused (GET /returns, request id 2). Renew it.")
    sync(conn, "aurora", "failed", 2, stream="videos", error="HTTP 503 (GET /videos).")
    problems = problems_of_run(conn, "run", STARTED, "shopify", ["stream.sync_0"])
    assert [problem.what for problem in problems] == [
        "shopify orders, returns did not sync: It was refused (GET /orders, request id 1). Renew it.",
        "shopify videos did not sync: HTTP 503 (GET /videos).",
    ]


def test_a_spent_quota_wants_nothing_of_anybody(conn: psycopg.Connection) -> None:
    spent = (
        "QuotaSpent: The quota of reports is used up until 2026-11-21 12:00:00 UTC: all 225 requests a day are used."
    )
    sync(conn, "aurora", "failed", 2, stream="campaign_values", error=spent)
    sync(conn, "aurora", "failed", 2, stream="flow_values", error=spent)
    sync(conn, "aurora", "failed", 2, stream="metrics", error="AuthError: HTTP 401")
    problems = problems_of_run(conn, "run", STARTED, "shopify", ["stream.sync_0"])
    assert [(problem.what, problem.remedy, problem.holds_back) for problem in problems] == [
        (
            f"shopify campaign_values, flow_values did not sync: {spent}",
            "Nothing: the first run after that time goes on there.",
            False,
        ),
        ("shopify metrics did not sync: AuthError: HTTP 401", "Mend the cause; the next run goes on there.", True),
    ]


def test_without_records_the_failed_tasks_are_named(conn: psycopg.Connection) -> None:
    problems = problems_of_run(conn, "run", STARTED, None, ["dbt.core.fct_orders"])
    assert [(problem.merchant_id, problem.what) for problem in problems] == [(None, "task dbt.core.fct_orders failed")]


def test_what_was_published_meanwhile(conn: psycopg.Connection) -> None:
    for merchant_id, minutes in (("nordlicht", 1), ("aurora", 60)):
        conn.execute(
            "insert into ops.publications values (gen_random_uuid(), %s, '2026-11-01', now() - %s, '{}', 1)",
            (merchant_id, timedelta(minutes=minutes)),
        )
    assert published_since(conn, STARTED) == ["nordlicht"]
