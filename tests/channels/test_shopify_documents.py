"""The GraphQL documents fit the vendor's schema and its limits."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

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

from tributary.channels.shopify import nested
from tributary.channels.shopify.api import DOCUMENT
from tributary.channels.shopify.streams import ORDERS_A_PAGE

if TYPE_CHECKING:
    from shopify_sandbox import MakeApi, Sandbox

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = [
    definition.name.value
    for definition in parse(DOCUMENT).definitions
    if isinstance(definition, OperationDefinitionNode) and definition.name
]


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    path = ROOT / "include" / "sandbox" / "shopify" / "admin_2026-10.schema.json.gz"
    introspection = json.loads(gzip.decompress(path.read_bytes()))
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)


def test_every_operation_is_valid_and_uses_nothing_deprecated(schema: GraphQLSchema) -> None:
    assert validate(schema, parse(DOCUMENT), [*specified_rules, NoDeprecatedCustomRule]) == []


def test_every_operation_that_the_code_names_exists() -> None:
    folder = ROOT / "plugins" / "tributary" / "channels" / "shopify"
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    named = {*re.findall(r'execute\("(\w+)"', code), *nested._ORDER_PARTS.values(), *nested._REFUND_PARTS.values()}
    assert named == set(OPERATIONS)


def test_the_list_of_refunds_is_as_long_as_the_code_believes() -> None:
    assert f"refunds(first: {nested.REFUNDS_IN_ORDER})" in DOCUMENT
    assert f"refunds(first: {nested.REFUNDS_LISTED})" in DOCUMENT


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_costs_more_than_shopify_allows(operation: str, make_api: MakeApi, sandbox: Sandbox) -> None:
    order = sandbox.query("{ orders(first: 1) { nodes { id } } }")["orders"]["nodes"][0]["id"]
    variables = {
        "Orders": {"query": "", "sortKey": "UPDATED_AT", "first": ORDERS_A_PAGE},
        "Refunds": {"ids": [f"gid://shopify/Refund/{n}" for n in range(1, nested.REFUNDS_AT_ONCE + 1)]},
    }
    api = make_api()
    api.execute(operation, variables.get(operation, {"id": order}))
    assert 0 < api._costs[operation] <= 950
