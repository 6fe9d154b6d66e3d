"""Turns a vendor's bytes into records, or says why they cannot be any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from tributary.channels.payloads import neutralised, refusal
from tributary.declaration import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable


class UnacceptableError(ValueError):
    """The record cannot land; the message is the dead letter's reason."""


class Root(Protocol):
    """The shape of a record that stands for itself."""

    def record(self, payload: bytes) -> Record:
        """The record; ValueError when something in it cannot be."""


R = TypeVar("R", bound=Root)


def decoded(decoder: msgspec.json.Decoder[R], payload: bytes, sound: bool) -> tuple[R, Record]:
    """A payload in its shape, and as a record.

    `sound` spares looking for what jsonb refuses in bytes that were looked through before.
    """
    if not sound and (reason := refusal(payload)):
        raise UnacceptableError(reason)
    try:
        root = decoder.decode(payload)
        return root, root.record(payload)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnacceptableError(str(error)) from None


def reject(payload: bytes, reason: str, find_id: Callable[[bytes], str]) -> Reject:
    """The dead letter of a record, under its id when `find_id` can read that much of it."""
    try:
        record_id = find_id(neutralised(payload))
    except (msgspec.DecodeError, UnicodeDecodeError):
        record_id = None
    return Reject(record_id, reason, payload)
