"""Moves one slice of one stream into raw: what a vendor sent, in one transaction."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tributary.warehouse.errors import WarehouseBusy, WarehouseFull, WarehouseLost
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.ledger import Counts, Ledger, record_failure
from tributary.warehouse.merge import merge_staged
from tributary.warehouse.raw_table import raw_table, unfinished_condition
from tributary.warehouse.staging import Staging

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from psycopg import Connection

    from tributary.declaration import Channel, Page, Stream
    from tributary.warehouse.ledger import Kind

# Fetched pages are kept small in memory; PostgreSQL keeps the staged rows of a slice in its own session. That session
# looks whether we are still there: of a killed process, one that waits for a lock would keep its own locks for ever.
_SESSION = """
set time zone 'UTC';
set jit = off;
set temp_buffers = '32MB';
set application_name = 'tributary sync';
set client_connection_check_interval = '1s';
"""
_CONFLICTS = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_ATTEMPTS = 6


class Land(Protocol):
    """Takes what is staged to where it belongs, in the caller's transaction; counts by operation."""

    def __call__(
        self, conn: Connection, channel: Channel, stream: Stream, merchant_id: str, sync_id: UUID, cured: set[str]
    ) -> Counter[str]: ...


class Moved(NamedTuple):
    """A committed slice."""

    sync_id: UUID
    counts: Counts


@contextmanager
def open_loader(
    connect: Callable[[], Connection],
    channel: Channel,
    stream: Stream,
    merchant_id: str,
    land: Land = merge_staged,
    raw: str = "raw",
) -> Iterator[Loader]:
    """A loader over a connection of its own. What is staged lands in raw, unless it is to land elsewhere.

    What is known of a window is looked up in the schema `raw`, which may be a backfill's.
    """
    with closing(connect()) as conn:
        conn.autocommit = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.execute(_SESSION)
        loader = Loader(connect, conn, channel, stream, merchant_id, land, raw)
        loader.ledger.close_interrupted()
        yield loader


class Loader:
    """Moves slices of one stream of one merchant, one after the other."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        conn: Connection,
        channel: Channel,
        stream: Stream,
        merchant_id: str,
        land: Land,
        raw: str,
    ) -> None:
        self.ledger = Ledger(conn, merchant_id, channel.name, stream.name)
        self._connect = connect
        self._conn = conn
        self._channel = channel
        self._stream = stream
        self._merchant_id = merchant_id
        self._land = land
        self._table = raw_table(channel, stream.name, raw)
        self._staging = Staging(conn, channel, stream, merchant_id)

    def move(
        self,
        kind: Kind,
        start: datetime,
        end: datetime,
        pages: Iterable[Page],
        finish: Callable[[UUID], None] = lambda sync_id: None,
    ) -> Moved:
        """Everything that the pages bring, or nothing. `finish` is part of the transaction, and repeated with it."""
        sync_id = uuid4()
        try:
            self.ledger.open(sync_id, kind, start, end)
            self._staging.begin_slice(self.ledger.open_dead_letters())
            for page in pages:
                self._staging.add(page)
            self._staging.finish()
            failpoint("staged")
            counts = self._commit(sync_id, finish)
        except BaseException as error:
            # An interrupted transaction may still hold the ledger's row.
            self._conn.close()
            known = _in_words(error, f"{self._stream.name} {start} to {end}")
            record_failure(self._connect, sync_id, known or error)
            if known is None:
                raise
            raise known from None
        return Moved(sync_id, counts)

    @contextmanager
    def outside_a_slice(self, kind: Kind, at: datetime) -> Iterator[None]:
        """What goes wrong before there is a slice, or when one has landed: the ledger says so all the same."""
        try:
            yield
        except Exception as error:
            sync_id = uuid4()
            self.ledger.open(sync_id, kind, at, at)
            record_failure(self._connect, sync_id, error)
            raise

    def unfinished(self, now: datetime) -> list[str]:
        """Ids of records in raw that the vendor had not finished when they were read."""
        declared = self._stream.unfinished
        if declared is None:
            return []
        return self._ids(
            sql.SQL("event_at > %(after)s and ({})").format(unfinished_condition(declared)),
            {"after": now - declared.patience},
        )

    def happened(self, start: datetime, end: datetime) -> set[str]:
        """Ids of records in raw by business time."""
        return set(self._ids(sql.SQL("event_at >= %(start)s and event_at < %(end)s"), {"start": start, "end": end}))

    def whole(self, api: Any, start: datetime, end: datetime, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages of a window, then what raw holds of it and they do not show: it may have moved, or be gone."""
        missing = self.happened(start, end)
        nameless = False
        for page in pages:
            missing -= {record.record_id for record in page.records}
            missing -= {reject.record_id for reject in page.rejects if reject.record_id is not None}
            nameless |= any(reject.record_id is None for reject in page.rejects)
            yield page
        # Where the window alone decides, a refused row without an id may be any of them: so none of them is gone.
        if missing and not (nameless and self._stream.write == "replace_slice"):
            yield from self._stream.by_id(api, sorted(missing))

    def _ids(self, condition: sql.Composable, values: dict[str, object]) -> list[str]:
        query = sql.SQL("select record_id from {} where merchant_id = %(merchant_id)s and {} order by record_id")
        found = self._conn.execute(query.format(self._table, condition), values | {"merchant_id": self._merchant_id})
        return [record_id for (record_id,) in found.fetchall()]

    def _commit(self, sync_id: UUID, finish: Callable[[UUID], None]) -> Counts:
        """Everything of a slice that others see; again, from what is staged, if another transaction was in its way."""
        staging = self._staging
        for attempt in Retrying(
            retry=retry_if_exception_type(_CONFLICTS),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        ):
            with attempt, self._conn.transaction():
                operations = self._land(
                    self._conn, self._channel, self._stream, self._merchant_id, sync_id, staging.cured
                )
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
                finish(sync_id)
                self.ledger.succeed(sync_id, counts)
                failpoint("before commit")
        failpoint("committed")
        return counts


def _in_words(error: BaseException, what: str) -> Exception | None:
    """What a person can do about an error of PostgreSQL; None about every other."""
    if not isinstance(error, psycopg.OperationalError):
        return None
    said = error.diag.message_primary or str(error).partition("\n")[0]
    if isinstance(error, psycopg.errors.DiskFull):
        return WarehouseFull(
            f"the warehouse's disk is full ({said}); nothing of {what} was written: free space, then run it again"
        )
    if isinstance(error, _CONFLICTS):
        return WarehouseBusy(
            f"other transactions changed the same rows in each of {_ATTEMPTS} attempts ({said}); nothing of {what} was "
            "written: run it again when they have ended"
        )
    if (error.sqlstate or "08").startswith(("08", "57P")):
        return WarehouseLost(
            f"the warehouse went away ({said}); of {what} either everything was written or nothing: start it, then run "
            "it again"
        )
    return None
