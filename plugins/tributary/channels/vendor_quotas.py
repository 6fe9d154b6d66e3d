"""Quotas too small to be learnt by refusals: counted in the warehouse, for all tasks on all machines together."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tributary.http import QuotaSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg

_BEGIN = "insert into ops.vendor_quotas (account, quota) values (%(account)s, %(quota)s) on conflict do nothing"

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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`connect` opens the warehouse; a quota without windows is only ever closed by the vendor's own word."""
        self._connect = connect
        self._key = {"account": account, "quota": quota}
        self._windows = windows
        self._now = now

    def take(self) -> None:
        """Books one request, or raises QuotaSpent: then nothing may be asked yet, and it says until when and why."""
        with self._opened() as conn:
            conn.execute(_BEGIN, self._key)
            row = conn.execute(_LOCK, self._key).fetchone()
            uses, closed_until, reason = row if row else ([], None, None)
            now = self._now()
            if closed_until is not None and closed_until > now:
                raise self._spent(closed_until, now, reason or "the vendor refuses")
            for window in self._windows:
                recent = sorted(at for at in uses if at > now - window.length)
                if len(recent) >= window.limit:
                    free_at = recent[-window.limit] + window.length
                    raise self._spent(free_at, now, f"all {window.limit} requests {window.name} are used")
            longest = max((window.length for window in self._windows), default=timedelta())
            kept = [at for at in uses if at > now - longest] + [now] * bool(self._windows)
            conn.execute(_USE, self._key | {"uses": kept})

    def close(self, seconds: float, reason: str) -> None:
        """The vendor refuses for so long: nobody asks until then."""
        with self._opened() as conn:
            conn.execute(_CLOSE, self._key | {"until": self._now() + timedelta(seconds=seconds), "reason": reason})

    @contextmanager
    def _opened(self) -> Iterator[psycopg.Connection]:
        with closing(self._connect()) as conn, conn.transaction():
            yield conn

    def _spent(self, until: datetime, now: datetime, reason: str) -> QuotaSpent:
        return QuotaSpent(
            f"The quota of {self._key['quota']} is used up until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: "
            f"{reason}",
            remedy="Nothing was asked; a run after that goes on where this one stopped.",
            retry_after=(until - now).total_seconds(),
        )
