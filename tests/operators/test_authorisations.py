"""An authorisation that ends soon is told every night, with the connection that needs a new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from tributary.operators.authorisations import AuthorisationsOperator
from tributary.paths import MERCHANTS
from tributary.quality.incidents.observation import Key, Run
from tributary.quality.incidents.observed import observations_of_run
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

MERCHANT = load_merchants(MERCHANTS)[0]
CHANNEL, CONNECTION = next(iter(MERCHANT.channels.items()))
RUN: Any = {"run_id": "tonight"}


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    conn = connect()
    conn.autocommit = True
    return conn


@pytest.fixture
def operator(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> AuthorisationsOperator:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    return AuthorisationsOperator(task_id="authorisations", dag=DAG("housekeeping"))


def store(conn: psycopg.Connection, connection: str, days: float, replaced_days_ago: int = 0) -> datetime:
    ends_at = datetime.now(UTC) + timedelta(days=days)
    conn.execute(
        """
        insert into ops.vendor_tokens
        values (gen_random_uuid()::text, %s, '', now(), %s, now() - %s)
        """,
        (connection, ends_at, timedelta(days=replaced_days_ago)),
    )
    return ends_at


def results(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute("select merchant_id, dataset, outcome from ops.check_results").fetchall()


def test_people_learn_which_connection_needs_what_until_when(
    conn: psycopg.Connection, operator: AuthorisationsOperator
) -> None:
    ends_at = store(conn, CONNECTION, 12.5)
    operator.execute(RUN)
    run = Run("housekeeping", "tonight", datetime.now(UTC), "", "")
    warning, _ = observations_of_run(conn, run, None, [])
    assert warning.key == Key(MERCHANT.merchant_id, f"{CHANNEL} authorisation", "It lasts for a while yet")
    assert (warning.severity, warning.runbook) == ("warning", "authorisations")
    assert warning.what == f"measured 12 days, until {ends_at:%Y-%m-%d}, must be: at least 30 days"
    assert f"put the new refresh token into the connection '{CONNECTION}'" in str(warning.remedy)


@pytest.mark.parametrize(("days", "outcome"), [(29.9, "warned"), (30.1, "passed"), (-1, "warned")])
def test_thirty_days_are_the_limit(
    conn: psycopg.Connection, operator: AuthorisationsOperator, days: float, outcome: str
) -> None:
    store(conn, CONNECTION, days)
    operator.execute(RUN)
    assert results(conn) == [(MERCHANT.merchant_id, f"{CHANNEL} authorisation", outcome)]


def test_the_newest_authorisation_of_a_connection_counts(
    conn: psycopg.Connection, operator: AuthorisationsOperator
) -> None:
    store(conn, CONNECTION, 5, replaced_days_ago=7)
    store(conn, CONNECTION, 365)
    store(conn, "of_no_merchant", 5)
    operator.execute(RUN)
    assert results(conn) == [(MERCHANT.merchant_id, f"{CHANNEL} authorisation", "passed")]
