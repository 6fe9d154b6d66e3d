"""The gate on a real PostgreSQL: what Soda says of one merchant, and what is kept of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tributary.quality.finding import SHOWN, Finding, Ran, record
from tributary.quality.gate import held_by, verify
from tributary.quality.report import report

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
check_attributes:
  owner: analytics
  runbook: held-back-merchant
filter: merchant_id = '${var.merchant_id}'
columns:
  - name: buyer
    checks:
      - missing:
          name: Every sale has a buyer
          filter: amount < 0
          attributes:
            remedy: Look at the vendor's record.
      - invalid:
          name: Buyers are known
          valid_values: [ada, jane@mail.example]
          threshold: {metric: percent, must_be_less_than: 10, level: warn}
  - name: currency
    checks:
      - missing:
          name: Currencies are known
          threshold: {metric: percent, must_be_less_than_or_equal: 70}
checks:
  - failed_rows:
      name: No sale is negative
      query: |
        select order_id, amount from "${var.schema}".sales
        where merchant_id = '${var.merchant_id}' and amount < 0 order by amount
      attributes:
        remedy: Look at the order.
        runbook: control-totals
  - failed_rows:
      name: No sale is small
      qualifier: small
      expression: amount < 1
      threshold: {must_be: 0, level: warn}
  - duplicate:
      name: No buyer is there twice
      columns: [buyer, currency]
  - row_count:
      name: Sales are many
      threshold:
        level: warn
        must_be_greater_than: 3
"""
SALES = """
create table build.sales (
    merchant_id text, order_id text, date_day date, buyer text, currency text, amount numeric,
    primary key (merchant_id, order_id)
);
insert into build.sales values
('good', '1', '2026-11-01', 'ada', 'USD', 5),
('bad', '2', '2026-11-02', 'bob', 'USD', -7),
('bad', 'jane@mail.example', '2026-11-03', null, null, -1),
('bad', '4?email=bob%40mail.example', '2026-11-04', 'bob', 'USD', 3.5)
"""


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    conn = connect()
    conn.execute(SALES)
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
        "Every sale has a buyer",
        "No sale is negative",
        "No buyer is there twice",
    }


def test_a_finding_says_what_was_measured_who_looks_and_what_to_do(conn: psycopg.Connection, contract: Path) -> None:
    said = {
        check: (f.outcome, f.level, f.measured, f.threshold, f.owner, f.runbook, f.schema, f.remedy)
        for check, f in judged(conn, contract, "bad").items()
    }
    blocks = ("analytics", "held-back-merchant", "build")
    warns = ("analytics", "warnings", "build", None)
    remedy = "Look at the vendor's record."
    assert said == {
        "The table is there": ("passed", "fail", None, None, *blocks, None),
        "Every sale has a buyer": ("failed", "fail", "1", "must be: 0", *blocks, remedy),
        "Buyers are known": ("warned", "warn", "66.67 %", "must be less than: 10 %", *warns),
        "Currencies are known": ("passed", "fail", "33.33 %", "must be less than or equal: 70 %", *blocks, None),
        "No sale is negative": (
            *("failed", "fail", "2", "must be: 0"),
            *("analytics", "control-totals", "build", "Look at the order."),
        ),
        "No sale is small": ("warned", "warn", "2", "must be: 0", *warns),
        "No buyer is there twice": ("failed", "fail", "1", "must be: 0", *blocks, None),
        "Sales are many": ("warned", "warn", "3", "must be greater than: 3", *warns),
    }


def test_the_rows_are_named_by_their_keys_and_never_by_people(conn: psycopg.Connection, contract: Path) -> None:
    shown = {check: finding.rows for check, finding in judged(conn, contract, "bad").items()}
    jane = {"order_id": "(e-mail address)", "date_day": "2026-11-03"}
    second = {"order_id": "2", "date_day": "2026-11-02"}
    fourth = {"order_id": "(e-mail address)", "date_day": "2026-11-04"}
    twice = {"buyer": "bob", "currency": "USD"}
    assert shown == {
        "The table is there": (),
        "Every sale has a buyer": [jane],
        "Buyers are known": [fourth, second],
        "Currencies are known": (),  # one row of three, which the threshold allows
        "No sale is negative": [
            {"order_id": "2", "amount": "-7"},
            {"order_id": "(e-mail address)", "amount": "-1"},
        ],
        "No sale is small": [jane, second],
        "No buyer is there twice": [twice | fourth | {"copies": "2"}, twice | second | {"copies": "2"}],
        "Sales are many": [],
    }
    assert not [f for f in judged(conn, contract, "good").values() if f.outcome == "passed" and f.rows]


def test_a_table_without_a_key_shows_what_its_contract_names(conn: psycopg.Connection, contract: Path) -> None:
    conn.execute("alter table build.sales drop constraint sales_pkey")
    conn.commit()
    rows = judged(conn, contract, "bad")["No sale is small"].rows
    assert rows[-1] == {"buyer": "bob", "currency": "USD", "date_day": "2026-11-02"}


def test_results_and_a_thousand_rows_are_kept_once_however_often_the_task_is_retried(
    conn: psycopg.Connection, contract: Path
) -> None:
    conn.execute(
        "insert into build.sales select 'bad', 'n' || n, '2026-11-05', 'x', n, 0 from generate_series(1, 1200) n"
    )
    conn.commit()
    for _ in range(2):
        record(conn, Ran("transform", "run"), "bad", list(judged(conn, contract, "bad").values()))
    kept = conn.execute(
        "select check_name, measured, jsonb_array_length(examples), count(row) "
        "from ops.check_results left join ops.failed_rows using (run_id, merchant_id, dataset, check_name) "
        "where check_name like 'No sale%' group by 1, 2, 3 order by 1"
    ).fetchall()
    assert kept == [("No sale is negative", "2", 2, 2), ("No sale is small", "1202", SHOWN, 1000)]


OTHER = """
dataset: warehouse/${var.database}/${var.schema}/DATASET
variables:
  database:
  schema:
  merchant_id:
check_attributes: {owner: OWNER, runbook: held-back-merchant}
filter: merchant_id = '${var.merchant_id}'
columns: []
checks:
"""
QUERY = """
  - failed_rows:
      name: Its rows agree NUMBER
      qualifier: qNUMBER
      query: |
        select 1 from "${var.schema}".sales inner join "${var.schema}".returns using (merchant_id)
        where merchant_id = '${var.merchant_id}'
"""
EXPRESSION = """
  - failed_rows:
      name: Its rows are well NUMBER
      qualifier: eNUMBER
      expression: amount < 0
"""


def of(folder: Path, dataset: str, owner: str, *checks: str) -> Path:
    path = folder / f"{dataset}.yml"
    bodies = [check.replace("NUMBER", str(number)) for number, check in enumerate(checks)]
    path.write_text(OTHER.replace("DATASET", dataset).replace("OWNER", owner) + "".join(bodies))
    return path


def test_what_fails_for_one_missing_table_is_that_table_and_nothing_else(
    conn: psycopg.Connection, contract: Path, tmp_path: Path
) -> None:
    contracts = [
        contract,
        of(tmp_path, "returns", "data", *[EXPRESSION] * 5, *[QUERY] * 3),
        of(tmp_path, "refunds", "analytics", *[QUERY] * 4),
    ]
    conn.execute("create view build.refunds as select 'good' as merchant_id")
    conn.commit()
    findings = verify(conn, contracts, {"schema": "build", "merchant_id": "good"})
    errors = [finding for finding in findings if finding.outcome == "error"]
    assert [finding.root for finding in errors].count("returns") == len(errors) - 1 == 12
    (told,) = [finding for finding in errors if finding.root is None]
    assert (told.dataset, told.check, told.measured) == (
        "returns",
        "The table is there",
        "build.returns does not exist",
    )
    assert (told.owner, told.runbook, told.is_blocking) == ("data", "held-back-merchant", True)
    assert {f.dataset for f in findings if f.check == "The table is there" and f.outcome == "passed"} == {
        "sales",
        "refunds",
    }
    assert report(findings)[-2:] == [
        "12 checks could not be evaluated without returns",
        f"{len(findings)} checks, 13 not evaluated, 1 warning",
    ]


def test_what_cannot_be_evaluated_blocks_and_says_why(
    conn: psycopg.Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = EXPRESSION.replace("amount < 0", "order_id::numeric > 1")
    conn.execute("insert into build.sales values ('other', '+4915112345678', '2026-11-05', 'x', 'x', 0)")
    conn.commit()
    path = of(tmp_path, "sales", "analytics", EXPRESSION, wrong)
    with caplog.at_level(logging.INFO):
        findings = {f.check: f for f in verify(conn, [path], {"schema": "build", "merchant_id": "bad"})}
    assert all(f.is_blocking and f.root is None for f in findings.values() if f.check != "The table is there")
    assert findings["Its rows are well 0"].measured == "another check of this table is wrong"
    assert findings["Its rows are well 1"].measured == 'invalid input syntax for type numeric: (e-mail address)"'
    assert "mail.example" not in caplog.text


def test_a_contract_that_is_not_understood_blocks(conn: psycopg.Connection, contract: Path, tmp_path: Path) -> None:
    path = of(tmp_path, "returns", "data", "\n  - no_such_check:\n      name: It is well\n")
    conn.execute("create table build.returns ()")
    conn.commit()
    findings = verify(conn, [contract, path], {"schema": "build", "merchant_id": "good"})
    assert [(f.dataset, f.check) for f in findings if f.is_blocking] == [("returns", "Its contract can be judged")]


def test_a_gate_without_contracts_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="no contract"):
        verify(conn, [], {"schema": "build", "merchant_id": "good"})


def test_the_log_shows_a_table_of_what_is_not_well(conn: psycopg.Connection, contract: Path) -> None:
    lines = report(list(judged(conn, contract, "bad").values()))
    assert lines[:3] == [
        "OUTCOME  MEASURED  THRESHOLD                OWNER      RUNBOOK             CHECK",
        (
            "FAILED   1         must be: 0               analytics  held-back-merchant  "
            "sales.buyer: Every sale has a buyer"
        ),
        "    order_id (e-mail address), date_day 2026-11-03",
    ]
    assert lines[-1] == "8 checks, 3 failed, 3 warnings"
    assert "No sale is small" in "".join(lines)
    assert "Currencies are known" not in "".join(lines)
    assert report([]) == ["0 checks"]


def found(check: str, outcome: str, dataset: str = "shop_orders", root: str | None = None) -> Finding:
    return Finding(dataset, check, None, "fail", outcome, "3", "must be: 0", root=root)  # type: ignore[arg-type]


def test_raw_holds_a_merchant_back_by_its_latest_results_alone(conn: psycopg.Connection) -> None:
    conn.execute("insert into ops.merchant_channels (merchant_id, channel) values ('bad', 'shop'), ('good', 'shop')")
    orders, visits = "Every order has its id", "Every visit has its id"
    runs = [
        ("bad", 10, [found(orders, "failed")]),
        ("bad", 11, [found(orders, "passed")]),
        ("bad", 12, [found(orders, "failed"), found(visits, "failed", "shop_visits")]),
        ("bad", 13, [found(orders, "error"), found("Orders have lines", "error", root="shop_orders")]),
        ("bad", 14, [found(visits, "warned", "shop_visits")]),
        ("bad", 15, [found("Every event has its id", "failed", "gone_events"), found("-", "failed", "shop_sales")]),
        ("good", 16, [found(orders, "passed")]),
    ]
    for merchant_id, hour, findings in runs:
        record(conn, Ran("ingest", f"at {hour}"), merchant_id, findings)
        at = f"2026-11-20 {hour}:00Z"
        conn.execute("update ops.check_results set checked_at = %s where run_id = %s", (at, f"at {hour}"))
    raw = ["shop_orders", "shop_visits", "gone_events"]
    assert held_by(conn, "bad", raw) == [
        "shop_orders: Every order has its id (not evaluated: 3), since 2026-11-20 12:00 UTC"
    ]
    assert held_by(conn, "good", raw) == held_by(conn, "bad", []) == []
