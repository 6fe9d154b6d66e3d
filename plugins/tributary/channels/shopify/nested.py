"""Collections inside an order that did not fit into its page: read to their end and put in their place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.shopify.records import Checked, UnacceptableError
from tributary.channels.shopify.shapes import Connection
from tributary.http import Cut, follow

if TYPE_CHECKING:
    from tributary.channels.shopify.api import Answer, ShopifyApi

REFUNDS_IN_ORDER = 50
"""`refunds(first:)` of the Orders query: a plain list cannot say that it goes on, so a full one is asked about."""
REFUNDS_LISTED = 250
"""The most that Shopify lists for one order."""
REFUNDS_AT_ONCE = 100
"""Refunds fetched by one request; Shopify takes up to 250 ids."""

GONE = "the order or one of its refunds disappeared while it was read"

_ORDER_PARTS = {"lineItems": "OrderLineItems", "shippingLines": "OrderShippingLines"}
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


class _RefundNodes(msgspec.Struct):
    nodes: list[msgspec.Raw]


class _Part(msgspec.Struct):
    part: Connection[msgspec.Raw]


class _Node(msgspec.Struct):
    node: _Part | None


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_CONNECTION = msgspec.json.Decoder(Connection[msgspec.Raw])
_REFUND_IDS = msgspec.json.Decoder(_RefundIds)
_REFUND_NODES = msgspec.json.Decoder(_RefundNodes)
_NODE = msgspec.json.Decoder(_Node)


def is_cut(checked: Checked) -> bool:
    """Whether the order may hold more than its page showed."""
    return (
        checked.order.is_cut()
        or len(checked.refunds) >= REFUNDS_IN_ORDER
        or any(refund.is_cut() for refund in checked.refunds)
    )


def completed(api: ShopifyApi, checked: Checked) -> bytes:
    """The order's payload with every collection whole. Only what had to be replaced differs from the vendor's bytes."""
    refunds = list(checked.order.refunds)
    if len(refunds) >= REFUNDS_IN_ORDER:
        refunds = _all_refunds(api, checked, refunds)
    order = _with_parts(api, checked.record.payload, _ORDER_PARTS)
    order["refunds"] = _encoded([_encoded(_with_parts(api, bytes(refund), _REFUND_PARTS)) for refund in refunds])
    return msgspec.json.encode(order)


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
        answer = _clean(api.execute("Refunds", {"ids": missing[start : start + REFUNDS_AT_ONCE]}))
        refunds += answer.read(_REFUND_NODES).nodes
    if any(len(memoryview(refund)) == len(b"null") for refund in refunds):
        raise UnacceptableError(GONE)
    return refunds


def _with_parts(api: ShopifyApi, payload: bytes, parts: dict[str, str]) -> dict[str, msgspec.Raw]:
    fields = _FIELDS.decode(payload)
    owner = msgspec.json.decode(fields["id"], type=str)
    for name, operation in parts.items():
        if _CONNECTION.decode(fields[name]).page_info.has_next_page:
            # From the beginning: one reading in one order, rather than a seam between two.
            whole = [node for page in follow(partial(_part, api, operation, owner)) for node in page]
            fields[name] = _encoded({"nodes": whole, "pageInfo": {"hasNextPage": False}})
    return fields


def _part(api: ShopifyApi, operation: str, owner: str, after: str | None) -> Cut[list[msgspec.Raw]]:
    node = _clean(api.execute(operation, {"id": owner, "after": after})).read(_NODE).node
    if node is None:
        raise UnacceptableError(GONE)
    info = node.part.page_info
    return Cut(
        node.part.nodes, [bytes(raw) for raw in node.part.nodes], info.end_cursor if info.has_next_page else None
    )


def _clean(answer: Answer) -> Answer:
    if answer.flaw:
        raise UnacceptableError(f"in one of its lines or refunds, {answer.flaw}")
    return answer


def _encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
