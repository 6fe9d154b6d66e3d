"""A shop whose past is read again beside raw, and what the views over raw then show of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tests.backfill.rows import asked
from tests.warehouse.shop import COUNTERS, FIGURES, ORDERS, START, VISITS, Vendor, add_merchants, merchant
from tributary.backfill.lease import take
from tributary.backfill.rereading.overlay import create_overlay, stage_winners
from tributary.backfill.rereading.reading import Read, read_again
from tributary.declaration import Channel, Page
from tributary.warehouse.merge import merge_staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tributary.backfill.state import Backfill
    from tributary.declaration import Stream

    Connect = Callable[[], psycopg.Connection]

DAY = timedelta(days=1)
NOW = START + 40 * DAY


def gone(api: Any, ids: Sequence[str]) -> Iterator[Page]:
    """A window that shows a record no more says that there is none."""
    yield Page((), gone=ids)


REPORT = replace(FIGURES, name="report", children=("refunds",), write="replace_slice", by_id=gone, restated_for=None)


@dataclass
class Present(Vendor):
    """A vendor who knows what time it is."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


def channel(*streams: Stream) -> Channel:
    """The shop with these streams alone."""
    return Channel(name="shop", conn_type="shop", hook="none", schedule="@hourly", pool="shop", streams=streams)


ALL = (ORDERS, VISITS, COUNTERS, FIGURES)


def begun(conn: psycopg.Connection, of: Channel, run_id: str = "first", **changed: Any) -> Backfill:
    """A backfill of aurora in UTC that has its lease and its views."""
    add_merchants(conn, merchant(time_zone="UTC"))
    days = {"first_day": START.date(), "last_day": START.date(), "mode": "reread", "channels": [of.name]}
    backfill = asked(conn, run_id, **{**days, **changed})
    take(conn, backfill)
    create_overlay(conn, backfill, [of])
    return backfill


def read(
    connect: Connect, vendor: Vendor, of: Channel, backfill: Backfill, said: list[str] | None = None
) -> list[Read]:
    """Its days again, of all streams."""
    say = (said if said is not None else []).append
    return read_again(connect, vendor, of, backfill, "aurora", "UTC", say)


def forget_reads(conn: psycopg.Connection) -> None:
    """So that the same windows are read once more."""
    conn.execute("delete from ops.backfill_reads")


def shown(conn: psycopg.Connection, schema: str, table: str, merchant_id: str = "aurora") -> list[tuple[Any, ...]]:
    """What a vendor said, as raw or a view over it holds it."""
    query = sql.SQL(
        "select record_id, event_at, updated_at, payload, payload_hash, api_version from {}"
        " where merchant_id = %s order by record_id"
    )
    return conn.execute(query.format(sql.Identifier(schema, f"shop_{table}")), (merchant_id,)).fetchall()


def merge(connect: Connect, of: Channel, backfill: Backfill) -> None:
    """What wins, into raw."""
    with connect() as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for stream in of.streams:
            cured = stage_winners(conn, backfill, of, stream, "aurora")
            merge_staged(conn, of, stream, "aurora", backfill.backfill_id, cured)
