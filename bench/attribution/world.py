"""Orders and what led to them, made in the database, in the tables that the models of attribution read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from bench.marts.days import DAYS, FIRST, MERCHANTS, ZONE

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

HEAVY = 5_000
"""Touches of a heavy customer, who is one in a hundred of a skewed world."""
_MERCHANTS = """
insert into ops.merchants (merchant_id, name, time_zone, currency, revenue_includes_tax, history_start)
select name, name, %(zone)s, 'USD', false, %(first)s from unnest(%(merchants)s::text[]) as name
"""
# Five orders of three customers, evenly over a year. One in ten is a marketplace's, one in forty names nobody, one in
# thirty does not count.
_ORDERS = """
insert into build.fct_orders (
    merchant_id, date_day, sales_channel, order_id, customer_key, currency, quantity, gross_sales, discounts, shipping,
    tax_charged, duties, tips, refunds, tax_refunded, duties_refunded, tax, costed_sales, revenue, is_counted,
    is_cancelled, is_test, is_new_customer, is_returning_customer, is_final, ordered_at, metric_version
)
select
    (%(merchants)s::text[])[1 + number %% cardinality(%(merchants)s)], (at at time zone %(zone)s)::date,
    case when number %% 10 = 0 then 'tiktok_shop' else 'shopify' end, number::text,
    case when number %% 40 <> 7 then (7000000000000 + customer)::text end, 'USD', 1, amount, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, amount, number %% 30 <> 11, false, false, number %% 3 = 0, number %% 3 <> 0, true, at, 1
from (
    select
        number, 20 + number %% 9000 / 100.0 as amount, 1 + floor(random() * %(customers)s)::bigint as customer,
        date_trunc('second', %(first)s::timestamptz + number * make_interval(days => %(days)s) / (%(orders)s + 1)) as at
    from generate_series(1, %(orders)s::bigint) as number
) as made
"""
# Customers are the merchant's own: a number is somebody else at another one.
_CUSTOMERS = """
insert into intermediate.int_order_customers
select merchant_id, sales_channel, order_id, 'shopify:' || customer_key, order_id, ordered_at
from build.fct_orders where customer_key is not null
"""
_ORIGINS = """
(values
    (0, 'google', 'cpc', 'google_ads', true, 'google_ads', 'spring', 'utm', 'google'),
    (1, 'facebook', 'paid_social', 'meta_ads', true, 'meta_ads', 'spring', 'utm', 'facebook'),
    (2, 'google', 'organic', 'organic_search', false, null, null, 'referrer', null),
    (3, 'klaviyo', 'email', 'email', false, null, 'newsletter', 'utm', 'klaviyo'),
    (4, 'blog.example', 'referral', 'referral', false, null, null, 'referrer', null),
    (5, 'direct', 'none', 'direct', false, null, null, 'none', null),
    (6, 'direct', 'none', 'direct', false, null, null, 'none', null),
    (7, 'tiktok_shop', 'native', 'tiktok_shop', false, null, null, 'native', 'tiktok_shop')
) as origin (number, source, medium, channel, is_paid, ad_platform, campaign, resolved_by, tagged)
"""
_TOUCHES = """
insert into intermediate.int_touchpoints (
    merchant_id, touchpoint_id, contact_id, touch_channel, sales_channel, order_id, customer_identity, occurred_at,
    source, medium, campaign, channel, is_paid, ad_platform, in_taxonomy, is_direct, is_excluded, is_malformed,
    is_native, is_fallback, priority, resolved_by, utm_source, utm_medium, utm_campaign
)
select
    merchant_id, touchpoint_id, touchpoint_id, touch_channel, sales_channel, order_id, customer_identity, occurred_at,
    source, medium, campaign, channel, is_paid, ad_platform, true, channel = 'direct', false, false,
    resolved_by = 'native', touch_channel = 'ga4', priority, resolved_by, tagged,
    case when tagged is not null then medium end, campaign
from ({made}) as made
inner join {origins} on origin.number = made.origin
"""
# No visit to eight, in the ten days before the order or soon after it. Some are where the rule turns: exactly 168 hours
# old or a second older, in the order's second, and two in one second.
_VISITS = """
select
    merchant_id, 'shopify/' || order_id || '/' || visit as touchpoint_id, 'shopify' as touch_channel, sales_channel,
    order_id, 'shopify:' || customer_key as customer_identity, 2 as priority, floor(random() * 7)::int as origin,
    ordered_at - make_interval(secs => case
        when visit = 1 and order_id::bigint %% 50 = 1 then 168 * 3600
        when visit = 1 and order_id::bigint %% 50 = 2 then 168 * 3600 + 1
        when visit = 1 and order_id::bigint %% 50 = 3 then 0
        when visit < 3 and order_id::bigint %% 50 = 4 then 7200
        else floor(random() * 241 * 3600) - 3600
    end) as occurred_at
from build.fct_orders, generate_series(1, (order_id::bigint * 7 + order_id::bigint / 10) %% 9) as visit
where sales_channel = 'shopify'
"""
# Some in the second of a visit, which goes first.
_CLICKS = """
select
    merchant_id, 'klaviyo/' || order_id as touchpoint_id, 'klaviyo' as touch_channel, sales_channel,
    null as order_id, 'shopify:' || customer_key as customer_identity, 3 as priority, 3 as origin,
    ordered_at - make_interval(secs => case
        when order_id::bigint %% 50 = 4 then 7200 else floor(random() * 240 * 3600)
    end) as occurred_at
from build.fct_orders
where sales_channel = 'shopify' and customer_key is not null and order_id::bigint %% 2 = 0
"""
_SESSIONS = """
select
    merchant_id, 'ga4/' || order_id as touchpoint_id, 'ga4' as touch_channel, sales_channel,
    order_id, null as customer_identity, 4 as priority, floor(random() * 5)::int as origin, ordered_at as occurred_at
from build.fct_orders
where sales_channel = 'shopify' and order_id::bigint %% 5 <> 0
"""
_SALES = """
select
    merchant_id, 'tiktok_shop/' || order_id as touchpoint_id, 'tiktok_shop' as touch_channel, sales_channel,
    order_id, null as customer_identity, 1 as priority, 7 as origin, ordered_at as occurred_at
from build.fct_orders
where sales_channel = 'tiktok_shop'
"""
# Somebody who comes every other hour all year long.
_HEAVY = """
select
    merchant_id, 'shopify/h' || customer || '/' || visit as touchpoint_id, 'shopify' as touch_channel,
    'shopify' as sales_channel, 'h' || customer as order_id,
    'shopify:' || (7000000000000 + customer)::text as customer_identity, 2 as priority,
    floor(random() * 7)::int as origin,
    date_trunc('second', %(first)s::timestamptz + random() * make_interval(days => %(days)s)) as occurred_at
from
    unnest(%(merchants)s::text[]) as merchant_id,
    generate_series(100, %(customers)s, 100) as customer,
    generate_series(1, %(heavy)s) as visit
"""

_INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index
where indrelid = 'intermediate.int_touchpoints'::regclass
"""


@dataclass(frozen=True, slots=True)
class World:
    """What was made."""

    orders: int
    skewed: bool
    counted: int
    touches: int
    megabytes: float
    """Of the touches, without their indexes."""
    indexes: tuple[str, ...]
    """How dbt made them for the touches; dropped until they are measured."""

    @property
    def name(self) -> str:
        return f"{self.orders:,} orders{', skewed' if self.skewed else ''}"


def fill(url: str, orders: int, *, skewed: bool) -> World:
    """That many orders of 0.6 as many customers, with about five touches each; the tables are there and empty."""
    asked: dict[str, Any] = {
        "merchants": list(MERCHANTS),
        "zone": ZONE,
        "first": FIRST,
        "days": DAYS,
        "orders": orders,
        "customers": orders * 3 // 5 // len(MERCHANTS),
        "heavy": HEAVY,
    }
    with psycopg.connect(url, autocommit=True) as conn:
        indexes = conn.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            conn.execute(f"drop index {name}")
        conn.execute("select setseed(0.5)")
        for statement in (_MERCHANTS, _ORDERS, _CUSTOMERS):
            conn.execute(statement, asked)
        for made in (_VISITS, _CLICKS, _SESSIONS, _SALES, *((_HEAVY,) if skewed else ())):
            conn.execute(_TOUCHES.format(made=made, origins=_ORIGINS), asked)
        conn.execute("analyze")
        counted, touches, size = _one(
            conn.execute(
                "select (select count(*) from build.fct_orders where is_counted), "
                "(select count(*) from intermediate.int_touchpoints), pg_table_size('intermediate.int_touchpoints')"
            ).fetchone()
        )
    return World(orders, skewed, counted, touches, size / 2**20, tuple(definition for _, definition in indexes))


def _one(row: TupleRow | None) -> TupleRow:
    assert row
    return row
