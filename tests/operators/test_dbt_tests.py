"""What dbt's tests of the night tell, and its source freshness: real dbt over a project of a few lines."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from cosmos.exceptions import CosmosDbtRunError

from tributary.operators.dbt_tests import DbtTestsOperator, SourceFreshnessOperator
from tributary.paths import DBT_PROJECT
from tributary.quality.incidents.observation import Run
from tributary.quality.incidents.observed import observations_of_run
from tributary.quality.incidents.settle import settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

PROJECT = {
    "dbt_project.yml": """
        name: tiny
        profile: tributary
        flags: {send_anonymous_usage_stats: false}
    """,
    "models/fct_sales.sql": "select 1 as order_id, 2 as revenue",
    "models/_models.yml": """
        models:
          - name: fct_sales
            columns:
              - name: order_id
                data_tests:
                  - not_null
                  - unique: {name: an_order_is_there_once, description: One row per order.}
              - name: revenue
                data_tests:
                  - accepted_values: {name: revenue_is_small, arguments: {values: [1, 2]}, config: {severity: warn}}
        sources:
          - name: raw
            config:
              loaded_at_query: "{{ read_up_to(this) }}"
              freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 24, period: hour}}
            tables: [name: shopify_orders, name: shopify_customers, name: shopify_products, name: klaviyo_events]
    """,
    "tests/assert_revenue_is_positive.sql": """
        -- More came in than went back.
        -- Every day.
        select * from {{ ref('fct_sales') }} where revenue < 0
    """,
    "tests/assert_all_days_are_there.sql": "{{ config(tags=['all_days']) }} select 1",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(dedent(text))
    (root / "macros").mkdir()
    (root / "macros" / "read_up_to.sql").symlink_to(DBT_PROJECT / "macros" / "read_up_to.sql")
    return root


@pytest.fixture
def conn(
    connect: Callable[[], psycopg.Connection], warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> psycopg.Connection:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    conn = connect()
    conn.autocommit = True
    return conn


class Xcoms(dict[str, Any]):
    """Where a task leaves its XComs."""

    dag_id = "housekeeping"

    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = value


def run(operator: DbtTestsOperator | SourceFreshnessOperator, run_id: str = "tonight") -> Any:
    xcoms = Xcoms()
    operator.execute({"run_id": run_id, "ti": xcoms})
    return xcoms


def sell(conn: psycopg.Connection, *sales: tuple[int | None, int]) -> None:
    conn.execute("drop schema if exists proof cascade; create schema proof")
    conn.execute("create table proof.fct_sales (order_id int, revenue int)")
    conn.cursor().executemany("insert into proof.fct_sales values (%s, %s)", sales)


def results(conn: psycopg.Connection, run_id: str) -> dict[str, tuple[Any, ...]]:
    rows = conn.execute(
        """
        select check_name, level, outcome, measured, remedy, merchant_id, dataset, examples, schema_name, runbook
        from ops.check_results where run_id = %s
        """,
        (run_id,),
    ).fetchall()
    assert all(row[5:] == (None, "dbt", [], "proof", "dbt-tests") for row in rows)
    return {row[0]: row[1:5] for row in rows}


def incidents(conn: psycopg.Connection, run_id: str) -> set[tuple[Any, ...]]:
    """What people hear of it: the report of the run, as the DAG's last task makes it."""
    now = datetime.now(UTC)
    night = Run("housekeeping", run_id, now, "http://airflow/run", "http://airflow/runbooks")
    settle(conn, night, observations_of_run(conn, night, None, []), now, pages=False)
    return set(conn.execute("select check_name, severity, holds_back, status from ops.incidents").fetchall())


def test_every_test_is_told_by_its_name_with_what_to_do(conn: psycopg.Connection, project: Path) -> None:
    operator = DbtTestsOperator(task_id="dbt_tests", schema="proof", project=project)
    sell(conn, (1, -5), (1, 7), (None, 1))
    with pytest.raises(AirflowFailException, match=r"Revenue is positive \(measured 1 row, must be: 0 rows\)"):
        run(operator)
    again = "Run it again: TRIBUTARY_BUILD_SCHEMA=proof dbt test --select"
    assert results(conn, "tonight") == {
        "Revenue is positive": (
            "fail",
            "failed",
            "1 row",
            f"More came in than went back. Every day. {again} assert_revenue_is_positive",
        ),
        "fct_sales: an order is there once": (
            "fail",
            "failed",
            "1 row",
            f"One row per order. {again} an_order_is_there_once",
        ),
        "fct_sales: not null: order_id": ("fail", "failed", "1 row", f"{again} not_null_fct_sales_order_id"),
        "fct_sales: revenue is small": ("warn", "warned", "2 rows", f"{again} revenue_is_small"),
    }
    told = {
        ("Revenue is positive", "blocking", False),
        ("fct_sales: an order is there once", "blocking", False),
        ("fct_sales: not null: order_id", "blocking", False),
        ("fct_sales: revenue is small", "warning", False),
    }
    assert incidents(conn, "tonight") == {(*incident, "open") for incident in told}
    sell(conn, (1, 1), (2, 2))
    run(operator, "the night after")
    mended = results(conn, "the night after")
    assert mended.keys() == results(conn, "tonight").keys()
    assert {(outcome, measured) for _, outcome, measured, _ in mended.values()} == {("passed", "0 rows")}
    assert incidents(conn, "the night after") == {(*incident, "resolved") for incident in told}


def test_what_dbt_cannot_run_is_told_without_the_databases_words(conn: psycopg.Connection, project: Path) -> None:
    sell(conn)
    conn.execute("alter table proof.fct_sales alter revenue type text; insert into proof.fct_sales values (1, 'a@b.c')")
    with pytest.raises(AirflowFailException, match="Revenue is positive") as failed:
        run(DbtTestsOperator(task_id="dbt_tests", schema="proof", project=project))
    level, outcome, measured, _ = results(conn, "tonight")["Revenue is positive"]
    assert (level, outcome, measured) == ("fail", "error", "dbt could not run it")
    assert "operator does not exist" not in str(failed.value)


def test_without_a_result_the_task_fails_as_dbt_did(conn: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text(dedent(PROJECT["dbt_project.yml"]))
    (tmp_path / "models" / "fct_sales.sql").write_text("select * from {{ ref('gone') }}")
    with pytest.raises(CosmosDbtRunError, match="gone"):
        run(DbtTestsOperator(task_id="dbt_tests", schema="proof", project=tmp_path))
    assert results(conn, "tonight") == {}


def test_a_source_is_as_old_as_at_its_latest_merchant(conn: psycopg.Connection, project: Path) -> None:
    conn.execute("""
        insert into ops.merchant_channels
        select merchant_id, 'shopify', now() - interval '1 year'
        from unnest(array['aurora', 'nordlicht']) as merchants (merchant_id);
        insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id, read_at, as_of)
        select merchant_id, 'shopify', stream, at, gen_random_uuid(), at, at
        from (values
            ('aurora', 'orders', 0), ('aurora', 'customers', 2), ('aurora', 'products', 31),
            ('nordlicht', 'orders', 0), ('nordlicht', 'customers', 0), ('nordlicht', 'products', 0)
        ) as read (merchant_id, stream, hours)
        cross join lateral (select now() - make_interval(hours => hours) as at) as moment;
    """)
    told = run(SourceFreshnessOperator(task_id="source_freshness", project=project))["freshness"]
    assert {table: words.partition(" up to 20")[0] for table, words in told.items()} == {
        "shopify_orders": "pass: read",
        "shopify_customers": "warn: read",
        "shopify_products": "error: read",
        "klaviyo_events": "pass: read",
    }


def test_a_source_that_dbt_cannot_judge_fails_the_task(conn: psycopg.Connection, project: Path) -> None:
    conn.execute("drop view marts.fct_freshness")
    with pytest.raises(CosmosDbtRunError):
        run(SourceFreshnessOperator(task_id="source_freshness", project=project))
