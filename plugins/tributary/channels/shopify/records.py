"""Turns a vendor's bytes into records, or says why they cannot be any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from tributary.channels.payloads import neutralised, refusal
from tributary.declaration import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class UnacceptableError(ValueError):
    """The record cannot land; the message is the dead letter's reason."""


class Root(Protocol):
    """The shape of a record that stands for itself."""

    def record(self, payload: bytes) -> Record:
        """The record; ValueError when one of its times is none."""


class Part(Protocol):
    """The shape of a record inside another one."""

    def key(self) -> str:
        """Its id within its parent."""

    def happened_at(self) -> datetime:
        """Its own time; ValueError when it is none."""


R = TypeVar("R", bound=Root)
P = TypeVar("P", bound=Part)


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


def children(
    parent: Record, path: str, decoder: msgspec.json.Decoder[P], parts: Iterable[msgspec.Raw]
) -> tuple[list[P], list[Record]]:
    """The parts at that path of the parent's payload in their shape, and as records that change with their parent."""
    shaped: list[P] = []
    records: list[Record] = []
    for index, raw in enumerate(parts):
        try:
            part = decoder.decode(raw)
            happened_at = part.happened_at()
        except (msgspec.DecodeError, ValueError) as error:
            raise UnacceptableError(_below(f"$.{path}[{index}]", str(error))) from None
        shaped.append(part)
        records.append(Record(f"{parent.record_id}/{part.key()}", happened_at, parent.updated_at, bytes(raw)))
    return shaped, records


def _below(path: str, message: str) -> str:
    """The message with its path, if it has one, continued from that of the part."""
    return re.sub(r"(?<=`)\$", path, message) if "`$" in message else f"{message} - at `{path}`"


class _Key(msgspec.Struct, rename="camel"):
    legacy_resource_id: str


_KEY = msgspec.json.Decoder(_Key)


def reject(payload: bytes, reason: str) -> Reject:
    """The dead letter of a record, under its id when that much can be read."""
    try:
        record_id = _KEY.decode(neutralised(payload)).legacy_resource_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        record_id = None
    return Reject(record_id, reason, payload)
