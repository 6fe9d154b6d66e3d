"""What the shop says of its closed days against what raw holds: found, read again, and told when it stays."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.warehouse.shop import ORDERS, SHOP, add_merchants, changes, merchant, order, page, put, raw
from tributary.declaration import DayTotal, Page, Record
from tributary.warehouse.control_totals import control
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

Connect = Any

NEW_YORK = ZoneInfo("America/New_York")
HISTORY = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 12, 4, tzinfo=UTC)  # midnight in New York, after its clock change

# What dbt's view of that name says, over the tests' own channel.
TOTALS = """
create view intermediate.int_day_totals as
select
    orders.merchant_id, 'shop' as sales_channel,
    (orders.event_at at time zone merchants.time_zone)::date as date_day,
    count(*) as orders, sum((payload ->> 'gross')::numeric) as gross_sales, count(*) as lines
from raw.shop_orders as orders
inner join ops.merchants on merchants.merchant_id = orders.merchant_id
group by 1, 2, 3
"""


@dataclass
class Shop:
    """A shop that can be read and asked for its totals; `unseen` orders are missing from a sync's reading."""

    orders: dict[str, Record] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    says_gross: bool = True
    asked: list[list[date]] = field(default_factory=list)

    def place(self, record_id: str, at: datetime, gross: str = "10.00") -> None:
        self.orders[record_id] = order(record_id, event_at=at, gross=gross)

    def changed(self, start: datetime, end: datetime) -> Iterator[Page]:
        yield page(*(record for key, record in self.orders.items() if key not in self.unseen))

    def happened(self, start: datetime, end: datetime) -> Iterator[Page]:
        yield page(*(record for record in self.orders.values() if start <= record.event_at < end))

    def by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        yield page(*(self.orders[key] for key in ids if key in self.orders))
        yield Page((), gone=[key for key in ids if key not in self.orders])

    def totals(self, time_zone: str, days: Sequence[date]) -> Iterator[DayTotal]:
        self.asked.append(list(days))
        zone = ZoneInfo(time_zone)
        counts: Counter[date] = Counter()
        gross: Counter[date] = Counter()
        for record in self.orders.values():
            day = record.event_at.astimezone(zone).date()
            counts[day] += 1
            gross[day] += Decimal(json.loads(record.payload)["gross"])  # type: ignore[assignment]
        for day in days:
            yield DayTotal(day, counts[day], Decimal(gross[day]) if self.says_gross else None)


STREAM = replace(
    ORDERS,
    changed=lambda api, start, end: api.changed(start, end),
    happened=lambda api, start, end: api.happened(start, end),
    by_id=lambda api, ids: api.by_id(ids),
    slice_length=timedelta(days=60),
)
CHANNEL = replace(SHOP, streams=(STREAM,), totals=lambda api, zone, days: api.totals(zone, days))


@pytest.fixture
def shop(conn: psycopg.Connection) -> Shop:
    add_merchants(conn, merchant())
    shop = Shop()
    for day in range(2, 12):
        for number in range(3):
            shop.place(f"{day}-{number}", datetime(2026, 3, day, 8 + number, tzinfo=NEW_YORK))
    return shop


@pytest.fixture
def totals(conn: psycopg.Connection) -> None:
    conn.execute(TOTALS)


def sync(connect: Connect, shop: Shop) -> None:
    sync_stream(connect, shop, CHANNEL, STREAM, "aurora", NOW, HISTORY)


def kept(conn: psycopg.Connection) -> dict[date, bool]:
    return dict(conn.execute("select date_day, agrees from ops.control_totals").fetchall())


@pytest.mark.usefixtures("totals")
def test_every_closed_day_agrees(connect: Connect, conn: psycopg.Connection, shop: Shop) -> None:
    sync(connect, shop)

    verdict = control(connect, shop, CHANNEL, "aurora")

    assert (verdict.days, verdict.reread, verdict.differing) == (10, [], [])
    assert kept(conn) == {date(2026, 3, day): True for day in range(2, 12)}


@pytest.mark.usefixtures("totals")
def test_an_order_that_raw_lost_is_found_and_brought_back(
    connect: Connect, conn: psycopg.Connection, shop: Shop
) -> None:
    sync(connect, shop)
    conn.execute("delete from raw.shop_orders where record_id = '8-1'")
    conn.execute("delete from ops.changes")

    verdict = control(connect, shop, CHANNEL, "aurora")

    assert verdict.reread == [date(2026, 3, 8)]
    assert verdict.differing == []
    assert "8-1" in raw(conn)
    assert changes(conn) == [("orders", "8-1", "insert")]
    assert shop.asked[1] == [date(2026, 3, 8)]


@pytest.mark.usefixtures("totals")
def test_an_order_that_the_shop_deleted_leaves_raw(connect: Connect, conn: psycopg.Connection, shop: Shop) -> None:
    sync(connect, shop)
    del shop.orders["8-1"]

    assert control(connect, shop, CHANNEL, "aurora").differing == []
    assert "8-1" not in raw(conn)


@pytest.mark.usefixtures("totals")
def test_gross_sales_are_compared_too(connect: Connect, conn: psycopg.Connection, shop: Shop) -> None:
    sync(connect, shop)
    shop.orders["9-0"] = order("9-0", event_at=shop.orders["9-0"].event_at, gross="10.04")

    assert control(connect, shop, CHANNEL, "aurora").reread == [date(2026, 3, 9)]
    assert raw(conn)["9-0"]["gross"] == "10.04"


@pytest.mark.usefixtures("totals")
def test_a_shop_that_does_not_say_gross_sales_is_compared_by_count(
    connect: Connect, conn: psycopg.Connection, shop: Shop
) -> None:
    sync(connect, shop)
    shop.says_gross = False
    shop.orders["9-0"] = order("9-0", event_at=shop.orders["9-0"].event_at, gross="99.00")

    assert control(connect, shop, CHANNEL, "aurora").reread == []


@pytest.mark.usefixtures("totals")
def test_what_still_differs_is_told_and_kept_until_it_agrees(
    connect: Connect, conn: psycopg.Connection, shop: Shop
) -> None:
    sync(connect, shop)
    put(conn, "aurora", "orders", "stray", datetime(2026, 3, 7, 10, tzinfo=NEW_YORK), gross="1")
    shop.orders["stray"] = order("stray", event_at=datetime(2026, 3, 7, 10, tzinfo=NEW_YORK), gross="1")
    hidden = replace(CHANNEL, totals=lambda api, zone, days: (replace(t, orders=3) for t in api.totals(zone, days)))

    [day] = control(connect, shop, hidden, "aurora").differing

    assert (day.date_day, day.shop_orders, day.warehouse_orders) == (date(2026, 3, 7), 3, 4)
    assert [date_day for date_day, agrees in kept(conn).items() if not agrees] == [date(2026, 3, 7)]
    control(connect, shop, CHANNEL, "aurora")
    assert all(kept(conn).values())


@pytest.mark.usefixtures("totals")
def test_neighbouring_days_are_read_again_as_one_window(connect: Connect, conn: psycopg.Connection, shop: Shop) -> None:
    sync(connect, shop)
    conn.execute("delete from raw.shop_orders where event_at >= '2026-03-07T12:00Z' and event_at < '2026-03-10'")

    verdict = control(connect, shop, CHANNEL, "aurora")

    assert verdict.differing == []
    windows = "select window_start, window_end from ops.syncs where kind = 'reread'"
    assert conn.execute(windows).fetchall() == [
        (datetime(2026, 3, 7, tzinfo=NEW_YORK), datetime(2026, 3, 10, tzinfo=NEW_YORK))
    ]


def test_before_the_first_build_there_is_nothing_to_compare_with(connect: Connect, shop: Shop) -> None:
    sync(connect, shop)

    assert control(connect, shop, CHANNEL, "aurora").days == 0
    assert shop.asked == []
