"""The road from what vendors tell to published marts, as the DAGs go it: loader, settings, scope, dbt, publication.

And, beside it, a rebuild that knows no scope, which every published row must equal.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import sql

from tributary.channels import CHANNELS
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.tables import apply_settings
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import date, datetime
    from pathlib import Path

    from dbt.artifacts.schemas.run import RunResult
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ModelNode

    from tests.dbt.conftest import Dbt
    from tributary.declaration import Channel, Reader, Stream
    from tributary.warehouse.settings.files import Settings

_DIFFERENCES = sql.SQL("""
with
published as (select {columns} from {mart} where merchant_id = any(%(merchants)s)),
rebuilt as (select {columns} from {rebuilt} where merchant_id = any(%(merchants)s))
select merchant_id, date_day, 'published', to_jsonb(row)
from (select * from published except all select * from rebuilt) as row
union all
select merchant_id, date_day, 'rebuilt', to_jsonb(row)
from (select * from rebuilt except all select * from published) as row
order by 1, 2, 3
""")

Streams = list[tuple["Channel", "Stream"]]


class Difference(NamedTuple):
    """A row that only the published mart has, or only the rebuilt one."""

    merchant_id: str
    mart: str
    date_day: date
    only: str
    row: dict[str, Any]


class Published(NamedTuple):
    """What a build brought."""

    days: set[tuple[str, date]]
    refused: set[str]
    """The merchants of whom a row came to a new day and had not left its old one."""


def of_table(table: str) -> Reader:
    """Reads what a book tells for that table."""
    return lambda book, start, end: book.pages(table)


def read_whole(channel: Channel, *names: str) -> Streams:
    """Streams that are read whole each time: what those no longer show that are reports is gone."""
    return [
        (
            channel,
            replace(
                channel.stream(name),
                changed=of_table(f"{channel.name}_{name}"),
                history=None,
                look_back=timedelta(days=1_000),
                slice_length=timedelta(days=2_000),
            ),
        )
        for name in names
    ]


class Road:
    """One warehouse and its two builds."""

    def __init__(self, url: str, dbt: Dbt, parsed: Manifest, manifest: Path, marts: str) -> None:
        self.conn = psycopg.connect(url, autocommit=True)
        self._url = url
        self._dbt = dbt
        self._parsed = parsed
        self._manifest = manifest
        self._marts = f"+path:models/{marts}"
        self._views: set[str] = set()
        self._tables: list[ModelNode] = []

    def connect(self) -> psycopg.Connection:
        """Another connection, as a task has one of its own."""
        return psycopg.connect(self._url)

    def sync(
        self, book: Any, merchant_id: str, streams: Iterable[tuple[Channel, Stream]], began: datetime, now: datetime
    ) -> None:
        """Read what the book tells into raw."""
        for channel, stream in streams:
            sync_stream(self.connect, book, channel, stream, merchant_id, now, began)

    def publish(self, settings: Settings) -> Published:
        """Build and publish all that changed."""
        apply_settings(self.conn, settings)
        build = open_build(self.conn, "build", CHANNELS)
        assert build is not None
        self._build()
        refused = set()
        for merchant_id in build.merchants:
            try:
                publish(self.conn, build.build_id, "build", merchant_id, self._manifest)
            except psycopg.errors.UniqueViolation:
                refused.add(merchant_id)
        days = self.conn.execute(
            "select merchant_id, date_day from ops.publications where build_id = %s", (build.build_id,)
        )
        return Published(set(days.fetchall()), refused)

    def differences(self, merchants: Collection[str]) -> list[Difference]:
        """What a full rebuild, in a schema without a scope, shows otherwise."""
        self._rebuild()
        return [
            Difference(merchant_id, model.name, date_day, only, row)
            for model in read_marts(self._manifest)
            for merchant_id, date_day, only, row in self.conn.execute(
                _DIFFERENCES.format(
                    columns=sql.SQL(", ").join(map(sql.Identifier, model.columns)),
                    mart=sql.Identifier("marts", model.name),
                    rebuilt=sql.Identifier("rebuilt", model.name),
                ),
                {"merchants": [*merchants]},
            ).fetchall()
        ]

    def _build(self) -> None:
        # Views hold nothing: once made, only those are made again that went with the old scope or go with an old table.
        selected = [self._marts]
        if self._views:
            selected = [f"{self._marts},config.materialized:table+", *self._views - self._views_there()]
        self._run(*selected, build_schema="build", manifest=self._parsed)
        self._views = self._views or self._views_there()

    def _views_there(self) -> set[str]:
        schemas = "'staging', 'intermediate'"
        return {name for (name,) in self.conn.execute(f"select viewname from pg_views where schemaname in ({schemas})")}

    def _rebuild(self) -> None:
        """Fill all tables anew, again and again by what dbt made of their models at first: there is no scope in it."""
        if not self._tables:
            made = self._run(self._marts, build_schema="rebuilt")
            self._tables = [result.node for result in made if result.node.config.materialized == "table"]
            return
        for model in self._tables:
            columns = ", ".join(model.columns if model.config.contract.enforced else ["*"])
            self.conn.execute(
                f"set jit = off; truncate {model.relation_name};"
                f"insert into {model.relation_name} select {columns} from ({model.compiled_code}) as built;"
                f"analyze {model.relation_name}"
            )

    def _run(self, *selected: str, **how: Any) -> list[RunResult]:
        result = self._dbt("run", "--select", *selected, "--no-write-json", **how)
        assert result.success, [r.message for r in result.result or () if r.status != "success"] or result.exception
        return [*result.result]


@contextmanager
def open_road(url: str, dbt: Dbt, target: Path, marts: str = "marts") -> Iterator[Road]:
    """A road whose marts are those of the project below that folder."""
    read = dbt("parse")
    assert read.success
    # Every publication reads it, and looks for nothing but marts.
    parsed = json.loads((target / "build" / "manifest.json").read_text())
    nodes = {name: node for name, node in parsed["nodes"].items() if node["path"].startswith(f"{marts}/")}
    (manifest := target / "marts.json").write_text(json.dumps(parsed | {"nodes": nodes}))
    road = Road(url, dbt, read.result, manifest, marts)
    yield road
    road.conn.close()
