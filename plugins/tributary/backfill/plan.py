"""What a backfill will do, before it does it: days, records, calls to vendors, quotas and time, as far as is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.comparing.spelling import counted
from tributary.backfill.days import gather_days
from tributary.backfill.rereading.reading import windows
from tributary.declaration import A_DAY
from tributary.notify.mrkdwn import minute
from tributary.warehouse.raw_table import raw_table
from tributary.warehouse.scope import forget_what_moves_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.backfill.days import Scope
    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel, Stream
    from tributary.warehouse.settings.merchants import Merchant

_CONNECTED = """
select connected.merchant_id, connected.channel, merchants.time_zone
from ops.merchant_channels as connected
inner join ops.merchants on merchants.merchant_id = connected.merchant_id
where connected.merchant_id = any(%s) and connected.channel = any(%s)
"""

_RECORDS = sql.SQL("select count(*) from {table} where merchant_id = %s and event_at >= %s and event_at < %s")

# What a slice takes by itself, and what each record adds: the line through the last slices that succeeded.
_PACE = """
select
    avg(seconds)::double precision,
    regr_intercept(seconds, records_read),
    regr_slope(seconds, records_read)
from (
    select extract(epoch from finished_at - started_at)::double precision as seconds, records_read
    from ops.syncs
    where
        merchant_id = %s and channel = %s and stream = %s
        and status = 'succeeded' and kind <> 'replay' and records_read is not null
    order by started_at desc
    limit 200
) as slices
"""

# Whose an account is the warehouse cannot tell: it knows no more of it than a digest, or the vendor's own number.
_QUOTAS = """
select
    channel,
    quotas.quota,
    count(quotas.account),
    coalesce(sum((select count(*) from unnest(quotas.uses) as used where used > now() - interval '1 day')), 0)::bigint,
    max(quotas.closed_until) filter (where quotas.closed_until > now())
from unnest(%s::text[]) as channel
left join ops.vendor_quotas as quotas on split_part(quotas.account, '/', 1) = channel
group by channel, quotas.quota
order by channel, quotas.quota
"""

# From the request to where somebody is waited for, or to the end where nobody is.
_PAST = """
select sum(duration_seconds)::double precision / sum(merchant_days), count(*)
from (
    select duration_seconds, cardinality(merchants) * (date_range_end - date_range_start + 1) as merchant_days
    from (
        select distinct on (backfill_id) *
        from audit.backfill_events
        where
            kind = 'backfill' and mode = %s and status in ('waiting', 'dry run', 'published')
            and duration_seconds is not null
        order by backfill_id, event_id
    ) as each
    order by event_id desc
    limit 20
) as past
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """A merchant's stream that is read again."""

    merchant_id: str
    channel: str
    stream: str
    records: int
    """What raw has of the range; the vendor may show others."""
    windows: int
    """Weeks of it at most; what depends on the range is read until now."""
    calls: int
    seconds: float | None
    """By the stream's ledger; None: it has no record yet."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What the warehouse knows of a vendor's quota: of all of the installation's accounts at that vendor."""

    channel: str
    name: str | None
    """None: it knows none, the vendor counts by itself."""
    accounts: int
    used: int
    """In the last day, if it is one that is counted here."""
    closed_until: datetime | None

    def sentence(self) -> str:
        """Said for a person; whose the accounts are, and how much the vendor allows them, nobody here knows."""
        if self.name is None:
            return f"{self.channel}: unknown, the vendor alone counts"
        used = f"{counted(self.used, 'request')} booked in the last day" if self.used else "nothing booked"
        shut = f"closed until {minute(self.closed_until)}" if self.closed_until else "not closed"
        accounts = counted(self.accounts, "account")
        return f"{self.channel}, {self.name}: {used}, {shut} ({accounts} of this installation; what is left: unknown)"


@dataclass(frozen=True, slots=True)
class Plan:
    """A backfill as it can be foreseen."""

    mode: str
    scope: Scope
    """The days as they are known before anything is read again."""
    readings: Sequence[Reading]
    quotas: Sequence[Quota]
    seconds: float | None
    """By earlier backfills of this mode, from the request to the approval; None: there was none yet."""
    past: int
    """How many they were."""

    @property
    def calls(self) -> int:
        """Requests to vendors, at least."""
        return sum(reading.calls for reading in self.readings)

    def lines(self) -> list[str]:
        """A table for people: in a task's log, or between the fences of a message."""
        return [*self._days(), "", *self._readings(), *self._time()]

    def _days(self) -> Iterator[str]:
        least = "at least " if self.mode == "reread" else ""
        yield from _table([("merchant", "days"), *((m, f"{least}{d:,}") for m, d in self._by_merchant())], numbers=1)
        waiting = (
            f"{counted(self.scope.pending, 'more day')} that unpublished changes touch together with them"
            if self.scope.pending
            else "no unpublished change leads beyond them"
        )
        yield f"{counted(self.scope.asked, 'day')} asked for; {waiting}."
        if self.mode == "reread":
            yield "What the vendors show otherwise than raw may add others."

    def _by_merchant(self) -> list[tuple[str, int]]:
        return sorted(self.scope.days_by_merchant.items())

    def _readings(self) -> Iterator[str]:
        if self.mode != "reread":
            yield "Nothing is read again: the days are built anew from raw."
            return
        if not self.readings:
            yield "Nothing is read again: none of the merchants has one of the channels."
            return
        header = ("merchant", "channel", "stream", "records", "windows", "calls", "about")
        rows = [
            (r.merchant_id, r.channel, r.stream, f"{r.records:,}", f"{r.windows:,}", f"{r.calls:,}", _told(r.seconds))
            for r in self.readings
        ]
        yield from _table([header, *rows], numbers=3)
        yield f"Calls: {self.calls:,} at least, by the records that raw has; quotas:"
        yield from (f"  {quota.sentence()}" for quota in self.quotas)

    def _time(self) -> Iterator[str]:
        known = [reading.seconds for reading in self.readings if reading.seconds is not None]
        if self.readings:
            rest = len(self.readings) - len(known)
            without = f" and {counted(rest, 'stream')} of no record" if rest else ""
            yield f"Reading: about {_told(sum(known) if known else None)}{without}, if one stream follows the other."
        earlier = (
            f"about {_told(self.seconds)}, by {counted(self.past, 'earlier backfill')}"
            if self.seconds is not None
            else "no record yet"
        )
        yield f"All of it until the difference is shown: {earlier}."


def plan(conn: Connection, backfill: Backfill, channels: Sequence[Channel]) -> Plan:
    """Look ahead, and change nothing."""
    with conn.transaction():
        forget_what_moves_nothing(conn, channels)
    with conn.transaction(force_rollback=True):
        scope = gather_days(conn, backfill, channels)
    is_reread = backfill.mode == "reread"
    wanted = [channel for channel in channels if is_reread and channel.name in backfill.channels]
    past = conn.execute(_PAST, (backfill.mode,)).fetchone()
    a_day, count = past or (None, 0)
    return Plan(
        mode=backfill.mode,
        scope=scope,
        readings=list(_read(conn, backfill, wanted)),
        quotas=[Quota(*row) for row in conn.execute(_QUOTAS, ([channel.name for channel in wanted],)).fetchall()],
        seconds=None if a_day is None else a_day * scope.asked,
        past=count,
    )


def reads(
    backfill: Backfill, merchants: Sequence[Merchant], channels: Sequence[Channel]
) -> dict[str, list[dict[str, str]]]:
    """For each channel whom it is read again for, and over which connection; nobody where raw is all that is needed."""
    return {
        channel.name: [
            {"merchant_id": merchant.merchant_id, "connection": merchant.channels[channel.name]}
            for merchant in merchants
            if backfill.mode == "reread"
            and channel.name in backfill.channels
            and merchant.merchant_id in backfill.merchants
            and channel.name in merchant.channels
        ]
        for channel in channels
    }


def _read(conn: Connection, backfill: Backfill, channels: Sequence[Channel]) -> Iterator[Reading]:
    now: datetime = conn.execute("select now()").fetchall()[0][0]
    connected = conn.execute(_CONNECTED, ([*backfill.merchants], [channel.name for channel in channels])).fetchall()
    zones = {(merchant_id, channel): time_zone for merchant_id, channel, time_zone in connected}
    for merchant_id in sorted(backfill.merchants):
        for channel in channels:
            if zone := zones.get((merchant_id, channel.name)):
                for stream in channel.streams:
                    spans = windows(stream, backfill, zone, now)
                    yield _reading(conn, merchant_id, channel, stream, spans)


def _reading(
    conn: Connection, merchant_id: str, channel: Channel, stream: Stream, spans: Sequence[tuple[datetime, datetime]]
) -> Reading:
    if not spans:
        return Reading(merchant_id, channel.name, stream.name, 0, 0, 0, 0.0)
    start, end = spans[0][0], spans[-1][1]
    query = _RECORDS.format(table=raw_table(channel, stream.name))
    [(records,)] = conn.execute(query, (merchant_id, start, end)).fetchall()
    calls = max(
        len(spans) * stream.requests_a_window,
        round((end - start) / A_DAY) * stream.requests_a_day,
        math.ceil(records / stream.per_request),
    )
    pace = conn.execute(_PACE, (merchant_id, channel.name, stream.name)).fetchone()
    seconds = _foreseen(len(spans), records, *pace) if pace else None
    return Reading(merchant_id, channel.name, stream.name, records, len(spans), calls, seconds)


def _foreseen(
    windows: int, records: int, average: float | None, a_window: float | None, a_record: float | None
) -> float | None:
    """By the line, as far as it says something; by the average slice where it does not."""
    if average is None or a_window is None or a_record is None or a_record < 0:
        return None if average is None else windows * average
    return windows * max(a_window, 0.0) + records * a_record


def _table(rows: Sequence[Sequence[str]], numbers: int) -> Iterator[str]:
    """Columns of the width that they need; from the column of that number on they stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if number >= numbers else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells)


def _told(seconds: float | None) -> str:
    if seconds is None:
        return "no record yet"
    length = timedelta(seconds=math.ceil(seconds))
    if length < timedelta(minutes=2):
        return f"{length.seconds} s"
    if length < timedelta(hours=2):
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
