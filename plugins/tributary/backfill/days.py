"""Which days a backfill computes: those asked for, those that what it read touches, and those that wait with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.warehouse.errors import UnknownMerchant
from tributary.warehouse.touched import CHANGES, drop_days, find_days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel

_OPEN = """
drop table if exists pg_temp.reprocessed;
create temporary table reprocessed (
    merchant_id text not null,
    date_day date not null,
    because text not null,
    primary key (merchant_id, date_day)
) on commit drop;
drop table if exists pg_temp.waiting;
create temporary table waiting (
    merchant_id text not null,
    date_day date not null
) on commit drop;
"""

# The merchant's own days, also those without an order, up to its today.
_ADD_ASKED = """
insert into reprocessed (merchant_id, date_day, because)
select merchants.merchant_id, day::date, 'asked'
from ops.merchants
cross join lateral generate_series(
    %(first_day)s::date,
    least(%(last_day)s::date, (now() at time zone merchants.time_zone)::date),
    interval '1 day'
) as day
where merchants.merchant_id = any(%(merchants)s)
"""
_ADD_CLOSURE = """
insert into reprocessed (merchant_id, date_day, because)
select distinct merchant_id, date_day, 'closure' from touched_day
on conflict do nothing
"""
_NOTE_WAITING = "insert into waiting (merchant_id, date_day) select merchant_id, date_day from touched_day"
_ADD_WAITING = """
insert into reprocessed (merchant_id, date_day, because)
select distinct merchant_id, date_day, 'pending' from waiting
where merchant_id in (
    select reprocessed.merchant_id from reprocessed inner join waiting using (merchant_id, date_day)
)
on conflict do nothing
"""

_COUNTED = "select merchant_id, because, count(*) from reprocessed group by merchant_id, because"


@dataclass(frozen=True, slots=True)
class Scope:
    """How many days a backfill computes, and why."""

    days_by_merchant: Mapping[str, int]
    """Of each of its merchants, all that are computed."""
    asked: int
    """Those of the range that was asked for."""
    closure: int
    """Others that what was read again touches."""
    pending: int
    """Others that unpublished changes touch: published with the ones they meet, so that all are of one state of raw."""


def gather_days(
    conn: Connection, backfill: Backfill, channels: Sequence[Channel], staged: sql.Identifier | None = None
) -> Scope:
    """Leave the backfill's days in the temporary table `reprocessed`, until the transaction ends.

    `staged` names the changes that it read, in its schema, which shows raw as they leave it; None: there are none, or
    none yet. Raises UnknownMerchant when the business days of one are unknown.
    """
    merchants = sorted(backfill.merchants)
    raw = backfill.build_schema if staged else "raw"
    conn.execute(_OPEN)
    asked = {"merchants": merchants, "first_day": backfill.first_day, "last_day": backfill.last_day}
    conn.execute(_ADD_ASKED, asked)
    _check_merchants(conn, merchants)
    if staged:
        _touch(conn, channels, merchants, staged, raw)
        conn.execute(_ADD_CLOSURE)
    # What is unpublished touches days by raw as it is now, and by raw as the backfill leaves it.
    for state in dict.fromkeys(("raw", raw)):
        _touch(conn, channels, merchants, CHANGES, state)
        conn.execute(_NOTE_WAITING)
    conn.execute(_ADD_WAITING)
    drop_days(conn)
    return _counted(conn, merchants)


def _touch(
    conn: Connection, channels: Sequence[Channel], merchants: Sequence[str], source: sql.Identifier, raw: str
) -> None:
    drop_days(conn)
    of_theirs = sql.SQL("merchant_id = any({})").format(sql.Literal(merchants))
    find_days(conn, channels, of_theirs, source=source, raw=raw)


def _check_merchants(conn: Connection, merchants: Sequence[str]) -> None:
    known = conn.execute("select merchant_id from ops.merchants where merchant_id = any(%s)", (merchants,)).fetchall()
    if unknown := sorted(set(merchants) - {merchant_id for (merchant_id,) in known}):
        raise UnknownMerchant(
            f"ops.merchants does not know {', '.join(unknown)}, so their business days are unknown too: add them to "
            "include/config/merchants.yaml, which the next ingest applies"
        )


def _counted(conn: Connection, merchants: Sequence[str]) -> Scope:
    rows: list[tuple[str, str, int]] = conn.execute(_COUNTED).fetchall()
    return Scope(
        days_by_merchant={each: sum(days for of, _, days in rows if of == each) for each in merchants},
        asked=sum(days for _, because, days in rows if because == "asked"),
        closure=sum(days for _, because, days in rows if because == "closure"),
        pending=sum(days for _, because, days in rows if because == "pending"),
    )
