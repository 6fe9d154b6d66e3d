"""Reads a window of a stream's past again, so that raw holds exactly what the vendor shows of it now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tributary.warehouse.load import open_loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from psycopg import Connection

    from tributary.declaration import Channel, Stream
    from tributary.warehouse.ledger import Counts


def reread(
    connect: Callable[[], Connection],
    api: Any,
    channel: Channel,
    stream: Stream,
    merchant_id: str,
    start: datetime,
    end: datetime,
) -> Counts:
    """Read what happened in [start, end) again, whatever the checkpoint says, and leave the checkpoint alone.

    A record of raw that the window no longer shows is asked for by its id: it may have moved, or be gone.
    """
    with open_loader(connect, channel, stream, merchant_id) as loader:
        pages = loader.whole(api, start, end, stream.happened(api, start, end))
        return loader.move("reread", start, end, pages).counts
