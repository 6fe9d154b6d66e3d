"""The gate's task: what a person reads in its log, and what holds a merchant back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tributary.operators.gate import GateOperator
from tributary.quality.finding import Finding, Ran, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

CONTRACT = """
dataset: warehouse/${var.database}/${var.schema}/sales
variables: {database: null, schema: null, merchant_id: null}
check_attributes: {owner: analytics, runbook: held-back-merchant}
filter: merchant_id = '${var.merchant_id}'
columns: []
checks:
  - failed_rows:
      name: No sale is negative
      qualifier: negative
      expression: amount < 0
  - failed_rows:
      name: No sale is free
      qualifier: free
      expression: amount = 0
"""
SALES = """
create table build.sales (merchant_id text, order_id text, amount numeric, primary key (merchant_id, order_id));
insert into build.sales values ('good', '1', 5), ('bad', '2', -7), ('bad', '3', 0);
insert into ops.merchant_channels (merchant_id, channel) values ('good', 'shop');
"""


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    conn = connect()
    conn.autocommit = True
    conn.execute(SALES)
    return conn


@pytest.fixture
def gate(tmp_path: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, int]]:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    for folder, text in (("marts", CONTRACT), ("raw", "")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ("sales.yml" if text else "shop_orders.yml")).write_text(text)

    def run(merchant_id: str) -> dict[str, int]:
        after = tmp_path / "raw"
        contracts = tmp_path / "marts"
        operator = GateOperator(
            task_id="gate", contracts=contracts, schema="build", merchant_id=merchant_id, after=after
        )
        context: Any = {"run_id": "today", "ti": Mock()}  # the task instance is Airflow's
        return operator.execute(context)

    return run


def test_the_log_has_the_table_and_the_exception_one_reason(
    conn: psycopg.Connection, gate: Callable[[str], dict[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate("good") == {"checks": 3, "warnings": 0}
    with pytest.raises(AirflowFailException) as refused:
        gate("bad")
    told = "bad is held back: sales: No sale is negative (measured 1, must be: 0), and 1 more"
    assert str(refused.value) == told
    lines = capsys.readouterr().out.splitlines()
    assert sum("    order_id " in line for line in lines) == 2
    assert any("3 checks, 2 failed" in line for line in lines)
    assert not any("Contract results" in line for line in lines), "Soda's own tables are not for people"


def test_what_raw_holds_back_fails_the_gate_without_a_finding_of_its_own(
    conn: psycopg.Connection, gate: Callable[[str], dict[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    lost = Finding("shop_orders", "Every order has its id", None, "fail", "failed", "2", "0")
    record(conn, Ran("ingest", "at nine"), "good", [lost])
    with pytest.raises(AirflowFailException, match=r"good is held back: shop_orders: Every order has its id .*since 2"):
        gate("good")
    assert "Held back by what came before: shop_orders" in capsys.readouterr().out
    kept = "select dataset, outcome from ops.check_results where run_id = 'today' group by 1, 2"
    assert conn.execute(kept).fetchall() == [("sales", "passed")]
    record(conn, Ran("ingest", "at ten"), "good", [replace(lost, outcome="passed")])
    assert gate("good")["checks"] == 3
