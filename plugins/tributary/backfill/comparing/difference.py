"""What readers would see otherwise: built days beside published ones, figures old -> new and rows that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from psycopg import sql
from psycopg.pq import TransactionStatus

from tributary.warehouse.errors import IncompatibleMart
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.mart_table import check_built
from tributary.warehouse.publish import retried

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.warehouse.manifest import MartModel

DAILY, CREDITED = "fct_daily_metrics", "fct_attributed_orders"
MEASURES = {
    "revenue": "revenue",
    "orders": "orders",
    "aov": "aov",
    "spend": "spend",
    "roas": "roas",
    "cac": "cac",
    "new_customers": "new_customers",
    # The numerator of ROAS: without it there is none of several days.
    "paid_revenue": "attributed_revenue",
}
"""Measure of a day -> its column in fct_daily_metrics."""
_CREDITED_BY = ("channel", "attributed_revenue")
UNCOMPARED = "uncompared"
"""The table in the build schema that names what production does not have yet."""

# The clock is that of the statement before all that read: whatever is published later is newer than it.
_BEGIN = "update ops.backfills set compared_at = statement_timestamp() where backfill_id = %s"

_FORGET = sql.SQL("""
delete from ops.backfill_differences where backfill_id = {backfill_id};
delete from ops.backfill_rows where backfill_id = {backfill_id};
drop table if exists {uncompared};
create table {uncompared} (mart text not null, column_name text);
""")

# Types as PostgreSQL spells them: what changed its type is another column.
_COLUMNS = """
select built.attname, mart.attname is not null
from pg_attribute as built
left join pg_attribute as mart
    on
        mart.attrelid = to_regclass(%(mart)s)
        and mart.attname = built.attname
        and not mart.attisdropped
        and (mart.atttypid, mart.atttypmod) = (built.atttypid, built.atttypmod)
where built.attrelid = to_regclass(%(built)s) and built.attnum > 0 and not built.attisdropped
order by built.attnum
"""

_ROWS = sql.SQL("""
insert into ops.backfill_rows (backfill_id, merchant_id, mart, date_day, is_asked, added, removed, changed)
select {backfill_id}, merchant_id, {name}, date_day, asked.date_day is not null, added, removed, changed
from (
    select
        merchant_id,
        date_day,
        count(*) filter (where not coalesce(published.is_there, false)) as added,
        count(*) filter (where not coalesce(built.is_there, false)) as removed,
        count(*) filter (where published.is_there and built.is_there) as changed
    from (
        select {columns}, true as is_there
        from {published} as mart
        inner join {scope} using (merchant_id, date_day)
    ) as published
    full join (
        select {columns}, true as is_there
        from {built} as mart
        inner join {scope} using (merchant_id, date_day)
    ) as built using ({key})
    where
        published.is_there is distinct from built.is_there
        or ({published_columns}) is distinct from ({built_columns})
    group by merchant_id, date_day
) as counted
left join {asked} as asked using (merchant_id, date_day)
""")

_DAYS = sql.SQL("""
select mart.merchant_id, mart.date_day, '' as channel, told.measure, told.value
from {mart} as mart
inner join {scope} using (merchant_id, date_day)
cross join lateral (values {measures}) as told (measure, value)
""")

_CHANNELS = sql.SQL("""
select credited.merchant_id, credited.date_day, credited.channel, told.measure, told.value
from (
    select mart.merchant_id, mart.date_day, mart.channel, count(*) as orders, sum(mart.attributed_revenue) as revenue
    from {mart} as mart
    inner join {scope} using (merchant_id, date_day)
    group by mart.merchant_id, mart.date_day, mart.channel
) as credited
cross join lateral (
    values ('attributed_orders', credited.orders::numeric), ('attributed_revenue', credited.revenue::numeric)
) as told (measure, value)
""")

# A day that was asked for is kept whole, moved or not, so that the figures of the range can be added up; of the others
# those that move.
_DIFFERENCES = sql.SQL("""
insert into ops.backfill_differences (backfill_id, merchant_id, date_day, measure, channel, is_asked, old, new)
select {backfill_id}, merchant_id, date_day, measure, channel, asked.date_day is not null, old, new
from (
    select
        merchant_id,
        date_day,
        measure,
        channel,
        old.value as old,
        new.value as new,
        bool_or(old.value is distinct from new.value) over (partition by merchant_id, date_day) as moves
    from ({old}) as old
    full join ({new}) as new using (merchant_id, date_day, measure, channel)
) as paired
left join {asked} as asked using (merchant_id, date_day)
where moves or asked.date_day is not null
""")


_TOLD = sql.SQL(", ").join(
    sql.SQL("({}, {}::numeric)").format(sql.Literal(measure), sql.Identifier("mart", column))
    for measure, column in MEASURES.items()
)

Parts: TypeAlias = "dict[str, sql.Composable]"


def compare(conn: Connection, backfill: Backfill, manifest: Path) -> None:
    """Keep what the build's days show otherwise than the published ones, in the marts that are to be published.

    All of it is of one moment, which is kept too. Repeating it replaces what was found before. A row that moves to
    another day is removed from one and added to the other. Marts that are published by key have no days to compare.
    """
    marts = [model for model in read_marts(manifest) if model.name in backfill.models and not model.key]
    # Within a caller's transaction each statement sees a state of its own: none is older than the moment that is kept.
    is_own = conn.info.transaction_status == TransactionStatus.IDLE
    retried(conn, lambda: _compare(conn, backfill, marts, is_own))
    failpoint("difference: committed")


def _compare(conn: Connection, backfill: Backfill, marts: Sequence[MartModel], is_own: bool) -> None:
    if is_own:
        conn.execute("set transaction isolation level repeatable read")
    conn.execute(_BEGIN, (backfill.backfill_id,))
    parts: Parts = {
        "backfill_id": sql.Literal(backfill.backfill_id),
        "scope": sql.Identifier(backfill.build_schema, "scope"),
        "asked": sql.Identifier(backfill.build_schema, "asked"),
        "uncompared": sql.Identifier(backfill.build_schema, UNCOMPARED),
    }
    conn.execute(_FORGET.format(**parts))
    for model in marts:
        check_built(conn, model, backfill.build_schema)
        common = _common(conn, model, backfill.build_schema, parts)
        tables = _tables(model, backfill.build_schema, common)
        _count_rows(conn, model, common, parts | tables)
        if model.name == DAILY:
            _keep(conn, _DAYS, parts | tables, {"merchant_id", "date_day", *MEASURES.values()} <= {*common})
        elif model.name == CREDITED:
            _keep(conn, _CHANNELS, parts | tables, {"merchant_id", "date_day", *_CREDITED_BY} <= {*common})
    failpoint("difference: before commit")


def _common(conn: Connection, model: MartModel, schema: str, parts: Parts) -> list[str]:
    """The built columns that readers have as well; what they do not have is noted. None when nothing is published."""
    tables = {"mart": f'marts."{model.name}"', "built": f'"{schema}"."{model.name}"'}
    found: dict[str, bool] = dict(conn.execute(_COLUMNS, tables).fetchall())
    common = [column for column, is_published in found.items() if is_published]
    note = sql.SQL("insert into {uncompared} values (%s, %s)").format(**parts)
    if not common:
        conn.execute(note, (model.name, None))
        return []
    for column in found.keys() - {*common}:
        conn.execute(note, (model.name, column))
    if lost := [column for column in _key(model) if column not in common]:
        raise IncompatibleMart(
            f"{model.name}: column {lost[0]!r} of its key has another type in marts.{model.name} or is not there. Only "
            "a build over everything may change that: trigger `transform` with *full rebuild*"
        )
    return common


def _key(model: MartModel) -> list[str]:
    """What tells rows of a day apart; a mart without a primary key has one row a day."""
    return [*dict.fromkeys(("merchant_id", "date_day", *model.primary_key))]


def _tables(model: MartModel, schema: str, common: Sequence[str]) -> Parts:
    built = sql.Identifier(schema, model.name)
    unpublished = sql.SQL("(select * from {} limit 0)").format(built)
    return {"published": sql.Identifier("marts", model.name) if common else unpublished, "built": built}


def _count_rows(conn: Connection, model: MartModel, common: Sequence[str], parts: Parts) -> None:
    columns = common or list(model.columns)
    conn.execute(
        _ROWS.format(
            name=sql.Literal(model.name),
            key=sql.SQL(", ").join(map(sql.Identifier, _key(model))),
            columns=_of("mart", columns),
            published_columns=_of("published", columns),
            built_columns=_of("built", columns),
            **parts,
        )
    )


def _keep(conn: Connection, told: sql.SQL, parts: Parts, is_published: bool) -> None:
    """Keep the measures of both sides; nothing is old of a mart that does not tell them yet."""
    old = told.format(mart=parts["published"], scope=parts["scope"], measures=_TOLD)
    new = told.format(mart=parts["built"], scope=parts["scope"], measures=_TOLD)
    if not is_published:
        old = sql.SQL("select * from ({}) as nothing limit 0").format(new)
    conn.execute(_DIFFERENCES.format(old=old, new=new, **parts))


def _of(table: str, columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(table, column) for column in columns)
