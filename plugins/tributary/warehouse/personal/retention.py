"""The end of people's data by age: whom nothing recent is known of is masked by the key that figures know them by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.warehouse.personal.erase import mask_again
from tributary.warehouse.personal.people import SHARED_KIND, People
from tributary.warehouse.raw_table import raw_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from psycopg import Connection

    from tributary.declaration import Channel

# What recent rows say of a person is said of their other rows too; an e-mail may be shared, so it says nothing further.
_HOPS = 2

# Who was masked and is a customer again is named again, or their new orders would be another person's.
_NAMED_AGAIN = """
insert into renamed (kind, value, becomes)
select distinct masked.kind, masked.value, recent.value
from (
    select distinct kind, value
    from listed
    where event_at >= %(before)s and not is_link and value not like 'masked:%%'
) as recent
cross join lateral (
    select 'masked:' || ops.customer_key(%(merchant_id)s, recent.kind || ':' || recent.value) as value
    offset 0
) as keyed
inner join listed as masked on masked.kind = recent.kind and masked.value = keyed.value
"""

_RECENT = """
create temporary table recent (
    kind text not null,
    value text not null,
    primary key (kind, value)
) on commit drop
"""
_RECENT_THEMSELVES = """
insert into recent (kind, value)
select distinct kind, value from listed where event_at >= %(before)s
"""
_RECENT_BY_OTHERS = """
insert into recent (kind, value)
select distinct beside.kind, beside.value
from recent
inner join listed as held on held.kind = recent.kind and held.value = recent.value
inner join listed as beside on beside.place = held.place and beside.key = held.key
where recent.kind <> %(shared)s
on conflict do nothing
"""

_RENAMED = """
insert into renamed (kind, value, becomes)
select old.kind, old.value, 'masked:' || ops.customer_key(%(merchant_id)s, old.kind || ':' || old.value)
from (
    select kind, value from listed where not is_link and value not like 'masked:%%'
    except
    select kind, value from recent
) as old
"""

_THEIRS = """
insert into theirs (place, key)
select distinct listed.place, listed.key
from listed
inner join renamed on renamed.kind = listed.kind and renamed.value = listed.value
"""

# Rows in which nobody is named, or only by ids of the vendor's, may hold an address or a telephone number all the same.
_NAMELESS = sql.SQL("""
insert into theirs (place, key)
select {place}, stored.record_id
from {table} as stored
where
    stored.merchant_id = %(merchant_id)s
    and stored.event_at < %(before)s
    and (stored.masked_at is null or stored.masked_at < stored.loaded_at)
    and not exists (
        select from listed
        inner join recent on recent.kind = listed.kind and recent.value = listed.value
        where listed.place = {place} and listed.key = stored.record_id
    )
on conflict do nothing
""")

_MERCHANTS = "select merchant_id, personal_data_days from ops.merchants order by merchant_id"

# A build reads raw table by table: it must not see some of them before and some after.
_HOLD_BUILDS = "select pg_advisory_xact_lock(hashtext(%s))"
_IS_BUILDING = "select exists (select from ops.changes where merchant_id = %s and build_id is not null)"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a night ended."""

    rows: Mapping[str, int]
    """Table -> how many of its rows hold no person any more."""
    waiting: Sequence[str]
    """Merchants whose old people wait, since a build of theirs is not published yet."""


def end_personal_data(conn: Connection, channels: Sequence[Channel], schema: str, now: datetime) -> Ended:
    """Mask what came back of erased people, then people of whom nothing recent is known."""
    rows: Counter[str] = Counter()
    waiting = []
    with conn.transaction():
        merchants = conn.execute(_MERCHANTS).fetchall()
    for merchant_id, days in merchants:
        rows.update(mask_again(conn, channels, merchant_id))
        if days is not None:
            masked = mask_old(conn, channels, merchant_id, schema, now - timedelta(days=days))
            rows.update(masked or {})
            if masked is None:
                waiting.append(merchant_id)
    return Ended(dict(sorted(rows.items())), waiting)


def mask_old(
    conn: Connection, channels: Sequence[Channel], merchant_id: str, schema: str, before: datetime
) -> Mapping[str, int] | None:
    """Mask who has no row of that time or later, by the keys they have: no figure moves, and no day is built again.

    Who was masked so and is there again is named again in their old rows, whose days are then built again. None, and
    nothing is changed, while a build in that schema is not published yet; one that would begin waits.
    """
    values = {"merchant_id": merchant_id, "before": before, "shared": SHARED_KIND}
    with conn.transaction():
        conn.execute(_HOLD_BUILDS, (f"tributary.build {schema}",))
        if conn.execute(_IS_BUILDING, (merchant_id,)).fetchone() == (True,):
            return None
        people = People(conn, channels, merchant_id)
        conn.execute(_NAMED_AGAIN, values)
        conn.execute(_THEIRS)
        if people.mask(clean=False):
            people.log()
        conn.execute("truncate renamed, theirs")
        conn.execute("drop table if exists pg_temp.recent")
        conn.execute(_RECENT)
        conn.execute(_RECENT_THEMSELVES, values)
        for _ in range(_HOPS):
            conn.execute("analyze recent")
            conn.execute(_RECENT_BY_OTHERS, values)
        conn.execute(_RENAMED, values)
        conn.execute(_THEIRS)
        for place in people.places:
            if place.is_raw:
                table = raw_table(place.channel, place.stream.name)
                conn.execute(_NAMELESS.format(place=place.number, table=table), values)
        return people.mask()
