"""Makes a gated build visible: one merchant's days of every mart, swapped in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tributary.warehouse.errors import StaleBuild
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.leases import leased_days, mark_days
from tributary.warehouse.manifest import MartModel, read_marts
from tributary.warehouse.mart_table import check_built, prepare_mart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from psycopg import Connection

# Locks are not waited for long, since readers queue up behind whoever waits for one; it is tried again instead.
_CONFLICTS = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
_ATTEMPTS = 30

_SCOPE_DAYS = sql.SQL("""
select scope.date_day from {schema}.scope as scope
where scope.merchant_id = {merchant_id} and scope.date_day <> all({held}::date[])
""")

_HELD_DAYS = sql.SQL("""
select coalesce(array_agg(scope.date_day), '{{}}') from {schema}.scope as scope
where scope.merchant_id = {merchant_id} and scope.date_day = any({held}::date[])
""")

# Of such a day the build knows nothing newer, and may have read raw before what was published came to it.
_OVERTAKEN_DAYS = sql.SQL("""
select distinct scope.date_day
from {schema}.scope as scope
inner join ops.publications
    on publications.merchant_id = scope.merchant_id and publications.date_day = scope.date_day
where
    scope.merchant_id = {merchant_id}
    and publications.build_id <> {build_id}
    and publications.published_at > scope.opened_at
""")

_ALL_DAYS = sql.SQL("select date_day from {schema}.scope where merchant_id = %s")

_MOVED = sql.SQL("""
select exists (
    select from {built} as built
    inner join {mart} as mart on {same}
    where
        built.merchant_id = {merchant_id}
        and (built.date_day = any({held}::date[])) <> (mart.date_day = any({held}::date[]))
)
""")

_DELETE_DAYS = sql.SQL("""
delete from {mart} as mart
where mart.merchant_id = {merchant_id} and mart.date_day in ({days})
""")

_INSERT_DAYS = sql.SQL("""
insert into {mart} ({columns})
select {columns}
from {built} as built
where built.merchant_id = {merchant_id} and built.date_day in ({days})
""")

_REMEMBER_KEYS = sql.SQL("""
insert into {seen} ({key})
select distinct {key}
from {mart} as mart
where mart.merchant_id = {merchant_id} and mart.date_day in ({days})
""")

_DELETE_KEYS = sql.SQL("""
delete from {mart} as mart
using {built} as built
where mart.merchant_id = {merchant_id} and built.merchant_id = {merchant_id} and {same_key}
""")

_INSERT_KEYS = sql.SQL("""
insert into {mart} ({columns})
select {columns}
from {built} as built
where built.merchant_id = {merchant_id}
""")

_DELETE_UNUSED_KEYS = sql.SQL("""
delete from {mart} as mart
using {seen} as seen
where
    mart.merchant_id = {merchant_id}
    and {same_key}
    and not exists (select from {built} as built where built.merchant_id = {merchant_id} and {built_too})
""")

_RECORD = sql.SQL("""
insert into ops.publications (build_id, merchant_id, date_day, models, rows)
select {build_id}, {merchant_id}, days.date_day, {models}, coalesce(sum(counted.rows), 0)
from ({days}) as days
left join ({counts}) as counted on counted.date_day = days.date_day
group by days.date_day
on conflict (build_id, merchant_id, date_day) do update
set published_at = now(), models = excluded.models, rows = excluded.rows
""")

_COUNT = sql.SQL("""
select built.date_day, count(*) as rows
from {built} as built
where built.merchant_id = {merchant_id}
group by built.date_day
""")


@dataclass(frozen=True, slots=True)
class Publication:
    """What a merchant's readers now see anew."""

    build_id: UUID
    merchant_id: str
    days: int
    rows: int
    models: tuple[str, ...]
    waiting: tuple[date, ...] = ()
    """Days that stay as they were, because a backfill is at work on them or published them meanwhile."""

    @property
    def held(self) -> int:
        """How many days wait."""
        return len(self.waiting)


def publish(conn: Connection, build_id: UUID | str, schema: str, merchant_id: str, manifest: Path) -> Publication:
    """Replace the merchant's days of this build in every mart; readers see all of the old or all of the new.

    Repeating it changes nothing. Raises StaleBuild when the schema meanwhile belongs to another build,
    IncompatibleMart when a model changed in a way that needs a full rebuild.
    """
    marts = read_marts(manifest)
    prepare_marts(conn, build_id, schema, marts)
    return retried(conn, lambda: _publish(conn, str(build_id), schema, merchant_id, marts))


def prepare_marts(conn: Connection, build_id: UUID | str, schema: str, marts: Sequence[MartModel]) -> None:
    """Make the published tables fit, apart from the swap: what locks readers out is over in a moment."""
    retried(conn, lambda: _prepare(conn, str(build_id), schema, marts))
    failpoint("marts prepared")


Result = TypeVar("Result")


def retried(conn: Connection, work: Callable[[], Result], attempts: int = _ATTEMPTS) -> Result:
    """Do it in one transaction; again, when others were in its way."""
    retrying = Retrying(
        retry=retry_if_exception_type(_CONFLICTS),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        reraise=True,
    )
    for attempt in retrying:
        with attempt, conn.transaction():
            result = work()
    return result


def _prepare(conn: Connection, build_id: str, schema: str, marts: Sequence[MartModel]) -> None:
    _check_build(conn, build_id, schema)
    conn.execute("select pg_advisory_xact_lock(hashtext('tributary.marts'))")
    for model in marts:
        check_built(conn, model, schema)
    for model in marts:
        prepare_mart(conn, model, schema)


def _check_build(conn: Connection, build_id: str, schema: str) -> None:
    """Reading the scope also keeps the schema from being dropped until the transaction ends."""
    exists = conn.execute("select to_regclass(%s) is not null", (f'"{schema}"."scope"',)).fetchone()
    scope = sql.Identifier(schema, "scope")
    row = (
        conn.execute(sql.SQL("select build_id from {} limit 1").format(scope)).fetchone() if exists == (True,) else None
    )
    holder = str(row[0]) if row else "no build"
    if holder != build_id:
        raise StaleBuild(
            f"schema {schema!r} holds {holder}, not build {build_id}: a later build took its changes over and "
            "will publish them; nothing is left to do here"
        )


def _publish(conn: Connection, build_id: str, schema: str, merchant_id: str, marts: Sequence[MartModel]) -> Publication:
    held = [*leased_days(conn, merchant_id, build_id), *_overtaken_days(conn, build_id, schema, merchant_id)]
    if any(_moves(conn, schema, merchant_id, model, held) for model in marts if held):
        held = [day for (day,) in conn.execute(_ALL_DAYS.format(schema=sql.Identifier(schema)), (merchant_id,))]
    publication = swap(conn, build_id, schema, merchant_id, marts, held)
    # What touches a day that waits is not published as a whole yet: the next build computes it again.
    if publication.held:
        mark_days(conn, merchant_id, publication.waiting)
    else:
        conn.execute("delete from ops.changes where build_id = %s and merchant_id = %s", (build_id, merchant_id))
    return publication


def _moves(conn: Connection, schema: str, merchant_id: str, model: MartModel, held: Sequence[date]) -> bool:
    """Whether a row goes from a day that waits to one that does not, or back: half of that would lose or double it."""
    if model.key or not model.primary_key or "date_day" in model.primary_key:
        return False
    names = _names(schema, model)
    moved = _MOVED.format(
        same=_equal("built", "mart", model.primary_key),
        merchant_id=sql.Literal(merchant_id),
        held=sql.Literal([*held]),
        **names,
    )
    return conn.execute(moved).fetchone() == (True,)


def _overtaken_days(conn: Connection, build_id: str, schema: str, merchant_id: str) -> list[date]:
    """Days of the build that others, as a backfill, published since it began."""
    query = _OVERTAKEN_DAYS.format(
        schema=sql.Identifier(schema), merchant_id=sql.Literal(merchant_id), build_id=sql.Literal(build_id)
    )
    return [day for (day,) in conn.execute(query).fetchall()]


def swap(
    conn: Connection,
    build_id: str,
    schema: str,
    merchant_id: str,
    marts: Sequence[MartModel],
    held: Sequence[date] = (),
) -> Publication:
    """Replace the build's days of these marts, but for those that are held, in the caller's transaction."""
    _check_build(conn, build_id, schema)
    parts = {
        "schema": sql.Identifier(schema),
        "merchant_id": sql.Literal(merchant_id),
        "build_id": sql.Literal(build_id),
        "models": sql.Literal([model.name for model in marts]),
        "held": sql.Literal([*held]),
    }
    parts["days"] = _SCOPE_DAYS.format(**parts)
    by_day = [model for model in marts if not model.key]
    by_key = [model for model in marts if model.key]
    for model in by_key:
        _remember_keys(conn, schema, model, by_day, parts)
    for model in by_day:
        names = parts | _names(schema, model)
        conn.execute(_DELETE_DAYS.format(**names))
        conn.execute(_INSERT_DAYS.format(**names))
    for model in by_key:
        names = parts | _names(schema, model)
        conn.execute(_DELETE_KEYS.format(same_key=_equal("mart", "built", model.key), **names))
        conn.execute(_INSERT_KEYS.format(**names))
        _delete_unused_keys(conn, model, by_day, names)
    failpoint("swapped")
    counts = [_COUNT.format(built=sql.Identifier(schema, model.name), **parts) for model in by_day]
    conn.execute(_RECORD.format(counts=sql.SQL(" union all ").join(counts), **parts))
    totals = conn.execute(
        """
        select count(*), coalesce(sum(rows), 0)::bigint from ops.publications
        where build_id = %s and merchant_id = %s
        """,
        (build_id, merchant_id),
    ).fetchone()
    days, rows = totals or (0, 0)
    waiting = conn.execute(_HELD_DAYS.format(**parts)).fetchone()
    models = tuple(model.name for model in marts)
    return Publication(UUID(build_id), merchant_id, days, rows, models, tuple(waiting[0]) if waiting else ())


def _remember_keys(
    conn: Connection, schema: str, model: MartModel, by_day: Sequence[MartModel], parts: dict[str, sql.Composable]
) -> None:
    """Note the keys that the replaced days name now: the ones that nothing names afterwards leave the mart too."""
    seen = _seen(model)
    conn.execute(sql.SQL("drop table if exists {}").format(seen))
    conn.execute(
        sql.SQL("create temporary table {seen} on commit drop as select {key} from {built} limit 0").format(
            seen=seen, key=_list(model.key), built=sql.Identifier(schema, model.name)
        )
    )
    for mart in by_day:
        if set(model.key) <= mart.columns.keys():
            conn.execute(
                _REMEMBER_KEYS.format(seen=seen, key=_list(model.key), mart=sql.Identifier("marts", mart.name), **parts)
            )


def _delete_unused_keys(
    conn: Connection, model: MartModel, by_day: Sequence[MartModel], names: dict[str, sql.Composable]
) -> None:
    unused = _DELETE_UNUSED_KEYS.format(
        seen=_seen(model),
        same_key=_equal("mart", "seen", model.key),
        built_too=_equal("built", "seen", model.key),
        **names,
    )
    for mart in by_day:
        if set(model.key) <= mart.columns.keys():
            unused += sql.SQL("and not exists (select from {} as other where {})").format(
                sql.Identifier("marts", mart.name), _equal("other", "seen", model.key)
            )
    conn.execute(unused)


def _names(schema: str, model: MartModel) -> dict[str, sql.Composable]:
    return {
        "mart": sql.Identifier("marts", model.name),
        "built": sql.Identifier(schema, model.name),
        "columns": _list(list(model.columns)),
    }


def _seen(model: MartModel) -> sql.Identifier:
    return sql.Identifier(f"seen_{model.name}")


def _list(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _equal(left: str, right: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, column), sql.Identifier(right, column)) for column in columns
    )
