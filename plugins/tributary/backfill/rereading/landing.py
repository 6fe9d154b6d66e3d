"""What a window brought when it was read again, kept beside raw until it is published."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.rereading.staged import PARENT, beside_raw
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.merge import bury_rejects, settle_staged
from tributary.warehouse.raw_table import raw_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel, Page, Stream

_KEPT_BEFORE = sql.SQL("""
select record_id from {staged} where merchant_id = %(merchant_id)s
union all
select record_id from {gone} where merchant_id = %(merchant_id)s
""")

# An older version than was read before says nothing, as it would say nothing against raw.
_DROP_OUTDATED = sql.SQL("""
delete from staged
using {staged} as kept
where
    kept.merchant_id = %(merchant_id)s
    and kept.record_id = staged.record_id
    and kept.updated_at > staged.updated_at
""")

# What is shown now and was not staged is raw's own version again, or one that raw has left behind.
_TAKE_AWAY_SHOWN = sql.SQL("""
delete from {staged} as kept
using unnest(%(shown)s::text[], %(shown_at)s::timestamptz[]) as shown (record_id, updated_at)
where
    kept.merchant_id = %(merchant_id)s
    and kept.record_id = shown.record_id
    and {is_later}
    and not exists (select from staged where staged.record_id = kept.record_id)
""")
_LATER = {"replace_slice": sql.SQL("true")}
_NOT_OLDER = sql.SQL("shown.updated_at >= kept.updated_at")

_TAKE_AWAY_GONE = sql.SQL("""
delete from {staged} as kept
using staged_gone
where kept.merchant_id = %(merchant_id)s and kept.record_id = staged_gone.record_id
""")
_COME_BACK = sql.SQL("""
delete from {gone} as kept
using (select record_id from staged union select unnest(%(shown)s::text[])) as shown (record_id)
where kept.merchant_id = %(merchant_id)s and kept.record_id = shown.record_id
""")

# Of what a sync removed since the reading began only the change log knows, as long as the lease keeps it there.
_KEEP = sql.SQL("""
insert into {staged} as kept (
    merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, read_at, is_new
)
select
    %(merchant_id)s, staged.record_id, staged.event_at, staged.updated_at, staged.payload, staged.payload_hash,
    %(api_version)s, %(read_at)s,
    stored.record_id is null and removed.record_id is null
from staged
left join lateral (
    select record_id
    from {raw}
    where merchant_id = %(merchant_id)s and record_id = staged.record_id
    offset 0
) as stored on true
left join (
    select distinct record_id
    from ops.changes
    where
        merchant_id = %(merchant_id)s
        and channel = %(channel)s
        and stream = %(stream)s
        and operation = 'delete'
        and changed_at >= %(read_at)s
) as removed on removed.record_id = staged.record_id
on conflict (merchant_id, record_id) do update
set
    event_at = excluded.event_at,
    updated_at = excluded.updated_at,
    payload = excluded.payload,
    payload_hash = excluded.payload_hash,
    api_version = excluded.api_version,
    read_at = excluded.read_at,
    is_new = excluded.is_new
""")

_KEEP_GONE = sql.SQL("""
insert into {gone} (merchant_id, record_id, read_at)
select distinct %(merchant_id)s, record_id, %(read_at)s::timestamptz from staged_gone
on conflict (merchant_id, record_id) do update set read_at = excluded.read_at
""")

_FORGET_CHILDREN = sql.SQL("""
delete from {staged_child} as child
using staged
where child.merchant_id = %(merchant_id)s and staged.record_id = {parent}
""")
_FORGET_ORPHANS = sql.SQL("""
delete from {staged_child} as child
where
    child.merchant_id = %(merchant_id)s
    and not exists (
        select from {staged} as kept where kept.merchant_id = child.merchant_id and kept.record_id = {parent}
    )
""")
_KEEP_CHILDREN = sql.SQL("""
insert into {staged_child} (
    merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, read_at
)
select
    %(merchant_id)s, child.record_id, child.event_at, child.updated_at, child.payload, child.payload_hash,
    %(api_version)s, %(read_at)s
from staged_children as child
inner join staged on staged.ordinal = child.ordinal
where child.stream = {child_stream}
""")

_COUNT = sql.SQL("""
select case when exists ({found}) then 'update' else 'insert' end as operation, count(*) from staged group by 1
union all
select 'delete', count(*) from staged_gone as staged where exists ({found})
""")
_FOUND = sql.SQL("select from {raw} where merchant_id = %(merchant_id)s and record_id = staged.record_id offset 0")

_NOTE = """
insert into ops.backfill_reads (
    backfill_id, merchant_id, channel, stream, window_start, window_end, sync_id, records_read, differing
)
values (
    %(backfill_id)s, %(merchant_id)s, %(channel)s, %(stream)s, %(window_start)s, %(window_end)s, %(sync_id)s,
    %(records_read)s, %(differing)s
)
on conflict (backfill_id, merchant_id, channel, stream, window_start) do update
set
    window_end = excluded.window_end,
    sync_id = excluded.sync_id,
    records_read = excluded.records_read,
    differing = excluded.differing,
    finished_at = clock_timestamp()
"""


@dataclass
class Landing:
    """Where the slices of one stream land, and what is to be known of the one that is being read.

    Dead letters are buried at once. None is closed: what is good again is so in raw only when it is published.
    """

    backfill: Backfill
    records_read: int = 0
    differing: int = 0
    """How many records the slice shows otherwise than raw."""
    _window: dict[str, datetime] = field(default_factory=dict)
    _kept_before: set[str] = field(default_factory=set)
    _shown: dict[str, datetime] = field(default_factory=dict)

    def begin(
        self, conn: Connection, channel: Channel, stream: Stream, merchant_id: str, start: datetime, end: datetime
    ) -> None:
        """A slice begins: of what earlier ones kept, it has to be known whether it is shown again."""
        over = beside_raw(self.backfill.build_schema, channel, stream.name)
        query = _KEPT_BEFORE.format(staged=over.staged, gone=over.gone)
        self.records_read = self.differing = 0
        self._shown = {}
        self._kept_before = {record_id for (record_id,) in conn.execute(query, {"merchant_id": merchant_id}).fetchall()}
        # What raw was loaded with before is older than what is read from here on.
        [(read_at,)] = conn.execute("select clock_timestamp()").fetchall()
        self._window = {"window_start": start, "window_end": end, "read_at": read_at}

    def noted(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages of the slice as they go by."""
        for page in pages:
            self.records_read += len(page.records) + len(page.rejects) + sum(map(len, page.children.values()))
            for record in page.records:
                if record.record_id in self._kept_before:
                    before = self._shown.get(record.record_id, record.updated_at)
                    self._shown[record.record_id] = max(before, record.updated_at)
            for record_id in page.gone:
                self._shown.pop(record_id, None)
            yield page

    def __call__(
        self, conn: Connection, channel: Channel, stream: Stream, merchant_id: str, sync_id: UUID, cured: set[str]
    ) -> Counter[str]:
        """Keep what is staged, in the caller's transaction; counts what it would do to raw."""
        raw = raw_table(channel, stream.name)
        over = beside_raw(self.backfill.build_schema, channel, stream.name)
        tables = {"raw": raw, "staged": over.staged, "gone": over.gone}
        values: dict[str, object] = {
            "merchant_id": merchant_id,
            "channel": channel.name,
            "stream": stream.name,
            "api_version": stream.api_version,
            "shown": list(self._shown),
            "shown_at": list(self._shown.values()),
            **self._window,
        }
        settle_staged(conn)
        if stream.write != "replace_slice":
            conn.execute(_DROP_OUTDATED.format(**tables), values)
        is_later = _LATER.get(stream.write, _NOT_OLDER)
        conn.execute(_TAKE_AWAY_SHOWN.format(**tables, is_later=is_later), values)
        conn.execute(_TAKE_AWAY_GONE.format(**tables), values)
        conn.execute(_COME_BACK.format(**tables), values)
        conn.execute(_KEEP.format(**tables), values)
        conn.execute(_KEEP_GONE.format(**tables), values)
        for child in stream.children:
            staged_child = beside_raw(self.backfill.build_schema, channel, child).staged
            parent = PARENT.format(id=sql.SQL("child.record_id"))
            for forget in (_FORGET_CHILDREN, _FORGET_ORPHANS):
                conn.execute(forget.format(**tables, staged_child=staged_child, parent=parent), values)
            child_stream = sql.Literal(child)
            conn.execute(_KEEP_CHILDREN.format(staged_child=staged_child, child_stream=child_stream), values)
        bury_rejects(conn, channel, stream, merchant_id, sync_id)
        counts: Counter[str] = Counter(
            dict(conn.execute(_COUNT.format(found=_FOUND.format(raw=raw)), values).fetchall())
        )
        self.differing = counts.total()
        noted = {"sync_id": sync_id, "records_read": self.records_read, "differing": self.differing}
        conn.execute(_NOTE, values | noted | {"backfill_id": self.backfill.backfill_id})
        failpoint("reread: before commit")
        return counts
