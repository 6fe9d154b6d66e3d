"""What holds of the SQL of every model, as dbt compiles it.

No join without the merchant: two tenants with the same e-mail or order number must never meet. And no sum of what
cannot be added, as people, of whom one may be in several rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlglot import exp, parse_one

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode

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


def sums_of(sql: str, columns: frozenset[str]) -> list[str]:
    """The sums over one of these columns, also under another name that the query gives it."""
    tree = parse_one(sql, read="postgres")
    names = set(columns)
    while renamed := {alias.alias for alias in tree.find_all(exp.Alias) if _reads(alias, names)} - names:
        names |= renamed
    return [total.sql(dialect="postgres") for total in tree.find_all(exp.Sum) if _reads(total, names)]


def _reads(expression: exp.Expression, names: set[str]) -> bool:
    return any(column.name in names for column in expression.find_all(exp.Column))


@pytest.mark.parametrize(
    ("sql", "is_safe"),
    [
        ("select sum(sessions) as users from a", True),
        ("select max(users) from a", True),
        ("select sum(sessions), users from a group by users", True),
        ("select sum(users) from a", False),
        ("select sum(a.users) over (partition by a.day) from a", False),
        ("select sum(coalesce(users, 0)) filter (where day > 1) from a", False),
        ("with b as (select users as people from a) select sum(people) from b", False),
        ("with b as (select users as u from a), c as (select u + 1 as v from b) select sum(v) from c", False),
    ],
)
def test_the_rule_about_sums(sql: str, is_safe: bool) -> None:
    assert (sums_of(sql, frozenset({"users"})) == []) is is_safe


@pytest.fixture(scope="module")
def models(dbt: Dbt) -> list[ManifestNode]:
    """Every model, with its compiled SQL."""
    compiled = dbt("compile", "--select", "path:models")
    assert compiled.success
    found = [result.node for result in compiled.result.results if result.node.resource_type == "model"]
    assert len(found) >= len(list((Path(__file__).parents[2] / "dbt" / "models" / "marts").rglob("*.sql")))
    return found


def test_every_join_of_every_model_compares_the_merchant(models: list[ManifestNode]) -> None:
    assert {model.name: joins for model in models if (joins := joins_without_merchant(model.compiled_code))} == {}


def test_no_model_adds_up_people(models: list[ManifestNode]) -> None:
    declared = {
        (model.name, column.name)
        for model in models
        for column in model.columns.values()
        if column.config.meta.get("additive") is False
    }
    assert declared >= {("fct_website_sessions", "users"), ("fct_website_sessions", "new_users")}
    columns = frozenset(column for _, column in declared)
    assert {model.name: sums for model in models if (sums := sums_of(model.compiled_code, columns))} == {}
