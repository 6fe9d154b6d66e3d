"""What a comparison found, as it is shown: days, totals, channels, rows and partitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.rows import class_row

from tributary.backfill.comparing.difference import MEASURES, UNCOMPARED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill

Figures = dict[str, Decimal | None]
RATIOS = {"aov": ("revenue", "orders"), "roas": ("paid_revenue", "spend"), "cac": ("spend", "new_customers")}
"""Figures of several days that are the sums of two others, divided."""

_MERCHANTS = "select merchant_id, name, currency from ops.merchants where merchant_id = any(%s) order by merchant_id"
_DAYS = """
select merchant_id, date_day, is_asked, measure, old, new
from ops.backfill_differences
where backfill_id = %s and channel = ''
order by merchant_id, date_day
"""
_CHANNELS = """
select
    merchant_id,
    channel,
    coalesce(sum(old) filter (where is_asked and measure = 'attributed_revenue'), 0) as old_revenue,
    coalesce(sum(new) filter (where is_asked and measure = 'attributed_revenue'), 0) as new_revenue,
    coalesce(sum(old) filter (where is_asked and measure = 'attributed_orders'), 0) as old_orders,
    coalesce(sum(new) filter (where is_asked and measure = 'attributed_orders'), 0) as new_orders,
    coalesce(sum(coalesce(new, 0) - coalesce(old, 0))
        filter (where not is_asked and measure = 'attributed_revenue'), 0) as revenue_outside,
    coalesce(sum(coalesce(new, 0) - coalesce(old, 0))
        filter (where not is_asked and measure = 'attributed_orders'), 0) as orders_outside
from ops.backfill_differences
where backfill_id = %s and channel <> ''
group by merchant_id, channel
having bool_or(old is distinct from new)
order by merchant_id, channel
"""
_ROWS = """
select mart, sum(added)::bigint as added, sum(removed)::bigint as removed, sum(changed)::bigint as changed
from ops.backfill_rows
where backfill_id = %s
group by mart
order by sum(added + removed + changed) desc, mart
"""
_PARTITIONS = """
select
    partitions.mart,
    partitions.merchant_id,
    partitions.date_day,
    partitions.is_asked,
    partitions.added,
    partitions.removed,
    partitions.changed,
    coalesce(moved.new, 0) - coalesce(moved.old, 0) as money
from ops.backfill_rows as partitions
left join ops.backfill_differences as moved
    on
        moved.backfill_id = partitions.backfill_id
        and moved.merchant_id = partitions.merchant_id
        and moved.date_day = partitions.date_day
        and moved.measure = 'revenue'
        and moved.channel = ''
where partitions.backfill_id = %s
order by
    partitions.added + partitions.removed + partitions.changed desc,
    abs(coalesce(moved.new, 0) - coalesce(moved.old, 0)) desc,
    partitions.mart,
    partitions.merchant_id,
    partitions.date_day
limit %s
"""
_MOVED = """
select merchant_id, date_day, is_asked from ops.backfill_rows where backfill_id = %(backfill_id)s
union
select merchant_id, date_day, is_asked
from ops.backfill_differences
where backfill_id = %(backfill_id)s and old is distinct from new
"""


@dataclass(frozen=True, slots=True)
class Merchant:
    """Whose figures they are, and in what currency."""

    merchant_id: str
    name: str
    currency: str


@dataclass(slots=True)
class Day:
    """The figures of one day of a merchant; a side on which the day does not exist has no orders, not even none."""

    merchant_id: str
    date_day: date
    is_asked: bool
    old: Figures = field(default_factory=dict)
    new: Figures = field(default_factory=dict)

    @property
    def moves(self) -> bool:
        """Whether any of them becomes another."""
        return self.old != self.new


@dataclass(frozen=True, slots=True)
class Channel:
    """What a marketing channel is credited with in the range, and by how much more or less outside of it."""

    merchant_id: str
    channel: str
    old_revenue: Decimal
    new_revenue: Decimal
    old_orders: Decimal
    new_orders: Decimal
    revenue_outside: Decimal
    orders_outside: Decimal

    @property
    def size(self) -> tuple[Decimal, Decimal]:
        """How much it shifts, in money first."""
        return (
            abs(self.new_revenue - self.old_revenue) + abs(self.revenue_outside),
            abs(self.new_orders - self.old_orders) + abs(self.orders_outside),
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows of a mart come, go and change."""

    mart: str
    added: int
    removed: int
    changed: int


@dataclass(frozen=True, slots=True)
class Partition:
    """The same of one day of it, and by how much the day's revenue moves."""

    mart: str
    merchant_id: str
    date_day: date
    is_asked: bool
    added: int
    removed: int
    changed: int
    money: Decimal


@dataclass(frozen=True, slots=True)
class Found:
    """All that a comparison found."""

    merchants: list[Merchant]
    days: list[Day]
    channels: list[Channel]
    rows: list[Rows]
    partitions: list[Partition]
    moved: set[tuple[str, date, bool]]
    """Merchant, day and whether it was asked for, of every day on which anything changes at all."""
    uncompared: dict[str, list[str]]
    """Mart -> the columns that production does not have; none: it does not have the mart."""

    @property
    def outside(self) -> int:
        """How many days change though nobody asked for them."""
        return sum(not is_asked for _, _, is_asked in self.moved)

    def days_of(self, merchant: Merchant) -> list[Day]:
        return [day for day in self.days if day.merchant_id == merchant.merchant_id]

    def channels_of(self, merchant: Merchant) -> list[Channel]:
        """Those that shift, the largest first."""
        found = [channel for channel in self.channels if channel.merchant_id == merchant.merchant_id]
        return sorted(found, key=lambda channel: channel.size, reverse=True)


def read(conn: Connection, backfill: Backfill, partitions: int) -> Found:
    """What was found, with as many of the partitions that moved most."""
    known = (backfill.backfill_id,)
    with conn.cursor(row_factory=class_row(Merchant)) as cursor:
        merchants = cursor.execute(_MERCHANTS, ([*backfill.merchants],)).fetchall()
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        channels = cursor.execute(_CHANNELS, known).fetchall()
    with conn.cursor(row_factory=class_row(Rows)) as cursor:
        rows = cursor.execute(_ROWS, known).fetchall()
    with conn.cursor(row_factory=class_row(Partition)) as cursor:
        most = cursor.execute(_PARTITIONS, (*known, partitions)).fetchall()
    moved = set(conn.execute(_MOVED, {"backfill_id": backfill.backfill_id}).fetchall())
    return Found(merchants, _days(conn, backfill.backfill_id), channels, rows, most, moved, _uncompared(conn, backfill))


def totals(days: Iterable[Day]) -> tuple[Figures, Figures]:
    """The figures of these days together, old and new."""
    known = [*days]
    return _total([day.old for day in known]), _total([day.new for day in known])


def _total(days: list[Figures]) -> Figures:
    there = [day for day in days if day["orders"] is not None]
    sums = {measure: _sum(day[measure] for day in there) for measure in MEASURES if measure not in RATIOS}
    return sums | {ratio: _divided(sums, *parts) for ratio, parts in RATIOS.items()}


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    """Nothing when there is none; nobody knows it when one is not known."""
    known = [*values]
    if not known or None in known:
        return None
    return sum((value for value in known if value is not None), Decimal(0))


def _divided(sums: Mapping[str, Decimal | None], above: str, below: str) -> Decimal | None:
    numerator, denominator = sums[above], sums[below]
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def _days(conn: Connection, backfill_id: UUID) -> list[Day]:
    days: dict[tuple[str, date], Day] = {}
    for merchant_id, date_day, is_asked, measure, old, new in conn.execute(_DAYS, (backfill_id,)):
        day = days.setdefault((merchant_id, date_day), Day(merchant_id, date_day, is_asked))
        day.old[measure], day.new[measure] = old, new
    return [*days.values()]


def _uncompared(conn: Connection, backfill: Backfill) -> dict[str, list[str]]:
    table = sql.Identifier(backfill.build_schema, UNCOMPARED)
    there = conn.execute("select to_regclass(%s) is not null", (table.as_string(conn),)).fetchone()
    if there != (True,):
        return {}
    query = sql.SQL(
        "select mart, array_remove(array_agg(column_name order by column_name), null) from {} group by mart order by 1"
    )
    return dict(conn.execute(query.format(table)).fetchall())
