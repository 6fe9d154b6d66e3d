"""Connections inside a record that did not fit into its page: read to their end and put in their place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import UnacceptableError
from tributary.channels.shopify.shapes import Connection
from tributary.http import Cut, follow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tributary.channels.answer import Answer
    from tributary.channels.shopify.api import ShopifyApi

GONE = "it, or something inside it, disappeared while it was read"


class _Journey(msgspec.Struct):
    part: Connection[msgspec.Raw] | None


class _Part(msgspec.Struct):
    part: Connection[msgspec.Raw] | None = None
    journey: _Journey | None = None


class _Node(msgspec.Struct):
    node: _Part | None


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONNECTION = msgspec.json.Decoder(Connection[msgspec.Raw])
_NODE = msgspec.json.Decoder(_Node)


def with_parts(
    api: ShopifyApi, owner: str, payload: bytes, parts: Mapping[str, str], **variables: object
) -> dict[str, msgspec.Raw]:
    """The payload's fields, with these connections whole; each names the operation that reads it by the owner's id."""
    fields = _FIELDS.decode(payload)
    for name, operation in parts.items():
        if _CONNECTION.decode(fields[name]).page_info.has_next_page:
            # From the beginning: one reading in one order, rather than a seam between two.
            fetch = partial(_part, api, operation, {"id": owner, **variables})
            whole = [node for page in follow(fetch) for node in page]
            fields[name] = encoded({"nodes": whole, "pageInfo": {"hasNextPage": False}})
    return fields


def sound(answer: Answer) -> Answer:
    """The answer; refused if something in it could not be stored."""
    if answer.flaw:
        raise UnacceptableError(f"in one of its parts, {answer.flaw}")
    return answer


def encoded(value: object) -> msgspec.Raw:
    """A value that becomes part of a payload."""
    return msgspec.Raw(msgspec.json.encode(value))


def _part(
    api: ShopifyApi, operation: str, variables: Mapping[str, object], after: str | None
) -> Cut[list[msgspec.Raw]]:
    answer = sound(api.execute(operation, {**variables, "after": after}))
    node = answer.read(_NODE).node
    holder = node.journey if node and node.journey else node
    if holder is None or holder.part is None:
        raise UnacceptableError(GONE)
    nodes, info = holder.part.nodes, holder.part.page_info
    following = info.end_cursor if info.has_next_page else None
    return Cut(nodes, [bytes(raw) for raw in nodes], following, answer.where)
