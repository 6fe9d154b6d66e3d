"""Erasing one person of one merchant, and masking again what of them comes back from the vendor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import psycopg
from psycopg.types.json import Jsonb

from tributary.warehouse.personal.people import SHARED_KIND, People

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from tributary.declaration import Channel

Outcome = Literal["dry run", "erased", "erased before", "refused"]

# A transaction that began before the last look may have ended after it.
_MARGIN = timedelta(days=1)

_KEYED = """
drop table if exists pg_temp.keyed;
create temporary table keyed on commit drop as
select kind, value, is_link, ops.customer_key(%(merchant_id)s, kind || ':' || value) as key
from (select distinct kind, value, is_link from listed) as found;
analyze keyed
"""

# Who was asked for; then who else stands in rows with them, for which an e-mail counts only if it was asked for itself,
# since it may be shared; then what else of theirs is known by their e-mails and the vendor's ids alone.
_PERSON = """
drop table if exists pg_temp.person;
create temporary table person on commit drop as
with

asked as (
    select kind, value, is_link, key as old_key from keyed where key = %(customer_key)s and not is_link
),

accounts as (
    select kind, value, is_link from asked
    union
    select beside.kind, beside.value, beside.is_link
    from asked
    inner join listed as held on held.kind = asked.kind and held.value = asked.value
    inner join listed as beside on beside.place = held.place and beside.key = held.key
    where asked.kind = %(shared)s
),

known as (
    select kind, value, is_link from accounts
    union
    select beside.kind, beside.value, beside.is_link
    from accounts
    inner join listed as held on held.kind = accounts.kind and held.value = accounts.value
    inner join listed as beside on beside.place = held.place and beside.key = held.key
),

found as (
    select kind, value, is_link from known
    union
    select beside.kind, beside.value, beside.is_link
    from known
    inner join listed as held on held.kind = known.kind and held.value = known.value
    inner join listed as beside on beside.place = held.place and beside.key = held.key
    where known.kind = %(shared)s and beside.is_link
)

select
    found.kind,
    found.value,
    found.is_link,
    keyed.key as old_key,
    encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')), 'hex') as token
from found
inner join keyed on keyed.kind = found.kind and keyed.value = found.value;
analyze person
"""

_RENAMED = """
insert into renamed (kind, value, becomes)
select kind, value, 'masked:' || token from person where not is_link
"""

_THEIRS = """
insert into theirs (place, key)
select distinct listed.place, listed.key
from listed
inner join person on person.kind = listed.kind and person.value = listed.value
"""

_REMEMBER = """
insert into ops.erased_identities as known (merchant_id, identity_digest, token)
select %(merchant_id)s, old_key, token from person
on conflict (merchant_id, identity_digest) do update
set token = excluded.token, erased_at = now(), looked_at = now()
"""

_DEAD_LETTERS = r"""
delete from ops.dead_letters
where
    merchant_id = %(merchant_id)s
    and lower(encode(payload, 'escape')) ~ (
        select
            '(^|[^[:alnum:]])('
            || string_agg(
                regexp_replace(
                    lower(encode(convert_to(written.value, 'UTF8'), 'escape')), '([^[:alnum:]])', '\\\1', 'g'
                ),
                '|'
            )
            || ')([^[:alnum:]]|$)'
        from person
        cross join lateral (values (value), (replace(value, '@', '%%40'))) as written (value)
    )
"""

_ERASED_BEFORE = """
select token from ops.erased_identities
where merchant_id = %(merchant_id)s and (identity_digest = %(customer_key)s or token = %(customer_key)s)
"""

_AUDIT = """
insert into audit.erasures (
    merchant_id, asked_by, reason, is_dry_run, key_digest, new_key, outcome, remark, rows
)
values (
    %(merchant_id)s, %(asked_by)s, %(reason)s, %(is_dry_run)s, %(key_digest)s, %(new_key)s, %(outcome)s, %(remark)s,
    %(rows)s
)
"""

_RETURNED = """
drop table if exists pg_temp.returned;
create temporary table returned on commit drop as
select listed.place, listed.key, listed.kind, listed.value, listed.is_link, erased.token
from listed
cross join lateral (
    select ops.customer_key(%(merchant_id)s, listed.kind || ':' || listed.value) as key
    offset 0
) as keyed
inner join ops.erased_identities as erased
    on erased.merchant_id = %(merchant_id)s and (erased.identity_digest = keyed.key or erased.token = keyed.key)
-- What they did afterwards is not what was erased.
where listed.event_at <= erased.erased_at;
insert into renamed (kind, value, becomes)
select distinct on (kind, value) kind, value, 'masked:' || token
from returned
where not is_link and value not like 'masked:%%'
order by kind, value, token;
insert into theirs (place, key)
select distinct place, key from returned
"""


@dataclass(frozen=True, slots=True)
class Request:
    """Whose data are to go, and on whose word. The key is the one that marts have."""

    merchant_id: str
    customer_key: str
    asked_by: str
    reason: str
    is_dry_run: bool = True


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of a request: of nobody's name, so that it may be logged."""

    outcome: Outcome
    rows: Mapping[str, int] = field(default_factory=dict)
    """Table -> how many rows hold no person any more, or would."""
    remark: str | None = None
    new_key: str | None = None


def erase(conn: Connection, channels: Sequence[Channel], request: Request) -> Erasure:
    """Mask the person in all rows, with keys that nobody can make again; the days of their orders are built again.

    All or nothing, and written into `audit.erasures` with it. A dry run only counts, and is written there too.
    """
    with conn.transaction():
        with conn.transaction() as erasing:
            done = _erase(conn, channels, request)
            if request.is_dry_run:
                raise psycopg.Rollback(erasing)
        _audit(conn, request, done)
    return done


def _erase(conn: Connection, channels: Sequence[Channel], request: Request) -> Erasure:
    values = {"merchant_id": request.merchant_id, "customer_key": request.customer_key, "shared": SHARED_KIND}
    people = People(conn, channels, request.merchant_id)
    for statement in (_KEYED, _PERSON):
        _all(conn, statement, values)
    token = conn.execute(
        "select token from person where old_key = %(customer_key)s and not is_link order by token", values
    ).fetchone()
    before = conn.execute(_ERASED_BEFORE, values).fetchone()
    if before is not None and (token is None or before[0] == request.customer_key):
        return Erasure("erased before", remark="audit.erasures says when", new_key=before[0])
    if token is None:
        return Erasure("refused", remark="nobody of this merchant has that customer_key")
    for statement in (_RENAMED, _THEIRS, _REMEMBER):
        conn.execute(statement, values)
    rows = people.mask()
    people.log()
    rows["ops.dead_letters"] = conn.execute(_DEAD_LETTERS, values).rowcount
    outcome: Outcome = "dry run" if request.is_dry_run else "erased"
    return Erasure(outcome, {table: count for table, count in sorted(rows.items()) if count}, new_key=token[0])


def _audit(conn: Connection, request: Request, done: Erasure) -> None:
    values = {
        "merchant_id": request.merchant_id,
        "asked_by": request.asked_by,
        "reason": request.reason,
        "is_dry_run": request.is_dry_run,
        "key_digest": hashlib.sha256(request.customer_key.encode()).hexdigest(),
        "new_key": None if request.is_dry_run else done.new_key,
        "outcome": done.outcome,
        "remark": done.remark,
        "rows": Jsonb(dict(done.rows)),
    }
    conn.execute(_AUDIT, values)


def mask_again(conn: Connection, channels: Sequence[Channel], merchant_id: str) -> Mapping[str, int]:
    """Mask what of the erased came back since the last look, because the vendor still had it; counts rows by table."""
    values = {"merchant_id": merchant_id}
    with conn.transaction():
        [(since,)] = conn.execute(
            "select min(looked_at) from ops.erased_identities where merchant_id = %(merchant_id)s", values
        ).fetchall()
        if since is None:
            return {}
        people = People(conn, channels, merchant_id, since=since - _MARGIN)
        _all(conn, _RETURNED, values)
        rows = people.mask()
        people.log()
        conn.execute("update ops.erased_identities set looked_at = now() where merchant_id = %(merchant_id)s", values)
    return dict(rows)


def _all(conn: Connection, statements: str, values: Mapping[str, object]) -> None:
    """Several statements with parameters, one after the other."""
    for statement in statements.split(";\n"):
        conn.execute(statement, values)
