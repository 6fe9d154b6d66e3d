"""What becomes known late credits exactly the orders that it is about anew, and leaves all others as they were.

Whatever happens is told by the vendors, goes through the real loader, scope, dbt and publication, and is then compared:
which rows changed, which days were published, and whether a build that knows no scope says the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from tests.dbt import ga4, shop
from tests.dbt.road import of_table, open_road, read_whole
from tests.dbt.touches import click, person, visit
from tributary.channels.ga4.streams import GA4
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.shopify.streams import SHOPIFY
from tributary.declaration import Page, Record
from tributary.warehouse.reread import reread
from tributary.warehouse.settings.files import Settings
from tributary.warehouse.settings.merchants import Merchant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.dbt.conftest import Dbt
    from tests.dbt.road import Road
    from tests.dbt.tiktok import Row
    from tributary.warehouse.settings.files import Row as Setting

MERCHANTS = ("aurora", "nordlicht")
"""The same happened at both; what happens later happens at the first."""
FIRST = date(2026, 9, 1)
BEGAN = datetime(2026, 9, 1, 4, tzinfo=UTC)
"""Midnight in New York."""
DAYS = 30
A_DAY = timedelta(days=1)
SOURCES: list[Setting] = [
    ("google", "cpc", "google_ads", True, "google_ads"),
    ("*", "organic", "organic_search", False, None),
    ("klaviyo", "*", "email", False, None),
]
MARTS = {
    "fct_attributed_orders": "order_id",
    "fct_attribution_ledger": "order_id",
    "fct_attribution_credits": "order_id",
    "fct_customer_journeys": "order_id",
    "fct_touchpoints": "touchpoint_id",
}
"""Each with what tells whose a row is."""
ORDERS = replace(
    SHOPIFY.stream("orders"),
    changed=of_table("shopify_orders"),
    by_id=lambda vendors, ids: vendors.pages("shopify_orders", ids),
    history=None,
    slice_length=timedelta(days=1_000),
)
EVENTS = replace(
    KLAVIYO.stream("events"),
    happened=of_table("klaviyo_events"),
    by_id=lambda vendors, ids: vendors.pages("klaviyo_events", ids),
)
STREAMS = [(SHOPIFY, ORDERS), *read_whole(KLAVIYO, "profiles", "events"), *read_whole(GA4, "transactions")]


class Vendors:
    """What they tell of one merchant now, each time all of it."""

    def __init__(self) -> None:
        self._shown: dict[str, dict[str, Record]] = defaultdict(dict)
        self._versions = 0

    def tell(self, *rows: Row) -> None:
        """Add records, or say something else of them."""
        for table, record_id, at, body in rows:
            self._versions += 1
            told_at = BEGAN + timedelta(minutes=self._versions)
            self._shown[table][record_id] = Record(record_id, at, told_at, json.dumps(body).encode())

    def order(self, order_id: int, at: datetime, *visits: Row, is_ready: bool = True, **who: Any) -> None:
        """An order of 20.00 and the visits that led to it, unless the shop still looks for them."""
        line = shop.line(10 * order_id, "20.00")
        body = shop.order(order_id, at.isoformat(), line, total="20.00", **who)
        journey = {"customerJourneySummary": {"ready": is_ready}}
        self.tell(("shopify_orders", str(order_id), at, body | journey), *visits)

    def finish(self, order_id: int, *visits: Row) -> None:
        """The shop has found them, and does not call that a change of the order."""
        known = self._shown["shopify_orders"][str(order_id)]
        body = json.loads(known.payload) | {"customerJourneySummary": {"ready": True}}
        self.tell(*visits)
        self._shown["shopify_orders"][str(order_id)] = replace(known, payload=json.dumps(body).encode())

    def forget(self, table: str, record_id: str) -> None:
        """It was never there."""
        del self._shown[table][record_id]

    def pages(self, table: str, ids: Sequence[str] | None = None) -> Iterator[Page]:
        """All records, or those that are asked for."""
        shown = self._shown[table]
        found = [record for record_id, record in shown.items() if ids is None or record_id in ids]
        visits = [
            seen
            for record in found
            for seen in self._shown["shopify_visits"].values()
            if table == "shopify_orders" and seen.record_id.startswith(f"{record.record_id}/")
        ]
        yield Page(found, (), {"visits": visits} if visits else {}, [one for one in ids or () if one not in shown])


def on(day: int, hour: int = 12, minute: int = 0) -> datetime:
    """A time of September, in New York."""
    return datetime(2026, 9, day, hour + 4, minute, tzinfo=UTC)


def session(order_id: int, day: int, medium: str, value: str = "20.00") -> Row:
    """The session of Google in which GA4 saw an order."""
    names = ("transactionId", "sessionSource", "sessionMedium", "sessionCampaignName")
    came = dict(zip(names, (str(order_id), "google", medium, "(not set)"), strict=True))
    return ga4.other("transactions", f"2026-09-{day:02}", came, ecommercePurchases="1", purchaseRevenue=value)


def begin(vendors: Vendors) -> None:
    """What is known at first. Every day has orders of people to whom nothing happens later."""
    for day in range(1, DAYS + 1):
        number = 9_000 + day
        vendors.order(number, on(day, 9), visit(number, f"n{day}", on(day, 8), "google", "cpc"), customer=900 + day)
        vendors.tell(person(f"N{day}", customer=900 + day), click(f"n{day}", f"N{day}", on(day, 7)))
        vendors.order(9_100 + day, on(day, 10))
        vendors.tell(session(9_100 + day, day, "organic"))
    # Of somebody who clicks in a mail on the 9th: before it, soon after it, with a visit after it, and later.
    vendors.tell(person("P1", customer=1))
    vendors.order(101, on(9, 11), customer=1)
    vendors.order(102, on(10), customer=1)
    vendors.order(103, on(14), visit(103, "a", on(14, 9), "google", "cpc"), customer=1)
    vendors.order(104, on(20), customer=1)
    vendors.order(105, on(28), customer=1)
    # Seen by analytics, the second with a visit too.
    vendors.order(201, on(12))
    vendors.order(202, on(13), visit(202, "b", on(13, 9), "google", "cpc"))
    vendors.order(203, on(15))
    vendors.order(204, on(16))
    for order_id, day in ((201, 12), (202, 13), (203, 15), (204, 16)):
        vendors.tell(session(order_id, day, "organic"))
    # A guest who also has an account, unknown as yet to be theirs.
    vendors.order(301, on(11), visit(301, "c", on(11, 9), "google", "cpc"), email="cat@example.com")
    vendors.order(302, on(13), visit(302, "d", on(13, 8)), customer=3)
    vendors.tell(person("P3", email="cat@example.com"), click("k3", "P3", on(11, 8)))
    # Two people, of whom one clicked.
    vendors.tell(person("P4", customer=4), click("k4", "P4", on(12, 9)))
    vendors.order(401, on(13), customer=4)
    vendors.order(501, on(14), customer=5)
    vendors.order(502, on(21), customer=5)
    vendors.order(503, on(29), customer=5)
    # An order whose visits the shop still looks for, and one more of the same customer.
    vendors.order(601, on(17), is_ready=False, customer=6)
    vendors.order(602, on(18), customer=6)
    # A click that is taken back.
    vendors.tell(person("P7", customer=7), click("k7", "P7", on(8, 9)))
    vendors.order(701, on(8), customer=7)
    vendors.order(702, on(17), customer=7)


@dataclass(frozen=True)
class Late:
    """What becomes known, and what it may change."""

    happens: Callable[[Vendors], None]
    days: set[int]
    credited: set[int]
    """The orders whose last click, customer or newness it changes."""
    weighed: set[int]
    """Those whose ledger it changes."""
    shared: set[int]
    """Those whose credits it changes."""
    journeys: set[int]
    touchpoints: set[str] = field(default_factory=set)


def restate(vendors: Vendors) -> None:
    """Rows of the report are gone, with or without others in their place; a claimed amount alone is nothing."""
    for order_id, day in ((201, 12), (202, 13)):
        vendors.forget("ga4_transactions", session(order_id, day, "organic")[1])
        vendors.tell(session(order_id, day, "cpc"))
    vendors.tell(session(203, 15, "organic", "9.99"))
    vendors.forget("ga4_transactions", session(204, 16, "organic")[1])


HAPPENING = {
    "a click in a mail, four days late": Late(
        lambda vendors: vendors.tell(click("k1", "P1", on(9))),
        days={*range(9, 24)},
        credited={102},
        weighed={101, 102, 103, 104},
        shared={102, 103},
        journeys={102, 103},
        touchpoints={"klaviyo/k1"},
    ),
    "a report of sessions, restated": Late(
        restate,
        days={12, 13, 16},
        credited={201, 204},
        weighed={201, 202, 204},
        shared={201, 204},
        journeys={201, 204},
        touchpoints={"ga4/201", "ga4/202", "ga4/204"},
    ),
    "an account that orders with a guest's address": Late(
        lambda vendors: vendors.order(303, on(16), customer=3, email="Cat@example.com"),
        days={11, 13, 16},
        # The guest's order is the account's now, and so its first, by the same clicks.
        credited={301, 302, 303},
        weighed={302, 303},
        shared={302, 303},
        journeys={301, 302, 303},
    ),
    "a profile that becomes another's": Late(
        lambda vendors: vendors.tell(person("P4", customer=5)),
        days={13, 14, 21, 29},
        credited={401, 501},
        weighed={401, 501, 502},
        shared={401, 501},
        journeys={401, 501},
    ),
    "visits that the shop found hours later": Late(
        lambda vendors: vendors.finish(601, visit(601, "e", on(16), "google", "cpc"), visit(601, "f", on(17, 11))),
        days={17, 18},
        credited={601, 602},
        weighed={601, 602},
        shared={601, 602},
        journeys={601, 602},
        touchpoints={"shopify/601/e", "shopify/601/f"},
    ),
    "a click that was none": Late(
        lambda vendors: vendors.forget("klaviyo_events", "k7"),
        days={*range(8, 23)},
        credited={701},
        weighed={701, 702},
        shared={701},
        journeys={701},
        touchpoints={"klaviyo/k7"},
    ),
}


class World:
    """Two merchants' vendors and the road from there; a day goes by with everything that happens."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._now = datetime(2026, 10, 1, tzinfo=UTC)
        self.vendors = {merchant_id: Vendors() for merchant_id in MERCHANTS}
        for vendors in self.vendors.values():
            begin(vendors)

    def publish(self) -> set[tuple[str, date]]:
        """Read everything; the days that were published."""
        self._now += A_DAY
        for merchant_id, vendors in self.vendors.items():
            self._road.sync(vendors, merchant_id, STREAMS, BEGAN, self._now)
            # As a backfill does, which asks for what is not shown any more.
            reread(self._road.connect, vendors, KLAVIYO, EVENTS, merchant_id, BEGAN, self._now)
        merchants = [Merchant(one, one, "America/New_York", "USD", False, FIRST, {}) for one in MERCHANTS]
        published = self._road.publish(Settings(merchants, [], SOURCES, [], []))
        assert not published.refused
        return published.days

    def rows(self) -> dict[str, set[tuple[str, str, str]]]:
        """All that stands in the marts: whose it is, and what it says."""
        return {mart: self._rows(mart, of) for mart, of in MARTS.items()}

    def unlike_a_full_build(self) -> list[Any]:
        """What a build that knows no scope says otherwise."""
        return self._road.differences(MERCHANTS)

    def _rows(self, mart: str, of: str) -> set[tuple[str, str, str]]:
        query = sql.SQL("select merchant_id, {}, to_jsonb(one)::text from {} as one")
        found = self._road.conn.execute(query.format(sql.Identifier(of), sql.Identifier("marts", mart))).fetchall()
        return set(found)


@pytest.fixture(scope="module")
def world(module_warehouse_url: str, dbt: Dbt, dbt_target: Path) -> Iterator[World]:
    with open_road(module_warehouse_url, dbt, dbt_target, "marts/attribution") as road:
        world = World(road)
        first = {FIRST + day * A_DAY for day in range(DAYS)}
        assert world.publish() == {(merchant_id, day) for merchant_id in MERCHANTS for day in first}
        yield world


@pytest.mark.parametrize("story", HAPPENING)
def test_exactly_these_orders_are_credited_anew(world: World, story: str) -> None:
    late = HAPPENING[story]
    before = world.rows()
    late.happens(world.vendors["aurora"])
    published = world.publish()
    after = world.rows()
    assert published == {("aurora", date(2026, 9, day)) for day in late.days}
    changed = {mart: {row[:2] for row in before[mart] ^ after[mart]} for mart in MARTS}
    assert changed == {
        mart: {("aurora", str(one)) for one in expected}
        for mart, expected in {
            "fct_attributed_orders": late.credited,
            "fct_attribution_ledger": late.weighed,
            "fct_attribution_credits": late.shared,
            "fct_customer_journeys": late.journeys,
            "fct_touchpoints": late.touchpoints,
        }.items()
    }
    assert world.unlike_a_full_build() == []
