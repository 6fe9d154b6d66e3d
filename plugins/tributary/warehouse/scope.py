"""What a build has to compute again: the days that changes since the last publication touch, and those now over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg import sql

from tributary.warehouse.errors import UnknownMerchant
from tributary.warehouse.raw_table import raw_table
from tributary.warehouse.touched import CHANGES, find_days

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

    from tributary.declaration import Channel

_UNKNOWN_MERCHANTS = """
select merchant_id from touched
union
select merchant_id from touched_day
union
select merchant_id from claimed
except
select merchant_id from ops.merchants
order by merchant_id
"""

_SCHEMA = sql.SQL("""
drop schema if exists {schema} cascade;
create schema {schema} authorization tributary_pipeline;
create table {scope} (
    build_id uuid not null,
    merchant_id text not null,
    date_day date not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    opened_at timestamptz not null default clock_timestamp(),
    primary key (merchant_id, date_day)
);
""")

_SCOPE = sql.SQL("""
truncate {scope};
insert into {scope} (build_id, merchant_id, date_day, starts_at, ends_at)
select distinct
    {build_id},
    touched_day.merchant_id,
    touched_day.date_day,
    touched_day.date_day::timestamp at time zone merchants.time_zone,
    (touched_day.date_day + 1)::timestamp at time zone merchants.time_zone
from touched_day
inner join ops.merchants on merchants.merchant_id = touched_day.merchant_id
""")

# A day that is over is judged as a whole, so it is built once more, also when nothing touches it any more or it has no
# order at all: once, which its publication tells. It is over when all of the merchant's orders were read beyond it;
# this clock alone may be ahead of the shop's. Days before the first published one are nobody's.
_CLOSED_DAYS = """
insert into touched_day (merchant_id, date_day)
select shop.merchant_id, day.date_day
from (
    select
        merchants.merchant_id,
        merchants.time_zone,
        (least(min(checkpoints.position), now()) at time zone merchants.time_zone)::date as today
    from ops.merchants
    inner join ops.merchant_channels on merchants.merchant_id = merchant_channels.merchant_id
    inner join ops.checkpoints
        on
            merchant_channels.merchant_id = checkpoints.merchant_id
            and merchant_channels.channel = checkpoints.channel
    where checkpoints.stream = 'orders'
    group by merchants.merchant_id, merchants.time_zone
) as shop
cross join lateral (select shop.today - ago as date_day from generate_series(1, %s) as ago) as day
where
    exists (
        select from ops.publications
        where publications.merchant_id = shop.merchant_id and publications.date_day <= day.date_day
    )
    and not exists (
        select from ops.publications
        where
            publications.merchant_id = shop.merchant_id
            and publications.date_day = day.date_day
            and publications.published_at >= (day.date_day + 1)::timestamp at time zone shop.time_zone
    )
"""
_CLOSED_DAYS_TO_CATCH_UP = 7

_FORGET_DAYLESS = sql.SQL("delete from {source} where channel = {channel} and stream = any({streams})")

# Each change is compared with what is there now: what was changed and changed back leaves nothing to compute.
_FORGET_IMMATERIAL = sql.SQL("""
delete from {source}
where change_id in (
    select change.change_id
    from {source} as change
    cross join lateral (
        select event_at, payload
        from {table}
        where merchant_id = change.merchant_id and record_id = change.record_id
        offset 0
    ) as stored
    where
        change.channel = {channel}
        and change.stream = {stream}
        and change.operation = 'update'
        and stored.event_at = change.old_event_at
        and stored.event_at = change.new_event_at
        and (select {expression} from (select change.old_payload as payload) as before)
        is not distinct from (select {expression} from (select stored.payload as payload) as after)
)
""")


@dataclass(frozen=True, slots=True)
class Build:
    """A build that may begin: its scope is in `<schema>.scope`."""

    build_id: UUID
    schema: str
    merchants: list[str]
    days: int


def open_build(conn: Connection, schema: str, channels: Sequence[Channel], everything: bool = False) -> Build | None:
    """Claim all changes, also those that an earlier build left unpublished, and empty the schema for them.

    Days that have ended since they were last published are part of it, changed or not. Returns None, and changes
    nothing, when there is nothing to compute. With `everything` the scope is all days of all
    merchants, changed or not.
    """
    build_id = uuid4()
    with conn.transaction():
        forget_what_moves_nothing(conn, channels)
    with conn.transaction() as transaction:
        conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"tributary.build {schema}",))
        conn.execute("update ops.changes set build_id = %s", (build_id,))
        find_days(conn, channels, sql.SQL("build_id = {}").format(sql.Literal(build_id)), everything)
        conn.execute(_CLOSED_DAYS, (_CLOSED_DAYS_TO_CATCH_UP,))
        _check_merchants(conn)
        build = write_scope(conn, schema, build_id)
        if build is None:
            raise psycopg.Rollback(transaction)
    return build


def write_scope(conn: Connection, schema: str, build_id: UUID) -> Build | None:
    """Empty the schema for the days in `touched_day`; None when there are none."""
    create_build_schema(conn, schema)
    return fill_scope(conn, schema, build_id)


def create_build_schema(conn: Connection, schema: str) -> None:
    """An empty schema to build in, about no day yet."""
    conn.execute(_SCHEMA.format(schema=sql.Identifier(schema), scope=sql.Identifier(schema, "scope")))


def fill_scope(conn: Connection, schema: str, build_id: UUID) -> Build | None:
    """Make the schema about the days in `touched_day`; None when there are none."""
    scope = sql.Identifier(schema, "scope")
    conn.execute(_SCOPE.format(scope=scope, build_id=sql.Literal(build_id)))
    conn.execute(sql.SQL("analyze {}").format(scope))
    days: dict[str, int] = dict(
        conn.execute(
            sql.SQL("select merchant_id, count(*) from {} group by merchant_id order by merchant_id").format(scope)
        ).fetchall()
    )
    return Build(build_id, schema, list(days), sum(days.values())) if days else None


def forget_what_moves_nothing(
    conn: Connection, channels: Sequence[Channel], source: sql.Identifier = CHANGES, raw: str = "raw"
) -> None:
    """Changes that move no figure have nothing to wait for; of a backfill's own they widen nothing."""
    for channel in channels:
        for stream in channel.streams:
            if stream.name in stream.quiet and not stream.identities and not stream.links:
                conn.execute(
                    _FORGET_DAYLESS.format(
                        source=source,
                        channel=sql.Literal(channel.name),
                        streams=sql.Literal([stream.name, *stream.children]),
                    )
                )
            for name, expression in stream.matters.items():
                conn.execute(
                    _FORGET_IMMATERIAL.format(
                        source=source,
                        table=raw_table(channel, name, raw),
                        channel=sql.Literal(channel.name),
                        stream=sql.Literal(name),
                        expression=sql.SQL(expression),
                    )
                )


def _check_merchants(conn: Connection) -> None:
    unknown = [merchant_id for (merchant_id,) in conn.execute(_UNKNOWN_MERCHANTS).fetchall()]
    if unknown:
        raise UnknownMerchant(
            f"raw holds records of {', '.join(unknown)}, unknown to ops.merchants, so their business days are unknown "
            "too: add them to include/config/merchants.yaml, which the next ingest applies"
        )
