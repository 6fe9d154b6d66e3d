"""The lease: one backfill at a time per merchant, and the days that scheduled publications leave alone meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from psycopg import Rollback

from tributary.backfill import audit, closing
from tributary.backfill.errors import LeaseLost, Refused
from tributary.backfill.state import load
from tributary.notify.mrkdwn import minute
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.leases import hold_days, release
from tributary.warehouse.scope import create_build_schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill

__all__ = ["HOUR", "RULE", "check", "release", "renew", "take"]

HOUR = timedelta(hours=1)
RULE = "one backfill at a time per merchant"

# Whoever inserts the same merchant at the same time is waited for. One's own lease goes on as it is.
_TAKE = """
insert into ops.leases (merchant_id, backfill_id, holder, reason, expires_at, days)
values (%(merchant_id)s, %(backfill_id)s, %(holder)s, %(reason)s, clock_timestamp() + %(for_)s, '{}')
on conflict (merchant_id) do update
set heartbeat_at = clock_timestamp(), expires_at = excluded.expires_at
where leases.backfill_id = excluded.backfill_id
returning leases.days
"""
# What a rollback takes back are days beyond the range, too.
_DAYS = """
select day::date from generate_series(%(first_day)s::date, %(last_day)s::date, interval '1 day') as day
union
select date_day from ops.publications where build_id = %(restores)s and merchant_id = %(merchant_id)s
order by 1
"""
_HOLDERS = """
select leases.merchant_id, leases.holder, leases.since, leases.reason, backfills.run_url
from ops.leases
left join ops.backfills on leases.backfill_id = backfills.backfill_id
where leases.merchant_id = any(%s) and leases.backfill_id <> %s
order by leases.merchant_id
"""
_RENEW = """
update ops.leases set heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + %s
where backfill_id = %s
"""
_OWN = """
select merchant_id from ops.leases
where backfill_id = %s and expires_at > clock_timestamp()
order by merchant_id
for update
"""


class _Holder(NamedTuple):
    """Who has a merchant that somebody else wants."""

    merchant_id: str
    holder: str
    since: datetime
    reason: str
    run_url: str | None

    def sentence(self) -> str:
        """Who, since when, and why."""
        since, reason = minute(self.since), self.reason.rstrip(" .")
        return f"{self.merchant_id} is held by {self.holder} since {since}: {reason}"


def take(conn: Connection, backfill: Backfill) -> None:
    """Hold all of the backfill's merchants, and the days that it is asked for; open the schema that it builds in.

    Repeated, it keeps what it has. Raises Refused, and records it, when another live backfill holds one of them; one
    whose lease expired is closed first.
    """
    _check_begun(load(conn, backfill.backfill_id))
    closing.close_expired(conn, backfill.merchants, but=backfill.backfill_id)
    # Who held one of them may end between the two looks.
    while not _take_all(conn, backfill):
        if held := _holders(conn, backfill):
            raise _refuse(conn, backfill.backfill_id, held)
    failpoint("lease: committed")


def renew(conn: Connection, backfill_id: UUID, for_: timedelta = HOUR) -> None:
    """Be known to be alive for so long from now on; LeaseLost when it was taken for dead before."""
    with conn.transaction():
        check(conn, backfill_id)
        conn.execute(_RENEW, (for_, backfill_id))


def check(conn: Connection, backfill_id: UUID) -> None:
    """Nobody takes its merchants from it until the transaction ends; LeaseLost when somebody has."""
    own = {merchant_id for (merchant_id,) in conn.execute(_OWN, (backfill_id,)).fetchall()}
    backfill = load(conn, backfill_id)
    if lost := sorted(set(backfill.merchants) - own):
        ended = f"it was ended as {backfill.status}" if backfill.is_over else "it expired before it was renewed"
        why = f" ({backfill.error})" if backfill.error else ""
        raise LeaseLost(f"The lease of {', '.join(lost)} is lost: {ended}{why}. Trigger it again if it is still needed")


def _take_all(conn: Connection, backfill: Backfill) -> bool:
    with conn.transaction() as transaction:
        # In one order, so that two that want the same merchants wait for each other in one direction.
        if not all(_take_one(conn, backfill, merchant_id) for merchant_id in sorted(backfill.merchants)):
            raise Rollback(transaction)
        _check_begun(load(conn, backfill.backfill_id, lock=True))
        if conn.execute("select to_regclass(%s)", (f'"{backfill.build_schema}"."scope"',)).fetchone() == (None,):
            create_build_schema(conn, backfill.build_schema)
        failpoint("lease: before commit")
        return True
    return False


def _check_begun(now: Backfill) -> None:
    """What is over does not begin again, as by a task that is tried once more."""
    if now.status == "refused":
        raise Refused.again(now.error or RULE)
    if now.is_over:
        why = f" ({now.error})" if now.error else ""
        raise LeaseLost(f"It was ended as {now.status}{why}. Trigger it again if it is still needed")


def _take_one(conn: Connection, backfill: Backfill, merchant_id: str) -> bool:
    wanted = {
        "merchant_id": merchant_id,
        "backfill_id": backfill.backfill_id,
        "holder": backfill.requested_by or "somebody unknown",
        "reason": backfill.reason,
        "for_": HOUR,
        "first_day": backfill.first_day,
        "last_day": backfill.last_day,
        "restores": backfill.restores,
    }
    taken = conn.execute(_TAKE, wanted).fetchone()
    if taken and not taken[0]:
        days: list[date] = [day for (day,) in conn.execute(_DAYS, wanted).fetchall()]
        hold_days(conn, backfill.backfill_id, merchant_id, days)
    return taken is not None


def _holders(conn: Connection, backfill: Backfill) -> list[_Holder]:
    rows = conn.execute(_HOLDERS, ([*backfill.merchants], backfill.backfill_id)).fetchall()
    return [_Holder(*row) for row in rows]


def _refuse(conn: Connection, backfill_id: UUID, held: Sequence[_Holder]) -> Refused:
    """Of record also when the caller's transaction is rolled back by it."""
    runs = ", ".join(dict.fromkeys(each.run_url for each in held if each.run_url))
    why = "; ".join(each.sentence() for each in held)
    refused = Refused(RULE, why, f"Trigger it again when that has ended{f' ({runs})' if runs else ''}.")
    with conn.transaction():
        audit.move(conn, backfill_id, "refused", str(refused))
    conn.commit()
    return refused
