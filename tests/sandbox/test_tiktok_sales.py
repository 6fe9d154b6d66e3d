"""The sales on TikTok Shop: what the vendor documents of them holds, and they are a function of seed and time."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.business.merchants import AURORA
from sandbox.business.tiktok_sales import TikTokSales
from sandbox.clock import parse_instant
from sandbox.tiktok_shop import finance, orders, returns
from sandbox.tiktok_shop.endpoint import Asked
from tests.sandbox.conftest import NOW
from tests.sandbox.tiktok_reader import (
    BY_TIME,
    CANCELLATIONS,
    ORDER,
    ORDERS,
    RETURNS,
    STATEMENTS,
    TikTok,
    amounts,
    daily,
    refund_amounts,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Client

ROUTE = "/shops/aurora/tiktok"
FIRST = date(2026, 8, 17)
MIRRORS = '{orders(first: 250, query: "source_name:tiktok") {nodes {legacyResourceId tags email sourceName'
MIRRORS += " displayFinancialStatus cancelledAt createdAt subtotalPriceSet {shopMoney {amount}}"
MIRRORS += " lineItems(first: 20) {nodes {quantity sku originalUnitPriceSet {shopMoney {amount}}}}}}}"


@pytest.fixture(scope="module")
def tiktok(sandbox: Client) -> TikTok:
    return TikTok(sandbox)


def sales_of(first_day: date, seed: int = 1) -> TikTokSales:
    """Sales that nothing copies to Shopify."""
    return TikTokSales(AURORA, seed, first_day, lambda *_: None)


def picture(sales: TikTokSales) -> str:
    """All that the vendor shows of the sales, in full."""
    shop: Any = SimpleNamespace(tiktok=sales, merchant=AURORA)
    by_order = {"page_size": "100", "sort_field": "order_create_time"}
    shown: list[Any] = [orders.order_view(order) for order in sales.orders]
    for order in sales.orders:
        body = {"order_ids": [str(order.id)]}
        shown.append(returns.search_returns(Asked(shop, NOW, {}, {}, body)) if order.returns else None)
        shown.append(returns.search_cancellations(Asked(shop, NOW, {}, {}, body)) if order.cancellations else None)
    for one in sales.statements:
        shown.append(finance.statement_transactions(Asked(shop, NOW, {"statement_id": str(one.id)}, by_order, {})))
    return json.dumps(shown)


def test_payments_obey_their_identities(tiktok: TikTok) -> None:
    found = tiktok.orders()
    assert len(found) > 250
    for order in found:
        pay, items = order["payment"], order["line_items"]
        discounts = amounts(pay, "seller_discount", "platform_discount")
        assert Decimal(pay["sub_total"]) == Decimal(pay["original_total_product_price"]) - discounts
        assert Decimal(pay["shipping_fee"]) == Decimal(pay["original_shipping_fee"]) - amounts(
            pay,
            "shipping_fee_seller_discount",
            "shipping_fee_platform_discount",
            "shipping_fee_cofunded_discount",
        )
        assert Decimal(pay["tax"]) == amounts(pay, "product_tax", "shipping_fee_tax")
        assert Decimal(pay["total_amount"]) == amounts(pay, "sub_total", "shipping_fee", "tax", "retail_delivery_fee")
        for whole, part in (
            ("original_total_product_price", "original_price"),
            ("seller_discount", "seller_discount"),
            ("platform_discount", "platform_discount"),
            ("sub_total", "sale_price"),
        ):
            assert Decimal(pay[whole]) == sum(Decimal(item[part]) for item in items)
        assert Decimal(pay["product_tax"]) == sum(Decimal(t["tax_amount"]) for item in items for t in item["item_tax"])
        assert all("quantity" not in item for item in items)


def test_statements_are_the_sums_of_their_transactions(tiktok: TikTok) -> None:
    statements = tiktok.statements()
    assert len(statements) > 14
    for statement in statements:
        assert statement["statement_time"] % 86_400 == 0
        due = statement["statement_time"] + 2 * 86_400
        assert statement["payment_status"] == ("PAID" if due <= NOW.timestamp() else "PROCESSING")
        transactions = tiktok.transactions(statement["id"])
        whole = tiktok.ask(
            f"/finance/202501/statements/{statement['id']}/statement_transactions", {"sort_field": "order_create_time"}
        )
        parts = whole["total_settlement_breakdown"]
        for name in ("revenue", "shipping_cost", "fee_tax", "adjustment"):
            assert Decimal(parts[f"total_{name}_amount"]) == sum(Decimal(t[f"{name}_amount"]) for t in transactions)
        settled = sum(Decimal(t["settlement_amount"]) for t in transactions)
        reserved = sum(Decimal(t.get("reserve_amount", 0)) for t in transactions)
        assert Decimal(statement["settlement_amount"]) == Decimal(whole["total_settlement_amount"]) == settled
        assert Decimal(whole["payable_amount"]) == settled + reserved
        for one in transactions:
            assert ("order_id" in one) == (one["type"] == "ORDER")
            assert Decimal(one["revenue_amount"]) == amounts(one["revenue_breakdown"], *one["revenue_breakdown"])
            fees = one["fee_tax_breakdown"]["fee"]
            assert Decimal(one["fee_tax_amount"]) == amounts(fees, *fees)
            assert Decimal(one["settlement_amount"]) == Decimal(one["revenue_amount"]) - amounts(
                one, "shipping_cost_amount", "fee_tax_amount", "adjustment_amount"
            )
    settled_order = next(one["order_id"] for one in transactions if one["type"] == "ORDER")
    order = tiktok.ask(f"/finance/202501/orders/{settled_order}/statement_transactions")
    for whole_name, name in (("revenue_amount", "revenue_amount"), ("fee_and_tax_amount", "fee_tax_amount")):
        assert Decimal(order[whole_name]) == sum(Decimal(part[name]) for part in order["sku_transactions"])


def test_the_truth_is_what_the_api_tells(sandbox: Client, tiktok: TikTok) -> None:
    truth = sandbox.admin("GET", f"{ROUTE}/truth")
    told = daily(tiktok)
    names = ("orders", "gross_sales", "discounts", "shipping", "refunds", "refunds_cash", "fees")
    for row in truth["days"]:
        expected = {name: Decimal(row[name]) for name in names}
        day = told.pop(row["date_day"], {})
        assert {name: day.get(name, Decimal(0)) for name in names} == expected
        assert (
            Decimal(row["revenue"])
            == expected["gross_sales"] - expected["discounts"] + expected["shipping"] - (expected["refunds"])
        )
    assert not told
    by_id = {order["id"]: order for order in tiktok.orders()}
    assert {order["id"] for order in truth["orders"]} == set(by_id)
    assert sum(len(order["refunds"]) for order in truth["orders"]) == len(refund_amounts(tiktok, by_id)) > 20
    for order in truth["orders"]:
        due = by_id[order["id"]]["payment"]
        total = amounts(due, "sub_total", "platform_discount", "shipping_fee", "shipping_fee_platform_discount")
        assert Decimal(order["total_price"]) == total
    assert any(refund["is_final"] for order in truth["orders"] for refund in order["refunds"])
    assert any(order["fees"] is None for order in truth["orders"])


def test_everything_that_the_vendor_knows_happens_whichever_way_time_goes() -> None:
    sales, jumped = sales_of(FIRST), sales_of(FIRST)
    seen: dict[str, set[Any]] = {"order": set(), "return": set(), "cancellation": set()}
    for step in range(0, 90 * 24, 7):
        sales.advance(min(NOW, parse_instant("2026-08-17T12:00:00Z") + timedelta(hours=step, minutes=step % 60)))
        seen["order"] |= {order.status for order in sales.orders}
        seen["return"] |= {(one.kind, one.status) for one in sales.returns}
        seen["cancellation"] |= {(one.status, one.role, one.is_refunded) for one in sales.cancellations}
    for moving in (sales, jumped):
        moving.advance(NOW)
    assert picture(sales) == picture(jumped)

    assert seen["order"] == set(orders.STATUSES)
    assert {status for _, status in seen["return"]} >= returns.REFUND_STATUSES | {
        "REPLACEMENT_REQUEST_PENDING",
        "REPLACEMENT_REQUEST_COMPLETE",
        "REPLACEMENT_REQUEST_REJECT",
    }
    done = "RETURN_OR_REFUND_REQUEST_COMPLETE"
    assert {("REFUND", done), ("RETURN_AND_REFUND", done)} <= seen["return"]
    assert {status for status, _, _ in seen["cancellation"]} == returns.CANCELLATION_STATUSES
    assert {role for _, role, _ in seen["cancellation"]} == {"BUYER", "SELLER", "SYSTEM"}
    assert {refunded for _, _, refunded in seen["cancellation"]} == {True, False}
    assert {order.kind for order in sales.orders} == {"NORMAL", "SAMPLE", "REPLACEMENT", "EXCHANGE"}
    assert 900 < len(sales.orders) < 1300
    assert 190 <= len({order.buyer for order in sales.orders}) <= 200
    assert any(unit.is_gift for order in sales.orders for unit in order.units)
    assert any(order.delivery_fee for order in sales.orders)
    for discount in ("seller_discount", "platform_discount", "cofunded_discount"):
        assert any(getattr(order.shipping, discount) for order in sales.orders)
    assert any(order.paid_at != order.created_at and order.status == "COMPLETED" for order in sales.orders)
    assert any(len(one.units) < len(one.order.units) for one in sales.returns if one.is_refunded)
    assert any(one.partial and one.is_refunded for one in sales.returns)
    assert any(one.buyer_rejected for one in sales.returns)
    assert any(one.edited_to and one.status == done for one in sales.returns)
    assert any(one.role == "OPERATOR" and one.is_refunded for one in sales.returns)
    transactions = [one for statement in sales.statements for one in statement.transactions]
    assert {"ORDER", "RESERVE", "SHIPPING_FEE_ADJUSTMENT"} <= {one.kind for one in transactions}
    assert any(one.revenue < 0 and not one.gross for one in transactions)
    assert any(one.gross and one.refund for one in transactions)
    share = sum(order.mirror_delay is not None for order in sales.orders) / len(sales.orders)
    assert 0.65 < share < 0.75


def test_another_seed_sells_something_else() -> None:
    sold = [sales_of(date(2026, 11, 10), seed) for seed in (3, 3, 4)]
    for sales in sold:
        sales.advance(NOW)
    one, same, other = map(picture, sold)
    assert one == same != other


def test_nobody_is_named_before_the_order_is_released(tiktok: TikTok) -> None:
    found = tiktok.orders()
    early = [order for order in found if order["status"] in ("UNPAID", "ON_HOLD")]
    assert early
    assert not any({"recipient_address", "buyer_email"} & set(order) for order in early)
    late = next(order for order in found if order["status"] == "COMPLETED")
    assert late["buyer_email"] == f"{late['user_id']}@scs.tiktokw.us"
    assert "***" in late["recipient_address"]["name"]
    assert "***" in late["recipient_address"]["phone_number"]


def test_a_search_filters_and_sorts(tiktok: TikTok) -> None:
    found = tiktok.orders()
    times = [order["create_time"] for order in found]
    assert times == sorted(times, reverse=True)
    low, high = times[-20], times[10]
    within = tiktok.orders(create_time_ge=low, create_time_lt=high)
    assert [order["id"] for order in within] == [o["id"] for o in found if low <= o["create_time"] < high]
    updated = tiktok.every(
        "orders", ORDERS, {"sort_field": "update_time", "sort_order": "ASC"}, {"update_time_ge": low}
    )
    assert [o["update_time"] for o in updated] == sorted(o["update_time"] for o in found if o["update_time"] >= low)
    assert {order["status"] for order in tiktok.orders(order_status="DELIVERED")} == {"DELIVERED"}
    buyer = found[0]["user_id"]
    assert {order["user_id"] for order in tiktok.orders(buyer_user_id=buyer)} == {buyer}
    assert tiktok.orders(shipping_type="SELLER") == []
    asked = tiktok.orders(is_buyer_request_cancel=True)
    assert len(asked) == sum(order["is_buyer_request_cancel"] for order in found)
    ids = [order["id"] for order in found[:50]]
    by_id = tiktok.ask(ORDER, {"ids": ",".join([*ids[:49], "1"])})["orders"]
    assert by_id == found[:49]
    counted = tiktok.ask(ORDERS, {"page_size": 1}, {"create_time_ge": low, "create_time_lt": high})
    assert (len(counted["orders"]), counted["total_count"]) == (1, len(within))


def test_aftersales_filter_and_sort(tiktok: TikTok) -> None:
    for name, key, path, kinds, statuses, ids in (
        ("return_orders", "return", RETURNS, "return_types", "return_status", "return_ids"),
        ("cancellations", "cancel", CANCELLATIONS, "cancel_types", "cancel_status", "cancel_ids"),
    ):
        found = tiktok.every(name, path, {}, {})
        times = [one["create_time"] for one in found]
        assert len(times) > 20
        assert times == sorted(times)
        one = found[7]
        for body in (
            {ids: [one[f"{key}_id"]]},
            {"order_ids": [one["order_id"]]},
            {kinds: [one[f"{key}_type"]]},
            {statuses: [one[f"{key}_status"]]},
            {"update_time_ge": one["update_time"], "update_time_lt": one["update_time"] + 1},
        ):
            some = tiktok.every(name, path, {}, body)
            assert one in some
            assert len(some) < len(found)
    withdrawn = tiktok.cancellations(cancel_status=["CANCELLATION_REQUEST_CANCEL"])
    assert {one["cancel_status"] for one in withdrawn} == {"CANCELLATION_REQUEST_CANCELLED"}


def test_statements_filter_and_sort(tiktok: TikTok) -> None:
    found = tiktok.statements()
    third, last = found[2]["statement_time"], found[-1]["statement_time"]
    query = {**BY_TIME, "statement_time_ge": third, "statement_time_lt": last, "sort_order": "DESC"}
    assert tiktok.every("statements", STATEMENTS, query) == found[2:-1][::-1]
    open_ones = tiktok.every("statements", STATEMENTS, {**BY_TIME, "payment_status": "PROCESSING"})
    assert open_ones == [one for one in found if one["payment_status"] == "PROCESSING"]
    assert open_ones


@pytest.mark.parametrize(
    ("path", "query", "body", "code"),
    [
        (ORDERS, {}, {}, 36009004),
        (ORDERS, {"page_size": 0}, {}, 36009004),
        (ORDERS, {"page_size": 101}, {}, 36009004),
        (ORDERS, {"page_size": "ten"}, {}, 36009022),
        (ORDERS, {"page_size": 10, "sort_field": "id"}, {}, 36009004),
        (ORDERS, {"page_size": 10}, {"order_status": "PAID"}, 36009004),
        (ORDERS, {"page_size": 10}, {"order_status": ["UNPAID"]}, 36009022),
        (ORDERS, {"page_size": 10}, {"update_time_ge": "1794700800"}, 36009022),
        (ORDERS, {"page_size": 10}, {"create_time_lt": 1_794_700_800_000}, 36009004),
        (ORDERS, {"page_size": 10}, {"buyer_user_id": 7}, 36009022),
        (ORDERS, {"page_size": 10}, {"is_buyer_request_cancel": "true"}, 36009022),
        (ORDERS, {"page_size": 10}, {"warehouse_ids": ["1"] * 101}, 36009004),
        (RETURNS, {"page_size": 9}, {}, 36009004),
        (RETURNS, {"page_size": 51}, {}, 36009004),
        (RETURNS, {}, {"return_ids": "1"}, 36009022),
        (RETURNS, {}, {"return_status": ["DONE"]}, 36009004),
        (CANCELLATIONS, {"page_size": 51}, {}, 36009004),
        (STATEMENTS, {}, None, 36009004),
        (STATEMENTS, {"sort_field": "id"}, None, 36009004),
        (STATEMENTS, {**BY_TIME, "page_size": 101}, None, 36009004),
        (STATEMENTS, {**BY_TIME, "statement_time_ge": "today"}, None, 36009022),
        (ORDER, {}, None, 36009004),
        (ORDER, {"ids": ",".join(str(number) for number in range(51))}, None, 36009004),
        (ORDER, {"ids": "first"}, None, 36009022),
        ("/finance/202501/statements/1/statement_transactions", {"sort_field": "order_create_time"}, None, 36009004),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    tiktok: TikTok, path: str, query: dict[str, Any], body: dict[str, Any] | None, code: int
) -> None:
    answer = tiktok.send(path, query, body)
    assert (answer["code"], answer["data"]) == (code, None)
    assert answer["message"]


def test_a_shop_that_never_sold_is_empty(sandbox: Client) -> None:
    empty = TikTok(sandbox, "GB")
    assert empty.orders() == empty.returns() == empty.cancellations() == empty.statements() == []


def test_mirrors_follow_their_originals(sandbox: Client, tiktok: TikTok) -> None:
    originals = {order["id"]: order for order in tiktok.orders()}
    mirrors = sandbox.ask(MIRRORS)["orders"]["nodes"]
    assert 0.6 < len(mirrors) / len(originals) < 0.8
    statuses = set()
    for mirror in mirrors:
        (tag,) = mirror["tags"]
        original = originals[tag.removeprefix("TikTokOrderID:")]
        assert mirror["email"] == f"{original['user_id']}@scs.tiktokw.us"
        sold: dict[tuple[str, Decimal], int] = {}
        for item in original["line_items"]:
            key = item["seller_sku"], Decimal(item["original_price"])
            sold[key] = sold.get(key, 0) + 1
        assert sold == {
            (line["sku"], Decimal(line["originalUnitPriceSet"]["shopMoney"]["amount"])): line["quantity"]
            for line in mirror["lineItems"]["nodes"]
        }
        discounted = Decimal(original["payment"]["original_total_product_price"]) - Decimal(
            original["payment"]["seller_discount"]
        )
        assert Decimal(mirror["subtotalPriceSet"]["shopMoney"]["amount"]) == discounted
        # What happened within the last minutes is still on its way.
        if original["update_time"] < NOW.timestamp() - 1200:
            assert (mirror["cancelledAt"] is not None) == (original["status"] == "CANCELLED")
            assert (mirror["displayFinancialStatus"] in ("PENDING", "VOIDED")) == ("paid_time" not in original)
        statuses.add(mirror["displayFinancialStatus"])
    assert statuses >= {"PAID", "REFUNDED", "PARTIALLY_REFUNDED"}


def test_either_vendor_may_show_an_order_first(fresh: Client) -> None:
    tiktok = TikTok(fresh)
    spec = {"lines": [{"sku": "AU-MUG-01", "price": "10.00", "units": 2, "seller_discount": "1.50"}], "mirrored": True}

    def seen(placed: dict[str, Any]) -> tuple[bool, bool]:
        tags = {tag for node in fresh.ask(MIRRORS)["orders"]["nodes"] for tag in node["tags"]}
        known = tiktok.ask(ORDER, {"ids": placed["id"]})["orders"]
        return bool(known), f"TikTokOrderID:{placed['id']}" in tags

    hidden = fresh.admin("POST", f"{ROUTE}/orders", {**spec, "hidden_until": "2026-11-15T13:00:00Z"})
    delayed = fresh.admin("POST", f"{ROUTE}/orders", {**spec, "mirror_delay": 3600})
    assert (seen(hidden), seen(delayed)) == ((False, True), (True, False))
    told = {row["date_day"]: row for row in fresh.admin("GET", f"{ROUTE}/truth")["days"]}["2026-11-15"]
    whole, own = (
        {row["date_day"]: row["orders"] for row in fresh.admin("GET", f"/truth/aurora/days{query}")}["2026-11-15"]
        for query in ("", "?without_mirrors")
    )
    assert whole - own == told["mirrors"]
    fresh.admin("POST", "/clock", {"advance_seconds": 3600})
    assert (seen(hidden), seen(delayed)) == ((True, True), (True, True))
    shown = tiktok.orders(update_time_ge=int(parse_instant("2026-11-15T13:00:00Z").timestamp()))
    assert hidden["id"] in {order["id"] for order in shown}


def test_what_is_made_to_happen_is_settled_and_survives_a_restart(start: Callable[..., Client], tmp_path: Path) -> None:
    client = start(state=tmp_path)

    def act(order_id: str, action: str, **details: Any) -> Any:
        return client.admin("POST", f"{ROUTE}/orders/{order_id}/{action}", details)

    lines = [{"sku": "AU-MUG-01", "price": "10.00", "units": 3, "seller_discount": "1.00", "platform_discount": "0.50"}]
    sold = client.admin("POST", f"{ROUTE}/orders", {"lines": lines, "shipping": "5.00", "status": "UNPAID"})["id"]
    called_off = client.admin("POST", f"{ROUTE}/orders", {"lines": lines})["id"]
    assert act(called_off, "cancel")["status"] == "CANCELLED"
    act(sold, "pay")
    act(sold, "cancel", units=[0])
    for step in ("ship", "deliver"):
        act(sold, step)
    replaced = client.admin("POST", f"{ROUTE}/orders", {"lines": lines, "status": "DELIVERED"})["id"]
    act(replaced, "return", type="REPLACEMENT", units=[1])
    pending = act(sold, "return", units=[1], status="RETURN_OR_REFUND_REQUEST_PENDING")["returns"][0]["id"]
    assert not act(sold, "settle")["settled"]
    edited = act(sold, "edit_return", **{"return": pending})["returns"][1]["id"]
    client.admin("POST", "/clock", {"advance_seconds": 3600})
    assert act(sold, "return_status", **{"return": edited, "status": "RETURN_OR_REFUND_REQUEST_COMPLETE"})["settled"]
    client.admin("POST", "/clock", {"advance_seconds": 86_400})
    act(sold, "return", units=[2], type="REFUND", amount="2.25")
    client.admin("POST", "/clock", {"advance_seconds": 86_400})
    client.admin("POST", f"{ROUTE}/orders/{sold}/ship", {}, status=409)

    truth = client.admin("GET", f"{ROUTE}/truth")
    (order,) = [one for one in truth["orders"] if one["id"] == sold]
    assert (order["gross_sales"], order["discounts"], order["shipping"]) == ("30.00", "3.00", "5.00")
    assert [refund["amount"] for refund in order["refunds"]] == ["9.00", "9.00", "2.25"]
    assert [refund["cash_at"] for refund in order["refunds"]] == [
        "2026-11-16T00:00:00Z",
        "2026-11-16T00:00:00Z",
        "2026-11-17T00:00:00Z",
    ]
    assert order["revenue"] == "11.75"
    settled = TikTok(client).ask(f"/finance/202501/orders/{sold}/statement_transactions")
    assert settled["revenue_amount"] == "6.75"  # without the shipping, which is taken off its costs
    found = {one["id"]: one for one in TikTok(client).orders()}
    assert found[called_off]["status"] == "CANCELLED"
    assert [one["replaced_order_id"] for one in found.values() if "replaced_order_id" in one] == [replaced]
    told = {one["return_id"]: one for one in TikTok(client).returns(order_ids=[sold])}
    assert told[pending]["next_return_id"] == edited
    assert told[edited]["pre_return_id"] == pending
    assert told[pending]["return_status"] == told[edited]["return_status"] == "RETURN_OR_REFUND_REQUEST_COMPLETE"

    again = start(state=tmp_path, frozen_at=None)
    assert again.admin("GET", f"{ROUTE}/truth") == truth
    assert again.ask(MIRRORS) == client.ask(MIRRORS)


def test_a_list_moves_while_it_is_read(fresh: Client) -> None:
    tiktok = TikTok(fresh)
    for _ in range(3):
        placed = fresh.admin("POST", f"{ROUTE}/orders", {"status": "UNPAID"})
    now = int(NOW.timestamp())
    body = {"update_time_ge": now, "update_time_lt": now + 1}
    query = {"page_size": 2, "sort_field": "update_time"}
    first = tiktok.ask(ORDERS, query, body)
    fresh.admin("POST", "/clock", {"advance_seconds": 60})
    fresh.admin("POST", f"{ROUTE}/orders/{placed['id']}/pay")
    second = tiktok.ask(ORDERS, {**query, "page_token": first["next_page_token"]}, body)
    assert (first["total_count"], second["total_count"], second["orders"]) == (3, 2, [])


def test_what_cannot_be_placed_is_said(fresh: Client) -> None:
    for spec, said in (
        ({"color": "red"}, "no field"),
        ({"lines": [{"sku": "AU-NONE"}]}, "sells no sku"),
        ({"lines": [{"price": "1.00", "seller_discount": "2.00"}]}, "more than it costs"),
        ({"status": "PAID"}, "use one of"),
        ({"kind": "REPLACEMENT"}, "a return makes"),
    ):
        assert said in fresh.admin("POST", f"{ROUTE}/orders", spec, status=400)["error"]
    refused = fresh.admin("POST", "/shops/nordlicht/tiktok/orders", {}, status=400)["error"]
    assert "does not sell on TikTok Shop" in refused
