"""What TikTok Shop pays out: a transaction for an order once it is settled, and one for each refund after that.

Amounts stand as the vendor writes them. Those of a revenue breakdown add up to the revenue, so that discounts and
refunds are negative. Fees, shipping costs and adjustments are what the seller pays: a positive one lowers the payout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.business.money import rounded
from sandbox.business.order import PPM
from sandbox.business.tiktok_order import ORDER_BASE, Return

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.tiktok_order import Cancellation, TikTokOrder

TRANSACTION_BASE = 7_400_000_000_000_000_000
STATEMENT_BASE = 7_510_000_000_000_000_000
REFERRAL_RATE = 60_000
ADMINISTRATION_RATE = 200_000
"""The share of a referral fee that the platform keeps when it gives the fee back."""
TRANSACTION_FEE = 30
PAYOUT = timedelta(days=2)
RESERVE_TIME = timedelta(days=12)


@dataclass(slots=True, eq=False)
class Transaction:
    id: int
    kind: str
    order: TikTokOrder
    at: datetime
    gross: int = 0
    seller_discount: int = 0
    refund: int = 0
    discount_refund: int = 0
    fees: dict[str, int] = field(default_factory=dict)
    actual_shipping: int = 0
    customer_shipping: int = 0
    shipping_subsidy: int = 0
    return_shipping: int = 0
    adjustment: int = 0
    reserve: int = 0
    customer_refund: int = 0
    tax_refund: int = 0
    platform_discount_refund: int = 0

    @property
    def revenue(self) -> int:
        return self.gross + self.seller_discount + self.refund + self.discount_refund

    @property
    def fee_tax(self) -> int:
        return sum(self.fees.values())

    @property
    def shipping_cost(self) -> int:
        return self.actual_shipping + self.return_shipping - self.customer_shipping - self.shipping_subsidy

    @property
    def settlement(self) -> int:
        return self.revenue - self.shipping_cost - self.fee_tax - self.adjustment


@dataclass(slots=True, eq=False)
class Statement:
    """The transactions of the day before `at`, a midnight in UTC."""

    at: datetime
    transactions: list[Transaction]

    @property
    def id(self) -> int:
        return STATEMENT_BASE + self.at.toordinal()

    def total(self, amount: str) -> int:
        return sum(getattr(transaction, amount) for transaction in self.transactions)

    @property
    def paid_at(self) -> datetime:
        return self.at + PAYOUT


def book(order: TikTokOrder, at: datetime) -> list[Transaction]:
    """The transactions that are due for the order now and were not yet made."""
    made: list[Transaction] = []
    if order.may_settle and order.settled_at is None and not any(one.is_open for one in order.returns):
        order.settled_at = at
        made.append(_sale(order, at))
    if order.settled_at is not None:
        made += [_later(order, at, one) for one in _refunds(order)]
    for posting in order.postings:
        if not posting.is_booked:
            posting.is_booked = True
            made.append(_new(order, at, posting.kind))
            made[-1].adjustment, made[-1].reserve = posting.adjustment, posting.reserve
    return made


def _new(order: TikTokOrder, at: datetime, kind: str = "ORDER") -> Transaction:
    number = TRANSACTION_BASE + (order.id - ORDER_BASE) * 100 + len(order.transactions)
    order.transactions.append(Transaction(number, kind, order, at))
    return order.transactions[-1]


def _refunds(order: TikTokOrder) -> list[Cancellation | Return]:
    return [one for one in order.aftersales if one.is_refunded and one.booked is None]


def _sale(order: TikTokOrder, at: datetime) -> Transaction:
    """The order as it stands: what was given back before counts in it."""
    made = _new(order, at)
    made.gross, made.seller_discount = order.original_price, -order.seller_discount
    made.actual_shipping = 420 + 60 * len(order.units)
    made.customer_shipping = order.shipping.fee
    made.shipping_subsidy = order.shipping.platform_discount + order.shipping.cofunded_discount // 2
    for one in _refunds(order):
        _give_back(made, one)
    net = made.revenue
    made.fees = {
        "referral_fee_amount": _part(net, REFERRAL_RATE),
        "transaction_fee_amount": TRANSACTION_FEE,
        "affiliate_commission_amount": _part(net, order.affiliate_rate),
        "refund_administration_fee_amount": _administration(made),
    }
    return made


def _later(order: TikTokOrder, at: datetime, one: Cancellation | Return) -> Transaction:
    """A refund of an order that is settled already; its fees come back, but for a part."""
    made = _new(order, at)
    _give_back(made, one)
    made.fees = {
        "referral_fee_amount": _part(made.revenue, REFERRAL_RATE),
        "affiliate_commission_amount": _part(made.revenue, order.affiliate_rate),
        "refund_administration_fee_amount": _administration(made),
    }
    return made


def _give_back(made: Transaction, one: Cancellation | Return) -> None:
    one.booked = made
    money = one.money
    made.refund -= money.before_discounts
    made.discount_refund += money.seller_discount
    made.customer_shipping -= money.shipping
    made.shipping_subsidy -= money.shipping_platform_discount
    made.customer_refund += money.total
    made.tax_refund += money.tax
    made.platform_discount_refund += money.platform_discount
    if isinstance(one, Return) and one.kind == "RETURN_AND_REFUND":
        made.return_shipping += 399


def _administration(made: Transaction) -> int:
    return _part(_part(-made.refund - made.discount_refund, REFERRAL_RATE), ADMINISTRATION_RATE)


def _part(amount: int, rate: int) -> int:
    return rounded(amount * rate, PPM)
