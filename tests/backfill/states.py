"""Warehouses in which a backfill has come to a step, cloned for each test; its steps run in this process."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.backfill import kill_build, kill_world
from tests.backfill.kill_build import MADE, MANIFEST_FILE, run_dbt
from tests.backfill.kill_world import WORLD
from tests.backfill.steps import OPERATIONS
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


_DIFFERENT = sql.SQL("""
select distinct merchant_id, date_day
from (
    (select {columns} from {mart} except all select {columns} from {built})
    union all
    (select {columns} from {built} except all select {columns} from {mart})
) as one_sided
order by 1, 2
""")


_TABLES = """
select table_schema, table_name, array_agg(column_name::text)
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where table_schema in ('marts', 'raw') and table_type = 'BASE TABLE'
group by 1, 2
order by 1, 2
"""
_DIGEST = sql.SQL("""
select merchant_id, md5(string_agg(stored::text, '' order by stored::text collate "C"))
from {table} as stored
where {condition}
group by merchant_id
""")
_ALL = sql.SQL("true")
_OTHER_DAYS = sql.SQL("(merchant_id, date_day) not in (select merchant_id, date_day from {})")
_OTHERS = sql.SQL("merchant_id <> all({})")

# Beside production all layers are in one schema, which is what can be built again elsewhere.
_FIRST = "backfill_at_first"

Digests = dict[tuple[str, str], str]
"""Of all rows, byte by byte, by table and merchant."""


@dataclass
class States:
    """Databases of one server, by what was done in them."""

    server: str
    made: Path
    manifest: Path
    kept: dict[tuple[str, ...], str] = field(default_factory=dict)

    @contextmanager
    def after(self, *operations: str) -> Iterator[str]:
        """A warehouse of its own in which these were done since all was published by schedule."""
        name = self._copied(self._state(operations))
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    def settle(self, template: str) -> None:
        """Two weeks of three shops, built by dbt and published."""
        name = self._copied(template)
        url = self._url(name)
        kill_world.settle(url)
        with psycopg.connect(url) as conn:
            build = open_build(conn, _FIRST, WORLD)
        assert build is not None
        run_dbt(url, self.made, _FIRST)
        for merchant_id in build.merchants:
            with psycopg.connect(url) as conn:
                publish(conn, build.build_id, _FIRST, merchant_id, self.manifest)
        self.kept[()] = name

    def close(self) -> None:
        """Drop what is kept."""
        for name in self.kept.values():
            self._drop(name)

    def _state(self, operations: tuple[str, ...]) -> str:
        if operations not in self.kept:
            name = self._copied(self._state(operations[:-1]))
            OPERATIONS[operations[-1]](self._url(name))
            self.kept[operations] = name
        return self.kept[operations]

    def _copied(self, template: str) -> str:
        name = f"state_{uuid4().hex[:12]}"
        with psycopg.connect(self.server, autocommit=True) as server:
            server.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return name

    def _drop(self, name: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as server:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def _url(self, name: str) -> str:
        return f"{self.server.rpartition('/')[0]}/{name}"


@contextmanager
def open_states(server: str, template: str, made: Path) -> Iterator[States]:
    """States that are made when they are asked for first."""
    os.environ[MADE] = str(made)
    states = States(server, made, made / MANIFEST_FILE)
    try:
        states.settle(template)
        yield states
    finally:
        states.close()
        os.environ.pop(MADE, None)


def not_as_rebuilt(url: str, manifest: Path) -> list[tuple[str, str, object]]:
    """Mart, merchant and day of what a build over everything shows otherwise; the last that is done to a warehouse."""
    with psycopg.connect(url) as conn:
        assert open_build(conn, "build", WORLD, everything=True)
        conn.commit()
        kill_build.build(conn, "build")
        return [
            (model.name, merchant_id, day)
            for model in read_marts(manifest)
            for merchant_id, day in conn.execute(
                _DIFFERENT.format(
                    columns=sql.SQL(", ").join(map(sql.Identifier, model.columns)),
                    mart=sql.Identifier("marts", model.name),
                    built=sql.Identifier("build", model.name),
                )
            ).fetchall()
        ]


def production(url: str, condition: sql.Composable = _ALL) -> Digests:
    """Every mart and every raw table of every merchant."""
    found = {}
    with psycopg.connect(url) as conn:
        for schema, table, _ in conn.execute(_TABLES).fetchall():
            query = _DIGEST.format(table=sql.Identifier(schema, table), condition=condition)
            found |= {(f"{schema}.{table}", merchant): digest for merchant, digest in conn.execute(query).fetchall()}
    return found


def outside(url: str, schema: str, merchants: Sequence[str]) -> Digests:
    """Marts on other days than those of the schema's scope, and all of other merchants."""
    found = production(url, _OTHERS.format(sql.Literal([*merchants])))
    with psycopg.connect(url) as conn:
        for place, table, columns in conn.execute(_TABLES).fetchall():
            if place == "marts" and "date_day" in columns:
                condition = _OTHER_DAYS.format(sql.Identifier(schema, "scope"))
                query = _DIGEST.format(table=sql.Identifier(place, table), condition=condition)
                rows = conn.execute(query).fetchall()
                found |= {(f"{place}.{table} of other days", merchant): digest for merchant, digest in rows}
    return found


def days(url: str, mart: str = "fct_daily_metrics") -> dict[tuple[str, int], str]:
    """A digest of every day of a mart, by the merchant and the day of March."""
    query = sql.SQL("""
        select merchant_id, extract(day from date_day)::int, md5(string_agg(mart::text, '' order by mart::text))
        from {} as mart
        group by merchant_id, date_day
    """)
    with psycopg.connect(url) as conn:
        rows = conn.execute(query.format(sql.Identifier("marts", mart))).fetchall()
    return {(merchant_id, day): digest for merchant_id, day, digest in rows}


def put(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask or do something there, on a connection of its own."""
    with psycopg.connect(url) as conn:
        cursor = conn.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []
