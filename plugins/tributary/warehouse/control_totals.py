"""Compares what the shop says of its closed days with what raw holds of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from tributary.warehouse.reread import reread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from decimal import Decimal

    from psycopg import Connection

    from tributary.declaration import Channel, DayTotal

STREAM = "orders"
"""The stream that control totals are about."""

# The first day of the history is read from midnight UTC on, so the merchant's day may be incomplete.
_CLOSED_DAYS = """
select merchants.time_zone, day.at::date
from ops.merchants as merchants
inner join ops.checkpoints as checkpoints
    on merchants.merchant_id = checkpoints.merchant_id
inner join lateral generate_series(
    merchants.history_start + interval '1 day',
    (checkpoints.position at time zone merchants.time_zone)::date - interval '1 day',
    interval '1 day'
) as day (at) on true
where
    merchants.merchant_id = %(merchant_id)s
    and checkpoints.channel = %(channel)s
    and checkpoints.stream = %(stream)s
    and to_regclass('intermediate.int_day_totals') is not null
order by day.at
"""

# Included tax is taken out of a price line by line, and the shop may round it otherwise: a cent a line is nothing.
_KEEP = """
insert into ops.control_totals as known (
    merchant_id, channel, date_day, shop_orders, shop_gross_sales, warehouse_orders, warehouse_gross_sales, agrees
)
select
    %(merchant_id)s, %(channel)s, shop.date_day, shop.orders, shop.gross_sales,
    coalesce(held.orders, 0), coalesce(held.gross_sales, 0),
    shop.orders = coalesce(held.orders, 0)
    and coalesce(abs(shop.gross_sales - coalesce(held.gross_sales, 0)) <= coalesce(held.lines, 0) * 0.01, true)
from unnest(%(days)s::date[], %(orders)s::bigint[], %(gross_sales)s::numeric[])
    as shop (date_day, orders, gross_sales)
left join (
    select date_day, orders, gross_sales, lines
    from intermediate.int_day_totals
    where merchant_id = %(merchant_id)s and sales_channel = %(channel)s
) as held on shop.date_day = held.date_day
on conflict (merchant_id, channel, date_day) do update
set
    shop_orders = excluded.shop_orders,
    shop_gross_sales = excluded.shop_gross_sales,
    warehouse_orders = excluded.warehouse_orders,
    warehouse_gross_sales = excluded.warehouse_gross_sales,
    agrees = excluded.agrees,
    asked_at = now()
returning
    date_day, shop_orders, shop_gross_sales, warehouse_orders, warehouse_gross_sales, agrees
"""


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """One closed day, as the shop and as the warehouse count it."""

    date_day: date
    shop_orders: int
    shop_gross_sales: Decimal | None
    warehouse_orders: int
    warehouse_gross_sales: Decimal
    agrees: bool

    def texts(self) -> dict[str, str]:
        """The day for a message."""
        return {name: str(value) for name, value in asdict(self).items() if name != "agrees"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many closed days were compared, which had to be read again, and which differ even then."""

    days: int
    reread: list[date]
    differing: list[ComparedDay]


def control(connect: Callable[[], Connection], api: Any, channel: Channel, merchant_id: str) -> Verdict:
    """Ask for every closed day; what differs is read again and asked for once more.

    Before the first build there is nothing to compare with, and no day is.
    """
    if channel.totals is None:
        raise LookupError(f"channel {channel.name!r} declares no control totals")
    with connect() as conn:
        key = {"merchant_id": merchant_id, "channel": channel.name, "stream": STREAM}
        closed = conn.execute(_CLOSED_DAYS, key).fetchall()
    if not closed:
        return Verdict(0, [], [])
    time_zone, days = closed[0][0], [day for _, day in closed]
    differing = _compare(connect, channel, merchant_id, channel.totals(api, time_zone, days))
    suspects = [day.date_day for day in differing]
    if suspects:
        for start, end in _windows(suspects, ZoneInfo(time_zone)):
            reread(connect, api, channel, channel.stream(STREAM), merchant_id, start, end)
        differing = _compare(connect, channel, merchant_id, channel.totals(api, time_zone, suspects))
    return Verdict(len(days), suspects, differing)


def _compare(
    connect: Callable[[], Connection], channel: Channel, merchant_id: str, totals: Iterable[DayTotal]
) -> list[ComparedDay]:
    asked = list(totals)
    values = {
        "merchant_id": merchant_id,
        "channel": channel.name,
        "days": [total.date_day for total in asked],
        "orders": [total.orders for total in asked],
        "gross_sales": [total.gross_sales for total in asked],
    }
    with connect() as conn, conn.cursor(row_factory=class_row(ComparedDay)) as cursor:
        compared = cursor.execute(_KEEP, values).fetchall()
    return sorted((day for day in compared if not day.agrees), key=lambda day: day.date_day)


def _windows(days: Sequence[date], zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Days that follow each other as one window."""
    start = days[0]
    for day, following in zip(days, [*days[1:], None], strict=True):
        if following != day + timedelta(days=1):
            yield _midnight(start, zone), _midnight(day + timedelta(days=1), zone)
            start = following or day


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
