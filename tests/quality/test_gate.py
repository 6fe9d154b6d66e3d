"""The gate on a real PostgreSQL: what Soda says of one merchant, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tributary.quality.finding import Finding, record
from tributary.quality.gate import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

CONTRACT = """
dataset: warehouse/${var.database}/${var.schema}/sales
variables:
  database:
  schema:
  merchant_id:
filter: merchant_id = '${var.merchant_id}'
columns:
  - name: order_id
    checks:
      - missing:
          name: Every sale has an order
          attributes:
            remedy: Look at the vendor's record.
checks:
  - failed_rows:
      name: No sale is negative
      query: |
        select order_id, amount from "${var.schema}".sales
        where merchant_id = '${var.merchant_id}' and amount < 0 order by amount
      attributes:
        remedy: Look at the order.
  - row_count:
      name: Sales are many
      threshold:
        level: warn
        must_be_greater_than: 3
"""


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    conn = connect()
    conn.execute("create table build.sales (merchant_id text, order_id text, amount numeric)")
    conn.execute("insert into build.sales values ('good', '1', 5), ('bad', '2', -7), ('bad', null, -1)")
    conn.commit()
    return conn


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "sales.yml"
    path.write_text(CONTRACT)
    return path


def judged(conn: psycopg.Connection, contract: Path, merchant_id: str) -> dict[str, Finding]:
    findings = verify(conn, [contract], {"schema": "build", "merchant_id": merchant_id})
    return {finding.check: finding for finding in findings}


def test_one_merchants_bad_rows_do_not_block_another(conn: psycopg.Connection, contract: Path) -> None:
    assert not [f for f in judged(conn, contract, "good").values() if f.is_blocking]
    assert {f.check for f in judged(conn, contract, "bad").values() if f.is_blocking} == {
        "Every sale has an order",
        "No sale is negative",
    }


def test_a_blocking_finding_says_which_rows_and_what_to_do(conn: psycopg.Connection, contract: Path) -> None:
    finding = judged(conn, contract, "bad")["No sale is negative"]
    assert finding.rows == [{"order_id": "2", "amount": "-7"}, {"order_id": "None", "amount": "-1"}]
    assert finding.remedy == "Look at the order."
    assert finding.measured == "2"
    assert "must be: 0" in finding.sentence()
    assert "sales" in finding.sentence()


def test_a_warning_is_said_and_does_not_block(conn: psycopg.Connection, contract: Path) -> None:
    finding = judged(conn, contract, "good")["Sales are many"]
    assert (finding.outcome, finding.level, finding.is_blocking) == ("warned", "warn", False)


def test_what_cannot_be_evaluated_blocks(conn: psycopg.Connection, contract: Path) -> None:
    conn.execute("drop table build.sales")
    conn.commit()
    findings = verify(conn, [contract], {"schema": "build", "merchant_id": "good"})
    assert [finding for finding in findings if finding.outcome == "error" and finding.is_blocking]


def test_a_gate_without_contracts_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="no contract"):
        verify(conn, [], {"schema": "build", "merchant_id": "good"})


def test_results_are_kept_once_however_often_the_task_is_retried(conn: psycopg.Connection, contract: Path) -> None:
    for _ in range(2):
        record(conn, "run", "bad", list(judged(conn, contract, "bad").values()))
    kept = conn.execute(
        "select check_name, outcome, remedy, jsonb_array_length(examples) from ops.check_results order by 1"
    ).fetchall()
    assert kept == [
        ("Every sale has an order", "failed", "Look at the vendor's record.", 0),
        ("No sale is negative", "failed", "Look at the order.", 2),
        ("Sales are many", "warned", None, 0),
    ]
