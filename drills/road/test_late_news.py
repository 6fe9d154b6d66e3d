"""What is told late restates the days that it touches and no others, through a real scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.independent_journeys import LOOKED_BACK
from tests.e2e.independent_metrics import KEYS, differences, tables
from tests.e2e.test_metrics import MERCHANTS, published, second_opinion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tests.e2e.conftest import Road
    from tests.e2e.independent_business import Business

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200, func_only=True)]

HALF_AN_HOUR = timedelta(minutes=30)
SEEN_LATE = timedelta(days=4)
"""Klaviyo's events are read when they happened, and once more after so long."""


def publications(road: Road) -> set[tuple[Any, ...]]:
    return set(road.sql("select build_id, merchant_id, date_day from ops.publications"))


def wrong(road: Road, merchant: str, business: Business) -> dict[str, Any]:
    """By mart, what is published otherwise than the computation says."""
    found = {
        mart: differences(mart, published(road, mart, merchant), theirs) for mart, theirs in tables(business).items()
    }
    return {mart: rows for mart, rows in found.items() if rows}


@pytest.fixture(scope="module")
def businesses(road: Road) -> dict[str, Business]:
    """What other stories have changed is published first."""
    assert road.cycle()["transform"] == "success"
    return {merchant: second_opinion(road, merchant) for merchant in MERCHANTS}


def digests(road: Road) -> dict[str, str]:
    """Of all rows of each mart."""
    marts = road.sql("select tablename from pg_tables where schemaname = 'marts'")
    return {
        mart: road.sql(f"select md5(string_agg(row::text, ' ' order by row::text)) from marts.{mart} as row")[0][0]
        for (mart,) in marts
    }


def test_a_full_rebuild_leaves_the_same_rows(road: Road, businesses: dict[str, Business]) -> None:
    """What is published came together from a first build and many small ones."""
    before = digests(road)
    assert before.keys() >= KEYS.keys()
    states = road.run("transform", {"full_rebuild": True})
    assert states["transform"] == "success", states
    assert digests(road) == before


@dataclass(frozen=True)
class Later:
    """A click that is seen late, and a refund of what somebody bought who had bought before."""

    clicked_at: datetime
    credited: str
    """An order after the click that nothing was known of before."""
    refunded: str
    customer_days: set[date]
    today: dict[str, date]
    new: set[tuple[str, date]]
    """What was published then."""


@pytest.fixture(scope="module")
def later(road: Road, businesses: dict[str, Business]) -> Later:
    now = datetime.fromisoformat(road.sandbox("GET", "clock")["now"])
    clicked_at = (now - SEEN_LATE - HALF_AN_HOUR).replace(microsecond=0)
    order, profile = next(readers(road, businesses["aurora"], clicked_at, now))
    click = {"metric": "Clicked Email", "profile": profile, "datetime": f"{clicked_at:%Y-%m-%dT%H:%M:%SZ}"}
    road.sandbox("POST", "klaviyo/events", click)
    (refunded, customer), *_ = road.sql(
        """
        select order_id, customer_key from marts.fct_orders as orders
        where
            merchant_id = 'nordlicht' and is_returning_customer and refunds = 0 and revenue > 0
            and financial_status = 'PAID' and date_day < (select max(date_day) - 10 from marts.fct_orders)
        order by date_day, order_id
        """
    )
    road.sandbox("POST", f"shops/nordlicht/orders/{refunded}/refunds", {"full": True})
    days = road.sql("select date_day from marts.fct_orders where customer_key = %s", customer)
    before = publications(road)
    states = road.follow_all("ingest_klaviyo", "ingest_shopify")
    assert states["transform"] == "success", states
    return Later(
        clicked_at,
        order,
        refunded,
        {day for (day,) in days},
        {merchant: business.day(now) for merchant, business in businesses.items()},
        {(merchant, day) for _, merchant, day in publications(road) - before},
    )


def readers(road: Road, business: Business, after: datetime, before: datetime) -> Iterator[tuple[str, str]]:
    """Orders of that time that nobody was credited with, and the profiles of who placed them."""
    profiles = {
        business.customers.reader(external, email): profile
        for profile, external, email in road.sql(
            """
            select record_id, payload #>> '{attributes,external_id}', payload #>> '{attributes,email}'
            from raw.klaviyo_profiles where merchant_id = 'aurora'
            """
        )
    }
    for order in business.orders:
        credit = business.credits.get(order.key)
        if credit and credit.rule == "direct" and after < order.at < before and order.identity in profiles:
            yield order.id, profiles[order.identity]


def test_a_late_click_restates_the_days_whose_orders_look_back_to_it(
    road: Road, businesses: dict[str, Business], later: Later
) -> None:
    known = {row["date_day"] for row in published(road, "fct_daily_metrics", "aurora")}
    first, last = (businesses["aurora"].day(later.clicked_at + by) for by in (timedelta(0), LOOKED_BACK))
    reached = {day for day in known if first <= day <= last}
    assert max(reached) == later.today["aurora"]
    assert {day for merchant, day in later.new if merchant == "aurora"} == reached
    credited = "select source, medium, rule, occurred_at from marts.fct_attributed_orders where order_id = %s"
    assert road.sql(credited, later.credited) == [("klaviyo", "email", "last_click", later.clicked_at)]
    assert wrong(road, "aurora", second_opinion(road, "aurora")) == {}


def test_a_refund_restates_all_days_of_its_customer_and_its_own(road: Road, later: Later) -> None:
    assert len(later.customer_days) > 1
    touched = later.customer_days | {later.today["nordlicht"]}
    assert {day for merchant, day in later.new if merchant == "nordlicht"} == touched
    assert road.sql("select revenue from marts.fct_orders where order_id = %s", later.refunded) == [(0,)]
    assert wrong(road, "nordlicht", second_opinion(road, "nordlicht")) == {}
