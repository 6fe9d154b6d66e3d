"""Turns an order's bytes into records, or says why they cannot be one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.payloads import neutralised, refusal
from tributary.channels.shopify.shapes import ORDER, REFUND, Order, Refund, instant
from tributary.declaration import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnacceptableError(ValueError):
    """The record cannot land; the message is the dead letter's reason."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An order that staging can cast, with its refunds."""

    order: Order
    refunds: Sequence[Refund]
    record: Record
    children: Sequence[Record]


def check(payload: bytes, sound: bool) -> Checked:
    """The order and its refunds as records; the payloads are slices of the vendor's bytes.

    `sound` spares looking for what jsonb refuses in bytes that were looked through before.
    """
    if not sound and (reason := refusal(payload)):
        raise UnacceptableError(reason)
    try:
        order = ORDER.decode(payload)
        for name, text in (("createdAt", order.created_at), ("cancelledAt", order.cancelled_at)):
            if text is not None:
                instant(name, text)
        updated_at = instant("updatedAt", order.updated_at)
        record = Record(order.legacy_resource_id, instant("processedAt", order.processed_at), updated_at, payload)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnacceptableError(str(error)) from None
    refunds, children = [], []
    for index, raw in enumerate(order.refunds):
        try:
            refund = REFUND.decode(raw)
            processed_at = instant("processedAt", refund.processed_at)
        except (msgspec.DecodeError, ValueError) as error:
            raise UnacceptableError(re.sub(r"(?<=`)\$", f"$.refunds[{index}]", str(error))) from None
        refunds.append(refund)
        key = f"{record.record_id}/{refund.legacy_resource_id}"
        children.append(Record(key, processed_at, updated_at, bytes(raw)))
    return Checked(order, refunds, record, children)


class _Key(msgspec.Struct, rename="camel"):
    legacy_resource_id: str


_KEY = msgspec.json.Decoder(_Key)


def reject(payload: bytes, reason: str) -> Reject:
    """The dead letter of an order, under its id when that much can be read."""
    try:
        record_id = _KEY.decode(neutralised(payload)).legacy_resource_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        record_id = None
    return Reject(record_id, reason, payload)
