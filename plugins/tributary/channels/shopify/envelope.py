"""The shape of every answer of the Admin API around its data: errors, cost, and remarks on the search."""

from __future__ import annotations

import msgspec

from tributary.channels.shopify.refusals import GraphQLError


class Throttle(msgspec.Struct, rename="camel"):
    """The shop's bucket of points."""

    maximum_available: float
    currently_available: float
    restore_rate: float


class Cost(msgspec.Struct, rename="camel"):
    """What the request asked for, and what is left."""

    throttle_status: Throttle
    requested_query_cost: float = 0.0


class SearchWarning(msgspec.Struct):
    """A part of a search that Shopify did not understand."""

    field: str = ""
    message: str = ""


class Search(msgspec.Struct):
    """How a search was understood."""

    query: str = ""
    warnings: list[SearchWarning] = []


class Extensions(msgspec.Struct):
    """What comes beside data and errors."""

    cost: Cost | None = None
    search: list[Search] = []


class Envelope(msgspec.Struct):
    """An answer with its data still raw."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[GraphQLError] | str | None = None
    extensions: Extensions | None = None


ENVELOPE = msgspec.json.Decoder(Envelope)
