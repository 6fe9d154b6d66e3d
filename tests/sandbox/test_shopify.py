"""What Shopify's Admin API answers, and what it refuses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.shopify.cost import sized
from tests.sandbox.conftest import NOW
from tests.sandbox.reader import read_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Client

INVALID = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
IDS = """
query($first: Int!, $after: String, $query: String, $sortKey: OrderSortKeys, $reverse: Boolean) {
  orders(first: $first, after: $after, query: $query, sortKey: $sortKey, reverse: $reverse) {
    nodes {id createdAt updatedAt processedAt displayFinancialStatus test cancelledAt}
    pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
  }
}
"""


def cost(client: Client, query: str, **kwargs: Any) -> dict[str, Any]:
    return dict(client.post(query, **kwargs).json()["extensions"]["cost"])


# --- refusals


@pytest.mark.parametrize("token", ["", "shpat_wrong", "shpat_sandbox_nordlicht"])
def test_a_wrong_token_is_401(sandbox: Client, token: str) -> None:
    response = sandbox.post("{shop{name}}", token=token or "none")
    assert (response.status_code, response.json()) == (401, INVALID)


def test_a_revoked_token_is_401_until_restored(fresh: Client) -> None:
    fresh.admin("POST", "/tokens/shpat_sandbox_aurora/revoke")
    assert fresh.post("{shop{name}}").status_code == 401
    fresh.admin("POST", "/tokens/shpat_sandbox_aurora/restore")
    assert fresh.ask("{shop{name}}") == {"shop": {"name": "Aurora Outdoor"}}


@pytest.mark.parametrize("encoding", ["data", "json"])
def test_client_credentials_give_a_token_for_a_day(fresh: Client, encoding: str) -> None:
    url = f"{fresh.url}/shopify/aurora.myshopify.com/admin/oauth/access_token"
    asked = {"grant_type": "client_credentials", "client_id": "client_aurora", "client_secret": "secret_aurora"}
    grant = requests.post(url, **{encoding: asked}, timeout=10).json()
    assert grant["expires_in"] == 86_399
    assert "read_orders" in grant["scope"].split(",")
    fresh.admin("POST", "/clock", {"advance_seconds": 86_398})
    assert fresh.post("{shop{name}}", token=grant["access_token"]).status_code == 200
    fresh.admin("POST", "/clock", {"advance_seconds": 1})
    expired = fresh.post("{shop{name}}", token=grant["access_token"])
    assert (expired.status_code, expired.json()) == (401, INVALID)
    wrong = requests.post(url, **{encoding: {**asked, "client_secret": "guess"}}, timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def test_an_unknown_shop_or_version_is_404(sandbox: Client) -> None:
    assert sandbox.post("{shop{name}}", shop="nobody", token="x").status_code == 404
    assert sandbox.post("{shop{name}}", version="2026-11").status_code == 404


@pytest.mark.parametrize(("asked", "served"), [("2026-10", "2026-10"), ("2026-04", "2026-04"), ("2024-01", "2026-01")])
def test_an_expired_version_falls_forward(sandbox: Client, asked: str, served: str) -> None:
    response = sandbox.post("{shop{name}}", version=asked)
    assert response.headers["X-Shopify-API-Version"] == served
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{shop{nmae}}", "undefinedField"),
        ("{orders(first: 1, since: 3){nodes{id}}}", "argumentNotAccepted"),
        ("{order{id}}", "missingRequiredArguments"),
        ('{orders(first: "one"){nodes{id}}}', "argumentLiteralsIncompatible"),
        ("{shop}", "selectionMismatch"),
        ("query($a: Int){shop{name}}", "variableNotUsed"),
        ("query($first: Int!){orders(first: $first){nodes{id}}}", "INVALID_VARIABLE"),
        ("{orders{nodes{id}}}", "BAD_REQUEST"),
        ("{orders(first: 251){nodes{id}}}", "BAD_REQUEST"),
        ("{orders(first: 1, last: 1){nodes{id}}}", "BAD_REQUEST"),
        ('{orders(first: 1, after: "junk"){nodes{id}}}', "BAD_REQUEST"),
        ("{orders(first: 1, query: \"created_at:>='lately'\"){nodes{id}}}", "BAD_REQUEST"),
        ("{orders(first: 1){nodes{metafields(first: 1){nodes{id}}}}}", "NOT_SIMULATED"),
    ],
)
def test_a_query_against_the_schema_is_refused_by_code(sandbox: Client, query: str, code: str) -> None:
    assert sandbox.refused(query)["extensions"]["code"] == code


def test_a_misspelt_field_is_named(sandbox: Client) -> None:
    error = sandbox.refused("{shop{nmae}}")
    assert error["message"] == "Field 'nmae' doesn't exist on type 'Shop'"
    assert error["extensions"] == {"code": "undefinedField", "typeName": "Shop", "fieldName": "nmae"}


def test_a_syntax_error_and_a_body_without_query(sandbox: Client) -> None:
    assert "Syntax Error" in sandbox.refused("{shop{name}")["message"]
    url = f"{sandbox.url}/shopify/aurora.myshopify.com/admin/api/2026-10/graphql.json"
    response = requests.post(url, data="{", headers={"X-Shopify-Access-Token": "shpat_sandbox_aurora"}, timeout=10)
    assert response.status_code == 400


def test_a_missing_scope_is_access_denied(fresh: Client) -> None:
    token = fresh.admin("POST", "/shops/aurora/tokens", {"scopes": ["read_products"]})["access_token"]
    error = fresh.refused("{orders(first: 1){nodes{id}}}", token=token)
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["message"] == "Access denied for orders field. Required access: `read_orders` access scope."
    granted = fresh.ask("{currentAppInstallation{accessScopes{handle}}}", token=token)
    assert granted == {"currentAppInstallation": {"accessScopes": [{"handle": "read_products"}]}}


def test_without_read_all_orders_history_ends_after_60_days(start: Callable[..., Client]) -> None:
    client = start(first_day=(NOW - timedelta(days=63)).date())
    token = client.admin("POST", "/shops/aurora/tokens", {"scopes": ["read_orders"]})["access_token"]
    query = "{orders(first: 1, sortKey: CREATED_AT){nodes{id createdAt}}}"
    everything, recent = client.ask(query), client.ask(query, token=token)
    horizon = NOW - timedelta(days=60)
    oldest = everything["orders"]["nodes"][0]
    assert datetime.fromisoformat(oldest["createdAt"]) < horizon
    assert datetime.fromisoformat(recent["orders"]["nodes"][0]["createdAt"]) >= horizon
    assert client.ask("query($id: ID!){order(id: $id){id}}", {"id": oldest["id"]}, token=token) == {"order": None}


def test_no_more_than_250_ids_at_once(sandbox: Client) -> None:
    ids = [f"gid://shopify/Order/{number}" for number in range(251)]
    error = sandbox.refused("query($ids: [ID!]!){nodes(ids: $ids){id}}", {"ids": ids})
    assert error["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


# --- cost


@pytest.mark.parametrize(
    ("query", "requested"),
    [
        ("{shop{name}}", 1),
        ("{customers(first: 100){nodes{legacyResourceId}}}", 11),
        ("{orders(first: 10){nodes{id totalPriceSet{shopMoney{amount}}}pageInfo{hasNextPage}}}", 6),
        ("{orders(first: 10){edges{node{id}}}}", 6),
        ("{orders(first: 10){nodes{id lineItems(first: 3){nodes{id variant{id}}}}}}", 2 + 4 * (1 + 2 + 2 * 2)),
        ("{orders(first: 10){nodes{refunds{id}}}}", 2 + 4 * 2),
        ("{a: shop{name} b: shop{name}}", 2),
        ('{node(id: "gid://shopify/Order/1"){... on Order{customer{id}} ... on Refund{id}}}', 2),
    ],
)
def test_requested_cost(sandbox: Client, query: str, requested: int) -> None:
    assert cost(sandbox, query)["requestedQueryCost"] == requested


def test_connections_grow_with_the_logarithm_of_their_size() -> None:
    assert [sized(size) for size in (0, 1, 3, 10, 25, 100, 250)] == [0, 1, 2, 4, 6, 9, 11]


def test_only_the_actual_cost_is_charged(start: Callable[..., Client]) -> None:
    client = start(restore_rate=10)
    report = cost(client, '{orders(first: 250, query: "id:1"){nodes{id lineItems(first: 50){nodes{id}}}}}')
    assert (report["requestedQueryCost"], report["actualQueryCost"]) == (2 + 11 * (1 + 2 + 7), 2)


def test_a_query_above_1000_points_is_refused_before_it_runs(sandbox: Client) -> None:
    lines = "lineItems(first: 250){nodes{id product{id} variant{id} taxLines{title} discountAllocations{__typename}}}"
    error = sandbox.refused("{orders(first: 250){nodes{id " + lines + " b: " + lines + "}}}".replace("250", "100"))
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert error["extensions"]["cost"] > error["extensions"]["maxCost"] == 1000


def test_an_empty_bucket_throttles_and_refills(start: Callable[..., Client]) -> None:
    client = start(restore_rate=5)
    query = "{orders(first: 250){nodes{id customer{id} transactions{id} refunds{id}}}}"
    answers = [client.post(query).json() for _ in range(4)]
    refused = [answer for answer in answers if "errors" in answer]
    assert refused
    assert "data" not in refused[0]
    assert refused[0]["errors"][0]["extensions"]["code"] == "THROTTLED"
    status = refused[0]["extensions"]["cost"]["throttleStatus"]
    assert status["restoreRate"] == 5.0
    assert status["maximumAvailable"] == 100.0
    assert client.post("{shop{name}}", shop="nordlicht").json()["data"], "another shop has its own bucket"


# --- paging and search


@pytest.mark.parametrize("sort", ["UPDATED_AT", "CREATED_AT", "PROCESSED_AT", "ID"])
@pytest.mark.parametrize("reverse", [False, True])
def test_pages_are_sorted_whole_and_disjoint(sandbox: Client, sort: str, reverse: bool) -> None:
    seen: list[dict[str, str]] = []
    after = None
    query = "updated_at:>='2026-11-12T00:00:00Z'"
    while True:
        asked = {"first": 37, "after": after, "sortKey": sort, "reverse": reverse, "query": query}
        page = sandbox.ask(IDS, asked)["orders"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    field = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "PROCESSED_AT": "processedAt", "ID": "id"}[sort]
    values = [order[field] for order in seen]
    assert values == sorted(values, reverse=reverse)
    assert len({order["id"] for order in seen}) == len(seen)
    assert {"count": len(seen), "precision": "EXACT"} == sandbox.ask(
        "query($query: String){ordersCount(query: $query, limit: null){count precision}}", {"query": query}
    )["ordersCount"]


@pytest.mark.parametrize("field", ["created_at", "processed_at", "updated_at"])
def test_a_count_is_exact_up_to_its_limit(sandbox: Client, field: str) -> None:
    window = f"{field}:>='2026-11-01T00:00:00Z' AND {field}:<'2026-11-10T00:00:00Z'"
    nodes: list[dict[str, Any]] = []
    page: dict[str, Any] = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while page["pageInfo"]["hasNextPage"]:
        asked = {"first": 250, "query": window, "after": page["pageInfo"]["endCursor"]}
        page = sandbox.ask(IDS, asked)["orders"]
        nodes += page["nodes"]
    query = """query($query: String, $limit: Int) {ordersCount(query: $query, limit: $limit) {count precision}
        short: ordersCount(query: $query, limit: 10) {count precision} plain: ordersCount(query: $query) {count}}"""
    counts = sandbox.ask(query, {"query": window, "limit": None})
    assert len(nodes) > 300
    assert counts == {
        "ordersCount": {"count": len(nodes), "precision": "EXACT"},
        "short": {"count": 10, "precision": "AT_LEAST"},
        "plain": {"count": len(nodes)},
    }


def test_a_backward_page_is_the_forward_page(sandbox: Client) -> None:
    two = sandbox.ask(IDS, {"first": 20})["orders"]
    back = sandbox.ask(
        "query($before: String){orders(last: 5, before: $before){nodes{id}}}", {"before": two["pageInfo"]["endCursor"]}
    )
    assert [node["id"] for node in back["orders"]["nodes"]] == [node["id"] for node in two["nodes"][14:19]]


def test_an_order_updated_between_pages_moves_to_the_end(fresh: Client) -> None:
    asked = {"first": 5, "sortKey": "UPDATED_AT", "query": "updated_at:>='2026-11-14T12:00:00Z'"}
    page = fresh.ask(IDS, asked)["orders"]
    moved = page["nodes"][0]["id"].rsplit("/", 1)[1]
    fresh.admin("POST", f"/shops/aurora/orders/{moved}/touch")
    rest = fresh.ask(IDS, {**asked, "first": 250, "after": page["pageInfo"]["endCursor"]})["orders"]
    assert not rest["pageInfo"]["hasNextPage"]
    assert rest["nodes"][-1]["id"] == page["nodes"][0]["id"]
    assert len(rest["nodes"]) == len({node["id"] for node in rest["nodes"]})


def test_paging_ends_at_the_vendors_cap(start: Callable[..., Client]) -> None:
    client = start(page_cap=60)
    page = client.ask(IDS, {"first": 60})["orders"]
    error = client.refused(IDS, {"first": 60, "after": page["pageInfo"]["endCursor"]})
    assert "limited to 60 objects" in error["message"]


@pytest.mark.parametrize(
    ("query", "accepts"),
    [
        ("updated_at:>='2026-11-14T00:00:00Z'", lambda o: o["updatedAt"] >= "2026-11-14T00:00:00Z"),
        ("updated_at:>2026-11-14T00:00:00Z", lambda o: o["updatedAt"] > "2026-11-14T00:00:00Z"),
        (
            "created_at:>='2026-11-13T00:00:00Z' AND created_at:<'2026-11-14T00:00:00Z'",
            lambda o: "2026-11-13" <= o["createdAt"][:10] < "2026-11-14",
        ),
        (
            'processed_at:>"2026-11-13T00:00:00+01:00" processed_at:<="2026-11-14T12:00:00Z"',
            lambda o: "2026-11-12T23:00:00Z" < o["processedAt"] <= "2026-11-14T12:00:00Z",
        ),
        ("created_at:2026-11-14", lambda o: "2026-11-14T05:00:00Z" <= o["createdAt"] < "2026-11-15T05:00:00Z"),
        ("financial_status:paid", lambda o: o["displayFinancialStatus"] == "PAID"),
        ("financial_status:pending,voided", lambda o: o["displayFinancialStatus"] in ("PENDING", "VOIDED")),
        ("status:cancelled", lambda o: o["cancelledAt"] is not None),
        ("status:any", lambda o: True),
        ("test:true", lambda o: o["test"]),
        ("test:false AND status:open", lambda o: not o["test"] and o["cancelledAt"] is None),
    ],
)
def test_search(sandbox: Client, query: str, accepts: Callable[[dict[str, Any]], bool]) -> None:
    everything = sandbox.ask(IDS, {"first": 250, "query": "created_at:>='2026-11-11T00:00:00Z'"})["orders"]["nodes"]
    window = "created_at:>='2026-11-11T00:00:00Z' AND "
    found = sandbox.ask(IDS, {"first": 250, "query": window + query})["orders"]["nodes"]
    assert {order["id"] for order in found} == {order["id"] for order in everything if accepts(order)}


def test_an_unknown_search_field_is_ignored_with_a_warning(sandbox: Client) -> None:
    answer = sandbox.post(IDS, {"first": 1, "query": "colour:blue"}).json()
    assert len(answer["data"]["orders"]["nodes"]) == 1
    assert answer["extensions"]["search"][0]["warnings"][0]["field"] == "colour"


def test_nested_connections_page_too(fresh: Client) -> None:
    lines = [{"sku": "AU-MUG-01", "price": f"{price}.00"} for price in range(1, 8)]
    placed = fresh.admin("POST", "/shops/aurora/orders", {"lines": lines})
    query = """query($id: ID!, $after: String) {node(id: $id) {... on Order {lineItems(first: 3, after: $after) {
        nodes {id} pageInfo {hasNextPage endCursor}}}}}"""
    ids: list[str] = []
    after = None
    while True:
        page = fresh.ask(query, {"id": placed["gid"], "after": after})["node"]["lineItems"]
        ids += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(ids) == len(set(ids)) == 7
    found = fresh.ask("query($ids: [ID!]!){nodes(ids: $ids){__typename id}}", {"ids": [ids[0], placed["gid"]]})
    assert [node["__typename"] for node in found["nodes"]] == ["LineItem", "Order"]


def test_a_refund_is_a_node(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"price": "10.00"})
    refund = fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/refunds")["refunds"][0]
    found = fresh.ask(
        "query($id: ID!){node(id: $id){... on Refund{legacyResourceId order{legacyResourceId}}}}",
        {"id": f"gid://shopify/Refund/{refund['id']}"},
    )
    assert found["node"] == {"legacyResourceId": refund["id"], "order": {"legacyResourceId": placed["id"]}}


# --- the rest of the surface


def test_drafts_are_no_orders(sandbox: Client) -> None:
    drafts = sandbox.ask("{draftOrders(first: 50){nodes{id legacyResourceId status}}}")["draftOrders"]["nodes"]
    assert drafts
    numbers = {order["legacyResourceId"] for order in read_orders(sandbox, "aurora", "created_at:>='2026-11-01'")}
    assert not numbers & {draft["legacyResourceId"] for draft in drafts}


def test_the_shop_says_how_it_counts(sandbox: Client) -> None:
    query = "{shop{ianaTimezone currencyCode taxesIncluded myshopifyDomain} publicApiVersions{handle supported}}"
    aurora, nordlicht = (sandbox.ask(query, shop=shop) for shop in ("aurora", "nordlicht"))
    assert aurora["shop"] == {
        "ianaTimezone": "America/New_York",
        "currencyCode": "USD",
        "taxesIncluded": False,
        "myshopifyDomain": "aurora.myshopify.com",
    }
    assert (nordlicht["shop"]["currencyCode"], nordlicht["shop"]["taxesIncluded"]) == ("EUR", True)
    assert {"handle": "2026-10", "supported": True} in aurora["publicApiVersions"]


def test_foreign_customers_pay_in_their_own_money(sandbox: Client) -> None:
    money = "totalPriceSet{shopMoney{amount currencyCode} presentmentMoney{amount currencyCode}}"
    nodes = sandbox.ask("{orders(first: 200){nodes{presentmentCurrencyCode " + money + "}}}")["orders"]["nodes"]
    foreign = [order for order in nodes if order["presentmentCurrencyCode"] == "CAD"]
    assert foreign
    assert all(order["totalPriceSet"]["shopMoney"]["currencyCode"] == "USD" for order in nodes)
    assert all(order["totalPriceSet"]["presentmentMoney"]["currencyCode"] == "CAD" for order in foreign)


def test_a_journey_becomes_ready_without_touching_the_order(fresh: Client) -> None:
    query = """{orders(first: 250, sortKey: CREATED_AT, reverse: true) {nodes {
        id createdAt updatedAt sourceName processedAt customerJourneySummary {
            ready momentsCount {count} lastVisit {landingPage referrerUrl utmParameters {source medium campaign}}
            moments(first: 10) {nodes {occurredAt ... on CustomerVisit {id source}}}}}}}"""
    before = {order["id"]: order for order in fresh.ask(query)["orders"]["nodes"]}
    young = [o for o in before.values() if o["customerJourneySummary"] and not o["customerJourneySummary"]["ready"]]
    assert young
    assert all(order["customerJourneySummary"]["momentsCount"] is None for order in young)
    assert all(not order["customerJourneySummary"]["moments"]["nodes"] for order in young)
    fresh.admin("POST", "/clock", {"advance_seconds": 4 * 3600})
    after = {order["id"]: order for order in fresh.ask(query)["orders"]["nodes"]}
    for order in young:
        now = after[order["id"]]
        journey = now["customerJourneySummary"]
        assert journey["ready"]
        assert journey["momentsCount"]["count"] == len(journey["moments"]["nodes"]) >= 1
        times = [moment["occurredAt"] for moment in journey["moments"]["nodes"]]
        assert times == sorted(times)
        assert times[-1] <= order["processedAt"]
    assert any(after[order["id"]]["updatedAt"] == order["updatedAt"] for order in young)
    assert all(o["customerJourneySummary"] is None for o in before.values() if o["sourceName"] == "pos")


def test_a_journey_may_take_longer(start: Callable[..., Client]) -> None:
    query = "{orders(first: 250) {nodes {customerJourneySummary {ready}}}}"

    def ready(client: Client) -> set[bool]:
        nodes = client.ask(query)["orders"]["nodes"]
        return {node["customerJourneySummary"]["ready"] for node in nodes if node["customerJourneySummary"]}

    assert ready(start(journey_delay=timedelta(0))) == {True}
    assert ready(start(journey_delay=timedelta(days=30))) == {False}
