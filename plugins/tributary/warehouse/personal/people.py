"""Whose rows are whose, and taking people out of rows: what erasure and the end of personal data are made of.

All of it works on temporary tables of one transaction about one merchant: `listed` says which row holds which
identifying value, `renamed` which value becomes which, `theirs` which rows are to be cleaned. Every value becomes one
of its own, so that rows which belonged together still do, no others do, and no figure moves.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import yaml
from psycopg import sql

from tributary.paths import DBT_PROJECT
from tributary.warehouse.raw_table import raw_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.declaration import Channel, Personal, Stream

SHARED_KIND = "email"
"""The one kind of identity that several people may have; written in any case, and with spaces around it."""

_TABLES = """
set local jit = off;
drop table if exists pg_temp.listed, pg_temp.renamed, pg_temp.theirs;
create temporary table listed (
    place integer not null,
    key text collate "C" not null,
    event_at timestamptz,
    path text not null,
    kind text not null,
    value text not null,
    is_link boolean not null
) on commit drop;
create temporary table renamed (
    kind text not null,
    value text not null,
    becomes text not null,
    primary key (kind, value)
) on commit drop;
create temporary table theirs (
    place integer not null,
    key text collate "C" not null,
    primary key (place, key)
) on commit drop;
"""

_LIST = sql.SQL("""
insert into listed (place, key, event_at, path, kind, value, is_link)
select {place}, source.key, source.event_at, found.path, found.kind, found.value, found.is_link
from {source} as source
cross join lateral (values {values}) as found (path, kind, value, is_link)
where
    found.value is not null
    and (found.kind <> {shared} or split_part(found.value, '@', -1) <> all({dummies}))
""")

_RAW = sql.SQL("""
(select record_id as key, event_at, payload from {table} where merchant_id = {merchant} and {fresh})
""")

_FRESH = sql.SQL("loaded_at > {since}")
_FRESH_CHILD = sql.SQL("""
record_id in (
    select left(child.record_id, -strpos(reverse(child.record_id), '/'))
    from {child} as child
    where child.merchant_id = {merchant} and child.loaded_at > {since}
)
""")

_CHANGES = sql.SQL("""
(
    select change_id::text collate "C" as key, coalesce(new_event_at, old_event_at) as event_at, old_payload as payload
    from ops.changes
    where merchant_id = {merchant} and channel = {channel} and stream = {stream} and old_payload is not null
)
""")

# A sync may have written the row meanwhile: what is there now is looked at, not what was there when it was listed.
_RENAME = sql.SQL("""
update {target} as stored
set {column} = jsonb_set(stored.{column}, {path}, to_jsonb(renamed.becomes))
from listed
inner join renamed on renamed.kind = listed.kind and renamed.value = listed.value
inner join theirs on theirs.place = listed.place and theirs.key = listed.key
where
    listed.place = {place}
    and listed.path = {name}
    and not listed.is_link
    and {matches}
    and (select {value} from (select stored.{column} as payload) as row) = listed.value
""")

_CLEAN = sql.SQL("""
update {target} as stored
set {column} = (select {cleaned} from (select stored.{column} as payload) as row) {stamp}
from theirs
where theirs.place = {place} and {matches}
""")
_STAMP = sql.SQL(", masked_at = now()")

_CHILD_MATCHES = sql.SQL("""
stored.merchant_id = {merchant} and stored.record_id > theirs.key || '/' and stored.record_id < theirs.key || '0'
""")

_FORGET_OLD_CHILDREN = sql.SQL("""
update ops.changes as stored
set old_payload = null
from theirs
where
    theirs.place = {place}
    and stored.channel = {channel}
    and stored.stream = {child}
    and stored.old_payload is not null
    and {matches}
""")

_LOG = sql.SQL("""
insert into ops.changes (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at)
select stored.merchant_id, {channel}, {stream}, stored.record_id, 'update', stored.event_at, stored.event_at
from {target} as stored
inner join theirs on theirs.place = {place} and theirs.key = stored.record_id
where stored.merchant_id = {merchant}
""")

_COUNT = "select place, count(*) from theirs group by place"


class _Place(NamedTuple):
    """Somewhere that payloads of a stream are: its raw table, or what changes say that its rows were."""

    number: int
    channel: Channel
    stream: Stream
    personal: Personal
    is_raw: bool

    @property
    def table(self) -> str:
        return f"raw.{self.channel.name}_{self.stream.name}" if self.is_raw else "ops.changes"


class People:
    """The people of one merchant, for as long as a transaction lasts."""

    def __init__(
        self, conn: Connection, channels: Sequence[Channel], merchant_id: str, since: datetime | None = None
    ) -> None:
        """List who is in which row; with `since` only rows that were loaded after it, or that have such a child."""
        self._conn = conn
        self._merchant = sql.Literal(merchant_id)
        self.places = list(_places(channels))
        conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"tributary.personal {merchant_id}",))
        conn.execute(_TABLES)
        for place in self.places:
            declared = {**place.personal.identities, **place.personal.links}
            values = [
                sql.SQL("({}, {}, {}, {})").format(path, kind, _value(path, kind), path in place.personal.links)
                for path, kind in declared.items()
            ]
            conn.execute(
                _LIST.format(
                    place=place.number,
                    source=self._source(place, since),
                    values=sql.SQL(", ").join(values),
                    shared=SHARED_KIND,
                    dummies=_dummy_domains(),
                )
            )
        conn.execute("analyze listed")

    def _source(self, place: _Place, since: datetime | None) -> sql.Composed:
        if not place.is_raw:
            return _CHANGES.format(merchant=self._merchant, channel=place.channel.name, stream=place.stream.name)
        fresh = [sql.SQL("true") if since is None else _FRESH.format(since=since)]
        for child in place.personal.children if since is not None else ():
            fresh.append(
                _FRESH_CHILD.format(child=raw_table(place.channel, child), merchant=self._merchant, since=since)
            )
        return _RAW.format(
            table=raw_table(place.channel, place.stream.name),
            merchant=self._merchant,
            fresh=sql.SQL("({})").format(sql.SQL(" or ").join(fresh)),
        )

    def mask(self, clean: bool = True) -> Counter[str]:
        """Rename in the rows that are `theirs`, and drop what else is in them about people; counts rows by table."""
        self._conn.execute("analyze renamed; analyze theirs")
        named = {place.number: place for place in self.places}
        rows: Counter[str] = Counter()
        for number, count in self._conn.execute(_COUNT).fetchall():
            place = named[number]
            rows[place.table] += count
            self._rename(place)
            if clean:
                rows += self._clean(place)
        return rows

    def log(self) -> None:
        """Have the days of those rows built again. What they were is not kept: that is what had to go."""
        for place in self.places:
            if place.is_raw:
                self._conn.execute(_LOG.format(**self._names(place)))

    def _rename(self, place: _Place) -> None:
        for path, kind in place.personal.identities.items():
            self._conn.execute(
                _RENAME.format(path=path.split(","), name=path, value=_value(path, kind), **self._names(place))
            )

    def _clean(self, place: _Place) -> Counter[str]:
        names = self._names(place)
        self._conn.execute(
            _CLEAN.format(cleaned=_cleaned(place.personal), stamp=_STAMP if place.is_raw else sql.SQL(""), **names)
        )
        rows: Counter[str] = Counter()
        for child, personal in place.personal.children.items() if place.is_raw else ():
            matches = _CHILD_MATCHES.format(merchant=self._merchant)
            names |= {"target": raw_table(place.channel, child), "matches": matches}
            cleaned = self._conn.execute(_CLEAN.format(cleaned=_cleaned(personal), stamp=_STAMP, **names))
            rows[f"raw.{place.channel.name}_{child}"] += cleaned.rowcount
            self._conn.execute(_FORGET_OLD_CHILDREN.format(child=child, **names))
        return rows

    def _names(self, place: _Place) -> dict[str, object]:
        matches = (
            sql.SQL("stored.merchant_id = {} and stored.record_id = theirs.key").format(self._merchant)
            if place.is_raw
            else sql.SQL("stored.change_id = theirs.key::bigint")
        )
        return {
            "place": place.number,
            "channel": place.channel.name,
            "stream": place.stream.name,
            "merchant": self._merchant,
            "target": raw_table(place.channel, place.stream.name) if place.is_raw else sql.Identifier("ops", "changes"),
            "column": sql.Identifier("payload" if place.is_raw else "old_payload"),
            "matches": matches,
        }


def _places(channels: Sequence[Channel]) -> Iterator[_Place]:
    number = 0
    for channel in channels:
        for stream in channel.streams:
            if stream.personal is not None:
                for is_raw in (True, False):
                    yield _Place(number, channel, stream, stream.personal, is_raw)
                    number += 1


def _value(path: str, kind: str) -> sql.Composed:
    """An identifying value as staging has it, so that keys are the same."""
    text = sql.SQL("payload #>> {}").format(path.split(","))
    if kind == SHARED_KIND:
        text = sql.SQL("lower(btrim({}))").format(text)
    return sql.SQL("nullif(left({}, 500), '')").format(text)


def _cleaned(personal: Personal) -> sql.Composable:
    """The payload without what is about people, but for the values that say who they are."""
    made: sql.Composable = sql.SQL("payload")
    for path, kind in personal.identities.items():
        if kind == SHARED_KIND:
            # Addresses that a marketplace hands out are nobody's: they have no key that would have to stay.
            made = sql.SQL(
                "case when split_part({}, '@', -1) = any({}) then jsonb_set({}, {}, 'null') else {} end"
            ).format(_value(path, kind), _dummy_domains(), made, path.split(","), made)
    for path, text in personal.rewritten.items():
        made = sql.SQL("jsonb_set({}, {}, coalesce(to_jsonb(({})::text), 'null'), false)").format(
            made, path.split(","), sql.SQL(text)
        )
    for path, fields in personal.kept.items():
        made = sql.SQL("ops.with_only({}, {}::text[], {})").format(made, path.split(",") if path else [], list(fields))
    for path in personal.removed:
        made = sql.SQL("ops.without({}, {})").format(made, path.split(","))
    return made


@cache
def _dummy_domains() -> list[str]:
    """As dbt knows them: nobody is known by an address there."""
    project: Mapping[str, Mapping[str, list[str]]] = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())
    return project["vars"]["dummy_email_domains"]
