"""Takes a published backfill back: the days that nobody has published since, and raw's rows that nobody has changed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill import audit
from tributary.backfill.errors import LeaseLost
from tributary.backfill.lease import check, release, renew
from tributary.backfill.publishing import before_images, snapshot
from tributary.backfill.publishing.outlook import Outlook, look_ahead
from tributary.backfill.publishing.publish import ONE_STATE, check_approved
from tributary.backfill.publishing.restorable import check_restorable
from tributary.backfill.state import enter, load
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.leases import mark_days
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.personal.erase import mask_again
from tributary.warehouse.publish import retried

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel
    from tributary.warehouse.manifest import MartModel

__all__ = ["check_restorable", "preview", "restore"]

_DELETE = sql.SQL("delete from {mart} where (merchant_id, date_day) in ({days})")
# By name: a column that the mart has got since is null.
_RETURN = sql.SQL(
    "insert into {mart} ({columns}) select {columns} from {kept} where (merchant_id, date_day) in ({days})"
)

_ERASED_SINCE = """
select distinct erased.merchant_id
from ops.erased_identities as erased
inner join ops.publications on publications.merchant_id = erased.merchant_id
where publications.build_id = %s and erased.erased_at > publications.published_at - interval '1 day'
order by erased.merchant_id
"""

_RECORD = """
insert into ops.publications (build_id, merchant_id, date_day, models, rows, published_at)
select %(rollback_id)s, merchant_id, date_day, %(models)s, 0, clock_timestamp()
from returning_days
where why is null
"""

# A day that ended after it was last computed has yet to be judged as a whole.
_NOT_OVER = """
select day.merchant_id, array_agg(day.date_day)
from returning_days as day
inner join ops.merchants on merchants.merchant_id = day.merchant_id
where
    day.why is not null
    or not exists (
        select from ops.publications
        where
            publications.merchant_id = day.merchant_id
            and publications.date_day = day.date_day
            and publications.build_id <> %(original)s
            and publications.build_id <> %(rollback_id)s
            and publications.published_at >= (day.date_day + 1)::timestamp at time zone merchants.time_zone
    )
group by day.merchant_id
"""


def preview(conn: Connection, rollback: Backfill, channels: Sequence[Channel], manifest: Path) -> str:
    """What `restore` would do now, in Markdown; it changes nothing."""
    original_id = check_restorable(conn, rollback.restores)
    with conn.transaction(force_rollback=True):
        original = load(conn, original_id)
        return look_ahead(conn, original, channels, _marts(original, manifest)).markdown(conn, rollback, original)


def restore(conn: Connection, rollback_id: UUID, channels: Sequence[Channel], manifest: Path) -> int:
    """Bring back what the backfill replaced, all of it that may come back or nothing; returns how many rows changed.

    Repeating it changes nothing. What does not come back is marked as changed, for the next build.
    """
    with conn.transaction():
        rollback = load(conn, rollback_id)
        if rollback.status != "restored":
            rollback = enter(conn, rollback_id, "rollback")
    if rollback.status == "restored":
        return rollback.rows_affected or 0
    check_approved(rollback)
    renew(conn, rollback_id)
    with _nobody_erased_meanwhile(conn, rollback.merchants):
        affected = retried(conn, lambda: _restore(conn, rollback_id, channels, manifest))
    failpoint("rollback: committed")
    return affected


def _restore(conn: Connection, rollback_id: UUID, channels: Sequence[Channel], manifest: Path) -> int:
    conn.execute(ONE_STATE)
    check(conn, rollback_id)
    rollback = load(conn, rollback_id, lock=True)
    original = load(conn, check_restorable(conn, rollback.restores), lock=True)
    marts = _marts(original, manifest)
    outlook = look_ahead(conn, original, channels, marts)
    affected = sum(_swap_back(conn, original.backfill_id, model, outlook) for model in marts)
    erased = [merchant_id for (merchant_id,) in conn.execute(_ERASED_SINCE, (original.backfill_id,)).fetchall()]
    before_images.bring_back(conn, original.backfill_id, channels, rollback_id, erased)
    for merchant_id in erased:
        mask_again(conn, channels, merchant_id)
    failpoint("rollback: restored")
    ids = {"original": original.backfill_id, "rollback_id": rollback_id}
    for merchant_id, days in conn.execute(_NOT_OVER, ids).fetchall():
        mark_days(conn, merchant_id, days)
    conn.execute(_RECORD, ids | {"models": [model.name for model in marts]})
    conn.execute("update ops.backfills set rows_affected = %s where backfill_id = %s", (affected, rollback_id))
    if not audit.move(conn, rollback_id, "restored"):
        raise LeaseLost(f"It was ended as {rollback.status}. Trigger it again if it is still needed")
    audit.move(conn, original.backfill_id, "rolled back")
    release(conn, rollback_id)
    failpoint("rollback: before commit")
    return affected


def _swap_back(conn: Connection, original_id: UUID, model: MartModel, outlook: Outlook) -> int:
    kept, mart = snapshot.table(original_id, model.name), sql.Identifier("marts", model.name)
    affected = snapshot.differing(conn, model, kept, mart, outlook.days)
    columns = sql.SQL(", ").join(map(sql.Identifier, snapshot.columns(conn, kept)))
    conn.execute(_DELETE.format(mart=mart, days=outlook.days))
    conn.execute(_RETURN.format(mart=mart, kept=kept, columns=columns, days=outlook.days))
    return affected


def _marts(original: Backfill, manifest: Path) -> list[MartModel]:
    return [model for model in read_marts(manifest) if model.name in original.models]


@contextmanager
def _nobody_erased_meanwhile(conn: Connection, merchants: Sequence[str]) -> Iterator[None]:
    """Wait for whoever erases somebody, and let others wait: the old rows must be seen by one of the two."""
    locks = [f"tributary.personal {merchant_id}" for merchant_id in sorted(merchants)]
    with conn.transaction():
        for lock in locks:
            conn.execute("select pg_advisory_lock(hashtext(%s))", (lock,))
    try:
        yield
    finally:
        # A connection that broke has let go of them.
        if not conn.broken:
            with conn.transaction():
                for lock in locks:
                    conn.execute("select pg_advisory_unlock(hashtext(%s))", (lock,))
