"""What a warehouse shows: to readers, row for row, and to whoever asks how a backfill went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Of raw only the clock differs between two runs that end the same.
_CLOCKS = ("loaded_at", "first_loaded_at")
_TABLES = """
select table_schema, table_name
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where table_schema in ('marts', 'raw') and table_type = 'BASE TABLE' and column_name = 'merchant_id'
order by 1, 2
"""
_DIGESTS = sql.SQL("""
select merchant_id, md5(string_agg(kept::text, '' order by kept::text collate "C"))
from (select merchant_id, to_jsonb(stored) - {clocks}::text[] as kept from {table} as stored where {condition}) as rows
group by merchant_id
""")
_ALL = sql.SQL("true")
_DAYS = """
select table_name from information_schema.columns
where table_schema = 'marts' and column_name = 'date_day'
"""

# What is left behind, but for ids and clocks that differ between two runs that end the same.
_LEFT = {
    "backfills": """
        select kind, run_id, requested_by, role, merchants, first_day, last_day, mode, status, step, rows_affected,
            error, compared_at is not null
        from ops.backfills
    """,
    "audit": """
        select
            row_number() over (partition by backfill_id order by event_id), backfill_id, kind, status, rows_affected,
            approved_by, error
        from audit.backfill_events
    """,
    "leases": "select merchant_id, backfill_id, holder, reason, days from ops.leases",
    "reads": """
        select merchant_id, channel, stream, window_start, window_end, records_read, differing from ops.backfill_reads
    """,
    "differences": "select * from ops.backfill_differences",
    "rows": "select * from ops.backfill_rows",
    "publications": """
        select merchant_id, date_day, models, rows, build_id in (select backfill_id from ops.backfills)
        from ops.publications
    """,
    "changes": """
        select merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload,
            sync_id in (select backfill_id from ops.backfills)
        from ops.changes
    """,
    "checkpoints": "select merchant_id, channel, stream, position, sync_id from ops.checkpoints",
    "dead letters": "select merchant_id, channel, stream, record_id, reason, times_seen from ops.dead_letters",
}
_BESIDE = """
select table_schema || '.' || table_name from information_schema.tables
where table_schema = 'snapshots' or table_schema like 'backfill\\_%' order by 1
"""
_BESIDE_TABLES = """
select table_schema, table_name from information_schema.tables
where (table_schema = 'snapshots' or table_schema like 'backfill\\_%') and table_type = 'BASE TABLE'
order by 1, 2
"""

Shown = dict[tuple[str, str], str]
"""A digest of all rows, by table and merchant."""


def production(url: str) -> Shown:
    """Every mart and every raw table of every merchant."""
    return _shown(url, clocks=False)


def production_exactly(url: str) -> Shown:
    """The same with the clocks of raw: byte by byte."""
    return _shown(url, clocks=True)


def outside(url: str, days: Sequence[tuple[str, str]]) -> Shown:
    """Byte by byte what is on other days than these of these merchants, and everything of other merchants."""
    merchants = sorted({merchant_id for merchant_id, _ in days})
    with psycopg.connect(url) as conn:
        by_day = {("marts", name) for (name,) in conn.execute(_DAYS).fetchall()}
    others = sql.SQL("merchant_id <> all({})").format(sql.Literal(merchants))
    other_days = sql.SQL("merchant_id || ' ' || date_day <> all({})").format(
        sql.Literal([" ".join(day) for day in days])
    )
    return _shown(url, clocks=True, conditions=dict.fromkeys(by_day, other_days), otherwise=others)


def left(url: str) -> dict[str, list[str]]:
    """What is known of backfills, and what else they leave."""
    with psycopg.connect(url) as conn:
        found = {
            name: [row for (row,) in conn.execute(f"select kept::text from ({query}) as kept order by 1".encode())]
            for name, query in _LEFT.items()
        }
        found["beside"] = [name for (name,) in conn.execute(_BESIDE).fetchall()]
        for schema, table in conn.execute(_BESIDE_TABLES).fetchall():
            rows = sql.SQL("select (to_jsonb(kept) - {}::text[])::text from {} as kept order by 1").format(
                sql.Literal([*_CLOCKS, "read_at", "opened_at", "change_id", "changed_at"]),
                sql.Identifier(schema, table),
            )
            found[f"{schema}.{table}"] = [row for (row,) in conn.execute(rows)]
    return found


def _shown(
    url: str,
    *,
    clocks: bool,
    conditions: dict[tuple[str, str], sql.Composable] | None = None,
    otherwise: sql.Composable = _ALL,
) -> Shown:
    def rows() -> Iterator[tuple[tuple[str, str], str]]:
        with psycopg.connect(url) as conn:
            for schema, table in conn.execute(_TABLES).fetchall():
                query = _DIGESTS.format(
                    table=sql.Identifier(schema, table),
                    clocks=sql.Literal([] if clocks else [*_CLOCKS]),
                    condition=(conditions or {}).get((schema, table), otherwise),
                )
                for merchant_id, digest in conn.execute(query).fetchall():
                    yield (f"{schema}.{table}", merchant_id), digest

    return dict(rows())
