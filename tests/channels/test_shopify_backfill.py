"""A shop's orders read again over HTTP: the views over raw show what the shop shows, and raw stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.backfill.rows import asked
from tests.channels.shopify_sandbox import FIRST_DAY, NOW
from tests.channels.test_shopify_orders import START
from tests.warehouse.shop import add_merchants, merchant
from tributary.backfill.lease import take
from tributary.backfill.rereading.overlay import create_overlay
from tributary.backfill.rereading.reading import read_again
from tributary.channels.shopify.streams import SHOPIFY
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shopify_sandbox import MakeApi

    Connect = Callable[[], psycopg.Connection]

TABLES = ("orders", "refunds", "visits", "customers", "products", "variants")


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield connection


def held(conn: psycopg.Connection, schema: str) -> dict[str, dict[str, str]]:
    """What a schema holds of the shop, and when raw last wrote it, if it is raw."""
    query = sql.SQL("select record_id, md5((event_at, updated_at, payload, api_version)::text) from {}")
    return {
        table: dict(conn.execute(query.format(sql.Identifier(schema, f"shopify_{table}"))).fetchall())
        for table in TABLES
    }


def test_views_show_the_shop_whatever_is_wrong_in_raw(
    connect: Connect, conn: psycopg.Connection, make_api: MakeApi
) -> None:
    add_merchants(conn, merchant())
    api = make_api()
    for stream in SHOPIFY.streams:
        sync_stream(connect, api, SHOPIFY, stream, "aurora", NOW, START)
    truth = held(conn, "raw")
    # Three orders of the range, one of them with a refund: altered, missing, and one that the shop never had.
    [(refunded,)] = conn.execute(
        """
        select left(min(record_id), -strpos(reverse(min(record_id)), '/')) from raw.shopify_refunds
        where event_at >= %s
        """,
        (FIRST_DAY,),
    ).fetchall()
    [(altered,)] = conn.execute(
        "update raw.shopify_orders set payload = payload || '{\"test\": true}', payload_hash = '\\x00' "
        "where record_id = (select max(record_id) from raw.shopify_orders where record_id <> %s) returning record_id",
        (refunded,),
    ).fetchall()
    conn.execute("delete from raw.shopify_orders where record_id = %s", (refunded,))
    conn.execute("delete from raw.shopify_refunds where record_id like %s", (f"{refunded}/%",))
    conn.execute("delete from raw.shopify_visits where record_id like %s", (f"{refunded}/%",))
    conn.execute(
        """
        insert into raw.shopify_orders (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id)
        select merchant_id, '1', event_at, updated_at, payload, payload_hash, sync_id
        from raw.shopify_orders where record_id = %s
        """,
        (altered,),
    )
    wrong = held(conn, "raw")
    range_ = {"first_day": FIRST_DAY, "last_day": NOW.date(), "mode": "reread", "channels": ["shopify"]}
    backfill = asked(conn, **range_)
    take(conn, backfill)
    create_overlay(conn, backfill, [SHOPIFY])

    said: list[str] = []
    reads = read_again(connect, api, SHOPIFY, backfill, "aurora", "America/New_York", said.append)

    assert held(conn, backfill.build_schema) == truth
    assert held(conn, "raw") == wrong != truth
    assert {read.stream: read.differing for read in reads} == {"orders": 3, "customers": 0, "products": 0}
    assert said[0].startswith("shopify orders 1 of 1: ")
    assert said[0].endswith(" records, 3 differ")
