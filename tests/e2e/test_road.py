"""From the vendor to published figures through a real scheduler, judged by a reader that shares no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.independent import FIGURES, Shop, add_days, figures_of, new_days
from tests.e2e.independent_tiktok import add_days as add_tiktok_days

if TYPE_CHECKING:
    from datetime import date

    from tests.e2e.conftest import Road

# A cycle through a real scheduler takes half a minute on an idle machine; a busy one gets its time.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin"}


def published(road: Road, merchant: str) -> dict[date, dict[str, Any]]:
    columns = ", ".join(FIGURES)
    rows = road.sql(f"select date_day, {columns} from marts.fct_daily_metrics where merchant_id = %s", merchant)
    return {day: dict(zip(FIGURES, figures, strict=True)) for day, *figures in rows}


def second_opinion(road: Road, merchant: str) -> dict[date, dict[str, Any]]:
    shop = Shop(f"{road.env['SANDBOX_URL']}/shopify/{merchant}.myshopify.com", f"shpat_sandbox_{merchant}")
    days = new_days()
    sold_elsewhere = add_tiktok_days(road.tiktok(), ZONES[merchant], days) if merchant == "aurora" else set()
    add_days(shop.orders(), ZONES[merchant], days, sold_elsewhere)
    return figures_of(days)


def publications(road: Road) -> set[tuple[Any, ...]]:
    return set(road.sql("select build_id, merchant_id, date_day from ops.publications"))


def orders_of(road: Road, merchant: str, days_ago: int) -> list[tuple[str, date]]:
    """Counted, never refunded orders of the day that many days before the merchant's last."""
    return road.sql(
        """
        select order_id, date_day from marts.fct_orders
        where
            merchant_id = %s and is_counted and refunds = 0 and revenue > 0 and financial_status = 'PAID'
            and date_day = (select max(date_day) - %s from marts.fct_orders where merchant_id = %s)
        order by order_id
        """,
        merchant,
        days_ago,
        merchant,
    )


@pytest.mark.parametrize("merchant", sorted(ZONES))
def test_every_day_equals_an_independent_reading_to_the_cent(road: Road, merchant: str) -> None:
    theirs, ours = second_opinion(road, merchant), published(road, merchant)
    assert len(ours) > 80
    assert ours == theirs


def test_a_cycle_without_changes_publishes_nothing(road: Road) -> None:
    before = publications(road)
    states = road.cycle()
    assert states["ingest_shopify"] == states["transform"] == "success"
    assert states["scope[]"] == "skipped"
    assert publications(road) == before


def test_a_new_order_and_an_old_ones_refund_republish_exactly_their_days(road: Road) -> None:
    old_order, old_day = orders_of(road, "aurora", 60)[0]
    before = publications(road)
    customer_days = road.sql(
        """
        select distinct others.date_day from marts.fct_orders as refunded
        inner join marts.fct_orders as others using (merchant_id, customer_key)
        where refunded.merchant_id = 'aurora' and refunded.order_id = %s
        """,
        old_order,
    )
    placed = road.sandbox("POST", "shops/aurora/orders", {"lines": [{"price": "25.00", "quantity": 2}]})
    refunded = road.sandbox("POST", f"shops/aurora/orders/{old_order}/refunds", {"full": True})

    states = road.cycle()

    assert states["transform"] == "success", states
    today = placed["date_day"]
    touched = {str(old_day), today, *(str(day) for (day,) in customer_days)}
    new = publications(road) - before
    assert {(merchant, str(day)) for _, merchant, day in new} == {("aurora", day) for day in touched}
    assert road.sql("select revenue from marts.fct_orders where order_id = %s", old_order) == [(0,)]
    cash = road.sql("select refunded_total, date_day::text from marts.fct_refunds where order_id = %s", old_order)
    assert [(str(total), day) for total, day in cash] == [(refunded["refunded"], today)]
    assert published(road, "aurora") == second_opinion(road, "aurora")


def test_a_negative_day_holds_back_its_merchant_alone_and_slack_hears_once(road: Road) -> None:
    (order, day), *_ = orders_of(road, "aurora", 3)
    before = {merchant: published(road, merchant) for merchant in ZONES}
    road.sandbox("DELETE", "slack/messages")
    road.sandbox("POST", f"shops/aurora/orders/{order}/refunds", {"amount": "9999999.00"})
    placed = road.sandbox("POST", "shops/nordlicht/orders", {"lines": [{"price": "40.00", "quantity": 1}]})

    states = road.cycle()

    assert states["transform"] == "failed"
    assert states["merchant.gate[aurora]"] == "failed"
    # What never ran has an index instead of a name.
    publishing = sorted(state for task, state in states.items() if task.startswith("merchant.publish"))
    assert publishing == ["success", "upstream_failed"]
    assert states["merchant.publish[nordlicht]"] == "success"
    assert published(road, "aurora") == before["aurora"]
    assert published(road, "nordlicht") == second_opinion(road, "nordlicht") != before["nordlicht"]
    assert placed["date_day"] in {str(day) for day in published(road, "nordlicht")}
    (message,) = road.sandbox("GET", "slack/messages")
    for word in ("aurora", "negative", str(day), "Next:", "nordlicht", "/dags/transform/runs/"):
        assert word in message["text"], message["text"]
    assert message["channel"].lstrip("#") == "analytics-incidents"

    # The shop corrects itself: the day is right again, and what was held back is published.
    road.sandbox("POST", f"shops/aurora/orders/{order}/cancel", {})
    assert road.cycle()["transform"] == "success"
    assert published(road, "aurora") == second_opinion(road, "aurora")


def test_the_shops_own_count_finds_an_order_that_raw_lost(road: Road) -> None:
    (order, day), *_ = orders_of(road, "aurora", 10)
    road.sql("delete from raw.shopify_orders where merchant_id = 'aurora' and record_id = %s", order)

    states = road.run("housekeeping")

    assert states["housekeeping"] == "success", states
    assert states["proof.compare[]"] == "success"
    assert road.sql("select 1 from raw.shopify_orders where merchant_id = 'aurora' and record_id = %s", order)
    assert road.sql("select kind, inserted from ops.syncs where kind <> 'sync'") == [("reread", 1)]
    compared = road.sql("select count(*), bool_and(agrees), bool_or(date_day = %s) from ops.control_totals", day)
    assert compared[0][0] > 160
    assert compared[0][1:] == (True, True)


def test_a_figure_that_no_rebuild_would_show_is_found(road: Road) -> None:
    road.sandbox("DELETE", "slack/messages")
    road.sql("update marts.fct_revenue set revenue = revenue + 1 where merchant_id = 'nordlicht'")

    states = road.run("housekeeping")

    road.sql("update marts.fct_revenue set revenue = revenue - 1 where merchant_id = 'nordlicht'")
    assert states["proof.compare[]"] == "failed"
    (message,) = road.sandbox("GET", "slack/messages")
    for word in ("nordlicht", "fct_revenue", "equal a rebuild", "/dags/housekeeping/runs/"):
        assert word in message["text"], message["text"]
    assert "held back" not in message["text"]


def test_dead_letters_are_replayed_by_hand_and_published(road: Road) -> None:
    (order, day), *_ = orders_of(road, "nordlicht", 20)
    road.sql(
        """
        with lost as (
            delete from raw.shopify_orders where merchant_id = 'nordlicht' and record_id = %s returning *
        )
        insert into ops.dead_letters (merchant_id, channel, stream, record_id, reason, payload, payload_hash, sync_id)
        select merchant_id, 'shopify', 'orders', record_id, 'a field that was unknown then',
            convert_to(payload::text, 'UTF8'), payload_hash, sync_id
        from lost
        """,
        order,
    )
    form = {"channel": "shopify", "merchant_id": "nordlicht", "reason": "UNKNOWN then"}

    assert road.run("dead_letters", form)["replay[nordlicht · orders]"] == "success"
    assert not road.sql("select 1 from raw.shopify_orders where record_id = %s", order)

    before = publications(road)
    states = road.follow("dead_letters", form | {"dry_run": False})

    assert states["transform"] == "success", states
    assert road.sql("select resolved_at is not null from ops.dead_letters") == [(True,)]
    assert ("nordlicht", day) in {(merchant, when) for _, merchant, when in publications(road) - before}
    assert published(road, "nordlicht") == second_opinion(road, "nordlicht")
