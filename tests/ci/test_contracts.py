"""The lint of contracts: silent on those of today, and each mistake is named with its field, its value and a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tributary.ci.contracts import RAW_COLUMNS, main, problems
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS

if TYPE_CHECKING:
    from pathlib import Path


ORDERS = RAW_CONTRACTS / "shopify_orders.yml"
REVENUE = MART_CONTRACTS / "fct_daily_metrics.yml"
ROAS = MART_CONTRACTS / "fct_roas.yml"
REFUNDS = MART_CONTRACTS / "fct_refunds.yml"


def test_the_contracts_of_today_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("contract", "old", "new", "problem"),
    [
        (ORDERS, "checks:\n", "checks: [\n", "is no YAML"),
        (ORDERS, "columns: []\n", "", "Soda does not take it: The contract is missing the required 'columns'"),
        (ORDERS, "- failed_rows:", "- failed_row:", "Soda does not take it: Invalid check type 'failed_row'"),
        (ORDERS, "threshold:", "treshold:", "did you mean 'threshold'?"),
        (ORDERS, "level: warn", "level: warning", "level: is 'warning', and Soda would take it for 'fail'"),
        (
            ORDERS,
            "/shopify_orders",
            "/shopify_order",
            "dataset: is 'warehouse/${var.database}/${var.schema}/shopify_order'",
        ),
        (ORDERS, "owner: data", "team: data", "check_attributes.owner: is missing"),
        (ORDERS, "runbook: held-back-merchant", "runbook: held-back", "did you mean 'held-back-merchant'?"),
        (REVENUE, "runbook: control-totals", "runbook: totals", "attributes.runbook: is 'totals'"),
        (ORDERS, "name: Every order has its id\n      ", "", "check 'failed_rows', name: is missing"),
        (ORDERS, "remedy: >", "hint: >", "check 'Every order has its id', attributes.remedy: is missing"),
        (ORDERS, "lack their total", "lack their currency", "is there 2 times"),
        (ORDERS, "payload ->> 'legacy", "payloud ->> 'legacy", "no column 'payloud'; did you mean 'payload'?"),
        (ORDERS, "and event_at >=", "and happened_at >=", "filter: shopify_orders has no column 'happened_at'"),
        (ORDERS, "is null\n", "is is null\n", "expression: is no SQL"),
        (
            ROAS,
            "columns: [date_day, channel]",
            "columns: [date_day, chanel]",
            "no column 'chanel'; did you mean 'channel'?",
        ),
        (ROAS, "(coalesce(spend, 0)", "(coalesce(spent, 0)", "expression: fct_roas has no column 'spent'"),
        (REFUNDS, "- name: order_id", "- name: orderid", "column: fct_refunds has no column 'orderid'"),
        (REVENUE, '".day_over_day', '".day_by_day', "query: reads 'day_by_day', which nothing builds"),
    ],
)
def test_a_mistake_is_named(contract: Path, old: str, new: str, problem: str, tmp_path: Path) -> None:
    right = contract.read_text()
    assert old in right
    wrong = tmp_path / contract.parent.name / contract.name
    wrong.parent.mkdir()
    wrong.write_text(right.replace(old, new, 1))
    said = list(problems(wrong))
    assert said
    assert any(problem in sentence for sentence in said), said
    assert all(sentence.startswith(f"{wrong}: ") for sentence in said)


@pytest.mark.parametrize("folder", ["raw", "marts"])
def test_a_contract_of_no_table_is_refused(folder: str, tmp_path: Path) -> None:
    stray = tmp_path / folder / "shopify_ordres.yml"
    stray.parent.mkdir()
    stray.write_text(ORDERS.read_text())
    [said] = problems(stray)
    assert "its name is 'shopify_ordres', and there is no such table" in said
    assert ("did you mean 'shopify_orders'?" in said) is (folder == "raw")


def test_a_raw_table_has_these_columns(warehouse_url: str) -> None:
    import psycopg

    with psycopg.connect(warehouse_url) as conn:
        there = conn.execute(
            "select column_name from information_schema.columns where (table_schema, table_name) = ('raw', %s)",
            (ORDERS.stem,),
        ).fetchall()
    assert {name for (name,) in there} == RAW_COLUMNS
