"""The fields of a refund that staging casts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.shopify.shapes import Connection, Key, Money, Quantity, Time, instant

if TYPE_CHECKING:
    from datetime import datetime


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


class RefundTransaction(msgspec.Struct, rename="camel", gc=False):
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
    transactions: Connection[RefundTransaction]

    def key(self) -> str:
        """Its id within the order."""
        return self.legacy_resource_id

    def happened_at(self) -> datetime:
        """When the money went back."""
        return instant("processedAt", self.processed_at)

    def is_cut(self) -> bool:
        """Whether one of its collections goes on."""
        parts = (self.refund_line_items, self.refund_shipping_lines, self.order_adjustments, self.transactions)
        return any(part.page_info.has_next_page for part in parts)


REFUND = msgspec.json.Decoder(Refund, strict=False)
