"""What the published marts say of one order: where it came from, all that was looked at, and who gets what of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import yaml
from psycopg.rows import args_row, class_row

from tributary.paths import DBT_PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from psycopg import Connection

_MERCHANTS = """
select merchants.merchant_id, merchants.name, (
    select max(orders.date_day) from marts.fct_orders as orders where orders.merchant_id = merchants.merchant_id
) as last_day
from ops.merchants as merchants
order by merchants.merchant_id
"""

# A name without its # is the last thing that somebody may mean.
_FIND = """
select
    orders.merchant_id, merchants.name as merchant, merchants.time_zone, orders.sales_channel, orders.order_id,
    coalesce(orders.order_name, orders.order_id) as order_name, orders.ordered_at, orders.revenue,
    coalesce(orders.currency, '') as currency,
    orders.financial_status, orders.mirrors_channel, orders.mirrors_order_id, orders.is_counted, orders.is_cancelled,
    originals.order_id is not null as is_copy, orders.is_test, orders.is_new_customer, orders.is_returning_customer,
    orders.customer_key is not null as has_customer
from marts.fct_orders as orders
join ops.merchants as merchants using (merchant_id)
left join marts.fct_orders as originals
    on
        orders.merchant_id = originals.merchant_id
        and orders.mirrors_channel = originals.sales_channel
        and orders.mirrors_order_id = originals.order_id
where
    (orders.order_id = %(order)s or orders.order_name = any(%(names)s))
    and (%(merchant)s = '' or orders.merchant_id = %(merchant)s)
    and (%(channel)s = '' or orders.sales_channel = %(channel)s)
order by orders.merchant_id, orders.sales_channel, orders.ordered_at, orders.order_id
"""

_ORIGIN = """
select touchpoint_id, occurred_at, source, medium, campaign, channel, is_paid, rule
from marts.fct_attributed_orders
where merchant_id = %(merchant_id)s and sales_channel = %(sales_channel)s and order_id = %(order_id)s
"""

_TOUCHES = """
select
    looked_at.touchpoint_id, looked_at.touch_channel, looked_at.occurred_at, looked_at.source, looked_at.medium,
    looked_at.campaign, looked_at.channel, looked_at.is_paid, looked_at.resolved_by, looked_at.is_kept, looked_at.rule,
    looked_at.step, looked_at.steps, looked_at.is_last_click, looked_at.same_as, told.utm_source, told.utm_medium,
    told.utm_campaign, told.click_id, told.referrer_domain, coalesce(told.is_malformed, false) as is_malformed,
    told.order_id is not null or told.touchpoint_id is null as is_of_an_order,
    case when told.order_id <> looked_at.order_id then coalesce(others.order_name, told.order_id) end as other_order
from marts.fct_attribution_ledger as looked_at
left join marts.fct_touchpoints as told using (merchant_id, touchpoint_id)
left join marts.fct_orders as others
    on
        told.merchant_id = others.merchant_id
        and told.sales_channel = others.sales_channel
        and told.order_id = others.order_id
where
    looked_at.merchant_id = %(merchant_id)s
    and looked_at.sales_channel = %(sales_channel)s
    and looked_at.order_id = %(order_id)s
order by looked_at.occurred_at, looked_at.priority desc, looked_at.touchpoint_id collate "C" desc
"""

_CREDITS = """
select model, step, touchpoint_id, source, medium, campaign, credit, credited_revenue
from marts.fct_attribution_credits
where merchant_id = %(merchant_id)s and sales_channel = %(sales_channel)s and order_id = %(order_id)s
order by model, step
"""

_PATH = """
select path from marts.fct_customer_journeys
where merchant_id = %(merchant_id)s and sales_channel = %(sales_channel)s and order_id = %(order_id)s
"""


class Merchant(NamedTuple):
    """A merchant that orders were looked for of, and the last day that it is published to."""

    merchant_id: str
    name: str
    last_day: date | None


@dataclass(frozen=True, slots=True)
class Order:
    """An order of any merchant, counted or not."""

    merchant_id: str
    merchant: str
    time_zone: str
    sales_channel: str
    order_id: str
    order_name: str
    ordered_at: datetime
    revenue: Decimal
    currency: str
    financial_status: str | None
    mirrors_channel: str | None
    mirrors_order_id: str | None
    is_counted: bool
    is_cancelled: bool
    is_copy: bool
    """Whether the order that it mirrors is here too."""
    is_test: bool
    is_new_customer: bool
    is_returning_customer: bool
    has_customer: bool


class Origin(NamedTuple):
    """What the order is credited to by last click, and the rule that decided."""

    touchpoint_id: str | None
    occurred_at: datetime | None
    source: str
    medium: str
    campaign: str | None
    channel: str
    is_paid: bool
    rule: str


@dataclass(frozen=True, slots=True)
class Touch:
    """A touch that was looked at, the rule that kept or rejected it, and what it told."""

    touchpoint_id: str
    touch_channel: str
    occurred_at: datetime
    source: str
    medium: str
    campaign: str | None
    channel: str
    is_paid: bool
    resolved_by: str
    is_kept: bool
    rule: str
    step: int | None
    steps: int | None
    is_last_click: bool
    same_as: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    click_id: str | None
    referrer_domain: str | None
    is_malformed: bool
    is_of_an_order: bool
    other_order: str | None
    """The order that told of it, when that is another one of the same customer."""


class Credit(NamedTuple):
    """What a model gives to a step."""

    model: str
    step: int
    touchpoint_id: str | None
    source: str
    medium: str
    campaign: str | None
    credit: Decimal
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is published of how an order was credited."""

    origin: Origin
    touches: Sequence[Touch]
    """The earliest first."""
    credits: Sequence[Credit]
    path: str


class Rules(NamedTuple):
    """What the dbt project sets; the marts are built with it."""

    window_hours: int
    half_life_hours: int
    first: float
    middle: float
    last: float


def read_rules() -> Rules:
    """The settings as dbt reads them."""
    settings = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]
    weights = settings["attribution_position_weights"]
    hours = settings["attribution_window_hours"], settings["attribution_half_life_hours"]
    return Rules(*hours, weights["first"], weights["middle"], weights["last"])


def read_merchants(conn: Connection) -> list[Merchant]:
    """Every merchant, published or not."""
    with conn.cursor(row_factory=args_row(Merchant)) as cursor:
        return cursor.execute(_MERCHANTS).fetchall()


def find_orders(conn: Connection, order: str, merchant: str = "", channel: str = "") -> list[Order]:
    """Every order with this id or name, of this merchant and sales channel or of all.

    Who writes 1042 means the order with that id; if there is none, the one with the name #1042.
    """
    parameters = {"order": order, "names": [order, f"#{order}"], "merchant": merchant, "channel": channel}
    with conn.cursor(row_factory=class_row(Order)) as cursor:
        found = cursor.execute(_FIND, parameters).fetchall()
    return [one for one in found if order in (one.order_id, one.order_name)] or found


def read_explained(conn: Connection, order: Order) -> Explained | None:
    """How the order was credited; none when it is not, or was published before that was told."""
    key = {"merchant_id": order.merchant_id, "sales_channel": order.sales_channel, "order_id": order.order_id}
    with conn.cursor(row_factory=args_row(Origin)) as origins:
        origin = origins.execute(_ORIGIN, key).fetchone()
    with conn.cursor(row_factory=class_row(Touch)) as looked_at:
        touches = looked_at.execute(_TOUCHES, key).fetchall()
    with conn.cursor(row_factory=args_row(Credit)) as given:
        credited = given.execute(_CREDITS, key).fetchall()
    path = conn.execute(_PATH, key).fetchone()
    return Explained(origin, touches, credited, path[0]) if origin and credited and path else None
