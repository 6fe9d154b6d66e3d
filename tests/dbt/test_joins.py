"""No join without the merchant: two tenants with the same e-mail or order number must never meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlglot import exp, parse_one

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt


def joins_without_merchant(sql: str) -> list[str]:
    """The joins to a relation that do not compare merchant_id; functions of the row itself need not."""
    found = []
    for join in parse_one(sql, read="postgres").find_all(exp.Join):
        if not any(isinstance(table.this, exp.Identifier) for table in join.find_all(exp.Table)):
            continue
        using = {identifier.name for identifier in join.args.get("using") or []}
        compared = any(
            isinstance(equal.left, exp.Column)
            and isinstance(equal.right, exp.Column)
            and equal.left.name == equal.right.name == "merchant_id"
            for equal in join.find_all(exp.EQ)
        )
        if "merchant_id" not in using and not compared:
            found.append(join.sql(dialect="postgres"))
    return found


@pytest.mark.parametrize(
    ("sql", "is_safe"),
    [
        ("select 1 from a join b on a.merchant_id = b.merchant_id and a.id = b.id", True),
        ("select 1 from a join b using (merchant_id, id)", True),
        ("select 1 from a cross join lateral jsonb_to_record(a.payload) as b (id text)", True),
        ("select 1 from a cross join lateral (select * from b where b.merchant_id = a.merchant_id) as c", True),
        ("select 1 from a join b on a.id = b.id", False),
        ("select 1 from a join b using (id)", False),
        ("select 1 from a cross join lateral (select * from b where b.email = a.email) as c", False),
        ("select 1 from a left join b on a.merchant_id = 'aurora'", False),
    ],
)
def test_the_rule_itself(sql: str, is_safe: bool) -> None:
    assert (joins_without_merchant(sql) == []) is is_safe


def test_every_join_of_every_model_compares_the_merchant(dbt: Dbt) -> None:
    compiled = dbt("compile", "--select", "path:models")
    assert compiled.success
    models = [result.node for result in compiled.result.results if result.node.resource_type == "model"]
    assert len(models) >= len(list((Path(__file__).parents[2] / "dbt" / "models" / "marts").rglob("*.sql")))
    assert {model.name: joins for model in models if (joins := joins_without_merchant(model.compiled_code))} == {}
