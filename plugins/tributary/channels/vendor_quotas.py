"""Quotas too small to be learnt by refusals: counted in the warehouse, for all tasks on all machines together."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tributary.http import Redactor, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg

    from tributary.http import RateLimited

_BEGIN = "insert into ops.vendor_quotas (account, quota) values (%(account)s, %(quota)s) on conflict do nothing"

# Who comes second waits here until the first has booked, or is gone.
_LOCK = """
select uses, closed_until, reason from ops.vendor_quotas
where account = %(account)s and quota = %(quota)s
for update
"""

_USE = "update ops.vendor_quotas set uses = %(uses)s where account = %(account)s and quota = %(quota)s"

# What was closed for longer stays so: of two refusals, the one that names the later end knows more.
_CLOSE = """
insert into ops.vendor_quotas as known (account, quota, closed_until, reason)
values (%(account)s, %(quota)s, %(until)s, %(reason)s)
on conflict (account, quota) do update
set closed_until = excluded.closed_until, reason = excluded.reason
where known.closed_until is null or known.closed_until < excluded.closed_until
"""


@dataclass(frozen=True, slots=True)
class Window:
    """So many requests in any span of this length."""

    limit: int
    length: timedelta
    name: str
    """As a person says it: `a day`."""


class SharedQuota:
    """One quota of one account at a vendor, from which all tasks draw.

    Any span of a window's length is kept to its limit, however the vendor cuts its own windows.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], psycopg.Connection],
        account: str,
        quota: str,
        windows: Sequence[Window] = (),
        retry: RetryPolicy | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`connect` opens the warehouse; a quota without windows is only ever closed by the vendor's own word.

        `retry` says how long a task stays for it. The clock is the warehouse's, the same for all machines, unless `now`
        is another.
        """
        self._connect = connect
        self._key = {"account": account, "quota": quota}
        self._windows = windows
        self._retry = retry or RetryPolicy()
        self._now = now

    def take(self) -> None:
        """Books one request, or says until when nothing may be asked and why.

        Raises RateLimited for a wait that a task sits out, and QuotaSpent for a longer one.
        """
        with self._opened() as conn:
            conn.execute(_BEGIN, self._key)
            [(uses, closed_until, reason)] = conn.execute(_LOCK, self._key).fetchall()
            now = self._time(conn)
            if closed_until is not None and closed_until > now:
                raise self._refusal(closed_until, now, reason)
            waits = []
            for window in self._windows:
                recent = sorted(at for at in uses if at > now - window.length)
                if len(recent) >= window.limit:
                    free_at = recent[-window.limit] + window.length
                    waits.append((free_at, f"all {window.limit} requests {window.name} are used"))
            if waits:
                free_at, why = max(waits)
                raise self._refusal(free_at, now, why)
            if self._windows:
                longest = max(window.length for window in self._windows)
                kept = [at for at in uses if at > now - longest]
                conn.execute(_USE, self._key | {"uses": [*kept, now]})

    def close(self, seconds: float, reason: str) -> None:
        """The vendor refuses for so long: nobody asks until then."""
        said = Redactor()(reason.replace("\x00", "")).rstrip(".")
        with self._opened() as conn:
            until = self._time(conn) + timedelta(seconds=seconds)
            conn.execute(_CLOSE, self._key | {"until": until, "reason": said})

    @contextmanager
    def _opened(self) -> Iterator[psycopg.Connection]:
        # A connection for each request: nothing is held, however long the vendor takes and whatever kills the task.
        with closing(self._connect()) as conn, conn.transaction():
            yield conn

    def _time(self, conn: psycopg.Connection) -> datetime:
        if self._now is not None:
            return self._now()
        moment: datetime = conn.execute("select clock_timestamp()").fetchall()[0][0]
        return moment

    def _refusal(self, until: datetime, now: datetime, reason: str) -> RateLimited:
        wait = (until - now).total_seconds()
        end = f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return self._retry.rate_limited(wait)(
            f"The quota of {self._key['quota']} is used up until {end}: {reason}",
            remedy="" if self._retry.stays_for(wait) else "A run after that goes on where this one stopped.",
            retry_after=wait,
        )
