"""The fields of Shopify's records that staging casts, typed: what does not fit here would fail there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

# Read leniently, a number in a string is checked without the cost of keeping it; the payload keeps the vendor's text.
Amount = Annotated[float, Meta(ge=-1e13, le=1e13)]
Rate = Annotated[float, Meta(ge=0, le=10)]
Quantity = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Key = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$")]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
# Text, because lenient reading would take any number for a time.
Time = Annotated[str, Meta(min_length=20, max_length=40)]
_MOMENT = msgspec.json.Decoder(Annotated[datetime, Meta(tz=True)])


def instant(name: str, text: str) -> datetime:
    """The moment that a vendor's time names; outside this century it is a mistake that would stretch every calendar."""
    try:
        moment: datetime = _MOMENT.decode(f'"{text}"')
    except msgspec.DecodeError as error:
        raise ValueError(f"{error} - at `$.{name}`") from None
    if not 2000 <= moment.year < 2100:
        raise ValueError(f"Expected a time from 2000 to 2099, got {text} - at `$.{name}`")
    return moment


class PageInfo(msgspec.Struct, rename="camel", gc=False):
    """Where a connection goes on; nested ones ask only whether."""

    has_next_page: bool
    end_cursor: str | None = None


class Connection(msgspec.Struct, Generic[T], rename="camel", gc=False):
    """A page of a collection."""

    nodes: list[T]
    page_info: PageInfo


class _Amount(msgspec.Struct, gc=False):
    amount: Amount


class Money(msgspec.Struct, rename="camel", gc=False):
    """An amount in the shop's currency."""

    shop_money: _Amount


class TaxLine(msgspec.Struct, rename="camel", gc=False):
    """One tax on a line."""

    rate: Rate | None
    price_set: Money


class Allocation(msgspec.Struct, rename="camel", gc=False):
    """A discount's share of a line."""

    allocated_amount_set: Money


class Line(msgspec.Struct, rename="camel", gc=False):
    """A line of an order."""

    id: str
    quantity: Quantity
    current_quantity: Quantity
    original_unit_price_set: Money
    discount_allocations: list[Allocation]
    tax_lines: list[TaxLine]


class ShippingLine(msgspec.Struct, rename="camel", gc=False):
    """A shipping charge of an order, perhaps removed since."""

    is_removed: bool
    original_price_set: Money
    discounted_price_set: Money
    tax_lines: list[TaxLine]


class _LineReference(msgspec.Struct, gc=False):
    id: str


class RefundLine(msgspec.Struct, rename="camel", gc=False):
    """Units of an order line that were refunded."""

    quantity: Quantity
    line_item: _LineReference
    subtotal_set: Money
    total_tax_set: Money


class RefundShippingLine(msgspec.Struct, rename="camel", gc=False):
    """Shipping that was refunded."""

    subtotal_amount_set: Money
    tax_amount_set: Money


class Adjustment(msgspec.Struct, rename="camel", gc=False):
    """A difference between what the lines add up to and what was paid back."""

    amount_set: Money
    tax_amount_set: Money


class Transaction(msgspec.Struct, rename="camel", gc=False):
    """Money moving; only a successful refund counts."""

    kind: str
    status: str
    amount_set: Money


class RefundDuty(msgspec.Struct, rename="camel", gc=False):
    """Duty that was paid back."""

    amount_set: Money


class Refund(msgspec.Struct, rename="camel", gc=False):
    """A refund of an order."""

    id: str
    legacy_resource_id: Key
    processed_at: Time
    updated_at: Time
    total_refunded_set: Money
    duties: list[RefundDuty] | None
    refund_line_items: Connection[RefundLine]
    refund_shipping_lines: Connection[RefundShippingLine]
    order_adjustments: Connection[Adjustment]
    transactions: Connection[Transaction]

    def is_cut(self) -> bool:
        """Whether one of its collections goes on."""
        parts = (self.refund_line_items, self.refund_shipping_lines, self.order_adjustments, self.transactions)
        return any(part.page_info.has_next_page for part in parts)


class Customer(msgspec.Struct, rename="camel", gc=False):
    """Who ordered."""

    legacy_resource_id: Key


class Order(msgspec.Struct, rename="camel", gc=False):
    """An order. Its refunds stay raw: they are records of their own, cut from the same bytes."""

    id: str
    legacy_resource_id: Key
    created_at: Time
    processed_at: Time
    updated_at: Time
    cancelled_at: Time | None
    test: bool
    edited: bool
    taxes_included: bool
    currency_code: Currency
    display_financial_status: str | None
    source_name: str | None
    email: str | None
    customer: Customer | None
    total_price_set: Money
    original_total_price_set: Money
    current_total_price_set: Money
    subtotal_price_set: Money | None
    total_discounts_set: Money | None
    total_shipping_price_set: Money
    total_tax_set: Money | None
    original_total_duties_set: Money | None
    total_tip_received_set: Money
    total_refunded_set: Money
    line_items: Connection[Line]
    shipping_lines: Connection[ShippingLine]
    refunds: list[msgspec.Raw]

    def is_cut(self) -> bool:
        """Whether its lines or shipping lines go on."""
        return self.line_items.page_info.has_next_page or self.shipping_lines.page_info.has_next_page


class Orders(msgspec.Struct, gc=False):
    """A page of orders, each still raw."""

    orders: Connection[msgspec.Raw]


ORDER = msgspec.json.Decoder(Order, strict=False)
REFUND = msgspec.json.Decoder(Refund, strict=False)
ORDERS = msgspec.json.Decoder(Orders)
