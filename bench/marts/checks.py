"""Whether what was built is right: against what was added up while the orders were made."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg

from bench.marts.days import MERCHANTS, SPEND
from bench.marts.world import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from bench.marts.world import World

Day = tuple[str, "date"]

_ORDERS = """
select
    count(*) filter (where is_counted),
    coalesce(sum(quantity) filter (where is_counted), 0)::bigint,
    (100 * coalesce(sum(revenue), 0))::bigint,
    count(*) filter (where is_new_customer)
from build.fct_orders
where merchant_id = %s
"""
# Each of these says the same by another way through the models.
_AGREE = """
with sold as (select sum(revenue) as revenue, count(*) filter (where is_counted) as orders from build.fct_orders)
select
    sold.revenue = (select sum(revenue) from build.fct_revenue),
    sold.revenue = (select sum(revenue) from build.fct_daily_metrics),
    sold.revenue = (select sum(attributed_revenue) from build.fct_attributed_orders),
    sold.orders = (select count(*) from build.fct_attributed_orders),
    5 = (
        select count(*)
        from (
            select sum(credit) as orders, sum(credited_revenue) as revenue
            from build.fct_attribution_credits group by model
        ) as given
        where (given.orders, given.revenue) = (sold.orders, sold.revenue)
    )
from sold
"""


class WrongFiguresError(RuntimeError):
    """A mart does not say what was put in."""


def check_full(url: str, world: World) -> None:
    """All days of all merchants."""
    with psycopg.connect(url) as conn:
        for merchant_id in MERCHANTS:
            _expect(f"orders of {merchant_id}", world.total(merchant_id), _figures(conn, merchant_id))
        _agree(conn)
        spend = conn.execute("select sum(spend) from build.fct_ad_spend").fetchone()
        _expect("ad spend", (Decimal(SPEND) / 100,), spend)
        counted = conn.execute("select count(*) from build.fct_orders").fetchone()
        _expect("rows of fct_orders", (world.orders,), counted)


def check_days(url: str, world: World, days: Iterable[Day]) -> None:
    """The days of a scope, and no others."""
    days = list(days)
    with psycopg.connect(url) as conn:
        for merchant_id in MERCHANTS:
            of_merchant = (world.days[day] for day in days if day[0] == merchant_id)
            _expect(f"orders of {merchant_id}", sum(of_merchant, Figures()), _figures(conn, merchant_id))
        _agree(conn)


def _figures(conn: psycopg.Connection, merchant_id: str) -> Figures:
    row = conn.execute(_ORDERS, (merchant_id,)).fetchone()
    assert row
    return Figures(*row)


def _agree(conn: psycopg.Connection) -> None:
    _expect("whether marts agree on revenue and orders", (True,) * 5, conn.execute(_AGREE).fetchone())


def _expect(what: str, expected: object, found: object) -> None:
    if found != expected:
        raise WrongFiguresError(f"{what}: {expected} expected, {found} found")
