"""Products, variants with their cost, and customers: what is read, searched and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

PRODUCTS = """query($first: Int = 50, $after: String, $query: String, $sortKey: ProductSortKeys, $reverse: Boolean) {
    products(first: $first, after: $after, query: $query, sortKey: $sortKey, reverse: $reverse) {
        nodes {id legacyResourceId title handle vendor productType status tags createdAt updatedAt
            variants(first: 2) {nodes {id sku price title} pageInfo {hasNextPage}}}
        pageInfo {hasNextPage endCursor}}}"""
PRODUCT = """query($id: ID!, $first: Int = 250, $after: String) {product(id: $id) {
    title status updatedAt variantsCount {count} variants(first: $first, after: $after) {
        nodes {id legacyResourceId sku title price position createdAt updatedAt
            inventoryItem {id updatedAt unitCost {amount currencyCode} variant {id}} product {id}}
        pageInfo {hasNextPage endCursor}}}}"""
CUSTOMERS = """query($first: Int = 250, $query: String, $sortKey: CustomerSortKeys, $reverse: Boolean) {
    customers(first: $first, query: $query, sortKey: $sortKey, reverse: $reverse) {nodes {
        id legacyResourceId createdAt updatedAt email defaultEmailAddress {emailAddress} numberOfOrders
        amountSpent {amount currencyCode} state verifiedEmail tags locale firstName lastName
        productSubscriberStatus}}}"""

Nodes = list[dict[str, Any]]


def products(client: Client, **asked: Any) -> Nodes:
    nodes: Nodes = client.ask(PRODUCTS, asked)["products"]["nodes"]
    return nodes


def customers(client: Client, **asked: Any) -> Nodes:
    nodes: Nodes = client.ask(CUSTOMERS, asked)["customers"]["nodes"]
    return nodes


def number_of(node: dict[str, Any]) -> str:
    return str(node["id"]).rsplit("/", 1)[1]


# --- products


def test_the_shop_sells_what_its_orders_sold(sandbox: Client) -> None:
    known = {variant["id"] for product in products(sandbox) for variant in product["variants"]["nodes"]}
    sold = sandbox.ask("{orders(first: 100) {nodes {lineItems(first: 10) {nodes {variant {id} product {id}}}}}}")
    lines = [line for order in sold["orders"]["nodes"] for line in order["lineItems"]["nodes"]]
    assert {line["variant"]["id"] for line in lines} <= known
    assert {line["product"]["id"] for line in lines} <= {product["id"] for product in products(sandbox)}


def test_a_variant_has_a_cost_unless_the_shop_left_it_out(sandbox: Client) -> None:
    nodes = sandbox.ask("{productVariants(first: 50) {nodes {price inventoryItem {unitCost {amount currencyCode}}}}}")
    variants = nodes["productVariants"]["nodes"]
    costs = [variant["inventoryItem"]["unitCost"] for variant in variants]
    assert costs.count(None) == 1
    for variant, cost in zip(variants, costs, strict=True):
        assert cost is None or 0 < float(cost["amount"]) < float(variant["price"])
        assert cost is None or cost["currencyCode"] == "USD"


@pytest.mark.parametrize("sort", ["UPDATED_AT", "CREATED_AT", "ID"])
@pytest.mark.parametrize("reverse", [False, True])
def test_products_are_paged_in_order(sandbox: Client, sort: str, reverse: bool) -> None:
    field = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "ID": "id"}[sort]
    seen: Nodes = []
    after = None
    while True:
        asked = {"first": 5, "after": after, "sortKey": sort, "reverse": reverse}
        page = sandbox.ask(PRODUCTS, asked)["products"]
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [product[field] for product in seen] == sorted((product[field] for product in seen), reverse=reverse)
    assert len({product["id"] for product in seen}) == len(seen) == 12


def test_products_are_searched_by_time_and_id(sandbox: Client) -> None:
    everything = products(sandbox, sortKey="UPDATED_AT")
    middle = everything[6]
    later = products(sandbox, query=f"updated_at:>'{middle['updatedAt']}'", sortKey="UPDATED_AT")
    assert later == everything[7:]
    assert products(sandbox, query=f"id:{middle['legacyResourceId']}") == [middle]
    old = products(sandbox, query=f"created_at:<'{middle['createdAt']}'")
    assert {product["id"] for product in old} == {
        product["id"] for product in everything if product["createdAt"] < middle["createdAt"]
    }
    count = "query($query: String) {productsCount(query: $query, limit: null) {count precision}}"
    found = sandbox.ask(count, {"query": f"updated_at:>'{middle['updatedAt']}'"})["productsCount"]
    assert found == {"count": 5, "precision": "EXACT"}


def test_a_change_of_price_and_cost_makes_the_product_newer(fresh: Client) -> None:
    before = products(fresh)[0]
    changed = fresh.admin(
        "POST", f"/shops/aurora/products/{number_of(before)}", {"price": "9.99", "cost": "4.05", "title": "Tent"}
    )
    assert changed["variants"][0]["cost"] == "4.05"
    [after] = products(fresh, query="updated_at:>='2026-11-15T12:00:00Z'")
    assert (after["id"], after["title"], after["updatedAt"]) == (before["id"], "Tent", "2026-11-15T12:00:00Z")
    variant = fresh.ask(PRODUCT, {"id": before["id"]})["product"]["variants"]["nodes"][0]
    assert (variant["price"], variant["updatedAt"]) == ("9.99", "2026-11-15T12:00:00Z")
    assert variant["inventoryItem"]["unitCost"] == {"amount": "4.05", "currencyCode": "USD"}
    assert variant["inventoryItem"]["updatedAt"] == "2026-11-15T12:00:00Z"
    fresh.admin("POST", f"/shops/aurora/products/{number_of(before)}", {"cost": None})
    variant = fresh.ask(PRODUCT, {"id": before["id"]})["product"]["variants"]["nodes"][0]
    assert variant["inventoryItem"]["unitCost"] is None
    told = fresh.ask("{orders(first: 250) {nodes {lineItems(first: 9) {nodes {product {id title} title}}}}}")
    lines = [line for order in told["orders"]["nodes"] for line in order["lineItems"]["nodes"]]
    sold = [line for line in lines if line["product"]["id"] == before["id"]]
    assert {(line["product"]["title"], line["title"]) for line in sold} == {("Tent", before["title"])}


def test_one_of_many_variants_changes(fresh: Client) -> None:
    made = fresh.admin(
        "POST", "/shops/aurora/products", {"title": "Hat", "price": "20.00", "cost": "7", "variants": 301}
    )
    fresh.admin("POST", f"/shops/aurora/products/{made['id']}", {"sku": made["variants"][280]["sku"], "price": "21.50"})
    seen: Nodes = []
    after = None
    while True:
        page = fresh.ask(PRODUCT, {"id": made["gid"], "after": after})["product"]["variants"]
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [variant["position"] for variant in seen] == list(range(1, 302))
    assert [variant["position"] for variant in seen if variant["price"] == "21.5"] == [281]
    assert {variant["product"]["id"] for variant in seen} == {made["gid"]}
    assert all(variant["inventoryItem"]["variant"]["id"] == variant["id"] for variant in seen)
    [listed] = products(fresh, query="updated_at:>='2026-11-15T12:00:00Z'")
    assert listed["variants"]["pageInfo"]["hasNextPage"]
    by_product = fresh.ask(
        "query($query: String) {productVariants(first: 250, query: $query) {nodes {id} pageInfo {hasNextPage}}}",
        {"query": f"product_id:{made['id']}"},
    )["productVariants"]
    assert (len(by_product["nodes"]), by_product["pageInfo"]["hasNextPage"]) == (250, True)


def test_a_product_that_is_removed_is_gone(fresh: Client) -> None:
    product = products(fresh)[3]
    variant = product["variants"]["nodes"][0]
    fresh.admin("DELETE", f"/shops/aurora/products/{number_of(product)}")
    nodes = fresh.ask("query($ids: [ID!]!) {nodes(ids: $ids) {id}}", {"ids": [product["id"], variant["id"]]})
    assert nodes == {"nodes": [None, None]}
    assert len(products(fresh)) == 11
    told = fresh.ask("{orders(first: 250) {nodes {lineItems(first: 9) {nodes {sku product {id} variant {id}}}}}}")
    lines = [line for order in told["orders"]["nodes"] for line in order["lineItems"]["nodes"]]
    sold = [line for line in lines if line["sku"] == variant["sku"]]
    assert sold
    assert all(line["product"] is None and line["variant"] is None for line in sold)
    fresh.admin("GET", f"/shops/aurora/products/{number_of(product)}", status=404)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/products", {"name": "Hat"}, "no field"),
        ("/products", {"variants": 0}, "cannot have 0 variants"),
        ("/products/8100000000000", {"colour": "red"}, "cannot change"),
        ("/products/8100000000000", {"status": "SOLD"}, "no product status"),
        ("/products/8100000000000", {"sku": "XX", "price": "1.00"}, "no variant 'XX'"),
    ],
)
def test_a_product_refuses_what_it_is_not(fresh: Client, path: str, body: dict[str, Any], says: str) -> None:
    before = fresh.admin("GET", "/shops/aurora/products")
    assert says in fresh.admin("POST", f"/shops/aurora{path}", body, status=400)["error"]
    assert fresh.admin("GET", "/shops/aurora/products") == before


@pytest.mark.parametrize(
    ("query", "scopes", "lacks"),
    [
        ("{products(first: 1) {nodes {id}}}", ["read_orders"], "read_products"),
        ("{productVariants(first: 1) {nodes {id}}}", ["read_orders"], "read_products"),
        ('{node(id: "gid://shopify/Product/8100000000000") {id}}', ["read_orders"], "read_products"),
        ('{product(id: "gid://shopify/Product/8100000000000") {id}}', ["read_orders"], "read_products"),
        ("{productVariants(first: 1) {nodes {inventoryItem {id}}}}", ["read_products"], "read_inventory"),
        ("{customers(first: 1) {nodes {id}}}", ["read_orders"], "read_customers"),
        ('{node(id: "gid://shopify/Customer/1") {id}}', ["read_orders"], "read_customers"),
        ('{node(id: "gid://shopify/Order/1") {id}}', ["read_products"], "read_orders"),
        ('{shopifyqlQuery(query: "FROM orders SHOW orders") {parseErrors}}', ["read_orders"], "read_reports"),
    ],
)
def test_every_kind_needs_its_scope(fresh: Client, query: str, scopes: list[str], lacks: str) -> None:
    token = fresh.admin("POST", "/shops/aurora/tokens", {"scopes": scopes})["access_token"]
    error = fresh.refused(query, token=token)
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert lacks in error["message"]


# --- customers


def test_a_customer_moves_with_its_orders(fresh: Client) -> None:
    body = {"price": "10.00", "customer_id": 77, "email": "a@b.example"}
    fresh.admin("POST", "/shops/aurora/orders", {**body, "test": True})
    placed = fresh.admin("POST", "/shops/aurora/orders", body)
    fresh.admin("POST", "/clock", {"advance_seconds": 3600})
    fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/touch")
    [customer] = customers(fresh, query="id:77")
    assert (customer["createdAt"], customer["updatedAt"]) == ("2026-11-15T12:00:00Z", "2026-11-15T13:00:00Z")
    assert (customer["numberOfOrders"], customer["amountSpent"]["currencyCode"]) == ("1", "USD")
    assert customer["amountSpent"]["amount"] == f"{float(placed['total'])}"
    assert customer["defaultEmailAddress"]["emailAddress"] == customer["email"] == "a@b.example"
    assert customers(fresh, query="email:A@B.example") == [customer]
    fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/refunds")
    [customer] = customers(fresh, query="id:77")
    assert customer["amountSpent"]["amount"] == "0.0"


@pytest.mark.parametrize("sort", ["UPDATED_AT", "CREATED_AT", "ID"])
def test_customers_are_searched_and_sorted(sandbox: Client, sort: str) -> None:
    field = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "ID": "id"}[sort]
    window = "updated_at:>='2026-11-10T00:00:00Z' updated_at:<'2026-11-14T00:00:00Z'"
    found = customers(sandbox, query=window, sortKey=sort)
    assert 10 < len(found) < 250
    assert all("2026-11-10T00:00:00Z" <= customer["updatedAt"] < "2026-11-14T00:00:00Z" for customer in found)
    assert [customer[field] for customer in found] == sorted(customer[field] for customer in found)
    assert customers(sandbox, query=window, sortKey=sort, reverse=True) == list(reversed(found))
    count = "query($query: String) {customersCount(query: $query, limit: null) {count precision}}"
    assert sandbox.ask(count, {"query": window})["customersCount"] == {"count": len(found), "precision": "EXACT"}


def test_a_customer_is_a_node_and_has_its_orders(sandbox: Client) -> None:
    returning = [customer for customer in customers(sandbox, sortKey="UPDATED_AT") if customer["numberOfOrders"] > "1"]
    customer = returning[0]
    query = """query($id: ID!, $query: String) {
        node(id: $id) {... on Customer {id numberOfOrders}} customer(id: $id) {id numberOfOrders}
        orders(first: 50, query: $query) {nodes {customer {id numberOfOrders}}}}"""
    asked = {"id": customer["id"], "query": f"customer_id:{customer['legacyResourceId']} test:false"}
    told = sandbox.ask(query, asked)
    expected = {"id": customer["id"], "numberOfOrders": customer["numberOfOrders"]}
    assert told["node"] == told["customer"] == expected
    assert [order["customer"] for order in told["orders"]["nodes"]] == [expected] * int(customer["numberOfOrders"])
