"""Reads a channel's past again for a backfill: window by window, beside raw, going on where a killed reading ended."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from tributary.backfill.lease import renew
from tributary.backfill.rereading.landing import Landing
from tributary.declaration import A_DAY
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.load import open_loader
from tributary.warehouse.sync import check_rejects

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel, Stream
    from tributary.warehouse.load import Loader

WINDOW_DAYS = 7
"""The most of a merchant's days that one transaction keeps: a busy shop's week is some ten thousand orders."""

# A window with too many dead letters was kept, and is read again by whoever tries again.
_READ = """
select reads.stream, reads.window_start, reads.window_end, reads.records_read, reads.differing
from ops.backfill_reads as reads
left join ops.syncs as syncs on syncs.sync_id = reads.sync_id
where
    reads.backfill_id = %(backfill_id)s
    and reads.merchant_id = %(merchant_id)s
    and reads.channel = %(channel)s
    and (
        %(stream)s::text is null
        or (reads.stream = %(stream)s and coalesce(syncs.rejected <= %(rate)s::float8 * syncs.records_read, true))
    )
order by reads.stream, reads.window_start
"""


class Read(NamedTuple):
    """A window of a stream that was read again."""

    stream: str
    window_start: datetime
    window_end: datetime
    records_read: int
    differing: int
    """How many records it shows otherwise than raw."""


def read_again(
    connect: Callable[[], Connection],
    api: Any,
    channel: Channel,
    backfill: Backfill,
    merchant_id: str,
    time_zone: str,
    say: Callable[[str], None],
) -> list[Read]:
    """Read the backfill's days of all streams of the channel into the build schema; raw stays as it is.

    Windows that were read before, by a try that did not come to its end, are not read again. Raises TooManyDeadLetters
    when a window held more of them than declared (its good rows were kept), LeaseLost when the lease is gone.
    """
    now = api.now()
    for stream in channel.streams:
        wanted = windows(stream, backfill, time_zone, now)
        done = {read.window_start for read in _reads(connect, backfill, channel, merchant_id, stream)}
        landing = Landing(backfill)
        with open_loader(connect, channel, stream, merchant_id, landing, backfill.build_schema) as loader:
            for number, (start, end) in enumerate(wanted, 1):
                place = f"{channel.name} {stream.name} {number} of {len(wanted)}"
                if start in done:
                    say(f"{place}: was read before")
                    continue
                with closing(connect()) as conn, conn.transaction():
                    landing.begin(conn, channel, stream, merchant_id, start, end)
                pages = loader.whole(api, start, end, stream.happened(api, start, end))
                moved = loader.move("backfill", start, end, landing.noted(pages))
                failpoint("reread: committed")
                say(f"{place}: {_story(loader, landing, start, end)}")
                with loader.outside_a_slice("backfill", end):
                    check_rejects(stream, merchant_id, moved.counts, start, end)
                with closing(connect()) as conn, conn.transaction():
                    renew(conn, backfill.backfill_id)
    return _reads(connect, backfill, channel, merchant_id)


def windows(stream: Stream, backfill: Backfill, time_zone: str, now: datetime) -> list[tuple[datetime, datetime]]:
    """The windows that a stream is read in: a week of the merchant's days each at most, and nothing beyond `now`.

    What is dependent on the range comes after it, and is read until now.
    """
    assert backfill.first_day is not None, "a range was asked for"
    assert backfill.last_day is not None, "a range was asked for"
    zone = ZoneInfo(time_zone)
    # What vendors report by the day stands at noon UTC, which far in the east is behind the merchant's own day.
    reported = datetime.combine(backfill.last_day, time(12, 1), UTC)
    end = now if stream.is_dependent else min(now, max(_midnight(backfill.last_day + A_DAY, zone), reported))
    last = end.astimezone(zone).date() if stream.is_dependent else backfill.last_day
    days = (backfill.first_day + n * A_DAY for n in range(0, (last - backfill.first_day).days + 1, WINDOW_DAYS))
    starts = [start for start in (_midnight(day, zone) for day in days) if start < end]
    return list(pairwise([*starts, end]))


def _story(loader: Loader, landing: Landing, start: datetime, end: datetime) -> str:
    if not landing.records_read and not landing.differing and loader.happened(start, end):
        return "nothing of it is shown any more; what was read then stays"
    return f"{landing.records_read:,} records, {landing.differing:,} differ"


def _reads(
    connect: Callable[[], Connection],
    backfill: Backfill,
    channel: Channel,
    merchant_id: str,
    stream: Stream | None = None,
) -> list[Read]:
    """All windows that were read; with a stream, those of it that need not be read again."""
    values = {
        "backfill_id": backfill.backfill_id,
        "merchant_id": merchant_id,
        "channel": channel.name,
        "stream": stream and stream.name,
        "rate": stream and stream.max_dead_letter_rate,
    }
    with closing(connect()) as conn, conn.transaction(), conn.cursor(row_factory=class_row(Read)) as cursor:
        return cursor.execute(_READ, values).fetchall()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
