"""Bulk operations: their life, what they refuse, and the lines they leave."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.sandbox.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Client

OPERATION = "id status type errorCode createdAt completedAt objectCount rootObjectCount fileSize url partialDataUrl"
START = (
    "mutation($query: String!, $group: Boolean! = false) {bulkOperationRunQuery(query: $query, groupObjects: $group) {"
    "bulkOperation {" + OPERATION + "} userErrors {field message code}}}"
)
POLL = "query($id: ID!) {bulkOperation(id: $id) {" + OPERATION + "}}"
CANCEL = "mutation($id: ID!) {bulkOperationCancel(id: $id) {bulkOperation {status} userErrors {field message}}}"
ORDERS = """{orders(query: "created_at:>='2026-11-13'", sortKey: CREATED_AT) {edges {node {
    id name totalPriceSet {shopMoney {amount}}
    lineItems(first: 1) {edges {node {id sku quantity}}}
    customerJourneySummary {ready moments(first: 1) {edges {node {occurredAt ... on CustomerVisit {id source}}}}}
}}}}"""
SMALL = "{orders {edges {node {id}}}}"

Rows = list[dict[str, Any]]


def start(client: Client, query: str, group: bool = False, **kwargs: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.ask(START, {"query": query, "group": group}, **kwargs)["bulkOperationRunQuery"]
    return answer


def begun(client: Client, query: str, group: bool = False, **kwargs: Any) -> str:
    """The id of an operation that must start."""
    answer = start(client, query, group, **kwargs)
    assert answer["userErrors"] == []
    return str(answer["bulkOperation"]["id"])


def poll(client: Client, number: str) -> dict[str, Any]:
    found: dict[str, Any] = client.ask(POLL, {"id": number})["bulkOperation"]
    return found


def finished(client: Client, number: str) -> dict[str, Any]:
    for _ in range(10):
        operation = poll(client, number)
        if operation["status"] not in ("CREATED", "RUNNING", "CANCELING"):
            return operation
    raise AssertionError(operation)


def rows_of(url: str) -> Rows:
    response = requests.get(url, timeout=10)
    assert response.status_code == 200
    return [json.loads(line) for line in response.text.splitlines()]


def read(client: Client, query: str, group: bool = False, **kwargs: Any) -> Rows:
    operation = finished(client, begun(client, query, group, **kwargs))
    assert operation["status"] == "COMPLETED", operation
    return rows_of(operation["url"]) if operation["url"] else []


def messages(client: Client, query: str) -> list[str]:
    """Why a query is refused."""
    answer = start(client, query)
    assert answer["bulkOperation"] is None
    assert all(error["code"] == "INVALID" and error["field"] == ["query"] for error in answer["userErrors"])
    return [error["message"] for error in answer["userErrors"]]


# --- life


def test_an_operation_is_created_runs_and_completes(fresh: Client) -> None:
    created = start(fresh, ORDERS)["bulkOperation"]
    assert (created["status"], created["type"], created["url"], created["completedAt"]) == (
        "CREATED",
        "QUERY",
        None,
        None,
    )
    running = poll(fresh, created["id"])
    assert (running["status"], running["url"], running["fileSize"]) == ("RUNNING", None, None)
    done = poll(fresh, created["id"])
    assert (done["status"], done["completedAt"], done["errorCode"]) == ("COMPLETED", "2026-11-15T12:00:00Z", None)
    body = requests.get(done["url"], timeout=10).content
    rows = [json.loads(line) for line in body.splitlines()]
    assert done["fileSize"] == str(len(body))
    assert done["objectCount"] == str(len(rows))
    assert done["rootObjectCount"] == str(sum("__parentId" not in row for row in rows))
    assert done["partialDataUrl"] is None
    assert poll(fresh, created["id"]) == done


def test_the_result_is_what_the_query_saw_when_it_ran(fresh: Client) -> None:
    query = '{orders(query: "financial_status:paid") {edges {node {id updatedAt}}}}'
    fresh.admin("POST", "/shops/aurora/bulk", {"polls": 2})
    number = begun(fresh, query)
    poll(fresh, number)
    fresh.admin("POST", "/shops/aurora/orders", {"price": "10.00"})
    seen = rows_of(finished(fresh, number)["url"])
    assert len(read(fresh, query)) == len(seen) + 1


def test_an_empty_result_has_no_url(fresh: Client) -> None:
    operation = finished(fresh, begun(fresh, '{orders(query: "id:1") {edges {node {id}}}}'))
    assert (operation["status"], operation["objectCount"], operation["rootObjectCount"]) == ("COMPLETED", "0", "0")
    assert operation["url"] is None


def test_a_result_expires_after_seven_days(fresh: Client) -> None:
    number = begun(fresh, SMALL)
    url = finished(fresh, number)["url"]
    fresh.admin("POST", "/clock", {"advance_seconds": 7 * 86_400 - 1})
    assert requests.get(url, timeout=10).status_code == 200
    fresh.admin("POST", "/clock", {"advance_seconds": 1})
    gone = requests.get(url, timeout=10)
    assert (gone.status_code, "ExpiredToken" in gone.text) == (400, True)
    expired = poll(fresh, number)
    assert (expired["status"], expired["url"]) == ("EXPIRED", None)


def test_the_file_needs_its_signature_and_no_token(fresh: Client) -> None:
    url = finished(fresh, begun(fresh, SMALL))["url"]
    address, _, _ = url.partition("?")
    assert requests.get(address, timeout=10).status_code == 403
    assert requests.get(address.replace("bulk-", "bulk-9"), timeout=10).status_code == 404
    part = requests.get(url, headers={"Range": "bytes=5-14"}, timeout=10)
    assert (part.status_code, part.content) == (206, requests.get(url, timeout=10).content[5:15])


@pytest.mark.parametrize("code", ["TIMEOUT", "INTERNAL_SERVER_ERROR", "ACCESS_DENIED"])
def test_an_operation_fails_midway(fresh: Client, code: str) -> None:
    fresh.admin("POST", "/shops/aurora/bulk", {"outcome": "FAILED", "error_code": code, "partial": 3})
    failed = finished(fresh, begun(fresh, SMALL))
    assert (failed["status"], failed["errorCode"], failed["url"], failed["objectCount"]) == ("FAILED", code, None, "3")
    assert len(rows_of(failed["partialDataUrl"])) == 3
    assert finished(fresh, begun(fresh, SMALL))["status"] == "COMPLETED", "a plan is for one operation"


@pytest.mark.parametrize("outcome", ["EXPIRED", "CANCELED", "FAILED"])
def test_an_operation_ends_without_anything(fresh: Client, outcome: str) -> None:
    fresh.admin("POST", "/shops/aurora/bulk", {"polls": 3, "outcome": outcome})
    number = begun(fresh, SMALL)
    assert [poll(fresh, number)["status"] for _ in range(4)] == ["RUNNING", "RUNNING", "RUNNING", outcome]
    ended = poll(fresh, number)
    assert (ended["status"], ended["url"], ended["partialDataUrl"]) == (outcome, None, None)


def test_canceling_takes_a_while_and_keeps_its_place(fresh: Client) -> None:
    fresh.admin("POST", "/shops/aurora/bulk", {"limit": 1})
    number = begun(fresh, SMALL)
    answer = fresh.ask(CANCEL, {"id": number})["bulkOperationCancel"]
    assert answer == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    [busy] = start(fresh, SMALL)["userErrors"]
    assert (busy["code"], busy["field"]) == ("OPERATION_IN_PROGRESS", None)
    assert number in busy["message"]
    assert finished(fresh, number)["status"] == "CANCELED"
    late = fresh.ask(CANCEL, {"id": number})["bulkOperationCancel"]
    assert late["userErrors"][0]["message"] == "A bulk operation cannot be canceled when it is canceled"
    unknown = fresh.ask(CANCEL, {"id": "gid://shopify/BulkOperation/1"})["bulkOperationCancel"]
    assert unknown["userErrors"] == [{"field": ["id"], "message": "Bulk operation does not exist"}]


def test_five_operations_run_at_once_and_the_sixth_waits(fresh: Client) -> None:
    for _ in range(5):
        begun(fresh, SMALL)
    refused = start(fresh, SMALL)
    assert refused["bulkOperation"] is None
    assert [error["code"] for error in refused["userErrors"]] == ["LIMIT_REACHED"]
    assert start(fresh, SMALL, shop="nordlicht")["userErrors"] == [], "another shop has its own five"
    for _ in range(2):
        answer = start(fresh, SMALL)
    assert answer["userErrors"] == [], "time passes while a client waits"


def test_operations_are_listed_newest_first(fresh: Client) -> None:
    fresh.admin("POST", "/shops/aurora/bulk", {"polls": 9})
    slow = begun(fresh, SMALL)
    fresh.admin("POST", "/clock", {"advance_seconds": 60})
    quick = begun(fresh, SMALL)
    finished(fresh, quick)
    query = (
        "query($query: String, $reverse: Boolean, $first: Int = 5)"
        "{bulkOperations(first: $first, query: $query, reverse: $reverse) {nodes {id status} pageInfo {hasNextPage}}}"
    )

    def listed(**asked: Any) -> list[str]:
        return [node["id"] for node in fresh.ask(query, asked)["bulkOperations"]["nodes"]]

    assert listed() == [quick, slow]
    assert listed(reverse=True) == [slow, quick]
    assert listed(query="status:running") == [slow]
    assert listed(query="status:completed operation_type:query") == [quick]
    assert listed(query="operation_type:mutation") == []
    assert listed(query=f"created_at:>'{NOW.isoformat()}'") == [quick]
    assert fresh.ask(query, {"first": 1})["bulkOperations"]["pageInfo"]["hasNextPage"]
    assert poll(fresh, "gid://shopify/BulkOperation/1") is None


def test_a_bulk_operation_costs_ten_points_and_nothing_more(fresh: Client) -> None:
    answer = fresh.post(START, {"query": ORDERS}).json()
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (10, 10)


def test_a_plan_must_make_sense(fresh: Client) -> None:
    for body in ({"outcome": "DONE"}, {"error_code": "OOPS"}, {"pols": 3}):
        fresh.admin("POST", "/shops/aurora/bulk", body, status=400)
    fresh.admin("POST", "/shops/aurora/bulk", {"outcome": "FAILED", "limit": 1})
    assert fresh.admin("DELETE", "/shops/aurora/bulk")["plans"] == []
    assert finished(fresh, begun(fresh, SMALL))["status"] == "COMPLETED"


# --- refusals


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "Invalid bulk query: Syntax Error"),
        ("{orders {edges {node {nmae}}}}", "Field 'nmae' doesn't exist"),
        ("mutation {bulkOperationCancel(id: 3) {userErrors {message}}}", "Invalid operation type"),
        ("query A {shop {name}} query B {shop {name}}", "Invalid operation type"),
        ("{shop {name}}", "at least one connection"),
        ('{node(id: "gid://shopify/Order/1") {id}}', "cannot contain a top level `node` field"),
        ("{orders(first: 3) {nodes {id}}}", "Selecting via 'nodes' is not supported"),
        ("{orders(first: 3) {pageInfo {hasNextPage}}}", "Selecting via 'nodes' is not supported"),
        (
            "{orders {edges {node {id refunds {refundLineItems {edges {node {id}}}}}}}}",
            "connection field within a list",
        ),
        ("{orders {edges {node {id fulfillments {events {edges {node {id}}}}}}}}", "connection field within a list"),
        ("{orders {edges {node {name lineItems {edges {node {id}}}}}}}", "must select the 'id' field"),
        ("{orders {edges {node {n: id lineItems {edges {node {id}}}}}}}", "Connection fields without 'id': orders"),
        (
            (
                "{collections {edges {node {id products {edges {node {id variants {edges {node {id "
                "metafields {edges {node {id}}}}}}}}}}}}}"
            ),
            "nesting depth greater than 2",
        ),
        (
            (
                "{products {edges {node {id a: variants {edges {node {id}}} b: variants {edges {node {id}}} "
                "c: variants {edges {node {id}}} d: variants {edges {node {id}}} e: variants {edges {node {id}}}}}}}"
            ),
            "more than 5 connections",
        ),
        ("{orders {edges {node {id}}} draftOrders {edges {node {id}}}}", "single top level field"),
        ("query($q: String) {orders(query: $q) {edges {node {id}}}}", "cannot use variables"),
    ],
)
def test_a_query_is_refused(sandbox: Client, query: str, says: str) -> None:
    assert any(says in message for message in messages(sandbox, query)), messages(sandbox, query)


def test_three_levels_of_connections_are_allowed(sandbox: Client) -> None:
    query = (
        "{collections {edges {node {id products {edges {node {id variants {edges {node {id}}}}}}}}}}"  # depth 0, 1, 2
    )
    assert sandbox.refused(START, {"query": query})["extensions"]["code"] == "NOT_SIMULATED"


def test_a_missing_scope_fails_the_operation(fresh: Client) -> None:
    token = fresh.admin("POST", "/shops/aurora/tokens", {"scopes": ["read_products"]})["access_token"]
    operation = finished(fresh, begun(fresh, SMALL, token=token))
    assert (operation["status"], operation["errorCode"]) == ("FAILED", "ACCESS_DENIED")


def test_without_read_all_orders_the_result_ends_after_60_days(start: Callable[..., Client]) -> None:
    client = start(first_day=(NOW - timedelta(days=63)).date())
    token = client.admin("POST", "/shops/aurora/tokens", {"scopes": ["read_orders"]})["access_token"]
    recent, everything = len(read(client, SMALL, token=token)), len(read(client, SMALL))
    assert 0 < recent < everything


# --- lines


def as_tree(rows: Rows) -> dict[str, dict[str, Any]]:
    """Parents by id with their children, whatever the order of the lines."""
    parents: dict[str, dict[str, Any]] = {row["id"]: {**row, "below": []} for row in rows if "__parentId" not in row}
    for row in rows:
        if "__parentId" in row:
            parents[row["__parentId"]]["below"].append(row)
    return parents


@pytest.mark.parametrize("group", [True, False])
def test_the_lines_are_what_pages_would_say(sandbox: Client, group: bool) -> None:
    told = as_tree(read(sandbox, ORDERS, group))
    paged = sandbox.ask(ORDERS.replace("first: 1", "first: 50").replace("{orders(", "{orders(first: 250, "))
    nodes = [edge["node"] for edge in paged["orders"]["edges"]]
    assert list(told) == [node["id"] for node in nodes]
    for node in nodes:
        lines = [edge["node"] for edge in node.pop("lineItems")["edges"]]
        journey = node["customerJourneySummary"]
        moments = [edge["node"] for edge in journey.pop("moments")["edges"]] if journey else []
        row = told[node["id"]]
        below = [{key: value for key, value in child.items() if key != "__parentId"} for child in row.pop("below")]
        assert row == node
        assert below == [*lines, *moments]


def test_grouped_children_follow_their_parent(sandbox: Client) -> None:
    parent = None
    for row in read(sandbox, ORDERS, group=True):
        parent = row["id"] if "__parentId" not in row else parent
        assert row.get("__parentId", parent) == parent


def test_ungrouped_children_come_after_their_parent_and_mixed(sandbox: Client) -> None:
    query = "{orders {edges {node {id lineItems {edges {node {id}}}}}}}"
    rows = read(sandbox, query)
    place = {row["id"]: number for number, row in enumerate(rows)}
    children = [row for row in rows if "__parentId" in row]
    assert all(place[row["__parentId"]] < place[row["id"]] for row in children)
    apart = [row for row in children if rows[place[row["id"]] - 1].get("__parentId", "") != row["__parentId"]]
    assert len(apart) > len(children) / 2
    roots = [place[row["id"]] for row in rows if "__parentId" not in row]
    assert any(place[row["id"]] > roots[-1] and place[row["__parentId"]] == 0 for row in children)
    assert read(sandbox, query) == rows, "the order is odd, and always the same"


def test_fragments_aliases_and_a_named_operation(sandbox: Client) -> None:
    query = """query Export {recent: orders(query: "created_at:>='2026-11-15'") {e: edges {n: node {...Order}}}}
        fragment Order on Order {id ... on Order {items: lineItems(first: 1) {...Lines}}}
        fragment Lines on LineItemConnection {edges {node {id}}}"""
    rows = read(sandbox, query)
    plain = read(
        sandbox, """{orders(query: "created_at:>='2026-11-15'") {edges {node {id lineItems {edges {node {id}}}}}}}"""
    )
    assert rows == plain
    assert len(rows) > len(as_tree(rows))


def test_reverse_turns_the_order_around(sandbox: Client) -> None:
    forward = read(sandbox, "{orders(sortKey: CREATED_AT) {edges {node {id}}}}")
    backward = read(sandbox, "{orders(sortKey: CREATED_AT, reverse: true) {edges {node {id}}}}")
    assert backward == list(reversed(forward))
    assert len(forward) > 1000


def test_products_come_in_bulk_with_their_variants(fresh: Client) -> None:
    from tests.sandbox.test_bulk import read

    fresh.admin("POST", "/shops/aurora/products", {"variants": 300})
    query = "{products {edges {node {id title variants {edges {node {id inventoryItem {unitCost {amount}}}}}}}}}"
    rows = read(fresh, query)
    assert len([row for row in rows if "__parentId" not in row]) == 13
    assert len([row for row in rows if "__parentId" in row]) == 12 + 300
