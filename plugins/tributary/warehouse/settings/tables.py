"""Bringing the settings of the warehouse up to their files, and marking the days that this changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tributary.warehouse.settings.files import PRODUCT_COSTS, PROMOTIONS, REFERRERS, TRAFFIC_SOURCES
from tributary.warehouse.settings.merchants import apply_channels, apply_merchants

if TYPE_CHECKING:
    from psycopg import Connection

    from tributary.warehouse.settings.files import Row, Settings, SettingsFile

_CREATE_WANTED = sql.SQL("create temporary table {wanted} on commit drop as select {columns} from {table} with no data")

# A mark says from which time on a merchant's figures change; without a time it is all of them.
_APPLY = sql.SQL("""
with wanted as (
    select {all_columns} from {wanted} {for_each_merchant}
),

gone as (
    delete from {table} as stored
    where not exists (select from wanted where ({wanted_key}) = ({stored_key}))
    returning stored.merchant_id, {since} as since
),

changed as (
    insert into {table} as stored ({all_columns})
    select {all_columns} from wanted
    on conflict ({key}) do update set ({columns}) = row({new})
    where row({old}) is distinct from row({new})
    returning stored.merchant_id, {since} as since
)

insert into ops.changes (merchant_id, channel, stream, operation, new_event_at)
select
    merchants.merchant_id, 'settings', {stream}, 'settings',
    min(moved.since)::timestamp at time zone merchants.time_zone
from (select * from gone union all select * from changed) as moved
inner join ops.merchants on moved.merchant_id = merchants.merchant_id
where {moves_figures}
group by merchants.merchant_id
""")


def apply_settings(conn: Connection, settings: Settings) -> None:
    """Bring merchants and their channels, costs, traffic sources, referrers and promotions up to their files.

    What is there already marks nothing.
    """
    with conn.transaction():
        # Every channel's ingest applies them, several at the same time.
        conn.execute("select pg_advisory_xact_lock(hashtext('tributary.settings'))")
        apply_merchants(conn, settings.merchants)
        apply_channels(conn, settings.merchants)
        apply_rows(conn, PRODUCT_COSTS, settings.product_costs)
        apply_rows(conn, TRAFFIC_SOURCES, settings.traffic_sources)
        apply_rows(conn, REFERRERS, settings.referrers)
        apply_rows(conn, PROMOTIONS, settings.promotions)


def apply_rows(conn: Connection, file: SettingsFile, rows: list[Row]) -> None:
    """Make a file's rows those of its table: of the merchants that it names, or of every merchant when it names none.

    A cost moves the figures from its day on, a promotion none, any other row all of them.
    """
    of_all = "merchant_id" not in file.columns
    all_columns = ("merchant_id", *file.columns) if of_all else file.columns
    key = all_columns[: file.key + of_all]
    wanted, table = sql.Identifier(f"wanted_{file.table}"), sql.Identifier("ops", file.table)
    columns = _names(file.columns)
    with conn.transaction():
        conn.execute(_CREATE_WANTED.format(wanted=wanted, columns=columns, table=table))
        with conn.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(wanted, columns)) as copy:
            for row in rows:
                copy.write_row(row)
        conn.execute(
            _APPLY.format(
                table=table,
                wanted=wanted,
                for_each_merchant=sql.SQL("cross join ops.merchants" if of_all else ""),
                all_columns=_names(all_columns),
                columns=columns,
                key=_names(key),
                wanted_key=_names(key, "wanted"),
                stored_key=_names(key, "stored"),
                old=_names(file.columns, "stored"),
                new=_names(file.columns, "excluded"),
                since=sql.SQL("stored.valid_from" if "valid_from" in key else "null::date"),
                stream=sql.Literal(file.table),
                moves_figures=sql.Literal(file.moves_figures),
            )
        )


def _names(columns: tuple[str, ...], table: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(*filter(None, (table, column))) for column in columns)
