"""Moves one stream of one merchant into raw: slice by slice, each in one transaction."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tributary.warehouse.errors import TooManyDeadLetters, WarehouseFull
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.ledger import Checkpoint, Counts, Ledger, record_failure
from tributary.warehouse.merge import merge_staged
from tributary.warehouse.read_ahead import read_ahead
from tributary.warehouse.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from tributary.declaration import Channel, Page, Stream

# Fetched pages are kept small in memory; PostgreSQL keeps the staged rows of a slice in its own session.
_SESSION = """
set time zone 'UTC';
set jit = off;
set temp_buffers = '32MB';
set application_name = 'tributary sync';
"""
_CONFLICTS = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_ATTEMPTS = 6


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
    now: datetime,
    history_start: datetime,
) -> SyncReport:
    """Read what changed since the checkpoint, less the look-back, until now.

    Killed anywhere, the next call goes on after the last committed slice. Raises ConcurrentSync when another sync of
    the stream was faster, TooManyDeadLetters when a slice held more of them than declared (its good rows landed).
    """
    with closing(connect()) as conn:
        conn.autocommit = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.execute(_SESSION)
        ledger = Ledger(conn, merchant_id, channel.name, stream.name)
        checkpoint = ledger.checkpoint()
        ledger.close_interrupted()
        start = max(checkpoint.position - stream.look_back, history_start) if checkpoint else history_start
        slices = list(_slices(start, now, stream))
        staging = Staging(conn, channel, stream, merchant_id)
        total = Counts()
        with read_ahead(_pages(api, stream, slices)) as pages:
            for window in slices:
                sync_id = uuid4()
                ledger.open(sync_id, *window)
                try:
                    staging.begin_slice(ledger.open_dead_letters())
                    for page in iter(lambda: next(pages), None):
                        staging.add(page)
                    staging.flush()
                    failpoint("staged")
                    checkpoint, counts = _commit(
                        conn, ledger, channel, stream, merchant_id, sync_id, staging, checkpoint, window[1]
                    )
                except psycopg.errors.DiskFull as error:
                    full = WarehouseFull(
                        f"the warehouse's disk is full ({error.diag.message_primary}); nothing of {stream.name} "
                        f"{window[0]} to {window[1]} was written: free space, then run the sync again"
                    )
                    record_failure(connect, sync_id, full)
                    raise full from None
                except BaseException as error:
                    record_failure(connect, sync_id, error)
                    raise
                failpoint("committed")
                total += counts
                _check_rejects(stream, merchant_id, counts, window)
    return SyncReport(merchant_id, stream.name, len(slices), total, checkpoint.position if checkpoint else None)


def _slices(start: datetime, end: datetime, stream: Stream) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + stream.slice_length, end)
        start += stream.slice_length


def _pages(api: Any, stream: Stream, slices: list[tuple[datetime, datetime]]) -> Iterator[Page | None]:
    """The pages of all slices in their order, with None behind each slice: fetching runs on while one is merged."""
    for start, end in slices:
        yield from stream.changed(api, start, end)
        yield None


def _commit(
    conn: Connection,
    ledger: Ledger,
    channel: Channel,
    stream: Stream,
    merchant_id: str,
    sync_id: UUID,
    staging: Staging,
    seen: Checkpoint | None,
    position: datetime,
) -> tuple[Checkpoint, Counts]:
    """Everything of a slice that others see, in one transaction; again, from what is staged, if one was in its way."""
    for attempt in Retrying(
        retry=retry_if_exception_type(_CONFLICTS),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    ):
        with attempt, conn.transaction():
            operations = merge_staged(conn, channel, stream, merchant_id, sync_id, staging.cured)
            failpoint("merged")
            written = operations["insert"] + operations["update"]
            counts = Counts(
                records_read=staging.records_read,
                inserted=operations["insert"],
                updated=operations["update"],
                removed=operations["delete"],
                unchanged=staging.records_read - written - staging.rejected,
                rejected=staging.rejected,
            )
            checkpoint = ledger.advance(seen, position, sync_id)
            ledger.succeed(sync_id, counts)
            failpoint("before commit")
    return checkpoint, counts


def _check_rejects(stream: Stream, merchant_id: str, counts: Counts, window: tuple[datetime, datetime]) -> None:
    if counts.rejected > stream.max_dead_letter_rate * counts.records_read:
        raise TooManyDeadLetters(
            f"{merchant_id}: {counts.rejected} of {counts.records_read} records of {stream.name}, {window[0]} to "
            f"{window[1]}, were unacceptable (allowed: {stream.max_dead_letter_rate:.1%}); the others landed. "
            "The reasons are in ops.dead_letters"
        )
