"""The tables of schema `marts`: made from a model's contract, and changed only in ways that lose nothing."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tributary.warehouse.errors import IncompatibleMart, UnpublishableModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from tributary.warehouse.manifest import MartModel

_COLUMNS = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
order by attnum
"""

_DAY_MARTS = """
select table_name
from information_schema.columns
where table_schema = 'marts' and column_name in ('merchant_id', 'date_day')
group by table_name
having count(*) = 2
order by table_name
"""

# Each tenant's reader sees its own rows, with one policy for all tenants; the owner and superusers see everything.
_SECURE = sql.SQL("""
alter table {mart} enable row level security;
create policy all_merchants on {mart} for select to tributary_reader using (true);
create policy own_merchant on {mart} for select to tributary_merchant_reader
    using (merchant_id = any ((select ops.readable_merchants())::text[]));
grant select on {mart} to tributary_reader, tributary_merchant_reader;
""")

# A day that a backfill holds keeps its rows, whatever the build has computed.
_UNCOVERED = sql.SQL("""
select distinct mart.merchant_id
from {mart} as mart
where
    not exists (
        select from {scope} as scope
        where scope.merchant_id = mart.merchant_id and scope.date_day = mart.date_day
    )
    or exists (
        select from ops.leases
        where
            leases.merchant_id = mart.merchant_id
            and mart.date_day = any(leases.days)
            and leases.expires_at > now()
            and leases.backfill_id <> (select scope.build_id from {scope} as scope limit 1)
    )
""")

_REBUILD_EVERYTHING = """
insert into ops.changes (merchant_id, channel, stream, operation)
select merchant_id, 'settings', 'marts', 'settings'
from ops.merchants
where merchant_id = any(%s)
"""


def published_day_marts(conn: Connection) -> list[str]:
    """The tables in `marts` that hold merchant days."""
    return [name for (name,) in conn.execute(_DAY_MARTS).fetchall()]


def check_built(conn: Connection, model: MartModel, schema: str) -> None:
    """Refuse a model whose table is not there, or has other columns than its contract."""
    built = _columns(conn, schema, model.name)
    if not built:
        raise UnpublishableModel(f"{model.name}: {schema}.{model.name} does not exist; did dbt build it?")
    if different := sorted(built.keys() ^ model.columns.keys()):
        raise UnpublishableModel(
            f"{model.name}: column {different[0]!r} is not both in its contract and in {schema}.{model.name}; "
            "run dbt again with the manifest that is to be published"
        )


def prepare_mart(conn: Connection, model: MartModel, schema: str) -> None:
    """Make the published table fit the model: create it, or add what is new to it.

    Days that this build does not cover lack what is new, so their merchants are marked as changed. A column that
    changed its type or is gone is refused, unless the build covers every published day.
    """
    published = _columns(conn, "marts", model.name)
    # A model's types are compared as PostgreSQL spells them, which is what the built table tells.
    wanted = _columns(conn, schema, model.name)
    added = [column for column in wanted if column not in published]
    removed = [column for column in published if column not in wanted]
    retyped = [column for column in wanted if column in published and published[column] != wanted[column]]
    if not (added or removed or retyped):
        return
    uncovered = _uncovered_merchants(conn, schema)
    if uncovered and published and (removed or retyped):
        raise IncompatibleMart(_explain(model.name, published, wanted, (removed + retyped)[0]))
    # The table belongs to the pipeline's role, whoever runs it. Readers would queue behind a wait for these locks.
    conn.execute("set local role tributary_pipeline")
    conn.execute("set local lock_timeout = '100ms'")
    if published:
        _alter(conn, model, wanted, added, removed, retyped)
    else:
        _create(conn, model, wanted)
    conn.execute("reset role")
    conn.execute(_REBUILD_EVERYTHING, (uncovered,))


def _create(conn: Connection, model: MartModel, types: dict[str, str]) -> None:
    mart = sql.Identifier("marts", model.name)
    lines: list[sql.Composable] = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(column), _type(types[column]), sql.SQL("not null" if column in model.required else "")
        )
        for column in types
    ]
    if model.primary_key:
        lines.append(sql.SQL("primary key ({})").format(_list(model.primary_key)))
    conn.execute(sql.SQL("create table {} ({})").format(mart, sql.SQL(", ").join(lines)))
    replaced_by = model.key or ("merchant_id", "date_day")
    for columns in dict.fromkeys([replaced_by, *model.indexes]):
        if columns != model.primary_key[: len(columns)]:
            digest = blake2b(",".join(columns).encode(), digest_size=3).hexdigest()
            index = sql.Identifier(f"{model.name}_{digest}")
            conn.execute(sql.SQL("create index {} on {} ({})").format(index, mart, _list(columns)))
    conn.execute(_SECURE.format(mart=mart))


def _alter(
    conn: Connection,
    model: MartModel,
    types: dict[str, str],
    added: Iterable[str],
    removed: Iterable[str],
    retyped: Iterable[str],
) -> None:
    # A new column may be required by the contract, but days of before have none: the build guarantees it, not the mart.
    actions = [sql.SQL("add column {} {}").format(sql.Identifier(column), _type(types[column])) for column in added]
    actions += [sql.SQL("drop column {}").format(sql.Identifier(column)) for column in removed]
    actions += [
        sql.SQL("alter column {column} type {type} using {column}::{type}").format(
            column=sql.Identifier(column), type=_type(types[column])
        )
        for column in retyped
    ]
    mart = sql.Identifier("marts", model.name)
    try:
        conn.execute(sql.SQL("alter table {} {}").format(mart, sql.SQL(", ").join(actions)))
    except (
        psycopg.DataError,
        psycopg.errors.CannotCoerce,
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.FeatureNotSupported,
    ) as error:
        raise IncompatibleMart(
            f"marts.{model.name} cannot take the columns of its model: {error.diag.message_primary}. "
            f"Drop the table (and what depends on it), then run a full rebuild"
        ) from None


def _uncovered_merchants(conn: Connection, schema: str) -> list[str]:
    """Merchants with published days that stay as they are when this build is published."""
    merchants: set[str] = set()
    for mart in published_day_marts(conn):
        rows = conn.execute(
            _UNCOVERED.format(mart=sql.Identifier("marts", mart), scope=sql.Identifier(schema, "scope"))
        ).fetchall()
        merchants |= {merchant_id for (merchant_id,) in rows}
    return sorted(merchants)


def _columns(conn: Connection, schema: str, table: str) -> dict[str, str]:
    return dict(conn.execute(_COLUMNS, (f'"{schema}"."{table}"',)).fetchall())


def _explain(mart: str, published: dict[str, str], wanted: dict[str, str], column: str) -> str:
    now = f"type {wanted[column]}" if column in wanted else "gone"
    return (
        f"{mart}: column {column!r} has type {published[column]} in marts.{mart} and is {now} in the model. "
        "Only a build over everything may change that: trigger `transform` with *full rebuild*, while no backfill "
        "holds days (ops.leases)"
    )


def _list(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _type(name: str) -> sql.SQL:
    return sql.SQL(name)
