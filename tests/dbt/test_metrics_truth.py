"""All metrics of a merchant equal what a computation says that shares no code, before and after things change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from tests.dbt.whole_merchant import ALL, whole_merchant
from tests.e2e.independent_clicks import WINDOW
from tests.e2e.independent_journeys import LOOKED_BACK, NEAREST, ONE_CLICK
from tests.e2e.independent_metrics import KEYS, differences, tables
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.shopify.streams import SHOPIFY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dbt.conftest import Dbt
    from tests.dbt.whole_merchant import WholeMerchant
    from tests.e2e.independent_business import Business
    from tests.e2e.independent_metrics import Table
    from tests.e2e.independent_orders import Order

pytestmark = pytest.mark.timeout(600)

FIRST_DAY = date(2026, 10, 19)
NOW = datetime(2026, 11, 18, 15, 7, 11, tzinfo=UTC)
A_SECOND, AN_HOUR = timedelta(seconds=1), timedelta(hours=1)
CLICKED_BEFORE = (
    WINDOW, WINDOW + A_SECOND, 0 * AN_HOUR, -A_SECOND, 250 * AN_HOUR, LOOKED_BACK, LOOKED_BACK + A_SECOND
)  # fmt: skip
"""How long before orders that nothing is known of somebody clicked in a mail; after one of them on its day."""
ATTRIBUTION = ("fct_attributed_orders", "fct_attribution_ledger", "fct_attribution_credits", "fct_customer_journeys")
SEEN_LATE = timedelta(days=4, minutes=30)
"""Klaviyo's events are read when they happened, and once more four days later."""


@dataclass
class Told:
    """A merchant, and what must be published of it."""

    merchant: WholeMerchant
    business: Business
    tables: dict[str, Table]

    @classmethod
    def of(cls, merchant: WholeMerchant) -> Told:
        business = merchant.second_opinion()
        return cls(merchant, business, tables(business))

    def wrong(self, mart: str) -> dict[Any, Any]:
        return differences(mart, self.published(mart), self.tables[mart])

    def published(self, mart: str) -> list[dict[str, Any]]:
        with self.merchant.conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(f"select * from marts.{mart} where merchant_id = 'aurora'".encode()).fetchall()

    def of_orders(self, mart: str) -> set[tuple[tuple[str, str], str]]:
        """Every row of a mart of orders: whose it is, and all that it says."""
        return {((row["sales_channel"], row["order_id"]), str(row)) for row in self.published(mart)}


@pytest.fixture(scope="module")
def merchant(module_warehouse_url: str, dbt: Dbt, dbt_target: Path) -> Iterator[WholeMerchant]:
    """A month of business in which odd things happen too."""
    manifest = dbt_target / "build" / "manifest.json"
    with whole_merchant(module_warehouse_url, dbt, manifest, FIRST_DAY, NOW) as merchant:
        happen(merchant, merchant.second_opinion())
        merchant.sync(*ALL)
        merchant.publish()
        yield merchant


def happen(merchant: WholeMerchant, business: Business) -> None:
    """What ordinary days lack: clicks at the ends of all spans, and many; guests, merged customers, copies alone."""
    shop = merchant.sandbox.admin
    late_enough = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + LOOKED_BACK + 24 * AN_HOUR
    found = (one for one in readers(merchant, business) if one[0].at > late_enough)
    for before, (order, profile) in zip(CLICKED_BEFORE, islice(found, len(CLICKED_BEFORE)), strict=True):
        click(merchant, profile, order.at - before)
    people = profiles(merchant, business)
    mailed = (
        (visit, people[order.identity])
        for order in business.orders
        if order.is_counted and order.identity in people
        for visit in order.visits
        if (visit.source, visit.medium) == ("klaviyo", "email") and order.at - visit.at < WINDOW - AN_HOUR
    )
    for before, (visit, profile) in zip((ONE_CLICK, ONE_CLICK + A_SECOND), islice(mailed, 2), strict=True):
        click(merchant, profile, visit.at - before)
    order, profile = next(found)
    for number in range(NEAREST + 3):
        click(merchant, profile, order.at - WINDOW - (number + 1) * AN_HOUR)
    known = [placed for placed in business.customers.orders.values() if len(placed) > 1 and can_change(placed[0])]
    merged = {name: placed[0].customer for name, placed in zip(("kept", "gone"), known, strict=False)}
    shop("/shops/aurora/customers/merge", merged)
    shop(f"/shops/aurora/orders/{known[2][0].id}/refunds", {"full": True})
    shop(f"/shops/aurora/orders/{known[3][0].id}/cancel", {"reason": "CUSTOMER"})
    for email in (known[4][0].email, " Nobody.Yet@Post.example ", "7@scs.tiktokw.us", None):
        shop("/shops/aurora/orders", {"price": "20.00", "quantity": 3, **({"email": email} if email else {})})
    tomorrow = (merchant.now + 24 * AN_HOUR).isoformat()
    lines = [{"sku": "AU-TENT-2", "units": 2}, {"sku": "AU-MUG-01", "gift": True}]
    for hidden in ({"hidden_until": tomorrow}, {}):
        shop("/shops/aurora/tiktok/orders", {"lines": lines, "mirrored": True, **hidden})


def can_change(order: Order) -> bool:
    """Whether it is a sale of the website that nothing has become of."""
    return order.is_counted and order.is_final and bool(order.customer and order.email) and not order.refunds


def click(merchant: WholeMerchant, profile: str, at: datetime) -> None:
    body = {"metric": "Clicked Email", "profile": profile, "datetime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    merchant.sandbox.admin("/klaviyo/events", body)


def profiles(merchant: WholeMerchant, business: Business) -> dict[str | None, str]:
    """Who reads mail, and as whom Klaviyo knows them."""
    return {
        business.customers.reader(person["external_id"], person["email"]): profile
        for profile, person in merchant.profiles().items()
    }


def readers(merchant: WholeMerchant, business: Business) -> Iterator[tuple[Order, str]]:
    """Orders that nothing is credited with, and the profiles of who placed them."""
    people = profiles(merchant, business)
    for order in business.orders:
        credit = business.credits.get(order.key)
        if credit and credit.rule == "direct" and order.identity in people:
            yield order, people[order.identity]


@pytest.fixture(scope="module")
def told(merchant: WholeMerchant) -> Told:
    return Told.of(merchant)


@pytest.mark.parametrize("mart", KEYS)
def test_every_row_equals_an_independent_computation(told: Told, mart: str) -> None:
    assert len(told.tables[mart]) > 30
    assert told.wrong(mart) == {}


def test_there_is_something_of_everything(told: Told) -> None:
    """What never happens in that month would be equal too."""
    ledger = told.tables["fct_attribution_ledger"].values()
    rules = {row["rule"] for row in ledger}
    assert rules == {"native", "click", "ga4_session", "after_order", "too_old", "direct", "same_click", "click_known"}
    assert {row["steps"] for row in ledger} >= {1, 2, 3, 4, 5}


def test_a_late_click_and_a_refund_restate_the_days_that_they_move(told: Told) -> None:
    merchant, business = told.merchant, told.business
    clicked_at = merchant.now - SEEN_LATE
    reader, profile = next(found for found in readers(merchant, business) if found[0].at > clicked_at)
    later = [order for order in business.customers.orders[reader.identity or ""] if order.is_counted]
    seen = {order.key for order in later if order.at - LOOKED_BACK <= clicked_at < business.day_ends(order.at)}
    won = {order.key for order in later if order.at - WINDOW <= clicked_at <= order.at}
    days = {day for (day,) in told.tables["fct_daily_metrics"]}
    reached = {day for day in days if business.day(clicked_at) <= day <= business.day(clicked_at + LOOKED_BACK)}
    before = {mart: told.of_orders(mart) for mart in ATTRIBUTION}
    click(merchant, profile, clicked_at)
    returning, moved = next(
        (order, placed)
        for order in business.orders
        if business.customers.is_returning(order) and can_change(order)
        for placed in [{business.day(other.at) for other in business.customers.orders[order.identity or ""]}]
        if len(placed) > 1 and not placed & reached
    )
    merchant.sandbox.admin(f"/shops/aurora/orders/{returning.id}/refunds", {"full": True})
    merchant.sync(KLAVIYO, SHOPIFY)

    assert merchant.publish() == reached | moved | {business.day(merchant.now)}

    after = Told.of(merchant)
    row = after.tables["fct_attributed_orders"][reader.key]
    assert (row["source"], row["medium"], row["occurred_at"]) == ("klaviyo", "email", clicked_at)
    assert after.tables["fct_attributed_orders"][returning.key]["attributed_revenue"] == 0
    changed = {mart: {key for key, _ in rows ^ after.of_orders(mart)} for mart, rows in before.items()}
    assert changed == dict.fromkeys(ATTRIBUTION, won | {returning.key}) | {"fct_attribution_ledger": seen}
    assert {mart: wrong for mart in KEYS if (wrong := after.wrong(mart))} == {}
