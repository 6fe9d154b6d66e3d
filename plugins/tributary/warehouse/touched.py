"""What changed records touch: themselves as they were and are, and whatever is computed from them."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.warehouse.mart_table import published_day_marts
from tributary.warehouse.raw_table import identity_expression, raw_table, raw_table_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from tributary.declaration import Channel, Stream

# Every look into raw is a lateral subquery with `offset 0`, which holds PostgreSQL to one index probe a row: on tables
# that grew since they were last analyzed it would choose to read all of them.

# From a changed row's identities to those of rows that share one, and once more: a guest's e-mail leads to the customer
# who owns it, the customer to all their e-mails, and each of these to the orders placed with it.
_IDENTITY_HOPS = 2

CHANGES = sql.Identifier("ops", "changes")

_TABLES = sql.SQL("""
set local jit = off;
create temporary table claimed on commit drop as
select merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload
from {source}
where {changes};
analyze claimed;
create temporary table restated on commit drop as
select merchant_id, min(coalesce(new_event_at, '-infinity')) as since
from claimed
where operation = 'settings'
group by merchant_id;
create temporary table touched (
    merchant_id text not null,
    event_at timestamptz not null
) on commit drop;
create temporary table touched_day (
    merchant_id text not null,
    date_day date not null
) on commit drop;
create temporary table linked (
    merchant_id text not null,
    kind text not null,
    value text not null,
    hop integer not null,
    primary key (merchant_id, kind, value)
) on commit drop;
""")

_DROP = "drop table if exists pg_temp.claimed, pg_temp.restated, pg_temp.touched, pg_temp.touched_day, pg_temp.linked"

# What happens to a part of an order happens to the order, and so to whatever is computed from it.
_PARENTS_OF_CHANGED = sql.SQL("""
insert into claimed (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at)
select distinct
    claimed.merchant_id, claimed.channel, {stream}, parent.record_id, 'update', parent.event_at, parent.event_at
from claimed
cross join lateral (
    select record_id, event_at
    from {parent}
    where
        merchant_id = claimed.merchant_id
        and record_id = left(claimed.record_id, -strpos(reverse(claimed.record_id), '/'))
    offset 0
) as parent
where claimed.channel = {channel} and claimed.stream = {child_stream}
""")

_OWN_TIMES = sql.SQL("""
insert into touched (merchant_id, event_at)
select claimed.merchant_id, event.at
from claimed
cross join lateral (values (claimed.old_event_at), (claimed.new_event_at)) as event (at)
where
    event.at is not null
    and claimed.operation <> 'settings'
    and claimed.channel || '_' || claimed.stream <> all({quiet})
""")

# Children that changed themselves bring their old days; these are the days of the others.
_CHILDREN_OF_CHANGED = sql.SQL("""
insert into touched (merchant_id, event_at)
select claimed.merchant_id, child.event_at
from claimed
cross join lateral (
    select event_at
    from {child}
    where
        merchant_id = claimed.merchant_id
        and record_id > claimed.record_id || '/'
        and record_id < claimed.record_id || '0'
    offset 0
) as child
where claimed.channel = {channel} and claimed.stream = {stream}
""")

# A click counts for what is bought after it. Days that nobody has seen yet bring their own changes.
_DAYS_REACHED = sql.SQL("""
insert into touched_day (merchant_id, date_day)
select distinct mart.merchant_id, mart.date_day
from (
    select distinct
        claimed.merchant_id,
        (event.at at time zone merchants.time_zone)::date as first_day,
        ((event.at + {reach}) at time zone merchants.time_zone)::date as last_day
    from claimed
    inner join ops.merchants on merchants.merchant_id = claimed.merchant_id
    cross join lateral (values (claimed.old_event_at), (claimed.new_event_at)) as event (at)
    where claimed.channel = {channel} and claimed.stream = {stream} and event.at is not null
) as reached
inner join {mart} as mart
    on mart.merchant_id = reached.merchant_id and mart.date_day between reached.first_day and reached.last_day
""")

# What a day gained is its reading less the one before, so a reading also touches the day of the next.
_NEXT_SNAPSHOTS = sql.SQL("""
insert into touched (merchant_id, event_at)
select claimed.merchant_id, following.event_at
from claimed
cross join lateral (
    select event_at
    from {table}
    where
        merchant_id = claimed.merchant_id
        and record_id > claimed.record_id
        and record_id < left(claimed.record_id, -strpos(reverse(claimed.record_id), '/')) || '0'
    order by record_id
    limit 1
) as following
where claimed.channel = {channel} and claimed.stream = {stream}
""")

# Figures make the day final that the vendor corrected until then by being there, whatever they say: so it is touched by
# those that come, go or move, and not by those that are corrected.
_DAYS_MADE_FINAL = sql.SQL("""
insert into touched (merchant_id, event_at)
select claimed.merchant_id, event.at - {restated_for}
from claimed
cross join lateral (values (claimed.old_event_at), (claimed.new_event_at)) as event (at)
where
    claimed.channel = {channel}
    and claimed.stream = {stream}
    and event.at is not null
    and claimed.old_event_at is distinct from claimed.new_event_at
""")

_IDENTITIES_OF_CHANGED = sql.SQL("""
insert into linked (merchant_id, kind, value, hop)
select distinct version.merchant_id, {kind}, {identity}, 0
from (
    select claimed.merchant_id, claimed.old_payload as payload
    from claimed
    where claimed.channel = {channel} and claimed.stream = {stream} and claimed.old_payload is not null
    union all
    select claimed.merchant_id, stored.payload
    from claimed
    cross join lateral (
        select payload
        from {table}
        where merchant_id = claimed.merchant_id and record_id = claimed.record_id
        offset 0
    ) as stored
    where claimed.channel = {channel} and claimed.stream = {stream}
) as version
where {identity} is not null
on conflict do nothing
""")

_IDENTITIES_OF_LINKED = sql.SQL("""
insert into linked (merchant_id, kind, value, hop)
select distinct linked.merchant_id, {to_kind}, stored.value, {hop}
from linked
cross join lateral (
    select {to_identity} as value
    from {table}
    where merchant_id = linked.merchant_id and {identity} = linked.value
    offset 0
) as stored
where linked.kind = {kind} and linked.hop = {hop} - 1 and stored.value is not null
on conflict do nothing
""")

_TIMES_OF_LINKED = sql.SQL("""
insert into touched (merchant_id, event_at)
select distinct linked.merchant_id, stored.event_at
from linked
cross join lateral (
    select event_at
    from {table}
    where merchant_id = linked.merchant_id and {identity} = linked.value
    offset 0
) as stored
where linked.kind = {kind}
""")

_CHILDREN_OF_LINKED = sql.SQL("""
insert into touched (merchant_id, event_at)
select distinct linked.merchant_id, child.event_at
from linked
cross join lateral (
    select record_id
    from {table}
    where merchant_id = linked.merchant_id and {identity} = linked.value
    offset 0
) as stored
cross join lateral (
    select event_at
    from {child}
    where
        merchant_id = linked.merchant_id
        and record_id > stored.record_id || '/'
        and record_id < stored.record_id || '0'
    offset 0
) as child
where linked.kind = {kind}
""")

_ALL_TIMES = sql.SQL("""
insert into touched (merchant_id, event_at)
select stored.merchant_id, stored.event_at
from {table} as stored
left join restated on restated.merchant_id = stored.merchant_id
where {everything} or stored.event_at >= restated.since
""")

_ALL_DAYS = sql.SQL("""
insert into touched_day (merchant_id, date_day)
select distinct mart.merchant_id, mart.date_day
from {mart} as mart
inner join ops.merchants on merchants.merchant_id = mart.merchant_id
left join restated on restated.merchant_id = mart.merchant_id
where {everything} or mart.date_day >= (restated.since at time zone merchants.time_zone)::date
""")

_DAYS_OF_TIMES = """
insert into touched_day (merchant_id, date_day)
select distinct touched.merchant_id, (touched.event_at at time zone merchants.time_zone)::date
from touched
inner join ops.merchants on merchants.merchant_id = touched.merchant_id
"""


def find_days(
    conn: Connection,
    channels: Sequence[Channel],
    changes: sql.Composable,
    everything: bool = False,
    source: sql.Identifier = CHANGES,
    raw: str = "raw",
) -> None:
    """Leave in the temporary table `touched_day` what those changes touch, until the transaction ends.

    A backfill's changes stand in a table of its own (`source`), and raw as they leave it in a schema of its own.
    """
    conn.execute(_TABLES.format(source=source, changes=changes))
    streams = [(channel, stream) for channel in channels for stream in channel.streams]
    if not everything:
        _follow_changes(conn, streams, raw)
    settings = conn.execute("select exists (select from restated)").fetchone()
    if everything or settings == (True,):
        whole = sql.Literal(everything)
        for channel, stream in streams:
            for name in {stream.name, *stream.children} - stream.quiet:
                conn.execute(_ALL_TIMES.format(table=raw_table(channel, name, raw), everything=whole))
        for mart in published_day_marts(conn):
            conn.execute(_ALL_DAYS.format(mart=sql.Identifier("marts", mart), everything=whole))
    conn.execute(_DAYS_OF_TIMES)


def drop_days(conn: Connection) -> None:
    """Make room for another `find_days` in the same transaction."""
    conn.execute(_DROP)


def _follow_changes(conn: Connection, streams: Sequence[tuple[Channel, Stream]], raw: str) -> None:
    for channel, stream in streams:
        for child in stream.children:
            conn.execute(
                _PARENTS_OF_CHANGED.format(
                    channel=sql.Literal(channel.name),
                    stream=sql.Literal(stream.name),
                    child_stream=sql.Literal(child),
                    parent=raw_table(channel, stream.name, raw),
                )
            )
    quiet = [raw_table_name(channel, name) for channel, stream in streams for name in sorted(stream.quiet)]
    conn.execute(_OWN_TIMES.format(quiet=sql.Literal(quiet)))
    for channel, stream in streams:
        names = {
            "channel": sql.Literal(channel.name),
            "stream": sql.Literal(stream.name),
            "table": raw_table(channel, stream.name, raw),
        }
        if stream.write == "snapshot":
            conn.execute(_NEXT_SNAPSHOTS.format(**names))
        if stream.restated_for is not None:
            conn.execute(_DAYS_MADE_FINAL.format(restated_for=sql.Literal(stream.restated_for), **names))
        if stream.reach is not None:
            for mart in published_day_marts(conn):
                reached = {"reach": sql.Literal(stream.reach), "mart": sql.Identifier("marts", mart)}
                conn.execute(_DAYS_REACHED.format(**reached, **names))
        for child in (child for child in stream.children if child not in stream.quiet):
            conn.execute(_CHILDREN_OF_CHANGED.format(child=raw_table(channel, child, raw), **names))
    _follow_identities(conn, streams, raw)


def _follow_identities(conn: Connection, streams: Sequence[tuple[Channel, Stream]], raw: str) -> None:
    for channel, stream in streams:
        for kind, expression in _shared(stream):
            conn.execute(
                _IDENTITIES_OF_CHANGED.format(
                    kind=sql.Literal(kind),
                    identity=identity_expression(expression),
                    channel=sql.Literal(channel.name),
                    stream=sql.Literal(stream.name),
                    table=raw_table(channel, stream.name, raw),
                )
            )
    for hop in range(1, _IDENTITY_HOPS + 1):
        conn.execute("analyze linked")
        for channel, stream in streams:
            for kind, to_kind in itertools.permutations(stream.identities, 2):
                conn.execute(
                    _IDENTITIES_OF_LINKED.format(
                        hop=sql.Literal(hop),
                        kind=sql.Literal(kind),
                        identity=identity_expression(stream.identities[kind]),
                        to_kind=sql.Literal(to_kind),
                        to_identity=identity_expression(stream.identities[to_kind]),
                        table=raw_table(channel, stream.name, raw),
                    )
                )
    conn.execute("analyze linked")
    dated = [(channel, stream) for channel, stream in streams if stream.name not in stream.quiet]
    declared = Counter(kind for _, stream in dated for kind, _ in _shared(stream))
    for channel, stream in dated:
        for kind, expression in _shared(stream):
            names = {
                "kind": sql.Literal(kind),
                "identity": identity_expression(expression),
                "table": raw_table(channel, stream.name, raw),
            }
            conn.execute(_TIMES_OF_LINKED.format(**names))
            for child in stream.children:
                if declared[kind] > 1 and child not in stream.quiet:
                    conn.execute(_CHILDREN_OF_LINKED.format(**names, child=raw_table(channel, child, raw)))


def _shared(stream: Stream) -> Iterator[tuple[str, str]]:
    """Whatever rows of the stream may share with others, and how it is read from one."""
    yield from stream.identities.items()
    yield from stream.links.items()
