"""The fields of an order and its visits that staging casts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from tributary.channels.shopify.shapes import (
    Amount,
    Connection,
    Currency,
    Key,
    Money,
    PlainMoney,
    Quantity,
    Rate,
    Time,
    instant,
)
from tributary.declaration import Record

if TYPE_CHECKING:
    from datetime import datetime

VisitId = Annotated[str, Meta(pattern=r"^gid://shopify/CustomerVisit/[0-9A-Za-z_-]{1,64}$")]


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


class _DiscountValue(msgspec.Struct, gc=False):
    amount: Amount | None = None
    percentage: Amount | None = None


class Discount(msgspec.Struct, rename="camel", gc=False):
    """A discount that was applied to an order: an amount or a percentage."""

    index: Quantity
    value: _DiscountValue


class _Fee(msgspec.Struct, rename="camel", gc=False):
    amount: PlainMoney
    tax_amount: PlainMoney


class OrderTransaction(msgspec.Struct, rename="camel", gc=False):
    """Money moving, either way, with what the payment provider kept of it."""

    kind: str
    status: str
    processed_at: Time | None
    amount_set: Money
    fees: list[_Fee]


class _Utm(msgspec.Struct, gc=False):
    source: str | None
    medium: str | None
    campaign: str | None
    content: str | None
    term: str | None


class Visit(msgspec.Struct, rename="camel", gc=False):
    """A session in the shop that led to an order."""

    id: VisitId
    occurred_at: Time
    source: str
    utm_parameters: _Utm | None

    def key(self) -> str:
        """Its id; the same visit may have led to several orders."""
        return self.id.rsplit("/", 1)[-1]

    def happened_at(self) -> datetime:
        """When the shop was visited."""
        return instant("occurredAt", self.occurred_at)


class Journey(msgspec.Struct, rename="camel", gc=False):
    """What led to an order. Its visits stay raw: they are records of their own, cut from the same bytes."""

    ready: bool
    customer_order_index: Quantity | None
    days_to_conversion: Quantity | None
    moments: Connection[msgspec.Raw] | None


class Customer(msgspec.Struct, rename="camel", gc=False):
    """Who ordered."""

    legacy_resource_id: Key


class Order(msgspec.Struct, rename="camel", gc=False):
    """An order. Its refunds stay raw, as its visits do."""

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
    total_received_set: Money
    total_refunded_set: Money
    line_items: Connection[Line]
    shipping_lines: Connection[ShippingLine]
    discount_applications: Connection[Discount]
    transactions: list[OrderTransaction]
    customer_journey_summary: Journey | None
    refunds: list[msgspec.Raw]

    def record(self, payload: bytes) -> Record:
        """The order as a record, at the time it was processed."""
        for name, text in (("createdAt", self.created_at), ("cancelledAt", self.cancelled_at)):
            if text is not None:
                instant(name, text)
        processed_at, updated_at = instant("processedAt", self.processed_at), instant("updatedAt", self.updated_at)
        return Record(self.legacy_resource_id, processed_at, updated_at, payload)

    def visits(self) -> Connection[msgspec.Raw] | None:
        """The visits that led to it, where the shop knows of any."""
        return self.customer_journey_summary.moments if self.customer_journey_summary else None

    def is_cut(self) -> bool:
        """Whether one of its connections goes on."""
        parts = (self.line_items, self.shipping_lines, self.discount_applications, self.visits())
        return any(part.page_info.has_next_page for part in parts if part is not None)


ORDER = msgspec.json.Decoder(Order, strict=False)
VISIT = msgspec.json.Decoder(Visit, strict=False)
