"""An independent reading of TikTok Shop's sales: signs, pages through everything and applies the money rules."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sandbox.clock import parse_instant

if TYPE_CHECKING:
    import requests

    from tests.sandbox.conftest import Client

SECRET = "sandbox_app_secret_aurora_0123456789"
CIPHERS = {"US": "TTP_cipher_aurora_us+9Kd/x3==", "GB": "TTP_cipher_aurora_uk+Zb7/q4=="}
ORDERS, ORDER = "/order/202309/orders/search", "/order/202507/orders"
RETURNS, CANCELLATIONS = "/return_refund/202309/returns/search", "/return_refund/202309/cancellations/search"
STATEMENTS = "/finance/202309/statements"
BY_TIME, BY_ORDER = {"sort_field": "statement_time"}, {"sort_field": "order_create_time"}
ZONE = ZoneInfo("America/New_York")
ZERO = Decimal(0)


class TikTok:
    """A plain signing client of one sandbox."""

    def __init__(self, client: Client, region: str = "US") -> None:
        self._client = client
        self._cipher = CIPHERS[region]

    def send(self, path: str, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None) -> Any:
        """POST when there is a body."""
        now = parse_instant(self._client.admin("GET", "/clock")["now"])
        asked = {name: str(value) for name, value in (query or {}).items()}
        asked |= {"app_key": "sandbox_app", "timestamp": str(int(now.timestamp())), "shop_cipher": self._cipher}
        data = b"" if body is None else json.dumps(body).encode()
        text = path + "".join(name + asked[name] for name in sorted(asked))
        signed = SECRET.encode() + text.encode() + data + SECRET.encode()
        asked["sign"] = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        response: requests.Response = self._client.session.request(
            "GET" if body is None else "POST",
            self._client.url + path,
            params=asked,
            data=data,
            headers={"x-tts-access-token": "TTP_access_aurora_0", "content-type": "application/json"},
            timeout=20,
        )
        return response.json()

    def ask(self, path: str, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data of a request that must succeed."""
        answer = self.send(path, query, body)
        assert answer["code"] == 0, answer
        return dict(answer["data"])

    def every(
        self, name: str, path: str, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """All rows of a list, page by page."""
        rows: list[dict[str, Any]] = []
        size, token = 50 if "return_refund" in path else 100, ""
        while True:
            page = {"page_size": size} | ({"page_token": token} if token else {})
            data = self.ask(path, {**(query or {}), **page}, body)
            rows += data[name]
            token = data["next_page_token"]
            if not token:
                return rows

    def orders(self, **body: Any) -> list[dict[str, Any]]:
        return self.every("orders", ORDERS, {}, body)

    def returns(self, **body: Any) -> list[dict[str, Any]]:
        return self.every("return_orders", RETURNS, {}, body)

    def cancellations(self, **body: Any) -> list[dict[str, Any]]:
        return self.every("cancellations", CANCELLATIONS, {}, body)

    def statements(self) -> list[dict[str, Any]]:
        return self.every("statements", STATEMENTS, BY_TIME)

    def transactions(self, statement_id: str) -> list[dict[str, Any]]:
        return self.every("transactions", f"/finance/202501/statements/{statement_id}/statement_transactions", BY_ORDER)


def day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).astimezone(ZONE).date().isoformat()


def amounts(values: dict[str, Any], *names: str) -> Decimal:
    return sum((Decimal(values[name]) for name in names), ZERO)


def is_counted(order: dict[str, Any]) -> bool:
    apart = order["is_sample_order"] or order["is_replacement_order"] or order["is_exchange_order"]
    return "paid_time" in order and order["status"] != "CANCELLED" and not apart


def refund_amounts(tiktok: TikTok, orders: dict[str, dict[str, Any]]) -> list[tuple[str, int, Decimal]]:
    """Order, time and money of each refund: completed returns once, and completed cancellations of a part."""
    found = []
    for one in tiktok.returns():
        if one["return_status"] == "RETURN_OR_REFUND_REQUEST_COMPLETE" and "next_return_id" not in one:
            money = amounts(one["refund_amount"], "refund_subtotal", "refund_shipping_fee")
            for discount in one["discount_amount"]:
                money += amounts(discount, "product_platform_discount", "shipping_fee_platform_discount")
            found.append((one["order_id"], one["update_time"], money))
    for one in tiktok.cancellations():
        order = orders[one["order_id"]]
        if one["cancel_status"] == "CANCELLATION_REQUEST_COMPLETE" and order["status"] != "CANCELLED":
            gone = {item["order_line_item_id"] for item in one["cancel_line_items"]}
            money = amounts(one["refund_amount"], "refund_subtotal", "refund_shipping_fee")
            money += sum(Decimal(i["platform_discount"]) for i in order["line_items"] if i["id"] in gone)
            found.append((one["order_id"], one["update_time"], money))
    return found


def daily(tiktok: TikTok) -> dict[str, dict[str, Decimal]]:
    """Totals by business day, of nothing but what the vendor answers."""
    orders = {order["id"]: order for order in tiktok.orders()}
    stated: defaultdict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for statement in tiktok.statements():
        for transaction in tiktok.transactions(statement["id"]):
            if "order_id" in transaction:
                stated[transaction["order_id"]].append((statement["statement_time"], transaction))
    days: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for order in orders.values():
        if is_counted(order):
            row, payment = days[day(order["create_time"])], order["payment"]
            row["orders"] += 1
            row["gross_sales"] += sum(Decimal(item["original_price"]) for item in order["line_items"])
            row["discounts"] += sum(Decimal(item["seller_discount"]) for item in order["line_items"])
            row["shipping"] += Decimal(payment["original_shipping_fee"]) - amounts(
                payment, "shipping_fee_seller_discount", "shipping_fee_cofunded_discount"
            )
            row["fees"] += sum(Decimal(transaction["fee_tax_amount"]) for _, transaction in stated[order["id"]])
    for order_id, updated, money in refund_amounts(tiktok, orders):
        if is_counted(orders[order_id]):
            days[day(orders[order_id]["create_time"])]["refunds"] += money
            given_back = "refund_subtotal_before_discount_amount"
            final = [
                time
                for time, transaction in sorted(stated[order_id], key=lambda pair: pair[0])
                if time >= updated and Decimal(transaction["revenue_breakdown"][given_back])
            ]
            days[day(final[0] if final else updated)]["refunds_cash"] += money
    return {key: dict(row) for key, row in days.items()}
