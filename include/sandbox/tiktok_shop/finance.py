"""What was paid out: statements, the transactions of one, and those of an order."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text, split
from sandbox.business.tiktok_order import sku_id
from sandbox.business.tiktok_settlement import RESERVE_TIME
from sandbox.tiktok_shop.endpoint import Asked, Endpoint, Refused, number, page
from sandbox.tiktok_shop.filters import choice, in_order, seconds, within

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sandbox.business.merchants import Product
    from sandbox.business.tiktok_settlement import Statement, Transaction

ADJUSTMENT_OFFSET = 50
"""What an adjustment's or a reserve's id is beyond that of its transaction."""


def statements(asked: Asked) -> dict[str, Any]:
    _sorted_by(asked, "statement_time")
    status = choice(asked.query, "payment_status", ("PAID", "FAILED", "PROCESSING"))
    times = {
        name: number(asked.query[name], name)
        for name in ("statement_time_ge", "statement_time_lt")
        if name in asked.query
    }
    rows = within(times, asked.shop.tiktok.statements, "statement_time", lambda statement: statement.at)
    rows = [one for one in rows if status is None or _payment_status(one, asked.now) == status]
    rows = in_order(asked, rows, "ASC", {"statement_time": lambda statement: statement.at})
    found, following, _ = page(asked, rows, default=20, most=100)
    currency = asked.shop.merchant.currency
    return {
        "statements": [_statement(one, currency, asked.now) for one in found],
        "next_page_token": following,
    }


def statement_transactions(asked: Asked) -> dict[str, Any]:
    _sorted_by(asked, "order_create_time")
    wanted = asked.path["statement_id"]
    statement = next((one for one in asked.shop.tiktok.statements if str(one.id) == wanted), None)
    if statement is None:
        raise Refused(36009004, f"Invalid statement_id {wanted}: the shop has no such statement", 400)
    by_order: dict[str, Callable[[Transaction], Any]] = {
        "order_create_time": lambda transaction: (transaction.order.created_at, transaction.id)
    }
    rows = in_order(asked, statement.transactions, "ASC", by_order)
    found, following, total = page(asked, rows, default=20, most=100)
    return {
        "id": str(statement.id),
        "create_time": seconds(statement.at),
        "currency": asked.shop.merchant.currency,
        "status": "SETTLED",
        "payable_amount": decimal_text(statement.total("settlement") + statement.total("reserve")),
        "total_reserve_amount": decimal_text(statement.total("reserve")),
        "total_settlement_amount": decimal_text(statement.total("settlement")),
        "total_settlement_breakdown": {
            "total_revenue_amount": decimal_text(statement.total("revenue")),
            "total_shipping_cost_amount": decimal_text(statement.total("shipping_cost")),
            "total_fee_tax_amount": decimal_text(statement.total("fee_tax")),
            "total_adjustment_amount": decimal_text(statement.total("adjustment")),
        },
        "transactions": [_transaction(one) for one in found],
        "next_page_token": following,
        "total_count": total,
    }


def order_transactions(asked: Asked) -> dict[str, Any]:
    """All that was settled for an order, by SKU: each one's part is by what its units cost."""
    wanted = asked.path["order_id"]
    order = next((one for one in asked.shop.tiktok.orders if str(one.id) == wanted), None)
    if order is None:
        raise Refused(36009004, f"Invalid order_id {wanted}: the shop has no such order", 400)
    stated = [
        (statement, transaction)
        for statement in asked.shop.tiktok.statements
        for transaction in statement.transactions
        if transaction.order is order and transaction.kind == "ORDER"
    ]
    total = {
        name: decimal_text(sum(getattr(transaction, name) for _, transaction in stated))
        for name in ("revenue", "shipping_cost", "fee_tax", "settlement")
    }
    parts = [part for statement, transaction in stated for part in _sku_transactions(statement, transaction)]
    return {
        "order_id": wanted,
        "order_create_time": seconds(order.created_at),
        "currency": order.merchant.currency,
        "revenue_amount": total["revenue"],
        "shipping_cost_amount": total["shipping_cost"],
        "fee_and_tax_amount": total["fee_tax"],
        "settlement_amount": total["settlement"],
        "sku_transactions": parts,
        "total_count": len(parts),
    }


ONLY_OF_STATEMENTS = {"adjustment_amount", "supplementary_component"}
"""What a statement's transactions tell and an order's do not."""


def _sorted_by(asked: Asked, field: str) -> None:
    if "sort_field" not in asked.query:
        raise Refused(36009004, "Required parameter sort_field is missing", 400)
    choice(asked.query, "sort_field", (field,))


def _payment_status(statement: Statement, now: datetime) -> str:
    return "PAID" if now >= statement.paid_at else "PROCESSING"


def _statement(statement: Statement, currency: str, now: datetime) -> dict[str, Any]:
    status = _payment_status(statement, now)
    view: dict[str, Any] = {
        "id": str(statement.id),
        "statement_time": seconds(statement.at),
        "currency": currency,
        "payment_status": status,
        "settlement_amount": decimal_text(statement.total("settlement")),
        "revenue_amount": decimal_text(statement.total("revenue")),
        "net_sales_amount": decimal_text(statement.total("revenue")),
        "fee_amount": decimal_text(statement.total("fee_tax")),
        "shipping_cost_amount": decimal_text(statement.total("shipping_cost")),
        "adjustment_amount": decimal_text(statement.total("adjustment")),
    }
    if status == "PAID":
        view |= {"payment_id": str(statement.id + 1_000_000), "payment_time": seconds(statement.paid_at)}
    return view


def _transaction(one: Transaction) -> dict[str, Any]:
    """An order's transaction has an `order_id`, an adjustment's and a reserve's only say which order they belong to."""
    order_id, own_id = str(one.order.id), str(one.id + ADJUSTMENT_OFFSET)
    view: dict[str, Any] = {"id": str(one.id), "type": one.kind}
    if one.kind == "ORDER":
        view |= {"order_id": order_id, "order_create_time": seconds(one.order.created_at)}
    elif one.kind == "RESERVE":
        view |= {
            "reserve_id": own_id,
            "reserve_amount": decimal_text(one.reserve),
            "reserve_status": "COLLECTED" if one.reserve < 0 else "RELEASED",
            "associated_order_id": order_id,
            "estimated_release_time": str(seconds(one.at + RESERVE_TIME)) if one.reserve < 0 else "",
        }
    else:
        view |= {"adjustment_id": own_id, "adjustment_order_id": order_id}
    return view | _amounts(one, [1])[0]


def _sku_transactions(statement: Statement, one: Transaction) -> list[dict[str, Any]]:
    weights: defaultdict[Product, int] = defaultdict(int)
    counts: defaultdict[Product, int] = defaultdict(int)
    for unit in one.order.units:
        weights[unit.product] += unit.price
        counts[unit.product] += 1
    return [
        {
            "statement_id": str(statement.id),
            "sku_id": str(sku_id(product)),
            "sku_name": "Default",
            "product_name": product.title,
            "quantity": str(counts[product]),
            **{name: amount for name, amount in amounts.items() if name not in ONLY_OF_STATEMENTS},
        }
        for product, amounts in zip(weights, _amounts(one, list(weights.values())), strict=True)
    ]


def _amounts(one: Transaction, weights: list[int]) -> list[dict[str, Any]]:
    """The transaction's amounts, split by weight; each part obeys the same sums as the whole."""
    revenue = {
        "subtotal_before_discount_amount": one.gross,
        "seller_discount_amount": one.seller_discount,
        "refund_subtotal_before_discount_amount": one.refund,
        "seller_discount_refund_amount": one.discount_refund,
    }
    shipping = {
        "actual_shipping_fee_amount": one.actual_shipping,
        "customer_paid_shipping_fee_amount": one.customer_shipping,
        "shipping_fee_discount_amount": one.shipping_subsidy,
        "return_shipping_fee_amount": one.return_shipping,
    }
    beside = {
        "customer_refund_amount": one.customer_refund,
        "sales_tax_refund_amount": one.tax_refund,
        "platform_discount_refund_amount": one.platform_discount_refund,
    }
    adjustments = split(one.adjustment, weights)
    parts = []
    for index, adjustment in enumerate(adjustments):
        earned, sent, charged, told = (
            {name: split(amount, weights)[index] for name, amount in block.items()}
            for block in (revenue, shipping, one.fees, beside)
        )
        # What the customer paid and the platform's subsidy lower the seller's cost.
        cost = (
            sent["actual_shipping_fee_amount"]
            + sent["return_shipping_fee_amount"]
            - sent["customer_paid_shipping_fee_amount"]
            - sent["shipping_fee_discount_amount"]
        )
        fees = sum(charged.values())
        parts.append(
            {
                "revenue_amount": decimal_text(sum(earned.values())),
                "revenue_breakdown": _texts(earned),
                "shipping_cost_amount": decimal_text(cost),
                "shipping_cost_breakdown": _texts(sent),
                "fee_tax_amount": decimal_text(fees),
                "fee_tax_breakdown": {"fee": _texts(charged), "tax": {}},
                "adjustment_amount": decimal_text(adjustment),
                "settlement_amount": decimal_text(sum(earned.values()) - cost - fees - adjustment),
                "supplementary_component": _texts(told),
            }
        )
    return parts


def _texts(amounts: dict[str, int]) -> dict[str, str]:
    return {name: decimal_text(amount) for name, amount in amounts.items()}


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/finance/202309/statements", statements),
    Endpoint("GET", "/finance/202501/statements/{statement_id}/statement_transactions", statement_transactions),
    Endpoint("GET", "/finance/202501/orders/{order_id}/statement_transactions", order_transactions),
)
