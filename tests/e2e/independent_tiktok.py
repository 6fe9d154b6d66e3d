"""A second opinion on TikTok Shop: a shop's sales, read through its signed API and added up from the definitions.

Like `independent`, it shares nothing with the project but the definitions.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    Days = dict[date, dict[str, Fraction]]


class TikTokShop:
    """One shop's open API over plain HTTP."""

    def __init__(
        self, url: str, app_key: str, secret: str, token: str, shop_id: str, now: Callable[[], float] = time.time
    ) -> None:
        self.url = url.rstrip("/")
        self.app_key = app_key
        self.secret = secret
        self.token = token
        self.now = now
        shops = self.ask("GET", "/authorization/202309/shops", {})["shops"]
        self.cipher = next(shop["cipher"] for shop in shops if shop["id"] == shop_id)

    def ask(self, method: str, path: str, query: dict[str, str], body: Any = None) -> dict[str, Any]:
        """One signed request's data."""
        query = {**query, "app_key": self.app_key, "timestamp": str(int(self.now()))}
        sent = json.dumps(body).encode() if method == "POST" else b""
        pairs = "".join(name + query[name] for name in sorted(query))
        words = self.secret.encode() + path.encode() + pairs.encode() + sent + self.secret.encode()
        query["sign"] = hmac.new(self.secret.encode(), words, hashlib.sha256).hexdigest()
        headers = {"x-tts-access-token": self.token, "Content-Type": "application/json"}
        address = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, sent or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        if answer["code"] != 0:
            raise RuntimeError(f"{path} refused: {answer['code']} {answer['message']}")
        return dict(answer["data"])

    def rows(
        self, method: str, path: str, rows: str, size: int, query: dict[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page."""
        asked = {"page_size": str(size), "shop_cipher": self.cipher, **(query or {})}
        while True:
            data = self.ask(method, path, asked, {})
            yield from data.get(rows) or ()
            if not data.get("next_page_token"):
                return
            asked["page_token"] = data["next_page_token"]

    def orders(self) -> list[dict[str, Any]]:
        return list(self.rows("POST", "/order/202309/orders/search", "orders", 37))

    def returns(self) -> list[dict[str, Any]]:
        return list(self.rows("POST", "/return_refund/202309/returns/search", "return_orders", 41))

    def cancellations(self) -> list[dict[str, Any]]:
        return list(self.rows("POST", "/return_refund/202309/cancellations/search", "cancellations", 43))

    def transactions(self) -> list[dict[str, Any]]:
        """The transactions of all statements, each with the time of its statement."""
        found = []
        for statement in self.rows(
            "GET", "/finance/202309/statements", "statements", 97, {"sort_field": "statement_time"}
        ):
            path = f"/finance/202501/statements/{statement['id']}/statement_transactions"
            for row in self.rows("GET", path, "transactions", 29, {"sort_field": "order_create_time"}):
                found.append({**row, "statement_time": statement["statement_time"]})
        return found


def amount(row: dict[str, Any] | None, field: str) -> Fraction:
    """A decimal text; what is not said is 0."""
    return Fraction((row or {}).get(field) or 0)


def is_counted(order: dict[str, Any]) -> bool:
    gifts = order.get("is_sample_order") or order.get("is_replacement_order") or order.get("is_exchange_order")
    return bool(order.get("paid_time")) and order["status"] != "CANCELLED" and not gifts


def components(order: dict[str, Any]) -> dict[str, Fraction]:
    """What the seller sold, gave away and shipped for."""
    units = [unit for unit in order["line_items"] if not unit.get("is_gift")]
    payment = order["payment"]
    return {
        "gross_sales": sum((amount(unit, "original_price") for unit in units), Fraction(0)),
        "discounts": sum((amount(unit, "seller_discount") for unit in units), Fraction(0)),
        "shipping": amount(payment, "original_shipping_fee")
        - amount(payment, "shipping_fee_seller_discount")
        - amount(payment, "shipping_fee_cofunded_discount"),
    }


def refunds(
    order: dict[str, Any], returns: Iterable[dict[str, Any]], cancellations: Iterable[dict[str, Any]]
) -> Iterator[tuple[int, Fraction]]:
    """When money last went back as far as the vendor says, and how much of the seller's revenue that was."""
    for back in returns:
        replaced, replacement = back.get("next_return_id"), back["return_type"] == "REPLACEMENT"
        if back["return_status"] == "RETURN_OR_REFUND_REQUEST_COMPLETE" and not replaced and not replacement:
            money = amount(back["refund_amount"], "refund_subtotal")
            money += amount(back["refund_amount"], "refund_shipping_fee")
            for discount in back.get("discount_amount") or ():
                money += amount(discount, "product_platform_discount")
                money += amount(discount, "shipping_fee_platform_discount")
            yield back["update_time"], money
    units = {unit["id"]: unit for unit in order["line_items"]}
    for cancelled in cancellations:
        if cancelled["cancel_status"] == "CANCELLATION_REQUEST_COMPLETE" and order["status"] != "CANCELLED":
            money = amount(cancelled["refund_amount"], "refund_subtotal")
            money += amount(cancelled["refund_amount"], "refund_shipping_fee")
            for line in cancelled["cancel_line_items"]:
                money += amount(units[line["order_line_item_id"]], "platform_discount")
            yield cancelled["update_time"], money


def add_days(shop: TikTokShop, time_zone: str, days: Days) -> set[str]:
    """Add the shop's sales to the sums of its business days; returns the ids of its orders."""
    zone = ZoneInfo(time_zone)

    def day_of(seconds: int) -> dict[str, Fraction]:
        return days[datetime.fromtimestamp(seconds, zone).date()]

    returns, cancellations, transactions = (defaultdict(list) for _ in range(3))
    for found, rows in (
        (returns, shop.returns()),
        (cancellations, shop.cancellations()),
        (transactions, shop.transactions()),
    ):
        for row in rows:
            if row.get("order_id"):
                found[row["order_id"]].append(row)
    orders = shop.orders()
    for order in orders:
        ordered = day_of(order["create_time"])
        settled = sorted(
            row["statement_time"]
            for row in transactions[order["id"]]
            if amount(row.get("revenue_breakdown"), "refund_subtotal_before_discount_amount")
        )
        given_back = [
            (day_of(next((moment for moment in settled if moment >= at), at)), money)
            for at, money in refunds(order, returns[order["id"]], cancellations[order["id"]])
        ]
        if not is_counted(order):
            continue
        ordered["orders"] += 1
        for name, value in components(order).items():
            ordered[name] += value
        ordered["fees"] += sum((amount(row, "fee_tax_amount") for row in transactions[order["id"]]), Fraction(0))
        for refunded, money in given_back:
            ordered["refunds"] += money
            refunded["refunds_cash"] += money
    return {order["id"] for order in orders}
