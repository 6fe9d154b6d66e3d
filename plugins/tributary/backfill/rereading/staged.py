"""The names of what a backfill keeps beside raw, in its build schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from tributary.warehouse.raw_table import raw_table_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel, Stream

PARENT = sql.SQL("left({id}, -strpos(reverse({id}), '/'))")
"""The record that a child's id names."""


class BesideRaw(NamedTuple):
    """What belongs to the raw table of a stream that is read again, or of a child of it.

    `staged` holds what was read, `gone` what is not there any more, and `winning` names the records of both that count
    for more than raw's version.
    """

    view: sql.Identifier
    staged: sql.Identifier
    gone: sql.Identifier
    winning: sql.Identifier


def beside_raw(schema: str, channel: Channel, stream: str) -> BesideRaw:
    """Those of one raw table; children have neither `gone` nor `winning`, since they follow their parent."""
    table = raw_table_name(channel, stream)
    return BesideRaw(*(sql.Identifier(schema, f"{prefix}{table}") for prefix in ("", "staged_", "gone_", "winning_")))


def is_reread(backfill: Backfill, channel: Channel) -> bool:
    """Whether the backfill reads the channel's streams again."""
    return backfill.mode == "reread" and channel.name in backfill.channels


def reread_streams(backfill: Backfill, channels: Sequence[Channel]) -> Iterator[tuple[Channel, Stream]]:
    """The streams that it reads again."""
    yield from ((channel, stream) for channel in channels if is_reread(backfill, channel) for stream in channel.streams)
