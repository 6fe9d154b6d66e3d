"""The proof that incremental equals full, on a sample: published days are computed again from raw, and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg import sql

from tributary.warehouse.manifest import read_marts
from tributary.warehouse.scope import write_scope
from tributary.warehouse.touched import drop_days, find_days

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from psycopg import Connection

    from tributary.declaration import Channel
    from tributary.warehouse.manifest import MartModel
    from tributary.warehouse.scope import Build

DATASET, CHECK = "marts", "Published days equal a rebuild"
"""Under which the result is kept."""

KEYS_SHOWN = 5

_ALL_CHANGES = sql.SQL("true")
_NO_CHANGES = sql.SQL("false")

_SET_PENDING_APART = """
create temporary table pending_day on commit drop as
select distinct merchant_id, date_day from touched_day
"""

_SAMPLE = sql.SQL("""
create temporary table sampled on commit drop as
select days.merchant_id, days.date_day
from (
    select merchant_id, date_day from touched_day
    except
    select merchant_id, date_day from pending_day
) as days
order by
    -- A day that differed is looked at again: that others are well says nothing of it.
    not exists (
        select from ops.failed_rows as known
        where
            (known.dataset, known.check_name) = ({dataset}, {check})
            and known.merchant_id = days.merchant_id
            and known.row ->> 'date_day' = days.date_day::text
    ),
    md5(concat_ws('/', {seed}, days.merchant_id, days.date_day))
limit {days};
delete from touched_day
where (merchant_id, date_day) not in (select sampled.merchant_id, sampled.date_day from sampled)
""")

_OPENED = sql.SQL("create table {proof} as select now() as opened_at")

# A mart that lacks a column of its model has not been published since the model changed, and will be as a whole.
_IS_CURRENT = """
select {columns} <@ array_agg(attname::text)
from pg_attribute
where attrelid = to_regclass({mart}) and attnum > 0 and not attisdropped
"""

_DIFFERENCES = sql.SQL("""
with published as (
    select {columns}
    from {mart} as mart
    where exists (
        select from {scope} as scope
        where scope.merchant_id = mart.merchant_id and scope.date_day = mart.date_day
    )
),
rebuilt as (
    select {columns} from {built}
),
different as (
    (select * from published except all select * from rebuilt)
    union all
    (select * from rebuilt except all select * from published)
),
keyed as (
    select distinct merchant_id, date_day, concat_ws('/', {key}) as key
    from different
)
select merchant_id, date_day, count(*), (array_agg(key order by key))[:{shown}]
from keyed
group by merchant_id, date_day
order by merchant_id, date_day
""")

_PUBLISHED_SINCE = sql.SQL("""
select publications.merchant_id, publications.date_day
from ops.publications as publications
inner join {proof} as proof on publications.published_at >= proof.opened_at
""")


@dataclass(frozen=True, slots=True)
class Difference:
    """A published day that a full rebuild would show otherwise."""

    merchant_id: str
    mart: str
    date_day: date
    rows: int
    """How many rows are missing, too many or of other content."""
    keys: tuple[str, ...]
    """Some of them: the mart's key without merchant and day."""


def open_proof(conn: Connection, schema: str, channels: Sequence[Channel], *, days: int, seed: str) -> Build | None:
    """Empty the schema for a random sample of merchant days that no unpublished change touches; claim nothing.

    Days that differed lately are among them. The same seed draws the same days. None when there are no such days.
    """
    with conn.transaction() as transaction:
        conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"tributary.build {schema}",))
        find_days(conn, channels, _ALL_CHANGES)
        conn.execute(_SET_PENDING_APART)
        drop_days(conn)
        find_days(conn, channels, _NO_CHANGES, everything=True)
        drawn = {"seed": seed, "days": days, "dataset": DATASET, "check": CHECK}
        conn.execute(_SAMPLE.format(**{name: sql.Literal(value) for name, value in drawn.items()}))
        build = write_scope(conn, schema, uuid4())
        if build is None:
            raise psycopg.Rollback(transaction)
        conn.execute(_OPENED.format(proof=sql.Identifier(schema, "proof")))
    return build


def proven_merchants(conn: Connection, schema: str) -> list[str]:
    """Whose days the proof was opened over."""
    merchants = sql.SQL("select distinct merchant_id from {scope} order by 1")
    return [merchant_id for (merchant_id,) in conn.execute(merchants.format(scope=sql.Identifier(schema, "scope")))]


def compare(conn: Connection, schema: str, channels: Sequence[Channel], manifest: Path) -> list[Difference]:
    """What the marts show otherwise than the rebuilt sample, by merchant, mart and day.

    A day that changed or was published since the proof was opened is not judged: raw is no longer what it was.
    """
    found = [
        difference
        for model in read_marts(manifest)
        if not model.key and _is_current(conn, model)
        for difference in _differences(conn, schema, model)
    ]
    # Asked last: whatever was rebuilt from a newer raw is then known as changed or as published.
    changed = _changed_meanwhile(conn, schema, channels) if found else set()
    return [difference for difference in found if (difference.merchant_id, difference.date_day) not in changed]


def _is_current(conn: Connection, model: MartModel) -> bool:
    row = conn.execute(
        sql.SQL(_IS_CURRENT).format(columns=sql.Literal(list(model.columns)), mart=sql.Literal(f'marts."{model.name}"'))
    ).fetchone()
    return row == (True,)


def _differences(conn: Connection, schema: str, model: MartModel) -> list[Difference]:
    key = [column for column in model.primary_key if column not in ("merchant_id", "date_day")]
    rows = conn.execute(
        _DIFFERENCES.format(
            columns=sql.SQL(", ").join(map(sql.Identifier, model.columns)),
            mart=sql.Identifier("marts", model.name),
            built=sql.Identifier(schema, model.name),
            scope=sql.Identifier(schema, "scope"),
            key=sql.SQL(", ").join(map(sql.Identifier, key)) if key else sql.Literal(""),
            shown=sql.Literal(KEYS_SHOWN),
        )
    ).fetchall()
    return [
        Difference(merchant_id, model.name, date_day, count, tuple(keys)) for merchant_id, date_day, count, keys in rows
    ]


def _changed_meanwhile(conn: Connection, schema: str, channels: Sequence[Channel]) -> set[tuple[str, date]]:
    with conn.transaction():
        find_days(conn, channels, _ALL_CHANGES)
        pending = conn.execute("select distinct merchant_id, date_day from touched_day").fetchall()
        published = conn.execute(_PUBLISHED_SINCE.format(proof=sql.Identifier(schema, "proof"))).fetchall()
    return {*pending, *published}
