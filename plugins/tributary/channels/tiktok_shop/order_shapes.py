"""The fields of an order that staging casts."""

from __future__ import annotations

import msgspec

from tributary.channels.tiktok_shop.shapes import Amount, Currency, Id, MaybeSeconds, Seconds, instant
from tributary.declaration import Record


class Payment(msgspec.Struct, gc=False):
    """The money of an order, as the buyer sees it."""

    currency: Currency | None = None
    total_amount: Amount = None
    sub_total: Amount = None
    original_total_product_price: Amount = None
    seller_discount: Amount = None
    platform_discount: Amount = None
    shipping_fee: Amount = None
    original_shipping_fee: Amount = None
    shipping_fee_seller_discount: Amount = None
    shipping_fee_platform_discount: Amount = None
    shipping_fee_cofunded_discount: Amount = None
    tax: Amount = None
    product_tax: Amount = None
    shipping_fee_tax: Amount = None
    retail_delivery_fee: Amount = None
    payment_platform_discount: Amount = None
    payment_discount_service_fee: Amount = None
    buyer_service_fee: Amount = None
    handling_fee: Amount = None
    small_order_fee: Amount = None
    item_insurance_fee: Amount = None
    item_insurance_tax: Amount = None
    shipping_insurance_fee: Amount = None
    distance_fee: Amount = None
    distance_shipping_fee: Amount = None


class ItemTax(msgspec.Struct, gc=False):
    """One tax on a unit."""

    tax_amount: Amount = None
    tax_rate: Amount = None


class Line(msgspec.Struct, gc=False):
    """One unit of an order; there are no quantities."""

    id: Id
    product_id: str | None = None
    sku_id: str | None = None
    currency: str | None = None
    original_price: Amount = None
    sale_price: Amount = None
    seller_discount: Amount = None
    platform_discount: Amount = None
    gift_retail_price: Amount = None
    retail_delivery_fee: Amount = None
    buyer_service_fee: Amount = None
    small_order_fee: Amount = None
    is_gift: bool | None = None
    item_tax: list[ItemTax] | None = None


class Order(msgspec.Struct, gc=False):
    """An order. Until it is paid, TikTok may leave out its money."""

    id: Id
    create_time: Seconds
    update_time: Seconds
    status: str | None = None
    user_id: str | None = None
    paid_time: MaybeSeconds = None
    cancel_time: MaybeSeconds = None
    rts_time: MaybeSeconds = None
    delivery_time: MaybeSeconds = None
    is_cod: bool | None = None
    is_sample_order: bool | None = None
    is_replacement_order: bool | None = None
    is_exchange_order: bool | None = None
    is_on_hold_order: bool | None = None
    is_buyer_request_cancel: bool | None = None
    replaced_order_id: str | None = None
    exchange_source_order_id: str | None = None
    payment: Payment | None = None
    line_items: list[Line] | None = None

    def record(self, payload: bytes) -> Record:
        """The order as a record, at the time it was created."""
        if self.paid_time:
            if self.payment is None or not self.payment.sub_total or not self.payment.currency:
                raise ValueError("A paid order came without its sub-total or its currency - at `$.payment`")
            if not self.line_items:
                raise ValueError("A paid order came without its units - at `$.line_items`")
        return Record(self.id, instant(self.create_time), instant(self.update_time), payload)


ORDER = msgspec.json.Decoder(Order)
