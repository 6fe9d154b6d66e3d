"""An order of TikTok Shop: what was bought, where it stands, and what came after the sale.

All amounts are cents. A unit is a line item: the vendor has no quantities. What units cost never changes; a unit that
is cancelled or returned stays in the order and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from sandbox.business.money import rounded
from sandbox.business.order import PPM

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.business.merchants import Merchant, Product, Region
    from sandbox.business.order import Order
    from sandbox.business.tiktok_settlement import Transaction

ORDER_BASE = 576_460_000_000_000_000
PRODUCT_BASE = 1_729_400_000_000_000_000
RETURN_BASE = 4_035_200_000_000_000_000
CANCEL_BASE = 4_121_600_000_000_000_000
BUYER_BASE = 7_494_000_000_000_000_000

NOT_SETTLED_RETURN = {
    "RETURN_OR_REFUND_REQUEST_PENDING",
    "AWAITING_BUYER_SHIP",
    "BUYER_SHIPPED_ITEM",
    "RETURN_OR_REFUND_REQUEST_SUCCESS",
    "AWAITING_BUYER_RESPONSE",
    "REPLACEMENT_REQUEST_PENDING",
}
"""Statuses of a return that something is still to come of; its order is not settled until then."""
REFUNDED_RETURN = "RETURN_OR_REFUND_REQUEST_COMPLETE"
REPLACED_RETURN = "REPLACEMENT_REQUEST_COMPLETE"
REFUNDED_CANCELLATION = "CANCELLATION_REQUEST_COMPLETE"


def listed_id(number: int) -> int:
    """The id at TikTok Shop of a product or a variant that has this id in the merchant's catalogue."""
    return PRODUCT_BASE + number % 1_000_000_000


def product_id(product: Product) -> int:
    return listed_id(product.id)


def sku_id(product: Product) -> int:
    return listed_id(product.variant_id)


@dataclass(slots=True, eq=False)
class Unit:
    """A line item: one unit of one product."""

    id: int
    product: Product
    price: int
    seller_discount: int = 0
    platform_discount: int = 0
    tax_rate: int = 0
    is_gift: bool = False
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    shipped: bool = False
    in_aftersales: bool = False
    """Whether a cancellation or return that was not turned down has taken this unit."""

    @property
    def sale_price(self) -> int:
        return self.price - self.seller_discount - self.platform_discount

    @property
    def tax(self) -> int:
        return rounded(self.sale_price * self.tax_rate, PPM)


@dataclass(slots=True)
class ShippingFee:
    """What shipping costs the buyer, and who takes how much off it."""

    original: int = 0
    seller_discount: int = 0
    platform_discount: int = 0
    cofunded_discount: int = 0
    tax_rate: int = 0

    @property
    def fee(self) -> int:
        return self.original - self.seller_discount - self.platform_discount - self.cofunded_discount

    @property
    def tax(self) -> int:
        return rounded(self.fee * self.tax_rate, PPM)


@dataclass(slots=True)
class Money:
    """What goes back to the buyer, and which discounts go back with it."""

    subtotal: int = 0
    shipping: int = 0
    tax: int = 0
    delivery_fee: int = 0
    seller_discount: int = 0
    platform_discount: int = 0
    shipping_seller_discount: int = 0
    shipping_platform_discount: int = 0

    @property
    def total(self) -> int:
        return self.subtotal + self.shipping + self.tax + self.delivery_fee

    @property
    def before_discounts(self) -> int:
        return self.subtotal + self.seller_discount + self.platform_discount

    @property
    def from_seller(self) -> int:
        """What it takes from the seller's revenue: platform money that was part of it goes back too."""
        return self.subtotal + self.shipping + self.platform_discount + self.shipping_platform_discount


@dataclass(slots=True, eq=False)
class Aftersale:
    """A cancellation or a return of some units; `key` names it within its order."""

    key: int
    order: TikTokOrder
    units: list[Unit]
    amounts: list[Money]
    """What each unit gives back, the first one with the shipping."""
    role: str
    reason: str
    status: str
    created_at: datetime
    updated_at: datetime
    booked: Transaction | None = None
    """The transaction of a settlement that holds its refund."""

    @property
    def money(self) -> Money:
        return Money(*(sum(getattr(amount, part.name) for amount in self.amounts) for part in fields(Money)))


@dataclass(slots=True, eq=False)
class Cancellation(Aftersale):
    @property
    def id(self) -> int:
        return CANCEL_BASE + (self.order.id - ORDER_BASE) * 100 + self.key

    @property
    def is_refunded(self) -> bool:
        """Whether it is a refund of an order that stays: a cancelled order was never a sale."""
        return self.status == REFUNDED_CANCELLATION and self.order.status != "CANCELLED"


@dataclass(slots=True, eq=False)
class Return(Aftersale):
    kind: str = "RETURN_AND_REFUND"
    partial: int | None = None
    """What the seller proposed to pay back instead."""
    buyer_rejected: bool = False
    edited_from: Return | None = None
    edited_to: Return | None = None
    exchange: bool = False
    replaced: bool = False

    @property
    def id(self) -> int:
        return RETURN_BASE + (self.order.id - ORDER_BASE) * 100 + self.key

    @property
    def is_refunded(self) -> bool:
        """Whether money went back; of a return that was edited, only by its successor."""
        return self.status == REFUNDED_RETURN and self.edited_to is None

    @property
    def is_open(self) -> bool:
        return self.status in NOT_SETTLED_RETURN


@dataclass(slots=True)
class Posting:
    """Something other than the order itself that a statement holds for it."""

    kind: str
    adjustment: int = 0
    reserve: int = 0
    is_booked: bool = False


@dataclass(slots=True, eq=False)
class TikTokOrder:
    id: int
    number: int
    merchant: Merchant
    region: Region
    buyer: int
    created_at: datetime
    updated_at: datetime
    units: list[Unit]
    shipping: ShippingFee
    kind: str = "NORMAL"
    """NORMAL, SAMPLE, REPLACEMENT or EXCHANGE."""
    source_id: int | None = None
    """The order that this one replaces or was exchanged for."""
    status: str = "UNPAID"
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    collected_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    cancelled_by: str | None = None
    delivery_fee: int = 0
    """Colorado's retail delivery fee."""
    affiliate_rate: int = 0
    returns: list[Return] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    may_settle: bool = False
    settled_at: datetime | None = None
    hidden: bool = False
    """Whether the vendor's API does not show it yet."""
    mirror_delay: int | None = None
    """Seconds after which an app copies to Shopify what happens to the order; None when it does not."""
    mirror: Order | None = None

    @property
    def user_id(self) -> str:
        return str(BUYER_BASE + self.buyer * 977)

    @property
    def email(self) -> str:
        return f"{self.user_id}@scs.tiktokw.us"

    @property
    def original_price(self) -> int:
        return sum(unit.price for unit in self.units)

    @property
    def seller_discount(self) -> int:
        return sum(unit.seller_discount for unit in self.units)

    @property
    def platform_discount(self) -> int:
        return sum(unit.platform_discount for unit in self.units)

    @property
    def sub_total(self) -> int:
        return self.original_price - self.seller_discount - self.platform_discount

    @property
    def product_tax(self) -> int:
        return sum(unit.tax for unit in self.units)

    @property
    def total(self) -> int:
        return self.sub_total + self.shipping.fee + self.product_tax + self.shipping.tax + self.delivery_fee

    @property
    def aftersales(self) -> list[Cancellation | Return]:
        return [*self.cancellations, *self.returns]
