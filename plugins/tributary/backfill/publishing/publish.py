"""Makes a backfill visible as it was shown: raw and all merchants' days of its marts, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill import audit
from tributary.backfill.errors import LeaseLost, NotEqual, Overtaken, Refused
from tributary.backfill.lease import check, release, renew
from tributary.backfill.publishing import before_images, snapshot
from tributary.backfill.rereading.overlay import reread_streams, stage_winners
from tributary.backfill.state import enter, load
from tributary.notify.mrkdwn import minute
from tributary.warehouse.errors import UnpublishableModel
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.merge import merge_staged
from tributary.warehouse.publish import prepare_marts, retried, swap
from tributary.warehouse.scope import forget_what_moves_nothing
from tributary.warehouse.touched import drop_days, find_days

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel
    from tributary.warehouse.manifest import MartModel

# Whoever changes the same rows meanwhile makes it fail, not err: it is then tried again from here.
ONE_STATE = "set transaction isolation level repeatable read"

_OVERTAKEN = sql.SQL("""
select publications.merchant_id, publications.date_day, publications.build_id, publications.published_at
from ops.publications
inner join {scope} as scope
    on scope.merchant_id = publications.merchant_id and scope.date_day = publications.date_day
where publications.build_id <> %s and publications.published_at > %s
order by publications.published_at desc, publications.merchant_id asc, publications.date_day asc
""")

_DAYS = sql.SQL("select merchant_id, date_day from {scope}")

_UNEQUAL = sql.SQL("""
with
published as (select {columns} from {mart} where (merchant_id, date_day) in ({days})),
built as (select {columns} from {built} where (merchant_id, date_day) in ({days}))
select merchant_id, date_day
from (
    (select * from published except all select * from built)
    union all
    (select * from built except all select * from published)
) as one_sided
order by merchant_id, date_day
limit 1
""")

_OWN_CHANGES = sql.SQL("""
create temporary table own_changes on commit drop as select * from ops.changes where sync_id = {backfill_id}
""")

# What it changed in raw is published with it, unless it touches a day that is not.
_FORGET_PUBLISHED = sql.SQL("""
delete from ops.changes
where
    sync_id = {backfill_id}
    and merchant_id <> all (
        array(select merchant_id from (select merchant_id, date_day from touched_day except {days}) as beyond)
    )
""")

# Builds that began before this moment did not see it (see warehouse/publish.py).
_VISIBLE_NOW = "update ops.publications set published_at = clock_timestamp() where build_id = %s"
_AFFECTED = "update ops.backfills set rows_affected = %s where backfill_id = %s"


def publish(conn: Connection, backfill_id: UUID, channels: Sequence[Channel], manifest: Path) -> int:
    """Replace what readers see by what was built and shown, all of it or nothing; returns how many rows it affected.

    Repeating it changes nothing. Raises LeaseLost, Overtaken when days of it were published since they were shown, and
    NotEqual when readers would see something else than what was built.
    """
    with conn.transaction():
        backfill = load(conn, backfill_id)
        if backfill.status not in ("published", "rolled back"):
            backfill = enter(conn, backfill_id, "publish")
    if backfill.status in ("published", "rolled back"):
        return backfill.rows_affected or 0
    check_approved(backfill)
    marts = read_marts(manifest)
    chosen = _chosen(backfill, marts)
    renew(conn, backfill_id)
    prepare_marts(conn, backfill_id, backfill.build_schema, chosen)
    affected = retried(conn, lambda: _publish(conn, backfill_id, channels, chosen, len(chosen) == len(marts)))
    failpoint("publish: committed")
    return affected


def check_approved(backfill: Backfill) -> None:
    """Refuse what nobody allowed to become visible."""
    called = f"{backfill.kind} {backfill.backfill_id}"
    if backfill.is_dry_run:
        raise Refused("dry run", f"{called} was asked for as a dry run", "Trigger it again with dry_run off.")
    if backfill.needs_approval and not backfill.approved_by:
        raise Refused("approval", f"{called} was not approved", "Have a manager approve it before it is published.")
    if backfill.kind == "backfill" and not backfill.compared_at:
        raise Refused("difference", f"of {called} no difference was shown", "Let its task `difference` run first.")


def _chosen(backfill: Backfill, marts: Sequence[MartModel]) -> list[MartModel]:
    chosen = [model for model in marts if model.name in backfill.models]
    if missing := sorted({*backfill.models} - {model.name for model in chosen}):
        raise UnpublishableModel(f"{missing[0]}: dbt's manifest has no such mart any more; trigger the backfill again")
    for model in chosen:
        if model.key:
            raise UnpublishableModel(
                f"{model.name}: it is published by key, and a backfill keeps and restores whole days; choose models "
                "that it is not downstream of, or publish it by day"
            )
    return chosen


def _publish(
    conn: Connection, backfill_id: UUID, channels: Sequence[Channel], marts: Sequence[MartModel], are_all: bool
) -> int:
    conn.execute(ONE_STATE)
    check(conn, backfill_id)
    backfill = load(conn, backfill_id, lock=True)
    scope = sql.Identifier(backfill.build_schema, "scope")
    _check_not_overtaken(conn, backfill, scope)
    snapshot.take(conn, backfill, marts)
    failpoint("publish: snapshotted")
    _merge(conn, backfill, channels)
    failpoint("publish: merged")
    for merchant_id in sorted(backfill.merchants):
        swap(conn, str(backfill_id), backfill.build_schema, merchant_id, marts)
    failpoint("publish: swapped")
    days = _DAYS.format(scope=scope)
    _verify(conn, backfill, marts, days)
    affected = sum(
        snapshot.differing(
            conn, model, snapshot.table(backfill_id, model.name), sql.Identifier("marts", model.name), days
        )
        for model in marts
    )
    if are_all:
        _forget_published(conn, backfill, channels, days)
    conn.execute(_VISIBLE_NOW, (backfill_id,))
    conn.execute(_AFFECTED, (affected, backfill_id))
    if not audit.move(conn, backfill_id, "published"):
        raise LeaseLost(f"It was ended as {backfill.status}. Trigger it again if it is still needed")
    release(conn, backfill_id)
    failpoint("publish: before commit")
    return affected


def _check_not_overtaken(conn: Connection, backfill: Backfill, scope: sql.Identifier) -> None:
    query = _OVERTAKEN.format(scope=scope)
    later = conn.execute(query, (backfill.backfill_id, backfill.compared_at)).fetchall()
    if later:
        merchant_id, day, build_id, at = later[0]
        raise Overtaken(
            f"{len(later)} of its days were published by others since the difference was taken, as {merchant_id} {day} "
            f"at {minute(at)} by build {build_id}: it would take back what they brought. Trigger it again to see the "
            "difference as it is now"
        )


def _merge(conn: Connection, backfill: Backfill, channels: Sequence[Channel]) -> None:
    """Bring raw up to what was read again, where that is still the newest; its own changes carry its id."""
    for channel, stream in reread_streams(backfill, channels):
        for merchant_id in sorted(backfill.merchants):
            cured = stage_winners(conn, backfill, channel, stream, merchant_id)
            before_images.keep(conn, backfill.backfill_id, channel, stream, merchant_id)
            merge_staged(conn, channel, stream, merchant_id, backfill.backfill_id, cured)
    before_images.note(conn, backfill.backfill_id, channels)


def _verify(conn: Connection, backfill: Backfill, marts: Sequence[MartModel], days: sql.Composable) -> None:
    for model in marts:
        query = _UNEQUAL.format(
            columns=sql.SQL(", ").join(map(sql.Identifier, model.columns)),
            mart=sql.Identifier("marts", model.name),
            built=sql.Identifier(backfill.build_schema, model.name),
            days=days,
        )
        if row := conn.execute(query).fetchone():
            merchant_id, day = row
            raise NotEqual(
                f"{model.name}: after the swap {merchant_id} {day} is not what was built, so nothing was published. "
                f"See whether a trigger or a rule on marts.{model.name} changes what is written there"
            )


def _forget_published(conn: Connection, backfill: Backfill, channels: Sequence[Channel], days: sql.Composable) -> None:
    own = sql.Identifier("pg_temp", "own_changes")
    names = {"backfill_id": sql.Literal(backfill.backfill_id), "days": days}
    conn.execute(_OWN_CHANGES.format(**names))
    forget_what_moves_nothing(conn, channels, own)
    drop_days(conn)
    find_days(conn, channels, sql.SQL("true"), source=own)
    conn.execute(_FORGET_PUBLISHED.format(**names))
