"""Orders as Shopify would send them, small enough to read: the parts that matter to a test are its arguments."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

Payload = dict[str, Any]


def money(amount: str | int) -> Payload:
    """A money bag in the shop's currency."""
    return {"shopMoney": {"amount": str(amount)}}


def line(
    line_id: int,
    price: str,
    quantity: int = 1,
    *,
    current: int | None = None,
    discount: str | None = None,
    tax: str | None = None,
    rate: float = 0.0,
) -> Payload:
    """An order line; `current` is what is left of `quantity` after edits and returns."""
    return {
        "id": f"gid://shopify/LineItem/{line_id}",
        "name": f"Thing {line_id}",
        "sku": f"SKU-{line_id}",
        "quantity": quantity,
        "currentQuantity": quantity if current is None else current,
        "product": {"id": f"gid://shopify/Product/{line_id}"},
        "variant": {"id": f"gid://shopify/ProductVariant/{line_id}"},
        "originalUnitPriceSet": money(price),
        "discountAllocations": [{"allocatedAmountSet": money(discount)}] if discount else [],
        "taxLines": [{"title": "Tax", "rate": rate, "priceSet": money(tax)}] if tax else [],
    }


def shipping(price: str, *, tax: str | None = None, removed: bool = False) -> Payload:
    """A shipping line."""
    return {
        "isRemoved": removed,
        "discountedPriceSet": money(price),
        "taxLines": [{"rate": 0.1, "priceSet": money(tax)}] if tax else [],
    }


def refund(
    refund_id: int,
    at: str,
    *payments: tuple[str, str],
    lines: tuple[tuple[int, int, str, str], ...] = (),
    shipping_lines: tuple[tuple[str, str], ...] = (),
    duties: str | None = None,
) -> Payload:
    """A refund: payments as (amount, status), lines as (line id, quantity, amount, tax), shipping as (amount, tax)."""
    return {
        "id": f"gid://shopify/Refund/{refund_id}",
        "legacyResourceId": str(refund_id),
        "processedAt": at,
        "duties": [{"amountSet": money(duties)}] if duties else [],
        "refundLineItems": {
            "nodes": [
                {
                    "quantity": quantity,
                    "lineItem": {"id": f"gid://shopify/LineItem/{line_id}"},
                    "subtotalSet": money(amount),
                    "totalTaxSet": money(tax),
                }
                for line_id, quantity, amount, tax in lines
            ]
        },
        "refundShippingLines": {
            "nodes": [
                {"subtotalAmountSet": money(amount), "taxAmountSet": money(tax)} for amount, tax in shipping_lines
            ]
        },
        "transactions": {
            "nodes": [{"kind": "REFUND", "status": status, "amountSet": money(amount)} for amount, status in payments]
        },
    }


def order(
    order_id: int,
    at: str,
    *lines: Payload,
    total: str,
    tax: str = "0",
    shipping_lines: tuple[Payload, ...] = (),
    refunds: tuple[Payload, ...] = (),
    status: str | None = "PAID",
    customer: int | None = None,
    email: str | None = None,
    taxes_included: bool = False,
    cancelled_at: str | None = None,
    test: bool = False,
    currency: str | None = "USD",
    duties: str | None = None,
    tips: str = "0",
    received: str | None = None,
) -> Payload:
    """An order; one that does not say what was `received` is an old reading, of before that was asked."""
    return {
        "id": f"gid://shopify/Order/{order_id}",
        "legacyResourceId": str(order_id),
        "name": f"#{order_id}",
        "processedAt": at,
        "updatedAt": at,
        "cancelledAt": cancelled_at,
        "test": test,
        "displayFinancialStatus": status,
        "currencyCode": currency,
        "taxesIncluded": taxes_included,
        "email": email,
        "customer": {"legacyResourceId": str(customer)} if customer else None,
        "totalPriceSet": money(total),
        "totalReceivedSet": money(received) if received else None,
        "totalTaxSet": money(tax),
        "originalTotalDutiesSet": money(duties) if duties else None,
        "totalTipReceivedSet": money(tips),
        "lineItems": {"nodes": list(lines)},
        "shippingLines": {"nodes": list(shipping_lines)},
        "refunds": list(refunds),
    }


def load(conn: Connection, merchant_id: str, *orders: Payload) -> None:
    """Put orders and their refunds into raw as a sync would."""
    rows: dict[str, list[tuple[str, str, str, str]]] = {"orders": [], "refunds": []}
    for item in orders:
        key = item["legacyResourceId"]
        rows["orders"].append((merchant_id, key, item["processedAt"], json.dumps(item)))
        for part in item["refunds"]:
            refund_key = f"{key}/{part['legacyResourceId']}"
            rows["refunds"].append((merchant_id, refund_key, part["processedAt"], json.dumps(part)))
    with conn.cursor() as cursor:
        for stream, records in rows.items():
            cursor.executemany(
                f"""
                insert into raw.shopify_{stream}
                    (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id)
                select merchant, key, at::timestamptz, at::timestamptz, body::jsonb, '', gen_random_uuid()
                from (values (%s, %s, %s, %s)) as record (merchant, key, at, body)
                """,
                records,
            )
    conn.commit()


def business(seed: int, first_id: int, count: int, *, taxes_included: bool, currency: str) -> list[Payload]:
    """Random orders of autumn 2026, over both clock changes, that add up as Shopify's do."""
    chance = random.Random(seed)
    start = datetime(2026, 10, 20, tzinfo=UTC)

    def moment() -> datetime:
        return start + timedelta(seconds=chance.randrange(20 * 86_400))

    def cents(amount: int) -> str:
        return f"{amount // 100}.{amount % 100:02d}"

    def share(amount: int, part: int, whole: int) -> int:
        return (2 * amount * part + whole) // (2 * whole)

    orders = []
    for order_id in range(first_id, first_id + count):
        at = moment()
        lines, refunds, total, tax = [], [], 0, 0
        for number in range(chance.randint(1, 3)):
            line_id = order_id * 10 + number
            quantity, price = chance.randint(1, 12), chance.randint(1, 9_999)
            rate = chance.choice([0, 0.07, 0.08875, 0.19])
            discount = chance.choice([0, 0, chance.randint(0, price * quantity)])
            base = price * quantity - discount
            line_tax = round(base * rate / (1 + rate)) if taxes_included else round(base * rate)
            kept = quantity - chance.choice([0, 0, chance.randint(0, quantity)])
            returned = chance.choice([0, 0, chance.randint(0, kept)])
            lines.append(
                line(
                    line_id,
                    cents(price),
                    quantity,
                    current=kept - returned,
                    discount=cents(discount),
                    tax=cents(line_tax),
                    rate=rate,
                )
            )
            kept_tax = share(line_tax, kept, quantity)
            kept_price = price * kept - share(discount, kept, quantity)
            total += kept_price
            tax += kept_tax
            if returned:
                payments = [
                    (cents(chance.randint(0, price * returned)), chance.choice(["SUCCESS", "SUCCESS", "FAILURE"]))
                ]
                items = (
                    (
                        line_id,
                        returned,
                        cents(share(kept_price, returned, kept)),
                        cents(share(kept_tax, returned, kept)),
                    ),
                )
                refunds.append(refund(line_id, moment().isoformat(), *payments, lines=items))
        if chance.random() < 0.3:
            goodwill = (cents(chance.randint(1, 2_000)), chance.choice(["SUCCESS", "SUCCESS", "PENDING"]))
            refunds.append(refund(order_id * 10 + 9, moment().isoformat(), goodwill))
        charge, charge_tax = chance.choice([(0, 0), (499, 80), (1_190, 190)])
        duties, tips = chance.choice([0, 0, 0, 321]), chance.choice([0, 0, 0, 500])
        total += charge + duties + tips + (0 if taxes_included else tax + charge_tax)
        orders.append(
            order(
                order_id,
                at.isoformat(),
                *lines,
                total=cents(total),
                tax=cents(tax + charge_tax),
                shipping_lines=(
                    shipping(cents(charge), tax=cents(charge_tax)),
                    shipping("7.77", tax="0.77", removed=True),
                ),
                refunds=tuple(refunds),
                status=chance.choice(
                    ["PAID", "PAID", "PARTIALLY_REFUNDED", "REFUNDED", "PARTIALLY_PAID", "PENDING", None]
                ),
                customer=chance.choice([None, *range(1, 9)]),
                email=chance.choice([None, "", *(f" Person{n}@Example.com" for n in range(1, 12))]),
                taxes_included=taxes_included,
                cancelled_at=chance.choice([None] * 12 + [at.isoformat()]),
                test=chance.random() < 0.05,
                currency=currency,
                duties=cents(duties) if duties else None,
                tips=cents(tips),
                received=chance.choice(
                    [None, cents(total), cents(total + chance.randint(1, 5_000)), cents(total // 2)]
                ),
            )
        )
    return orders
