"""A second opinion on single orders: of Shopify and of TikTok Shop in one form, with who ordered and what led there.

It shares nothing with the project: no import, no query, no SQL. Money is exact.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.e2e import independent_tiktok
from tests.e2e.independent import PAID, Shop, money, order_figures, refunds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.e2e.independent_tiktok import TikTokShop

WAITING = ("PENDING", "AUTHORIZED", "PARTIALLY_PAID")
COPY = "TikTokOrderID:"
MORE = """query($first: Int!, $after: String) {
    orders(first: $first, after: $after, sortKey: ID) {
        nodes {
            id email sourceName customer { id }
            lineItems(first: 10) { nodes { id sku } }
            transactions(first: 20) { status fees { amount { amount } taxAmount { amount } } }
            customerJourneySummary { moments(first: 20) { nodes { ... on CustomerVisit {
                id occurredAt landingPage referrerUrl utmParameters { source medium campaign }
            } } } }
        }
        pageInfo { hasNextPage endCursor }
    }
}"""


@dataclass(frozen=True)
class Visit:
    """A visit of the website, as the shop tells it of an order."""

    id: str
    at: datetime
    landing_page: str
    referrer: str
    source: str
    medium: str
    campaign: str


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int
    gross_sales: Fraction


@dataclass(frozen=True)
class Refund:
    at: datetime
    amount: Fraction
    tax: Fraction = Fraction(0)
    is_final: bool = True


@dataclass
class Order:
    """An order of any shop; `refunds` are those of money, `refunded_at` has the times of all."""

    sales_channel: str
    id: str
    at: datetime
    is_counted: bool
    is_test: bool
    is_final: bool
    """Nothing more is to be heard of its payment."""
    is_fully_refunded: bool
    figures: dict[str, Fraction]
    lines: list[Line]
    refunds: list[Refund]
    fees: Fraction | None
    customer: str | None = None
    email: str | None = None
    copy_of: str | None = None
    """The order of TikTok Shop that it only copies, empty when the copy does not tell it."""
    visits: list[Visit] = field(default_factory=list)
    identity: str | None = None
    """Who ordered; see `independent_customers`."""

    @property
    def key(self) -> tuple[str, str]:
        return self.sales_channel, self.id

    @property
    def turn(self) -> tuple[datetime, int]:
        """What comes first: by time, then by id."""
        return self.at, int(self.id)

    @property
    def refunded(self) -> Fraction:
        return sum((refund.amount for refund in self.refunds), Fraction(0))

    @property
    def net(self) -> Fraction:
        """Revenue before refunds, without tax."""
        return self.figures["gross_sales"] - self.figures["discounts"] + self.figures["shipping"]

    def revenue(self, includes_tax: bool) -> Fraction:
        """What it is worth; nothing when it does not count."""
        if not self.is_counted:
            return Fraction(0)
        tax = self.figures["tax"] - sum((refund.tax for refund in self.refunds), Fraction(0))
        return self.net - self.refunded + (tax if includes_tax else 0)


def shopify_orders(shop: Shop, sold_elsewhere: Iterable[str] = ()) -> list[Order]:
    """All orders of a shop; one that copies an order of `sold_elsewhere` does not count."""
    elsewhere = set(sold_elsewhere)
    more = {order["id"]: order for order in shop.pages(MORE, "orders", first=25)}
    return [_shopify_order({**order, "more": more[order["id"]]}, elsewhere) for order in shop.orders()]


def _shopify_order(order: dict[str, Any], elsewhere: set[str]) -> Order:
    more = order["more"]
    tagged = next((tag.removeprefix(COPY) for tag in order["tags"] if tag.startswith(COPY)), None)
    copied = "" if tagged is None and (more["sourceName"] or "").lower().startswith("tiktok") else tagged
    skus = {line["id"]: line["sku"] for line in more["lineItems"]["nodes"]}
    returned: dict[str, int] = defaultdict(int)
    for refund in order["refunds"]:
        for item in refund["refundLineItems"]:
            returned[item["lineItem"]["id"]] += item["quantity"]
    figures = order_figures(order)
    figures["duties"], figures["tips"] = money(order["originalTotalDutiesSet"]), money(order["totalTipReceivedSet"])
    fees = [
        Fraction(fee["amount"]["amount"]) + Fraction((fee["taxAmount"] or {"amount": "0"})["amount"])
        for transaction in more["transactions"]
        if transaction["status"] == "SUCCESS"
        for fee in transaction["fees"]
    ]
    status, gone = order["displayFinancialStatus"], bool(order["cancelledAt"])
    return Order(
        "shopify",
        order["id"].rpartition("/")[2],
        datetime.fromisoformat(order["processedAt"]),
        is_counted=status in PAID and not gone and not order["test"] and copied not in elsewhere,
        is_test=order["test"],
        is_final=gone or order["test"] or status not in WAITING,
        is_fully_refunded=status == "REFUNDED",
        figures=figures,
        lines=[
            Line(
                skus[line["id"]] or "",
                line["currentQuantity"] + returned[line["id"]],
                order_figures({**order, "lineItems": [line]})["gross_sales"],
            )
            for line in order["lineItems"]
        ],
        refunds=[
            Refund(datetime.fromisoformat(refund["processedAt"]), told["refunds"], told["tax"])
            for refund, told in refunds_of(order)
        ],
        fees=sum(fees, Fraction(0)) if fees else None,
        customer=None if copied is not None or not more["customer"] else more["customer"]["id"].rpartition("/")[2],
        email=None if copied is not None else (more["email"] or "").strip().lower() or None,
        copy_of=copied,
        visits=list(_visits(more)),
    )


def _visits(order: dict[str, Any]) -> Iterator[Visit]:
    journey = order["customerJourneySummary"] or {}
    for moment in (journey.get("moments") or {"nodes": []})["nodes"]:
        told = moment["utmParameters"] or {}
        yield Visit(
            moment["id"].rpartition("/")[2],
            datetime.fromisoformat(moment["occurredAt"]),
            moment["landingPage"] or "",
            moment["referrerUrl"] or "",
            *(told.get(name) or "" for name in ("source", "medium", "campaign")),
        )


def tiktok_orders(shop: TikTokShop) -> list[Order]:
    """All orders of a TikTok Shop; money goes back with the first statement that settles a refund of the order."""
    returns, cancellations, transactions = (defaultdict(list) for _ in range(3))
    for found, rows in (
        (returns, shop.returns()),
        (cancellations, shop.cancellations()),
        (transactions, shop.transactions()),
    ):
        for row in rows:
            if row.get("order_id"):
                found[row["order_id"]].append(row)
    orders = []
    for order in shop.orders():
        number, settled = order["id"], transactions[order["id"]]
        moments = sorted(
            row["statement_time"]
            for row in settled
            if independent_tiktok.amount(row.get("revenue_breakdown"), "refund_subtotal_before_discount_amount")
        )
        refunds = []
        for at, amount in independent_tiktok.refunds(order, returns[number], cancellations[number]):
            paid = next((moment for moment in moments if moment >= at), None)
            refunds.append(Refund(datetime.fromtimestamp(paid or at, UTC), amount, is_final=paid is not None))
        is_counted = independent_tiktok.is_counted(order)
        figures = independent_tiktok.components(order) | dict.fromkeys(("tax", "duties", "tips"), Fraction(0))
        made = Order(
            "tiktok_shop",
            number,
            datetime.fromtimestamp(order["create_time"], UTC),
            is_counted=is_counted,
            is_test=bool(order.get("is_sample_order")),
            is_final=(bool(settled) or (not is_counted and order["status"] != "UNPAID"))
            and all(refund.is_final for refund in refunds),
            is_fully_refunded=False,
            figures=figures,
            lines=[
                Line(
                    unit.get("seller_sku") or "",
                    1,
                    Fraction(0) if unit.get("is_gift") else independent_tiktok.amount(unit, "original_price"),
                )
                for unit in order["line_items"]
            ],
            refunds=refunds,
            fees=sum((independent_tiktok.amount(row, "fee_tax_amount") for row in settled), Fraction(0))
            if settled
            else None,
            customer=order.get("user_id") or None,
        )
        made.is_fully_refunded = made.refunded > 0 and made.refunded >= made.net
        orders.append(made)
    return orders
