"""Whether the credit went where it should: by all ways the same, and all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from bench.marts.checks import WrongFiguresError

if TYPE_CHECKING:
    from bench.attribution.world import World

_DIFFERENT = """
select count(*)
from intermediate.int_last_clicks as ours
full join bench.found as found using (merchant_id, sales_channel, order_id)
where ours.touchpoint_id is distinct from found.touchpoint_id
"""
# Which of two in the same second an ASOF join takes is left to it; and it knows only whom a customer's touches led to.
_ANOTHER_TIME = """
select count(*)
from intermediate.int_last_clicks as ours
inner join intermediate.int_order_customers as customers using (merchant_id, sales_channel, order_id)
left join bench.found as found using (merchant_id, sales_channel, order_id)
left join intermediate.int_touchpoints as mine
    on ours.merchant_id = mine.merchant_id and ours.touchpoint_id = mine.touchpoint_id
left join intermediate.int_touchpoints as theirs
    on found.merchant_id = theirs.merchant_id and found.touchpoint_id = theirs.touchpoint_id
where ours.rule = 'last_click' and mine.occurred_at is distinct from theirs.occurred_at
"""
# Each of these is 0.
_MARTS = """
with
clicks as (select merchant_id, sales_channel, order_id, touchpoint_id from intermediate.int_last_clicks),
credited as (
    select merchant_id, sales_channel, order_id, touchpoint_id from build.fct_attributed_orders
    where touchpoint_id is not null
),
kept as (
    select merchant_id, sales_channel, order_id, touchpoint_id from build.fct_attribution_ledger where is_last_click
)
select
    (select count(*) from ((table clicks except table credited) union all (table credited except table clicks)) as d),
    (select count(*) from ((table clicks except table kept) union all (table kept except table clicks)) as d)
"""
_CREDITS = """
select count(*)
from (select sum(revenue) as revenue, count(*) as orders from build.fct_orders where is_counted) as sold
left join (
    select model, sum(credit) as credit, sum(credited_revenue) as revenue, count(distinct (merchant_id, order_id)) as n
    from build.fct_attribution_credits
    group by model
) as given on (given.credit, given.revenue, given.n) = (sold.orders, sold.revenue, sold.orders)
having count(given.model) = 5
"""


def check_peer(url: str, *, ties: bool) -> None:
    """What the other side wrote, order by order; without ties only the time of a customer's last touch."""
    _expect_zero(url, _DIFFERENT if ties else _ANOTHER_TIME, "orders that DuckDB credits to another touch")


def check_marts(url: str, world: World) -> None:
    """The marts of all ways of giving credit, against the last clicks and against what was sold."""
    with psycopg.connect(url) as conn:
        rows = conn.execute("select count(*) from build.fct_attributed_orders").fetchone()
        if rows != (world.counted,):
            raise WrongFiguresError(f"attributed orders: {world.counted} expected, {rows} found")
        differences = conn.execute(_MARTS).fetchone()
        if differences != (0, 0):
            raise WrongFiguresError(f"last clicks that the marts and the ledger have otherwise: {differences}")
        if conn.execute(_CREDITS).fetchone() is None:
            raise WrongFiguresError("the credits of a model are not all that was sold")


def _expect_zero(url: str, query: str, what: str) -> None:
    with psycopg.connect(url) as conn:
        found = conn.execute(query).fetchone()
    if found != (0,):
        raise WrongFiguresError(f"{what}: {found}")
