"""What an order's page cut: its own connections, those of its refunds, and the list of refunds itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import UnacceptableError
from tributary.channels.shopify.parts import GONE, encoded, sound, with_parts
from tributary.channels.shopify.reading import is_null, nodes_by_id

if TYPE_CHECKING:
    from tributary.channels.shopify.api import ShopifyApi
    from tributary.channels.shopify.orders import Checked

REFUNDS_IN_ORDER = 50
"""`refunds(first:)` of an order: a plain list cannot say that it goes on, so a full one is asked about."""
REFUNDS_LISTED = 250
"""The most that Shopify lists for one order."""
REFUNDS_AT_ONCE = 100
"""Refunds fetched by one request; Shopify takes up to 250 ids."""

_ORDER_PARTS = {
    "lineItems": "OrderLineItems",
    "shippingLines": "OrderShippingLines",
    "discountApplications": "OrderDiscounts",
}
_JOURNEY_PARTS = {"moments": "OrderVisits"}
_REFUND_PARTS = {
    "refundLineItems": "RefundLineItems",
    "refundShippingLines": "RefundShippingLines",
    "orderAdjustments": "RefundAdjustments",
    "transactions": "RefundTransactions",
}


class _Id(msgspec.Struct):
    id: str


class _Refunds(msgspec.Struct):
    refunds: list[_Id]


class _RefundIds(msgspec.Struct):
    node: _Refunds | None


_ID = msgspec.json.Decoder(_Id)
_REFUND_IDS = msgspec.json.Decoder(_RefundIds)


def is_cut(checked: Checked) -> bool:
    """Whether the order may hold more than its page showed."""
    return (
        checked.order.is_cut()
        or len(checked.refunds) >= REFUNDS_IN_ORDER
        or any(refund.is_cut() for refund in checked.refunds)
    )


def completed(api: ShopifyApi, checked: Checked) -> bytes:
    """The order's payload with every collection whole. Only what had to be replaced differs from the vendor's bytes."""
    owner, visits = checked.order.id, checked.order.visits()
    refunds = list(checked.order.refunds)
    if len(refunds) >= REFUNDS_IN_ORDER:
        refunds = _all_refunds(api, checked, refunds)
    order = with_parts(api, owner, checked.record.payload, _ORDER_PARTS)
    if visits is not None and visits.page_info.has_next_page:
        journey = with_parts(api, owner, bytes(order["customerJourneySummary"]), _JOURNEY_PARTS)
        order["customerJourneySummary"] = encoded(journey)
    order["refunds"] = encoded([encoded(_whole_refund(api, bytes(refund))) for refund in refunds])
    return msgspec.json.encode(order)


def _whole_refund(api: ShopifyApi, refund: bytes) -> dict[str, msgspec.Raw]:
    return with_parts(api, _ID.decode(refund).id, refund, _REFUND_PARTS)


def _all_refunds(api: ShopifyApi, checked: Checked, known: list[msgspec.Raw]) -> list[msgspec.Raw]:
    listed = api.execute("OrderRefundIds", {"id": checked.order.id}).read(_REFUND_IDS).node
    if listed is None:
        raise UnacceptableError(GONE)
    if len(listed.refunds) >= REFUNDS_LISTED:
        raise UnacceptableError(f"it has {REFUNDS_LISTED} refunds or more, and Shopify lists no more than that")
    have = {refund.id for refund in checked.refunds}
    missing = [refund.id for refund in listed.refunds if refund.id not in have]
    refunds = list(known)
    for start in range(0, len(missing), REFUNDS_AT_ONCE):
        answer, nodes = nodes_by_id(api, "Refunds", missing[start : start + REFUNDS_AT_ONCE])
        sound(answer)
        refunds += nodes
    if any(is_null(refund) for refund in refunds):
        raise UnacceptableError(GONE)
    return refunds
