"""Visits, customers, products and variants as they stand in the warehouse: staging reads them, contracts judge them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.channels.contracts import objections
from tests.channels.shopify_sandbox import NOW, SCOPES
from tests.channels.staging import staged
from tests.conftest import new_database
from tributary.channels.shopify.api import ShopifyApi
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.shopify.token import StaticToken
from tributary.http import Budget, HttpClient, Redactor
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shopify_sandbox import Sandbox

HISTORY = {"orders": timedelta(days=9), "customers": timedelta(days=30), "products": timedelta(days=120)}
DATASETS = ["shopify_customers", "shopify_products", "shopify_variants", "shopify_visits"]


@pytest.fixture(scope="module")
def synced(postgres_server_url: str, migrated_database: str, sandbox: Sandbox) -> Iterator[str]:
    """A warehouse with everything that the sandbox's shop gives, as if it had all happened today."""
    client = HttpClient(redact=Redactor(), budgets={"graphql": Budget(rate=1000, capacity=20_000)})
    api = ShopifyApi(client, sandbox.shop(), StaticToken("shpat_sandbox_aurora"), now=lambda: NOW)
    api.scopes = SCOPES
    with new_database(postgres_server_url, template=migrated_database) as url:
        for stream in SHOPIFY.streams:
            start = NOW - HISTORY[stream.name]
            sync_stream(lambda: psycopg.connect(url), api, SHOPIFY, stream, "aurora", NOW, start)
        with psycopg.connect(url) as conn:
            for dataset in ("shopify_orders", *DATASETS):
                conn.execute(f"update raw.{dataset} set event_at = now() - interval '1 hour'")
        yield url
    api.close()


@pytest.fixture
def conn(synced: str) -> Iterator[psycopg.Connection]:
    """What a test does to the data is undone."""
    with psycopg.connect(synced) as conn:
        yield conn
        conn.rollback()


def payload(conn: psycopg.Connection, dataset: str, key: str) -> Any:
    found = conn.execute(f"select payload from raw.{dataset} where record_id = %s", (key,)).fetchone()
    assert found is not None
    return found[0]


def test_visits(conn: psycopg.Connection) -> None:
    rows = staged(conn, "shopify", "visits")
    assert len(rows) > 50
    assert any(row["utm_source"] for row in rows)
    for row in rows:
        told = payload(conn, "shopify_visits", row["record_id"])
        assert row["record_id"] == f"{row['order_id']}/{row['visit_id']}"
        assert told["id"].endswith(f"/{row['visit_id']}")
        assert (row["source"], row["landing_page"]) == (told["source"], told["landingPage"])
        assert (row["referrer_url"], row["source_type"]) == (told["referrerUrl"], told["sourceType"])
        for name in ("source", "medium", "campaign", "content", "term"):
            assert row[f"utm_{name}"] == (told["utmParameters"] or {}).get(name)


def test_customers(conn: psycopg.Connection) -> None:
    conn.execute(
        """
        update raw.shopify_customers
        set payload = jsonb_set(payload, '{defaultEmailAddress,emailAddress}', '" Ada@Example.com "')
        where record_id = (select min(record_id) from raw.shopify_customers)
        """
    )
    rows = {row["customer_id"]: row for row in staged(conn, "shopify", "customers")}
    assert len(rows) > 50
    assert rows[min(rows)]["email"] == "ada@example.com"
    assert all(row["is_email_verified"] for row in rows.values())
    orders = staged(conn, "shopify", "order_identities")
    known = [order for order in orders if order["customer_id"] in set(rows) - {min(rows)}]
    assert known
    assert all(order["email"] == rows[order["customer_id"]]["email"] for order in known)


def test_products_and_variants(conn: psycopg.Connection) -> None:
    products = {row["product_id"]: row for row in staged(conn, "shopify", "products")}
    variants = staged(conn, "shopify", "variants")
    assert len(products) > 5
    assert {row["product_id"] for row in variants} == set(products)
    for key, row in products.items():
        told = payload(conn, "shopify_products", key)
        names = ("title", "handle", "productType", "vendor", "status")
        assert [*row.values()][2:7] == [told[name] for name in names]
    for row in variants:
        told = payload(conn, "shopify_variants", f"{row['product_id']}/{row['variant_id']}")
        cost = told["inventoryItem"]["unitCost"]
        assert (row["sku"], row["barcode"], str(row["price"])) == (told["sku"], told["barcode"], told["price"])
        assert row["unit_cost"] is None if cost is None else str(row["unit_cost"]) == cost["amount"]
        assert row["unit_cost_currency"] == (cost and "USD")
    assert {row["unit_cost"] is None for row in variants} == {True, False}


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_the_shop_sends_passes_its_contract(conn: psycopg.Connection, dataset: str) -> None:
    assert objections(conn, dataset) == []


@pytest.mark.parametrize(
    ("outcome", "dataset", "check", "damage"),
    [
        ("failed", "shopify_visits", "Every visit has its id", "payload = payload - 'id'"),
        ("failed", "shopify_visits", "Less than a tenth of visits lack their source", "payload = payload - 'source'"),
        ("failed", "shopify_visits", "Every visit has its order", "record_id = '0/' || record_id"),
        (
            "warned",
            "shopify_visits",
            "Most visits say by which link they came",
            """payload = payload || '{"referrerUrl": "https://a.example/", "utmParameters": null}'""",
        ),
        ("failed", "shopify_customers", "Every customer has its id", "payload = payload - 'legacyResourceId'"),
        (
            "warned",
            "shopify_customers",
            "Less than a twentieth of customers lack their e-mail",
            "payload = payload - 'defaultEmailAddress'",
        ),
        ("failed", "shopify_products", "Every product has its id", "payload = payload - 'legacyResourceId'"),
        (
            "failed",
            "shopify_products",
            "Less than a tenth of products lack their variants",
            "payload = payload - 'variants'",
        ),
        ("failed", "shopify_variants", "Every variant has its id", "payload = payload - 'legacyResourceId'"),
        ("failed", "shopify_variants", "Every variant has its price", "payload = payload - 'price'"),
        ("failed", "shopify_variants", "Every variant has its product", "record_id = '0/' || record_id"),
    ],
)
def test_what_a_contract_is_for(conn: psycopg.Connection, outcome: str, dataset: str, check: str, damage: str) -> None:
    conn.execute(f"update raw.{dataset} set {damage}")
    assert objections(conn, dataset) == [(outcome, check)]
