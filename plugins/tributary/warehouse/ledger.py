"""What every sync did: `ops.syncs`, and the checkpoint that the next one starts from."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import psycopg

from tributary.http.redaction import Redactor
from tributary.warehouse.errors import ConcurrentSync

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

_ERROR_LENGTH = 1_000

Kind = Literal["sync", "reread", "replay", "backfill"]
"""What moved a slice: the next step of the stream, a window of its past (at once, or when it is published), or dead
letters."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records a slice read, and what became of them; children count as records."""

    records_read: int = 0
    inserted: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        total = Counter(asdict(self))
        total.update(asdict(other))
        return Counts(**total)


class Checkpoint(NamedTuple):
    """How far a stream has been read, and by which sync."""

    position: datetime
    sync_id: UUID


class Ledger:
    """The syncs of one merchant's stream."""

    def __init__(self, conn: Connection, merchant_id: str, channel: str, stream: str) -> None:
        self._conn = conn
        self._key = {"merchant_id": merchant_id, "channel": channel, "stream": stream}

    def checkpoint(self) -> Checkpoint | None:
        """Where the last sync ended; None before the first."""
        row = self._conn.execute(
            """
            select position, sync_id from ops.checkpoints
            where merchant_id = %(merchant_id)s and channel = %(channel)s and stream = %(stream)s
            """,
            self._key,
        ).fetchone()
        return Checkpoint(*row) if row else None

    def close_interrupted(self) -> None:
        """Work that was killed could not say so itself. What still runs holds its lock."""
        self._conn.execute(
            """
            update ops.syncs set status = 'failed', finished_at = now(), error = 'interrupted before it could end'
            where
                merchant_id = %(merchant_id)s and channel = %(channel)s and stream = %(stream)s
                and status = 'running' and pg_try_advisory_xact_lock(hashtextextended(sync_id::text, 0))
            """,
            self._key,
        )

    def open_dead_letters(self) -> list[str]:
        """The ids of records that were refused and not yet seen good again."""
        rows = self._conn.execute(
            """
            select distinct record_id from ops.dead_letters
            where
                merchant_id = %(merchant_id)s and channel = %(channel)s and stream = %(stream)s
                and resolved_at is null and record_id is not null
            """,
            self._key,
        ).fetchall()
        return [record_id for (record_id,) in rows]

    def resolve(self, dead_letter_ids: list[int]) -> None:
        """Close dead letters that passed the checks; part of the slice's transaction."""
        # One that PostgreSQL itself refused after that was staged as a reject again.
        self._conn.execute(
            """
            update ops.dead_letters set resolved_at = now()
            where dead_letter_id = any(%s) and payload_hash not in (select payload_hash from staged_rejects)
            """,
            (dead_letter_ids,),
        )

    def open(self, sync_id: UUID, kind: Kind, start: datetime, end: datetime) -> None:
        """Write down that a slice is under way, which is true as long as this session lives."""
        self._conn.execute(
            "select pg_advisory_unlock_all(), pg_advisory_lock(hashtextextended(%s, 0))", (str(sync_id),)
        )
        self._conn.execute(
            """
            insert into ops.syncs (sync_id, kind, merchant_id, channel, stream, window_start, window_end)
            values (%(sync_id)s, %(kind)s, %(merchant_id)s, %(channel)s, %(stream)s, %(start)s, %(end)s)
            """,
            self._key | {"sync_id": sync_id, "kind": kind, "start": start, "end": end},
        )

    def succeed(self, sync_id: UUID, counts: Counts) -> None:
        """Close the slice's row; part of the slice's transaction."""
        self._conn.execute(
            """
            update ops.syncs
            set
                status = 'succeeded', finished_at = clock_timestamp(), error = null,
                records_read = %(records_read)s, inserted = %(inserted)s, updated = %(updated)s,
                removed = %(removed)s, unchanged = %(unchanged)s, rejected = %(rejected)s
            where sync_id = %(sync_id)s
            """,
            asdict(counts) | {"sync_id": sync_id},
        )

    def advance(self, seen: Checkpoint | None, position: datetime, sync_id: UUID) -> None:
        """Move the checkpoint, unless another sync has moved it since it was seen; never backwards."""
        moved = self._conn.execute(
            """
            insert into ops.checkpoints as known (merchant_id, channel, stream, position, sync_id)
            values (%(merchant_id)s, %(channel)s, %(stream)s, %(position)s, %(sync_id)s)
            on conflict (merchant_id, channel, stream) do update
            set
                position = greatest(known.position, excluded.position),
                sync_id = excluded.sync_id,
                updated_at = now()
            where known.sync_id = %(seen)s
            returning position
            """,
            self._key | {"position": position, "sync_id": sync_id, "seen": seen.sync_id if seen else None},
        ).fetchone()
        if moved is None:
            raise ConcurrentSync(
                f"another sync of {' '.join(self._key.values())} moved the checkpoint meanwhile, so nothing of this "
                "slice was written; let the other one end, the next run goes on from there"
            )

    def read_whole(self, as_of: datetime) -> None:
        """Note that a sync went through all of its slices, up to that present of the vendor's."""
        self._conn.execute(
            """
            update ops.checkpoints set read_at = now(), as_of = %(as_of)s
            where merchant_id = %(merchant_id)s and channel = %(channel)s and stream = %(stream)s
            """,
            self._key | {"as_of": as_of},
        )


def record_failure(connect: Callable[[], Connection], sync_id: UUID, error: BaseException) -> None:
    """Note why a slice failed, over a connection of its own: the slice's may be what broke."""
    # A slice whose commit could not be reported any more has succeeded all the same.
    with suppress(psycopg.Error), closing(connect()) as conn, conn.transaction():
        conn.execute(
            """
            update ops.syncs set status = 'failed', finished_at = clock_timestamp(), error = %s
            where sync_id = %s and status <> 'succeeded'
            """,
            (describe(error), sync_id),
        )


def describe(error: BaseException) -> str:
    """An error in words without secrets, and without the data that PostgreSQL quotes."""
    message = str(error)
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        message = error.diag.message_primary
    return Redactor()(f"{type(error).__name__}: {message}".replace("\x00", ""))[:_ERROR_LENGTH]
