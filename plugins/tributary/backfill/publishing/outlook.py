"""What taking a backfill back would do: which days return and which stay, which rows of raw, and what is lost by it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from psycopg import sql

from tributary.backfill.comparing.spelling import change, code, counted, pair, typed
from tributary.backfill.publishing import before_images, snapshot
from tributary.notify.mrkdwn import minute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.publishing.before_images import Fate
    from tributary.backfill.state import Backfill
    from tributary.declaration import Channel
    from tributary.warehouse.manifest import MartModel

_DAILY = "fct_daily_metrics"
_MOST_LINES = 100

# What somebody else has published since is newer than what would return.
_OPEN = """
drop table if exists pg_temp.returning_days;
create temporary table returning_days on commit drop as
select own.merchant_id, own.date_day, since.why, since.build_id, since.published_at
from ops.publications as own
left join lateral (
    select 'published' as why, build_id, published_at
    from ops.publications as later
    where
        later.merchant_id = own.merchant_id
        and later.date_day = own.date_day
        and later.build_id <> own.build_id
        and later.published_at > own.published_at
    order by published_at desc
    limit 1
) as since on true
where own.build_id = {backfill_id}
"""

# Whoever was erased since must not come back in a figure, not even until the next build.
_ERASED = sql.SQL("""
update returning_days as day
set why = 'erased'
from {kept} as kept
inner join ops.erased_identities as erased
    on erased.merchant_id = kept.merchant_id and erased.identity_digest = kept.customer_key
where day.why is null and kept.merchant_id = day.merchant_id and kept.date_day = day.date_day
""")

# A row is on one day only: it cannot return to its old one while it stays on another.
_MOVED = sql.SQL("""
update returning_days as day
set why = 'moved'
from {kept} as kept
inner join {mart} as mart on {same}
where
    day.why is null
    and kept.merchant_id = day.merchant_id
    and kept.date_day = day.date_day
    and not exists (
        select from returning_days as other
        where other.merchant_id = mart.merchant_id and other.date_day = mart.date_day and other.why is null
    )
""")

_RETURNING = sql.SQL("select merchant_id, date_day from returning_days where why is null")
_LEFT = """
select merchant_id, date_day, why, build_id, published_at from returning_days
where why is not null
order by merchant_id, date_day
"""
_PUBLISHED_AT = "select max(published_at) from ops.publications where build_id = %s"
_COUNT = "select count(*) filter (where why is null) from returning_days"
_FIGURES = sql.SQL("""
select merchant_id, date_day, mart.revenue, kept.revenue, mart.orders, kept.orders
from returning_days
left join {mart} as mart using (merchant_id, date_day)
left join {kept} as kept using (merchant_id, date_day)
where why is null
order by merchant_id, date_day
""")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would return now, for the rest of the transaction that looked."""

    returning: int
    left: Sequence[tuple[str, date, str, UUID | None, datetime | None]]
    raw: Fate

    @property
    def days(self) -> sql.SQL:
        """The days that return, as a query."""
        return _RETURNING

    def markdown(self, conn: Connection, rollback: Backfill, original: Backfill) -> str:
        """What somebody needs to know who is to allow it."""
        published = [at for (at,) in conn.execute(_PUBLISHED_AT, (original.backfill_id,)).fetchall()]
        parts = [
            f"## Rollback of backfill {original.short}",
            "\n".join(
                [
                    f"* merchants: {', '.join(map(code, original.merchants))}",
                    f"* what it did: {original.mode} of {original.first_day} to {original.last_day}, asked by "
                    f"{typed(original.requested_by or 'nobody known', 100)}"
                    + (f", published {minute(published[0])}" if published[0] else ""),
                    f"* its reason: {typed(original.reason)}",
                    f"* reason of the rollback: {typed(rollback.reason)}",
                    f"* marts: {', '.join(map(code, original.models))}",
                ]
            ),
            self._verdict(),
            self._left_days(),
            self._raw(),
            _figures(conn, original),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _verdict(self) -> str:
        returns = f"{counted(self.returning, 'day')} {'returns' if self.returning == 1 else 'return'}"
        stays = f"{counted(len(self.left), 'day')} {'stays' if len(self.left) == 1 else 'stay'}"
        return f"**{returns} to what readers saw before it, {stays}.**"

    def _raw(self) -> str:
        lines = [
            f"* {counted(self.raw.restored, 'row')} as before",
            f"* {counted(self.raw.changed, 'row')} left, since a later reading wrote them or what belongs to them",
            f"* {counted(self.raw.masked, 'row')} left, since they were masked",
        ]
        return "\n".join(["### Raw", "", *lines])

    def _left_days(self) -> str:
        if not self.left:
            return ""
        lines = [
            f"* {code(merchant)} {day}: {_why(why, by, at)}" for merchant, day, why, by, at in self.left[:_MOST_LINES]
        ]
        head = "### Days that stay as they are now\n\nThe next scheduled build computes them again.\n"
        return "\n".join([head, *lines, *_more(len(self.left))])


def look_ahead(
    conn: Connection, original: Backfill, channels: Sequence[Channel], marts: Sequence[MartModel]
) -> Outlook:
    """Find out, in the caller's transaction, what would return; restoring goes by what was found."""
    conn.execute(sql.SQL(_OPEN).format(backfill_id=sql.Literal(original.backfill_id)))
    tables = [
        (model, snapshot.table(original.backfill_id, model.name), sql.Identifier("marts", model.name))
        for model in marts
    ]
    for _, kept, _ in tables:
        if "customer_key" in snapshot.columns(conn, kept):
            conn.execute(_ERASED.format(kept=kept))
    # A day that stays may hold what another one's rows would collide with.
    once = [_moved(*each) for each in tables if "date_day" not in each[0].primary_key]
    while sum(conn.execute(moved).rowcount for moved in once):
        pass
    returning = conn.execute(_COUNT).fetchone()
    raw = before_images.look(conn, original.backfill_id, channels)
    return Outlook(returning[0] if returning else 0, conn.execute(_LEFT).fetchall(), raw)


def _moved(model: MartModel, kept: sql.Identifier, mart: sql.Identifier) -> sql.Composed:
    same = [sql.SQL("mart.{0} = kept.{0}").format(sql.Identifier(column)) for column in model.primary_key]
    return _MOVED.format(kept=kept, mart=mart, same=sql.SQL(" and ").join(same) if same else sql.SQL("false"))


def _why(why: str, build_id: UUID | None, at: datetime | None) -> str:
    if why == "published" and at:
        return f"published since, by build `{build_id}` at {minute(at)}"
    if why == "erased":
        return "somebody who bought on it was erased since"
    return "a row that was on it stands on a day that stays"


def _figures(conn: Connection, original: Backfill) -> str:
    if _DAILY not in original.models:
        return ""
    query = _FIGURES.format(mart=sql.Identifier("marts", _DAILY), kept=snapshot.table(original.backfill_id, _DAILY))
    rows: list[tuple[str, date, Decimal | None, Decimal | None, int | None, int | None]] = conn.execute(
        query
    ).fetchall()
    moved = [row for row in rows if row[2] != row[3] or row[4] != row[5]]
    if not moved:
        return "### Figures\n\nNo day's revenue or orders move by it."
    head = "| merchant | day | revenue now -> then | change | orders now -> then |\n|---|---|---|---|---|"
    lines = [_line(*row) for row in moved[:_MOST_LINES]]
    return "\n".join(["### Figures that would be lost\n", head, *lines, *_more(len(moved))])


def _line(
    merchant: str, day: date, now: Decimal | None, then: Decimal | None, orders: int | None, before: int | None
) -> str:
    counts = [None if count is None else Decimal(count) for count in (orders, before)]
    return (
        f"| {code(merchant)} | {day} | {pair('revenue', now, then)} | {change('revenue', now, then)} "
        f"| {pair('orders', *counts)} |"
    )


def _more(lines: int) -> list[str]:
    return [f"\nAnd {counted(lines - _MOST_LINES, 'more day')}."] if lines > _MOST_LINES else []
