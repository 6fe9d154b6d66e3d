"""Turns what is inside Shopify's records into records of their own, and finds the id of a record that is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from tributary.channels.records import UnacceptableError
from tributary.declaration import Record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Part(Protocol):
    """The shape of a record inside another one."""

    def key(self) -> str:
        """Its id within its parent."""

    def happened_at(self) -> datetime:
        """Its own time; ValueError when it is none."""


P = TypeVar("P", bound=Part)


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


def find_id(payload: bytes) -> str:
    """The id of a record that does not fit its shape."""
    return _KEY.decode(payload).legacy_resource_id
