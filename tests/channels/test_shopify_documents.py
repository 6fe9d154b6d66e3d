"""The GraphQL documents fit the vendor's schema and its limits."""

from __future__ import annotations

import gzip
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from graphql import (
    GraphQLSchema,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    build_client_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.utilities import get_operation_ast

from sandbox.shopify.cost import MAX_QUERY_COST, CostReader
from tributary.channels.shopify import customers, nested, orders, products
from tributary.channels.shopify.api import DOCUMENT
from tributary.channels.shopify.reading import IDS_AT_ONCE, PAGE_SIZE
from tributary.channels.shopify.totals import DAYS_AT_ONCE, counting

ROOT = Path(__file__).resolve().parents[2]
COUNTING = counting(ZoneInfo("America/New_York"), [date(2026, 10, 10) + timedelta(days=n) for n in range(DAYS_AT_ONCE)])
OPERATIONS = [
    definition.name.value
    for definition in parse(DOCUMENT).definitions
    if isinstance(definition, OperationDefinitionNode) and definition.name
]
PAGE = {"query": "", "sortKey": "UPDATED_AT", "first": PAGE_SIZE}
IDS = {"ids": [f"gid://shopify/Order/{n}" for n in range(1, IDS_AT_ONCE + 1)]}
VARIABLES: dict[str, dict[str, Any]] = {
    "Orders": PAGE,
    "Customers": PAGE,
    "Products": PAGE,
    "OrdersById": IDS,
    "CustomersById": IDS,
    "ProductsById": IDS,
    "Refunds": {"ids": IDS["ids"][: nested.REFUNDS_AT_ONCE]},
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    path = ROOT / "include" / "sandbox" / "shopify" / "admin_2026-10.schema.json.gz"
    introspection = json.loads(gzip.decompress(path.read_bytes()))
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)


@pytest.mark.parametrize("document", [DOCUMENT, COUNTING], ids=["operations", "counting"])
def test_every_operation_is_valid_and_uses_nothing_deprecated(schema: GraphQLSchema, document: str) -> None:
    assert validate(schema, parse(document), [*specified_rules, NoDeprecatedCustomRule]) == []


def test_every_operation_that_the_code_names_exists() -> None:
    folder = ROOT / "plugins" / "tributary" / "channels" / "shopify"
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    named = {
        *re.findall(r'execute\(\s*"(\w+)"', code),
        *re.findall(r'nodes_by_id\(\s*api,\s*"(\w+)"', code),
        *nested._ORDER_PARTS.values(),
        *nested._JOURNEY_PARTS.values(),
        *nested._REFUND_PARTS.values(),
        *products._PARTS.values(),
    }
    for collection in (orders.ORDERS, customers.CUSTOMERS, products.PRODUCTS):
        named |= {collection.by_time, collection.by_id}
    assert named == {*OPERATIONS, "OrderCounts"}


def test_lists_without_a_cursor_are_as_long_as_the_code_believes() -> None:
    assert f"  refunds(first: {nested.REFUNDS_IN_ORDER}) {{ ...Refund" in DOCUMENT
    assert f"{{ refunds(first: {nested.REFUNDS_LISTED}) {{ id }} }}" in DOCUMENT
    assert f"  transactions(first: {orders.TRANSACTIONS_LISTED}) {{\n" in DOCUMENT


def cost(schema: GraphQLSchema, document: str, operation_name: str, variables: dict[str, Any]) -> int:
    parsed = parse(document)
    operation = get_operation_ast(parsed, operation_name)
    assert operation is not None
    definitions = operation.variable_definitions or ()
    given = {"id": "1", "query": "1", "cost": True} | variables
    declared = {definition.variable.name.value for definition in definitions}
    coerced = get_variable_values(schema, definitions, {name: given[name] for name in declared & set(given)})
    assert not isinstance(coerced, list), coerced
    return sum(part.requested() for part in CostReader(schema, parsed, operation, coerced).parts)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_asks_for_more_than_shopify_allows(operation: str, schema: GraphQLSchema) -> None:
    assert 0 < cost(schema, DOCUMENT, operation, VARIABLES.get(operation, {})) <= 0.95 * MAX_QUERY_COST


def test_counting_a_month_of_days_costs_little(schema: GraphQLSchema) -> None:
    assert 0 < cost(schema, COUNTING, "OrderCounts", {}) <= 100


def test_the_documentation_says_what_a_page_of_orders_costs(schema: GraphQLSchema) -> None:
    behavior = (ROOT / "plugins" / "tributary" / "channels" / "shopify" / "BEHAVIOR.md").read_text()
    assert f"{cost(schema, DOCUMENT, 'Orders', PAGE)} points" in " ".join(behavior.split())
