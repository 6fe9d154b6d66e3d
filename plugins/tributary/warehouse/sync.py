"""Brings one stream of one merchant up to now: slice by slice, each going on where the last one ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tributary.declaration import Slice
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.ledger import Checkpoint, Counts
from tributary.warehouse.load import open_loader
from tributary.warehouse.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.declaration import Channel, Page, Stream


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did, and how far the stream has now been read."""

    merchant_id: str
    stream: str
    slices: int
    counts: Counts
    position: datetime | None


def sync_stream(
    connect: Callable[[], Connection],
    api: Any,
    channel: Channel,
    stream: Stream,
    merchant_id: str,
    now: datetime | None,
    history_start: datetime,
) -> SyncReport:
    """Read what changed since the checkpoint, less the look-back, until now; and what the vendor had left unfinished.

    Without a `now` it is the vendor's own present: beyond that there is nothing to read yet, whatever this machine's
    clock shows. Killed anywhere, the next call goes on after the last committed slice. Raises ConcurrentSync when
    another sync of the stream was faster, TooManyDeadLetters when a slice held more of them than declared (its good
    rows landed).
    """
    with open_loader(connect, channel, stream, merchant_id) as loader:
        ledger = loader.ledger
        checkpoint = ledger.checkpoint()
        start = max(checkpoint.position - stream.look_back, history_start) if checkpoint else history_start
        with loader.outside_a_slice("sync", start):
            end = now or api.now()
            slices = list(_slices(api, stream, start, end))
        unfinished = loader.unfinished(end)
        total = Counts()
        with read_ahead(_pages(api, stream, slices, unfinished)) as pages:
            for window in slices:
                own_pages: Iterator[Page] = iter(lambda: next(pages), None)
                if stream.write == "replace_slice":
                    own_pages = loader.whole(api, window.start, window.end, own_pages)
                position = max(min(window.end, end), checkpoint.position if checkpoint else start)
                advance = partial(ledger.advance, checkpoint, position)
                moved = loader.move("sync", window.start, window.end, own_pages, advance)
                checkpoint = Checkpoint(position, moved.sync_id)
                total += moved.counts
                with loader.outside_a_slice("sync", window.end):
                    check_rejects(stream, merchant_id, moved.counts, window.start, window.end)
        ledger.read_whole(end)
    return SyncReport(merchant_id, stream.name, len(slices), total, checkpoint.position if checkpoint else None)


def _slices(api: Any, stream: Stream, start: datetime, end: datetime) -> Iterator[Slice]:
    if stream.history is not None:
        yield from stream.history(api, start, end)
        return
    while start < end:
        yield Slice(start, min(start + stream.slice_length, end), stream.changed)
        start += stream.slice_length


def _pages(api: Any, stream: Stream, slices: Sequence[Slice], unfinished: Sequence[str]) -> Iterator[Page | None]:
    """The pages of all slices in their order, with None behind each slice: fetching runs on while one is merged."""
    for number, window in enumerate(slices, 1):
        yield from window.read(api, window.start, window.end)
        if unfinished and number == len(slices):
            yield from stream.by_id(api, unfinished)
        yield None


def check_rejects(stream: Stream, merchant_id: str, counts: Counts, start: datetime, end: datetime) -> None:
    """Raise TooManyDeadLetters when a slice held more of them than its stream's declaration allows."""
    if counts.rejected > stream.max_dead_letter_rate * counts.records_read:
        raise TooManyDeadLetters(
            f"{merchant_id}: {counts.rejected} of {counts.records_read} records of {stream.name}, {start} to "
            f"{end}, were unacceptable (allowed: {stream.max_dead_letter_rate:.1%}); the others landed. "
            "The reasons are in ops.dead_letters"
        )
