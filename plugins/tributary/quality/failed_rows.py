"""Rows that a check objects to, by their keys: a count alone tells nobody where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from tributary.quality.contract import Asked

MOST = 1000
"""How many are kept of a check; its count says how many there are."""

# What the contracts' own search for personal data finds, also as a link carries it. No name before an @ is longer.
_ADDRESS = re.compile(r"\S{0,64}(?:@|%(?:25)*40)[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\+|%(?:25)*2B)[1-9]\d{7,14}(?!\d)", re.IGNORECASE)

_INVALID = {
    "valid_values": "{column}::text <> all ({value})",
    "invalid_values": "{column}::text = any ({value})",
    "valid_min": "{column} < {value}",
    "valid_max": "{column} > {value}",
    "valid_format": "{column}::text !~ {value}",
    "invalid_format": "{column}::text ~ {value}",
}
_KEY = """
select attribute.attname
from pg_index as index
inner join pg_attribute as attribute on index.indrelid = attribute.attrelid and attribute.attnum = any(index.indkey)
where index.indisprimary and index.indrelid = to_regclass(%s) and attribute.attname <> 'merchant_id'
order by array_position(index.indkey::smallint[], attribute.attnum)
"""
_COLUMNS = """
select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
"""


def masked(text: str) -> str:
    """The text without what identifies people: an e-mail address, or a telephone number with its country."""
    return _NUMBER.sub("(phone number)", _ADDRESS.sub("(e-mail address)", text))


def failing_rows(conn: psycopg.Connection, asked: Asked) -> list[dict[str, str]]:
    """The keys of the rows, as text, the latest days first; none of a check that is about a table as a whole."""
    query = _query(conn, asked)
    if query is None:
        return []
    with conn.transaction():
        cursor = conn.execute(sql.SQL("select * from ({}) as failed limit {}").format(query, MOST))
        names = [column.name for column in cursor.description or ()]
        rows = dict.fromkeys(tuple("null" if value is None else masked(str(value)) for value in row) for row in cursor)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return sorted(found, key=lambda row: row.get("date_day", ""), reverse=True)


def why_not(conn: psycopg.Connection, asked: Asked) -> str | None:
    """What PostgreSQL says against the check; nothing when only another check of its table is wrong."""
    query = _query(conn, asked)
    try:
        with conn.transaction():
            conn.execute(sql.SQL("select count(*) from ({}) as failed").format(query or sql.SQL("select")))
    except conn.Error as error:  # the check's own SQL: any error of it is what is asked for
        return masked(error.diag.message_primary or type(error).__name__)
    return None


def _query(conn: psycopg.Connection, asked: Asked) -> sql.Composable | None:
    if asked.query:
        return sql.SQL(asked.query)
    table = sql.Identifier(asked.schema, asked.dataset)
    keys = _keys(conn, table.as_string(), asked)
    if asked.kind == "duplicate":
        columns = asked.body.get("columns") or [asked.column]
        counted = sql.SQL("select *, count(*) over (partition by {}) as copies from {} where {}").format(
            _list(columns), table, sql.SQL(asked.only)
        )
        shown = _list(list(dict.fromkeys([*columns, *keys, "copies"])))
        return sql.SQL("select {0} from ({1}) as counted where copies > 1 order by {0}").format(shown, counted)
    condition = _condition(asked)
    if condition is None or not keys:
        return None
    latest = sql.SQL("date_day desc, " if "date_day" in keys else "")
    return sql.SQL("select {0} from {1} where {2} and ({3}) order by {4}{0}").format(
        _list(keys), table, sql.SQL(asked.only), condition, latest
    )


def _condition(asked: Asked) -> sql.Composable | None:
    if asked.kind == "failed_rows":
        return sql.SQL(asked.body["expression"])
    if asked.kind not in ("missing", "invalid"):
        return None
    column = sql.Identifier(str(asked.column))
    if asked.kind == "missing":
        values = asked.body.get("missing_values") or []
        return sql.SQL("{0} is null or {0}::text = any ({1})").format(column, [str(value) for value in values])
    return sql.SQL(" or ").join(
        sql.SQL(template).format(column=column, value=_value(asked.body[rule]))
        for rule, template in _INVALID.items()
        if rule in asked.body
    )


def _value(given: Any) -> Any:
    if isinstance(given, list):
        return [str(value) for value in given]
    return given["regex"] if isinstance(given, dict) else given


def _keys(conn: psycopg.Connection, table: str, asked: Asked) -> list[str]:
    """The table's primary key, or the columns that its contract names; and when it was."""
    there = [name for (name,) in conn.execute(_COLUMNS, (table,))]
    keys = [name for (name,) in conn.execute(_KEY, (table,))] or [name for name in asked.named if name in there]
    return list(dict.fromkeys([*keys, *(name for name in ("date_day", "event_at") if name in there)]))


def _list(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
