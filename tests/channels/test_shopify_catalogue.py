"""Customers, and products with their variants: all of them, as they are now, or an error that names what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.shopify_sandbox import FIRST_DAY, NOW, SCOPES
from tributary.channels.shopify import reading
from tributary.channels.shopify.api import DOCUMENT
from tributary.channels.shopify.products import BEGINNING
from tributary.channels.shopify.streams import CUSTOMERS, PRODUCTS
from tributary.channels.shopify.token import StaticToken
from tributary.http import AuthError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shopify_sandbox import MakeApi, Sandbox

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page, Record

LONG_AGO = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=365)
END = NOW + timedelta(hours=1)


def by_id(pages: Iterable[Page]) -> dict[str, Record]:
    records = {}
    for page in pages:
        assert not page.rejects
        records |= {record.record_id: record for record in page.records}
    return records


def as_told(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def customers(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Every customer by plain paging, with nothing of the project."""
    found: dict[str, dict[str, Any]] = {}
    after = "null"
    while True:
        page = sandbox.query(
            f"{{ customers(first: 250, after: {after}) {{ pageInfo {{ hasNextPage endCursor }} nodes {{"
            " legacyResourceId createdAt updatedAt verifiedEmail defaultEmailAddress { emailAddress } } } }"
        )["customers"]
        found |= {customer["legacyResourceId"]: customer for customer in page["nodes"]}
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = json.dumps(page["pageInfo"]["endCursor"])


def catalogue(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Every product with its variants, with nothing of the project."""
    page = sandbox.query(
        """{ products(first: 250) { pageInfo { hasNextPage } nodes {
        legacyResourceId createdAt updatedAt title handle productType vendor status variants(first: 250) { nodes {
        legacyResourceId createdAt title sku barcode price
        inventoryItem { unitCost { amount currencyCode } } } } } } }"""
    )["products"]
    assert not page["pageInfo"]["hasNextPage"]
    return {product["legacyResourceId"]: product for product in page["nodes"]}


def without(scope: str, sandbox: Sandbox, make_api: MakeApi) -> ShopifyApi:
    body = {"scopes": sorted(SCOPES - {scope})}
    return make_api(token=StaticToken(sandbox.admin("/shops/aurora/tokens", body)["access_token"]))


def test_every_customer_arrives_with_its_times(
    customers: dict[str, dict[str, Any]], make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_SIZE", 50)
    records = by_id(CUSTOMERS.changed(make_api(), LONG_AGO, END))
    assert set(records) == set(customers)
    assert len(customers) > 100
    for key, record in records.items():
        told, payload = customers[key], json.loads(record.payload)
        assert (record.event_at, record.updated_at) == (as_told(told["createdAt"]), as_told(told["updatedAt"]))
        assert payload.items() >= told.items()
        assert not {"firstName", "lastName", "displayName", "phone", "addresses"} & set(payload)


def test_customers_are_read_by_their_change_and_by_their_creation(
    customers: dict[str, dict[str, Any]], make_api: MakeApi
) -> None:
    start, end = NOW - timedelta(days=2), NOW - timedelta(days=1)
    for read, field in ((CUSTOMERS.changed, "updatedAt"), (CUSTOMERS.happened, "createdAt")):
        expected = {key for key, told in customers.items() if start <= as_told(told[field]) < end}
        assert set(by_id(read(make_api(), start, end))) == expected
        assert 0 < len(expected) < len(customers)


def test_a_customer_that_was_merged_into_another_is_gone(sandbox: Sandbox, make_api: MakeApi) -> None:
    kept, gone = 5_000_000_001, 5_000_000_002
    for customer_id in (kept, gone):
        sandbox.admin("/shops/nordlicht/orders", {"price": "3.00", "customer_id": customer_id})
    assert len(by_id(CUSTOMERS.by_id(make_api("nordlicht"), [str(kept), str(gone)]))) == 2
    sandbox.admin("/shops/nordlicht/customers/merge", {"kept": kept, "gone": gone})
    (page,) = CUSTOMERS.by_id(make_api("nordlicht"), [str(kept), str(gone)])
    assert [record.record_id for record in page.records] == [str(kept)]
    assert page.gone == [str(gone)]


def test_every_product_and_variant_arrives_with_its_price_and_cost(sandbox: Sandbox, make_api: MakeApi) -> None:
    pages = list(PRODUCTS.changed(make_api(), LONG_AGO, END))
    truth, records = catalogue(sandbox), by_id(pages)
    assert set(records) == set(truth)
    assert len(truth) > 5
    for key, record in records.items():
        told, payload = truth[key], json.loads(record.payload)
        assert (record.event_at, record.updated_at) == (as_told(told["createdAt"]), as_told(told["updatedAt"]))
        assert {name: payload[name] for name in told if name != "variants"}.items() <= told.items()
    told = {f"{key}/{v['legacyResourceId']}": v for key, p in truth.items() for v in p["variants"]["nodes"]}
    variants = {record.record_id: record for page in pages for record in page.children["variants"]}
    assert set(variants) == set(told)
    for key, variant in variants.items():
        payload = json.loads(variant.payload)
        assert variant.payload in records[key.split("/")[0]].payload
        assert variant.updated_at == records[key.split("/")[0]].updated_at
        assert variant.event_at == as_told(told[key]["createdAt"])
        assert payload["price"] == told[key]["price"]
        assert payload["inventoryItem"]["unitCost"] == told[key]["inventoryItem"]["unitCost"]
    costs = [json.loads(variant.payload)["inventoryItem"]["unitCost"] for variant in variants.values()]
    assert None in costs
    assert any(costs)


def test_a_variants_new_price_comes_with_its_product(sandbox: Sandbox, make_api: MakeApi) -> None:
    made = sandbox.admin("/shops/nordlicht/products", {"title": "Balm", "price": "8.00", "cost": "2.50"})
    sandbox.admin(f"/shops/nordlicht/products/{made['id']}", {"price": "9.50"})
    pages = list(PRODUCTS.changed(make_api("nordlicht"), NOW, END))
    assert list(by_id(pages)) == [str(made["id"])]
    (variant,) = [record for page in pages for record in page.children["variants"]]
    assert float(json.loads(variant.payload)["price"]) == 9.5
    sandbox.admin(f"/shops/nordlicht/products/{made['id']}", method="DELETE")
    (page,) = PRODUCTS.by_id(make_api("nordlicht"), [str(made["id"])])
    assert (list(page.records), page.gone) == ([], [str(made["id"])])


def test_more_variants_than_a_page_shows(sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sandbox.admin("/shops/nordlicht/products", {"title": "Rope", "variants": 131})
    api = make_api("nordlicht")
    execute = api.execute
    narrow = DOCUMENT.replace("variants(first: 250,", "variants(first: 50,")
    assert narrow != DOCUMENT
    monkeypatch.setattr(api, "execute", lambda operation, variables: execute(operation, variables, narrow))
    (page,) = PRODUCTS.by_id(api, [str(made["id"])])
    (product,) = page.records
    nodes = json.loads(product.payload)["variants"]["nodes"]
    assert len({node["id"] for node in nodes}) == len(nodes) == 131
    assert [json.loads(variant.payload) for variant in page.children["variants"]] == nodes
    assert all(node["inventoryItem"] for node in nodes)
    sandbox.admin(f"/shops/nordlicht/products/{made['id']}", method="DELETE")


def test_a_first_sync_reads_the_whole_catalogue_and_a_later_one_what_changed() -> None:
    assert PRODUCTS.history is not None
    for length, read in ((timedelta(hours=2), PRODUCTS.changed), (timedelta(days=120), None)):
        (window,) = PRODUCTS.history(None, NOW - length, NOW)
        assert (window.start, window.end) == (NOW - length, NOW)
        assert (window.read is PRODUCTS.changed) == (read is PRODUCTS.changed)


def test_the_whole_catalogue_holds_what_was_not_changed_for_long(sandbox: Sandbox, make_api: MakeApi) -> None:
    assert PRODUCTS.history is not None
    start = NOW - timedelta(days=14)
    truth = catalogue(sandbox)
    assert [told for told in truth.values() if BEGINNING < as_told(told["updatedAt"]) < start]
    (window,) = PRODUCTS.history(None, start, END)
    assert set(by_id(window.read(make_api(), window.start, window.end))) == set(truth)


@pytest.mark.parametrize(
    ("stream", "scope"), [(CUSTOMERS, "read_customers"), (PRODUCTS, "read_products")], ids=["customers", "products"]
)
def test_a_stream_that_may_not_be_read_names_the_scope(
    stream: Any, scope: str, sandbox: Sandbox, make_api: MakeApi, slept: list[float]
) -> None:
    api = without(scope, sandbox, make_api)
    for read in (lambda: stream.changed(api, LONG_AGO, END), lambda: stream.by_id(api, ["1"])):
        with pytest.raises(AuthError, match=rf"ACCESS_DENIED.*`{scope}` access scope.*Grant the app"):
            list(read())
    assert slept == []


def test_without_the_inventory_scope_variants_come_without_their_cost(sandbox: Sandbox, make_api: MakeApi) -> None:
    pages = list(PRODUCTS.changed(without("read_inventory", sandbox, make_api), LONG_AGO, END))
    variants = [json.loads(record.payload) for page in pages for record in page.children["variants"]]
    assert len(variants) == sum(len(told["variants"]["nodes"]) for told in catalogue(sandbox).values())
    assert not any("inventoryItem" in variant for variant in variants)


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("price", "cheap", "$.variants.nodes[0].price"),
        ("createdAt", "some day or other", "$.variants.nodes[0].createdAt"),
        ("legacyResourceId", None, "$.variants.nodes[0].legacyResourceId"),
        ("inventoryItem", {"unitCost": {"amount": "1e15"}}, "$.variants.nodes[0].inventoryItem.unitCost.amount"),
    ],
)
def test_a_variant_that_cannot_be_cast_makes_its_product_a_dead_letter(
    field: str, value: Any, where: str, sandbox: Sandbox, make_api: MakeApi
) -> None:
    spoilt = {"variants": {"nodes": {"0": {field: value}}}}
    sandbox.fault("merged", merge={"data": {"products": {"nodes": {"2": spoilt}}}})
    pages = list(PRODUCTS.changed(make_api(), LONG_AGO, END))
    (letter,) = [letter for page in pages for letter in page.rejects]
    assert where in letter.reason
    truth = catalogue(sandbox)
    assert {r.record_id for page in pages for r in page.records} == set(truth) - {letter.record_id}
    assert letter.record_id in truth
