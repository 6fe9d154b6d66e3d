"""What a publication replaces, kept for a week in schema `snapshots`, so that it can be taken back.

Made in the publishing transaction. Only the pipeline's role may read there: rows of raw are of people.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.state import short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill
    from tributary.warehouse.manifest import MartModel

KEPT_FOR = timedelta(days=7)
SCHEMA = "snapshots"
RAW_KEYS = "raw_keys"

_TAKE = sql.SQL("""
insert into {snapshot}
select mart.*
from {mart} as mart
inner join {scope} as scope on scope.merchant_id = mart.merchant_id and scope.date_day = mart.date_day
""")

_TABLES = r"""
select tablename from pg_tables where schemaname = %s and tablename like %s || '\_%%' order by tablename
"""

_COLUMNS = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
order by attnum
"""

# A row that changed counts once: it is one of both sides, by its key.
_COUNT = sql.SQL("""
select count(*)
from (select {columns} from {old} where (merchant_id, date_day) in ({days})) as old
full join (select {columns} from {new} where (merchant_id, date_day) in ({days})) as new on {same}
where old is distinct from new
""")


def table(backfill_id: UUID, name: str) -> sql.Identifier:
    """Where it keeps what it replaces of a mart, or of a table of raw."""
    return sql.Identifier(SCHEMA, f"{short(backfill_id)}_{name}")


def create(conn: Connection, backfill_id: UUID, name: str, like: sql.Identifier) -> None:
    """An empty one, of the pipeline's role, whoever runs it."""
    make = sql.SQL("set local role tributary_pipeline; create table if not exists {} (like {}); reset role")
    conn.execute(make.format(table(backfill_id, name), like))


def take(conn: Connection, backfill: Backfill, marts: Sequence[MartModel]) -> None:
    """Keep the days of these marts that it is about to replace."""
    for model in marts:
        mart = sql.Identifier("marts", model.name)
        create(conn, backfill.backfill_id, model.name, mart)
        scope = sql.Identifier(backfill.build_schema, "scope")
        conn.execute(_TAKE.format(snapshot=table(backfill.backfill_id, model.name), mart=mart, scope=scope))


def names(conn: Connection, backfill_id: UUID) -> list[str]:
    """Of which marts and tables of raw something is kept; empty when it is gone."""
    digits = short(backfill_id)
    return [name[len(digits) + 1 :] for (name,) in conn.execute(_TABLES, (SCHEMA, digits)).fetchall()]


def columns(conn: Connection, of: sql.Identifier) -> dict[str, str]:
    """Column -> type, as they are now."""
    return dict(conn.execute(_COLUMNS, (of.as_string(None),)).fetchall())


def differing(
    conn: Connection, model: MartModel, old: sql.Identifier, new: sql.Identifier, days: sql.Composable
) -> int:
    """How many rows of those days were added, removed or changed."""
    told = [column for column in columns(conn, old) if column in columns(conn, new)]
    same = [
        sql.SQL("old.{0} = new.{0}").format(sql.Identifier(column))
        for column in dict.fromkeys(("merchant_id", "date_day", *model.primary_key))
    ]
    query = _COUNT.format(
        columns=sql.SQL(", ").join(map(sql.Identifier, told)),
        old=old,
        new=new,
        days=days,
        same=sql.SQL(" and ").join(same),
    )
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0
