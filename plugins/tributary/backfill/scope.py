"""Makes the build schema, and the lease, about the days that a backfill computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.days import Scope, gather_days
from tributary.backfill.lease import renew
from tributary.backfill.rereading.overlay import collect_changes, create_overlay
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.leases import hold_days
from tributary.warehouse.scope import fill_scope, forget_what_moves_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel

__all__ = ["Scope", "open_scope"]

_KEEP = sql.SQL("""
drop table if exists {asked};
create table {asked} (
    merchant_id text not null,
    date_day date not null,
    primary key (merchant_id, date_day)
);
insert into {asked} (merchant_id, date_day)
select merchant_id, date_day from reprocessed where because = 'asked';
create temporary table touched_day on commit drop as
select merchant_id, date_day from reprocessed
""")
_DAYS = "select date_day from reprocessed where merchant_id = %s order by date_day"


def open_scope(conn: Connection, backfill: Backfill, channels: Sequence[Channel]) -> Scope:
    """Fill `<schema>.scope`, and `<schema>.asked` with those of its days that the range names; hold all of them.

    Repeated, it ends the same. Raises LeaseLost when its merchants are not its own any more.
    """
    renew(conn, backfill.backfill_id)
    with conn.transaction():
        # Apart: a publication that waited for these rows would itself be waited for below.
        forget_what_moves_nothing(conn, channels)
    with conn.transaction():
        create_overlay(conn, backfill, channels)
        scope = gather_days(conn, backfill, channels, _staged(conn, backfill, channels))
        conn.execute(_KEEP.format(asked=sql.Identifier(backfill.build_schema, "asked")))
        fill_scope(conn, backfill.build_schema, backfill.backfill_id)
        for merchant_id in sorted(backfill.merchants):
            days: list[date] = [day for (day,) in conn.execute(_DAYS, (merchant_id,)).fetchall()]
            hold_days(conn, backfill.backfill_id, merchant_id, days)
        renew(conn, backfill.backfill_id)
        failpoint("scope: before commit")
    failpoint("scope: committed")
    return scope


def _staged(conn: Connection, backfill: Backfill, channels: Sequence[Channel]) -> sql.Identifier | None:
    """The changes that it read, where it reads."""
    if backfill.mode != "reread":
        return None
    collect_changes(conn, backfill, channels)
    staged = sql.Identifier(backfill.build_schema, "changes")
    forget_what_moves_nothing(conn, channels, staged, backfill.build_schema)
    return staged
