"""People in what the vendors send: found in every row, masked there, and kept out when they come back."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.klaviyo_client import klaviyo_clients
from tests.channels.road import START
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels import CHANNELS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.warehouse.personal.erase import Erasure, Request, erase, mask_again
from tributary.warehouse.personal.retention import mask_old
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.shopify_sandbox import MakeApi
    from tests.channels.tiktok_sandbox import MakeTikTok
    from tributary.declaration import Channel

REASON = "They asked for it by letter"
LONG_AFTER = NOW + timedelta(days=3650)
READ = (
    (SHOPIFY, ("orders", "customers", "products")),
    (TIKTOK_SHOP, ("orders", "returns", "cancellations", "statements", "statement_transactions", "products")),
    (KLAVIYO, ("metrics", "campaigns", "flows", "profiles", "events")),
)
RAW = [
    f"raw.{channel.name}_{name}"
    for channel, streams in READ
    for stream in map(channel.stream, streams)
    for name in (stream.name, *stream.children)
]
CONTACT = r"[[:alnum:]._+-]+@[[:alnum:]-]+[.][[:alpha:]]|[(]?[+][1-9]|phone|first_name|\"recipient_address"


@dataclass
class Shop:
    """One merchant's raw rows, a copy of what the sandbox's vendors told of aurora."""

    url: str
    merchant_id: str

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url)

    def query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.connect() as conn:
            return conn.execute(query, {"merchant": self.merchant_id, **values}).fetchall()  # type: ignore[arg-type]

    def change(self, query: str, **values: Any) -> None:
        with self.connect() as conn:
            conn.execute(query, {"merchant": self.merchant_id, **values})  # type: ignore[arg-type]

    def key(self, identity: str) -> str:
        [(key,)] = self.query("select ops.customer_key(%(merchant)s, %(identity)s)", identity=identity)
        return str(key)

    def erase(self, identity: str, **changed: Any) -> Erasure:
        key = changed.pop("key", None) or self.key(identity)
        with self.connect() as conn:
            return erase(conn, CHANNELS, Request(self.merchant_id, key, "ann.operator", REASON, False, **changed))

    def try_out(self, identity: str) -> Erasure:
        with self.connect() as conn:
            return erase(conn, CHANNELS, Request(self.merchant_id, self.key(identity), "ann.operator", REASON))

    def holding(self, text: str) -> dict[str, int]:
        """The tables of the whole database in which the merchant's rows say this, in whatever column."""
        found = {}
        for schema, table, has_merchant in self.query(
            """
            select nspname, relname, exists (
                select from pg_attribute where attrelid = pg_class.oid and attname = 'merchant_id'
            )
            from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
            where relkind = 'r' and nspname <> all ('{pg_catalog,information_schema,pg_toast}')
            """
        ):
            of_merchant = sql.SQL("merchant_id = %(merchant)s") if has_merchant else sql.SQL("true")
            payload = sql.SQL("encode(payload, 'escape')") if table == "dead_letters" else sql.SQL("''")
            query = sql.SQL(
                "select count(*) from {} as held where {} and position(lower(%(text)s) in lower(held::text || {})) > 0"
            ).format(sql.Identifier(schema, table), of_merchant, payload)
            with self.connect() as conn:
                [(count,)] = conn.execute(query, {"merchant": self.merchant_id, "text": text}).fetchall()
            if count:
                found[f"{schema}.{table}"] = count
        return found

    def snapshot(self) -> dict[str, str]:
        return {
            table: self.query(
                f"select md5(string_agg(concat(record_id, payload, event_at, updated_at), '' order by record_id)) "
                f"from {table} where merchant_id = %(merchant)s"
            )[0][0]
            for table in RAW
        }

    def changes(self) -> dict[str, int]:
        return dict(
            self.query("select stream, count(*) from ops.changes where merchant_id = %(merchant)s group by stream")
        )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Some days of business, in a hurry."""
    settings = Settings(first_day=FIRST_DAY + timedelta(days=3), frozen_at=NOW, klaviyo_rate=1000)
    with serve(create_app(settings)) as url:
        yield Sandbox(url)


@pytest.fixture(scope="module")
def told(shared_warehouse: str) -> set[str]:
    """The merchants of this module that have been read."""
    return set()


@pytest.fixture
def shop(
    request: pytest.FixtureRequest,
    told: set[str],
    shared_warehouse: str,
    sandbox: Sandbox,
    make_api: MakeApi,
    make_tiktok: MakeTikTok,
) -> Shop:
    """The test's own merchant; the vendors are read once."""
    if not told:
        with read(sandbox, make_api, make_tiktok) as apis, psycopg.connect(shared_warehouse) as conn:
            for channel, streams in READ:
                for stream in streams:
                    _sync(shared_warehouse, apis[channel.name], channel, stream, "aurora")
            conn.execute("delete from ops.changes")
        told.add("aurora")
    own = Shop(shared_warehouse, request.node.name)
    copy(own, "aurora")
    return own


def _sync(url: str, api: Any, channel: Channel, stream: str, merchant: str) -> None:
    sync_stream(lambda: psycopg.connect(url), api, channel, channel.stream(stream), merchant, NOW, START)


@contextmanager
def read(sandbox: Sandbox, make_api: MakeApi, make_tiktok: MakeTikTok) -> Iterator[dict[str, Any]]:
    """A client of each vendor."""
    with klaviyo_clients(f"{sandbox.url}/klaviyo", []) as make_klaviyo:
        yield {"shopify": make_api(), "tiktok_shop": make_tiktok(), "klaviyo": make_klaviyo()}


def copy(shop: Shop, merchant_id: str) -> None:
    for table in RAW:
        shop.change(
            f"""
            insert into {table} (
                merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id
            )
            select %(merchant)s, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id
            from {table} where merchant_id = %(copied)s
            """,
            copied=merchant_id,
        )


@dataclass
class Somebody:
    """A customer with orders, visits and a profile."""

    customer_id: str
    email: str
    first_name: str
    last_name: str
    orders: list[str]


@pytest.fixture
def somebody(shop: Shop) -> Somebody:
    """A person of whom every channel but TikTok knows something; their phone number stands in several places."""
    [(customer, email, first, last, orders)] = shop.query(
        """
        select
            orders.payload #>> '{customer,legacyResourceId}', profiles.payload #>> '{attributes,email}',
            profiles.payload #>> '{attributes,first_name}', profiles.payload #>> '{attributes,last_name}',
            array_agg(distinct orders.record_id)
        from raw.shopify_orders as orders
        inner join raw.shopify_visits as visits
            on visits.merchant_id = orders.merchant_id and split_part(visits.record_id, '/', 1) = orders.record_id
        inner join raw.klaviyo_profiles as profiles
            on profiles.merchant_id = orders.merchant_id
            and profiles.payload #>> '{attributes,external_id}' = orders.payload #>> '{customer,legacyResourceId}'
        where orders.merchant_id = %(merchant)s and exists (
            select from raw.klaviyo_events as events
            where
                events.merchant_id = orders.merchant_id
                and events.payload #>> '{event,relationships,profile,data,id}' = profiles.record_id
        )
        group by 1, 2, 3, 4
        order by count(distinct orders.record_id) desc, 1
        limit 1
        """
    )
    shop.change(
        """
        update raw.shopify_visits
        set payload = payload || jsonb_build_object('landingPage', 'https://a.example/hi/' || %(email)s || '?GCLID=x1')
        where merchant_id = %(merchant)s and split_part(record_id, '/', 1) = any(%(orders)s)
        """,
        email=email,
        orders=orders,
    )
    shop.change(
        """
        update raw.klaviyo_profiles
        set payload = jsonb_set(payload, '{attributes,phone_number}', '"+15550107788"')
        where merchant_id = %(merchant)s and payload #>> '{attributes,email}' = %(email)s
        """,
        email=email,
    )
    shop.change(
        """
        update raw.klaviyo_events
        set payload = jsonb_set(klaviyo_events.payload, '{event,attributes,event_properties,Phone}', '"+15550107788"')
        from raw.klaviyo_profiles as profiles
        where
            klaviyo_events.merchant_id = %(merchant)s
            and profiles.merchant_id = %(merchant)s
            and klaviyo_events.payload #>> '{event,relationships,profile,data,id}' = profiles.record_id
            and profiles.payload #>> '{attributes,email}' = %(email)s
        """,
        email=email,
    )
    return Somebody(customer, email, first, last, orders)


def test_a_person_leaves_every_row_and_nobody_else_does(shop: Shop, somebody: Somebody) -> None:
    shop.change(
        """
        insert into ops.dead_letters (merchant_id, channel, stream, reason, payload, payload_hash, sync_id)
        select %(merchant)s, 'shopify', 'orders', 'bad', convert_to(body, 'UTF8'), convert_to(body, 'UTF8'),
            gen_random_uuid()
        from unnest(%(bodies)s::text[]) as body
        """,
        bodies=[
            f'{{"email": "{somebody.email.upper()}"}}',
            f'{{"id": "gid://shopify/Customer/{somebody.customer_id}"}}',
            f'{{"id": "gid://shopify/Customer/{somebody.customer_id}0", "email": "x{somebody.email}"}}',
        ],
    )
    shop.change(
        "insert into ops.changes (merchant_id, channel, stream, record_id, operation, old_event_at, old_payload)"
        " select merchant_id, 'shopify', 'orders', 'gone', 'delete', event_at, payload from raw.shopify_orders"
        " where merchant_id = %(merchant)s and record_id = any(%(orders)s) limit 1",
        orders=somebody.orders,
    )
    before, key = shop.snapshot(), shop.key(f"shopify:{somebody.customer_id}")
    twin = Shop(shop.url, f"{shop.merchant_id}, another")
    copy(twin, shop.merchant_id)
    untouched = twin.snapshot()
    assert {"raw.shopify_orders", "raw.shopify_visits", "raw.klaviyo_profiles"} <= set(shop.holding(somebody.email))

    tried = shop.try_out(f"shopify:{somebody.customer_id}")
    assert (tried.outcome, shop.snapshot(), shop.changes()) == ("dry run", before, {"orders": 1})
    done = shop.erase(f"shopify:{somebody.customer_id}")

    assert done.outcome == "erased"
    assert done.rows == tried.rows
    assert done.rows["raw.shopify_orders"] >= len(somebody.orders)
    assert (done.rows["ops.dead_letters"], done.rows["ops.changes"]) == (2, 1)
    for secret in (f"{somebody.email}", "+15550107788", key):
        left = shop.holding(secret)
        left.pop("ops.erased_identities", None)
        assert left in ({}, {"ops.dead_letters": 1}), secret
    # The vendor's own number stays as the key of the row that says it is a customer: nothing else leads there.
    assert shop.holding(f'Customer/{somebody.customer_id}"') == {}
    assert twin.snapshot() == untouched
    [(first, last)] = shop.query(
        "select count(*) filter (where strpos(payload::text, %(first)s) > 0),"
        " count(*) filter (where strpos(payload::text, %(last)s) > 0)"
        " from raw.klaviyo_profiles where merchant_id = %(merchant)s and payload::text like %(token)s",
        first=somebody.first_name,
        last=somebody.last_name,
        token="%masked:%",
    )
    assert (first, last) == (0, 0)
    changed = shop.query(
        "select record_id from ops.changes"
        " where merchant_id = %(merchant)s and stream = 'orders' and old_payload is null"
    )
    assert {record_id for (record_id,) in changed} >= set(somebody.orders)
    [(clicks,)] = shop.query(
        "select array_agg(distinct payload ->> 'landingPage') from raw.shopify_visits"
        " where merchant_id = %(merchant)s and split_part(record_id, '/', 1) = any(%(orders)s)",
        orders=somebody.orders,
    )
    assert clicks == ["/?gclid=masked"]

    assert shop.erase("", key=key).outcome == "erased before"
    assert shop.erase("", key=done.new_key).outcome == "erased before"
    assert shop.erase("email:nobody@example.com").outcome == "refused"
    audited = shop.query(
        "select outcome, asked_by, reason, rows from audit.erasures where merchant_id = %(merchant)s order by asked_at"
    )
    assert [row[0] for row in audited] == ["dry run", "erased", "erased before", "erased before", "refused"]
    assert audited[1][1:] == ("ann.operator", REASON, done.rows)


def test_the_same_version_brings_nobody_back_and_a_new_one_is_masked_at_night(
    shop: Shop, somebody: Somebody, sandbox: Sandbox, make_api: MakeApi, make_tiktok: MakeTikTok
) -> None:
    shop.erase(f"shopify:{somebody.customer_id}")
    masked = shop.snapshot()
    with read(sandbox, make_api, make_tiktok) as apis:
        for channel, stream in ((SHOPIFY, "orders"), (KLAVIYO, "profiles"), (KLAVIYO, "events")):
            _sync(shop.url, apis[channel.name], channel, stream, shop.merchant_id)
        assert shop.snapshot() == masked

        # What raw holds is older than what the vendor has now.
        shop.change(
            "update raw.shopify_orders set updated_at = updated_at - interval '1 s', payload_hash = ''"
            " where merchant_id = %(merchant)s and record_id = %(order)s",
            order=somebody.orders[0],
        )
        shop.change("delete from ops.changes where merchant_id = %(merchant)s")
        shop.change("delete from ops.checkpoints where merchant_id = %(merchant)s")
        _sync(shop.url, apis["shopify"], SHOPIFY, "orders", shop.merchant_id)
    assert shop.holding(somebody.customer_id) != {}
    shop.change("delete from ops.changes where merchant_id = %(merchant)s")

    with shop.connect() as conn:
        assert mask_again(conn, CHANNELS, shop.merchant_id)["raw.shopify_orders"] >= 1

    assert shop.snapshot() == masked
    assert shop.changes()["orders"] >= 1


def test_old_rows_of_everybody_end_with_the_keys_that_they_had(shop: Shop, somebody: Somebody) -> None:
    keys = """
        select record_id, ops.customer_key(merchant_id, {identity}) from {table} where merchant_id = %(merchant)s
        order by 1
    """
    asked = [
        keys.format(table="raw.shopify_orders", identity="'shopify:' || (payload #>> '{customer,legacyResourceId}')"),
        keys.format(table="raw.tiktok_shop_orders", identity="'tiktok_shop:' || (payload ->> 'user_id')"),
        keys.format(
            table="raw.klaviyo_profiles", identity="'email:' || lower(btrim(payload #>> '{attributes,email}'))"
        ),
    ]
    before = [shop.query(query) for query in asked]

    with shop.connect() as conn:
        mask_old(conn, CHANNELS, shop.merchant_id, "build", NOW - timedelta(days=3650))
        assert shop.changes() == {}
        assert shop.holding(somebody.email) != {}
        rows = mask_old(conn, CHANNELS, shop.merchant_id, "build", LONG_AFTER)

    assert rows["raw.tiktok_shop_orders"] > 0
    assert [shop.query(query) for query in asked] == before
    assert shop.changes() == {}
    left = {
        table: shop.query(
            f"select substring(payload::text from %(contact)s) from {table}"
            " where merchant_id = %(merchant)s and payload::text ~ %(contact)s limit 3",
            contact=CONTACT,
        )
        for table in RAW
    }
    assert {table: found for table, found in left.items() if found} == {}
    with shop.connect() as conn:
        assert mask_old(conn, CHANNELS, shop.merchant_id, "build", LONG_AFTER) == {}
