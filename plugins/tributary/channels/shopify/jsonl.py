"""Puts the lines of a bulk operation's file together again: an order as its page would have shown it."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tributary.channels.payloads import neutralised, slices
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tributary.channels.shopify.bulk_query import Shape

PART_BYTES = 8 * 1024 * 1024
"""How much of a file is joined at a time, in memory."""
MOST_PARTS = 200
"""Open files; a file that would need more has larger parts."""
NESTED_WHOLE = 100
"""Connectors report that bulk ended nested connections here without a word, so from here on they count as cut."""

_DISCOUNTS = ("discountApplications",)
PLACES: dict[str, tuple[str, ...]] = {
    "LineItem": ("lineItems",),
    "ShippingLine": ("shippingLines",),
    "CustomerVisit": ("customerJourneySummary", "moments"),
    "AutomaticDiscountApplication": _DISCOUNTS,
    "DiscountCodeApplication": _DISCOUNTS,
    "ManualDiscountApplication": _DISCOUNTS,
    "ScriptDiscountApplication": _DISCOUNTS,
}
"""The vendor's type of a line -> the connection of the order that it belongs to. Lines do not say it themselves."""


class _Line(msgspec.Struct):
    id: object = None
    typename: str | None = msgspec.field(name="__typename", default=None)
    parent: str | None = msgspec.field(name="__parentId", default=None)


class _Id(msgspec.Struct):
    id: str


class _Apart(msgspec.Struct):
    refunds: list[_Id]


_LINE = msgspec.json.Decoder(_Line)
_APART = msgspec.json.Decoder(_Apart)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Family:
    """The lines of one order."""

    __slots__ = ("children", "root")

    def __init__(self) -> None:
        self.root = b""
        self.children: dict[object, tuple[tuple[str, ...], bytes]] = {}
        """Key -> the connection that a line belongs to, and the line."""

    def gid(self) -> str:
        """The order's global id."""
        return str(_read(self.root).id)

    def refund_ids(self) -> list[str]:
        """The ids of its refunds, which are fetched apart; none when they cannot be read."""
        try:
            return [refund.id for refund in _APART.decode(neutralised(self.root)).refunds]
        except msgspec.DecodeError:
            return []


def families(file: BinaryIO, size: int) -> Iterator[list[Family]]:
    """The orders of a bulk file with their lines, a part of the file's orders at a time.

    Lines come in any order, so each goes to the part that its order's id falls into. The parts are files without a
    name: however this process ends, their space is free again.
    """
    count = min(MOST_PARTS, size // PART_BYTES + 1)
    with ExitStack() as opened:
        parts = [opened.enter_context(TemporaryFile()) for _ in range(count)]
        file.seek(0)
        for line in file:
            read = _read(line)
            parts[hash(str(read.parent or read.id)) % count].write(line)
        for part in parts:
            yield _gathered(part)
            part.close()


def _gathered(part: BinaryIO) -> list[Family]:
    found: dict[object, Family] = {}
    part.seek(0)
    for line in part:
        read = _read(line)
        family = found.setdefault(read.parent or read.id or line, Family())
        if read.parent is None:
            family.root = line
        else:
            # An order that changes while the operation runs may be there twice, with all that belongs to it.
            family.children[read.id or line] = _place(read), line
    orphans = sum(not family.root for family in found.values())
    if orphans:
        raise BrokenResponse(
            f"A bulk operation's file holds parts of {orphans} orders that are not in it",
            remedy="The next run reads it again; if that does not help, sync a shorter window.",
        )
    return list(found.values())


def _read(line: bytes) -> _Line:
    try:
        return _LINE.decode(neutralised(line))
    except msgspec.DecodeError as error:
        what = f"A line of a bulk operation's file is not an object as it should be: {error}"
        raise BrokenResponse(what, remedy="The next run downloads it again.") from None


def joined(family: Family, shape: Shape, refunds: Mapping[str, bytes]) -> bytes:
    """The order's payload, byte for byte as a page whose nested connections are whole would have brought it."""
    nodes: dict[tuple[str, ...], list[bytes]] = {}
    parent = b',"__parentId":"%b"}\n' % family.gid().encode()
    for place, line in family.children.values():
        nodes.setdefault(place, []).append(_without_parent(line, parent))
    fields = _split(family.root)
    if refund_ids := family.refund_ids():
        fields["refunds"] = _array(refunds[refund_id] for refund_id in refund_ids)
    return _object(_filled(fields, shape, nodes, ()))


def _filled(
    fields: dict[str, bytes], shape: Shape, nodes: Mapping[tuple[str, ...], list[bytes]], path: tuple[str, ...]
) -> dict[str, bytes]:
    filled: dict[str, bytes] = {}
    for name in shape.fields:
        here = (*path, name)
        if name in shape.connections:
            filled[name] = _connection(nodes.get(here, []))
        elif name in fields:
            value = fields[name]
            if name in shape.objects and value != b"null":
                value = _object(_filled(_split(value), shape.objects[name], nodes, here))
            filled[name] = value
    return filled | {name: value for name, value in fields.items() if name not in filled}


def _without_parent(line: bytes, parent: bytes) -> bytes:
    """The node itself. Shopify writes the parent's id last, which spares taking the line to pieces."""
    if line.endswith(parent):
        return line[: -len(parent)] + b"}"
    return _object({name: value for name, value in _split(line).items() if name != "__parentId"})


def _place(read: _Line) -> tuple[str, ...]:
    kind = read.id.split("/")[3] if isinstance(read.id, str) and read.id.count("/") > 3 else read.typename
    try:
        return PLACES[kind or ""]
    except KeyError:
        what = f"A line of a bulk operation's file is of type {kind!r}, which belongs nowhere in an order"
        raise BrokenResponse(what, remedy="Add it to PLACES in channels/shopify/jsonl.py.") from None


def _split(text: bytes) -> dict[str, bytes]:
    """An object's fields, each in the vendor's own bytes."""
    clean = neutralised(text)
    values = _FIELDS.decode(clean)
    return dict(zip(values, slices(text, clean, values.values()), strict=True))


def _object(fields: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join([b'"%b":%b' % (name.encode(), value) for name, value in fields.items()])


def _array(values: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(values)


def _connection(nodes: list[bytes]) -> bytes:
    goes_on = b"true" if len(nodes) >= NESTED_WHOLE else b"false"
    return b'{"nodes":%b,"pageInfo":{"hasNextPage":%b}}' % (_array(nodes), goes_on)
