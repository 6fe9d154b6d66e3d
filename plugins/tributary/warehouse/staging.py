"""The first half of a slice: what the vendor sent, compared with raw and, where it differs, copied beside it.

Everything here goes to session-temporary tables and holds no lock: a killed sync leaves nothing behind.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from tributary.declaration import Record, Reject
from tributary.warehouse.raw_table import raw_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from tributary.declaration import Channel, Page, Stream

BATCH_RECORDS = 5_000
BATCH_BYTES = 8_000_000

_TABLES = """
create temporary table if not exists staged (
    ordinal bigint not null,
    record_id text collate "C" not null check (octet_length(record_id) <= 2000),
    event_at timestamptz not null,
    updated_at timestamptz not null,
    payload jsonb not null,
    payload_hash bytea not null
);
create temporary table if not exists staged_children (
    ordinal bigint not null,
    stream text not null,
    record_id text collate "C" not null check (octet_length(record_id) <= 2000),
    event_at timestamptz not null,
    updated_at timestamptz not null,
    payload jsonb not null,
    payload_hash bytea not null
);
create temporary table if not exists staged_rejects (
    ordinal bigint generated always as identity,
    record_id text collate "C",
    reason text not null,
    payload bytea not null,
    payload_hash bytea not null
);
create temporary table if not exists staged_gone (
    record_id text collate "C" not null
);
truncate staged, staged_children, staged_rejects, staged_gone;
"""

# A row is named when raw does not hold this very version already. `lateral ... limit` and `offset 0` hold PostgreSQL to
# one index probe a row: on a table that grew since it was last analyzed it would choose to read all of it.
_COMPARE = sql.SQL("""
select
    incoming.position::integer,
    coalesce(stored.updated_at > incoming.updated_at, false) as is_outdated,
    coalesce(stored.updated_at = incoming.updated_at, false) as is_tied
from unnest(%b::text[], %b::bytea[], %b::timestamptz[], %b::timestamptz[])
    with ordinality as incoming (record_id, payload_hash, event_at, updated_at, position)
left join lateral (
    select record_id, payload_hash, updated_at, event_at
    from {table}
    where merchant_id = %s and record_id = incoming.record_id
    limit 1
) as stored on true
where
    stored.record_id is null
    or stored.payload_hash <> incoming.payload_hash
    or stored.updated_at <> incoming.updated_at
    or stored.event_at <> incoming.event_at
""")

# A parent is named when a child of it is new, differs, or is in raw alone.
_COMPARE_CHILDREN = sql.SQL("""
with parent as (
    select record_id, position
    from unnest(%b::text[], %b::integer[]) as parent (record_id, position)
),
child as (
    select position, record_id, payload_hash, event_at
    from unnest(%b::integer[], %b::text[], %b::bytea[], %b::timestamptz[])
        as child (position, record_id, payload_hash, event_at)
)
select child.position
from child
left join lateral (
    select record_id, payload_hash, event_at
    from {table}
    where merchant_id = %s and record_id = child.record_id
    limit 1
) as stored on true
where
    stored.record_id is null
    or stored.payload_hash <> child.payload_hash
    or stored.event_at <> child.event_at
union
select parent.position
from parent
cross join lateral (
    select record_id
    from {table}
    where
        merchant_id = %s
        and record_id > parent.record_id || '/'
        and record_id < parent.record_id || '0'
        and strpos(substr(record_id, length(parent.record_id) + 2), '/') = 0
    offset 0
) as stored
where not exists (select from child where child.position = parent.position and child.record_id = stored.record_id)
""")

_COPY_RECORDS = (
    "copy staged (ordinal, record_id, event_at, updated_at, payload, payload_hash) from stdin (format binary)"
)
_COPY_CHILDREN = (
    "copy staged_children (ordinal, stream, record_id, event_at, updated_at, payload, payload_hash) "
    "from stdin (format binary)"
)
_COPY_REJECTS = "copy staged_rejects (record_id, reason, payload, payload_hash) from stdin (format binary)"
_JSONB_VERSION = b"\x01"

_UNSTORABLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    UnicodeEncodeError,
)


def empty_staged(conn: Connection) -> None:
    """The session's own tables of what is staged, which merging reads, without any row."""
    conn.execute(_TABLES)


class _Child(NamedTuple):
    stream: str
    record: Record
    payload_hash: bytes


class _Unit(NamedTuple):
    """A record with its children: they are accepted or refused together."""

    record: Record
    payload_hash: bytes
    children: tuple[_Child, ...]


class Staging:
    """What one slice brought, less what raw holds already."""

    def __init__(self, conn: Connection, channel: Channel, stream: Stream, merchant_id: str) -> None:
        """The connection must be in autocommit mode: each batch is a transaction of its own."""
        self._conn = conn
        self._stream = stream
        self._merchant_id = merchant_id
        self._compare = _COMPARE.format(table=raw_table(channel, stream.name))
        self._compare_children = {
            name: _COMPARE_CHILDREN.format(table=raw_table(channel, name)) for name in stream.children
        }
        empty_staged(conn)
        self._begin()

    def begin_slice(self, open_dead_letters: Iterable[str]) -> None:
        """Forget the slice before. The ids of open dead letters are watched for, to close them."""
        empty_staged(self._conn)
        self._begin(open_dead_letters)

    def _begin(self, awaited: Iterable[str] = ()) -> None:
        self.records_read = 0
        self.rejected = 0
        self.cured: set[str] = set()
        """Ids with an open dead letter whose last version in this slice is good, or that are gone."""
        self._gone: set[str] = set()
        self._awaited = set(awaited)
        self._ordinal = 0
        # Ids staged although raw holds a version of the same age: when the vendor then sends raw's version again,
        # that later read must be staged too, or the earlier one would win.
        self._tied: set[str] = set()
        self._batch: list[_Unit] = []
        self._batch_bytes = 0

    def add(self, page: Page) -> None:
        """Take a page in; it goes to the database with its batch."""
        rejects = list(page.rejects)
        children = self._children_by_parent(page, rejects)
        for record in page.records:
            mine = tuple(children.get(record.record_id, {}).values())
            self._batch.append(_Unit(record, _hash(record.payload), mine))
            self._batch_bytes += len(record.payload) + sum(len(child.record.payload) for child in mine)
            self.records_read += 1 + len(mine)
            if self._awaited:
                self.cured |= self._awaited & {record.record_id, *(child.record.record_id for child in mine)}
        self.records_read += len(rejects)
        self._gone -= {record.record_id for record in page.records}
        self._gone |= set(page.gone)
        self.cured |= self._awaited & self._gone
        if len(self._batch) >= BATCH_RECORDS or self._batch_bytes >= BATCH_BYTES:
            self._flush()
        self._reject(rejects)

    def finish(self) -> None:
        """The slice is complete: send what is waiting, and what is gone."""
        self._flush()
        if self._gone:
            self._conn.execute("insert into staged_gone select unnest(%s::text[])", (sorted(self._gone),))

    def _flush(self) -> None:
        if self._batch:
            first = self._ordinal
            self._ordinal += len(self._batch)
            self._stage(first, self._batch)
            self._batch = []
            self._batch_bytes = 0

    def _children_by_parent(self, page: Page, rejects: list[Reject]) -> dict[str, dict[str, _Child]]:
        parents = {record.record_id for record in page.records} if page.children else set()
        children: dict[str, dict[str, _Child]] = {}
        for stream, records in page.children.items():
            if stream not in self._stream.children:
                raise LookupError(
                    f"stream {self._stream.name!r} brought children {stream!r}; it declares {self._stream.children}"
                )
            for record in records:
                parent_id = record.record_id.rpartition("/")[0]
                if parent_id in parents:
                    child = _Child(stream, record, _hash(record.payload))
                    children.setdefault(parent_id, {})[f"{stream} {record.record_id}"] = child
                else:
                    reason = f"{stream} {record.record_id!r} came without its record {parent_id!r}"
                    rejects.append(Reject(record.record_id, reason, record.payload))
        return children

    def _stage(self, first: int, units: Sequence[_Unit]) -> None:
        """Stage the units; one that PostgreSQL cannot hold is found by halving and rejected, the others stay."""
        try:
            with self._conn.transaction():
                self._copy([(first + position, units[position]) for position in self._differing(units)])
        except _UNSTORABLE as error:
            if len(units) > 1:
                middle = len(units) // 2
                self._stage(first, units[:middle])
                self._stage(first + middle, units[middle:])
            else:
                reason = f"PostgreSQL cannot hold it: {_reason(error)}"
                self._reject(
                    Reject(record.record_id, reason, record.payload)
                    for record in (units[0].record, *(child.record for child in units[0].children))
                )

    def _differing(self, units: Sequence[_Unit]) -> list[int]:
        named = self._conn.execute(
            self._compare,
            (
                [unit.record.record_id for unit in units],
                [unit.payload_hash for unit in units],
                [unit.record.event_at for unit in units],
                [unit.record.updated_at for unit in units],
                self._merchant_id,
            ),
        ).fetchall()
        if self._stream.write == "replace_slice":
            # What such a stream shows now counts, however old it says it is.
            named = [(position, False, is_outdated or is_tied) for position, is_outdated, is_tied in named]
        outdated = {position - 1 for position, is_outdated, _ in named if is_outdated}
        differing = {position - 1 for position, is_outdated, _ in named if not is_outdated}
        tied = {position - 1 for position, _, is_tied in named if is_tied}
        if self._compare_children:
            named_before = differing | outdated
            same = [position for position in range(len(units)) if position not in named_before]
            tied |= self._with_differing_children(units, same)
        self._tied |= {units[position].record.record_id for position in tied}
        if self._tied:
            tied |= {position for position, unit in enumerate(units) if unit.record.record_id in self._tied} - outdated
        return sorted(differing | tied)

    def _with_differing_children(self, units: Sequence[_Unit], same: Sequence[int]) -> set[int]:
        positions: set[int] = set()
        for stream, compare in self._compare_children.items():
            children = [
                (position, child) for position in same for child in units[position].children if child.stream == stream
            ]
            named = self._conn.execute(
                compare,
                (
                    [units[position].record.record_id for position in same],
                    same,
                    [position for position, _ in children],
                    [child.record.record_id for _, child in children],
                    [child.payload_hash for _, child in children],
                    [child.record.event_at for _, child in children],
                    self._merchant_id,
                    self._merchant_id,
                ),
            ).fetchall()
            positions |= {position for (position,) in named}
        return positions

    def _copy(self, units: Sequence[tuple[int, _Unit]]) -> None:
        if not units:
            return
        with self._conn.cursor() as cursor:
            with cursor.copy(_COPY_RECORDS) as copy:
                copy.set_types(["int8", "text", "timestamptz", "timestamptz", "bytea", "bytea"])
                for ordinal, unit in units:
                    copy.write_row((ordinal, *_row(unit.record, unit.payload_hash)))
            if not any(unit.children for _, unit in units):
                return
            with cursor.copy(_COPY_CHILDREN) as copy:
                copy.set_types(["int8", "text", "text", "timestamptz", "timestamptz", "bytea", "bytea"])
                for ordinal, unit in units:
                    for child in unit.children:
                        copy.write_row((ordinal, child.stream, *_row(child.record, child.payload_hash)))

    def _reject(self, rejects: Iterable[Reject]) -> None:
        rows = []
        for reject in rejects:
            record_id = None if reject.record_id is None else _storable(reject.record_id)
            rows.append((record_id, _storable(reject.reason), reject.payload, _hash(reject.payload)))
            if record_id is not None:
                self.cured.discard(record_id)
                self._awaited.add(record_id)
        if rows:
            self.rejected += len(rows)
            with self._conn.cursor() as cursor, cursor.copy(_COPY_REJECTS) as copy:
                copy.set_types(["text", "text", "bytea", "bytea"])
                for row in rows:
                    copy.write_row(row)


def _row(record: Record, payload_hash: bytes) -> tuple[object, ...]:
    return record.record_id, record.event_at, record.updated_at, _JSONB_VERSION + record.payload, payload_hash


def _hash(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=16).digest()


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def _reason(error: Exception) -> str:
    """What PostgreSQL says, without the excerpt of the data that it adds as context."""
    if not isinstance(error, psycopg.Error) or not error.diag.message_primary:
        return str(error)
    if isinstance(error, psycopg.DataError) and error.diag.message_detail:
        return f"{error.diag.message_primary}: {error.diag.message_detail}"
    return error.diag.message_primary
