"""Takes dead letters up again: through the same checks and the same loader as a page."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from tributary.warehouse.load import open_loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from psycopg import Connection

    from tributary.declaration import Channel, Page, Stream

_OPEN = sql.SQL("""
select {columns}
from ops.dead_letters
where
    channel = %(channel)s
    and resolved_at is null
    and (%(stream)s::text is null or stream = %(stream)s)
    and (%(merchant_id)s::text is null or merchant_id = %(merchant_id)s)
    and (%(reason)s::text is null or strpos(lower(reason), lower(%(reason)s)) > 0)
{order}
""")
_COUNT = _OPEN.format(
    columns=sql.SQL("merchant_id, stream, count(*)"),
    order=sql.SQL("group by merchant_id, stream order by merchant_id, stream"),
)
_READ = _OPEN.format(columns=sql.SQL("dead_letter_id, payload"), order=sql.SQL("order by dead_letter_id"))


class Letters(NamedTuple):
    """How many dead letters of a stream are open."""

    merchant_id: str
    stream: str
    letters: int


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of the dead letters of one stream of one merchant."""

    merchant_id: str
    stream: str
    letters: int
    acceptable: int
    refused: Mapping[str, int]
    """Reason -> how many are refused for it again."""
    is_dry_run: bool


def open_letters(
    conn: Connection, channel: Channel, stream: str | None, merchant_id: str | None, reason: str | None
) -> list[Letters]:
    """The streams that have open dead letters; what is None is not asked after, `reason` is a part of the reason."""
    wanted = {"channel": channel.name, "stream": stream, "merchant_id": merchant_id, "reason": reason}
    return [Letters(*row) for row in conn.execute(_COUNT, wanted).fetchall()]


def replay(
    connect: Callable[[], Connection],
    api: Any,
    channel: Channel,
    stream: Stream,
    merchant_id: str,
    reason: str | None = None,
    dry_run: bool = True,
) -> ReplayReport:
    """Put the stream's open dead letters through its checks; what passes lands, unless raw holds something newer.

    A dry run only counts. Those that are refused again stay open, with the reason of this time.
    """
    wanted = {"channel": channel.name, "stream": stream.name, "merchant_id": merchant_id, "reason": reason}
    passed: list[int] = []
    refused: Counter[str] = Counter()

    def pages() -> Iterator[Page]:
        with closing(connect()) as conn, conn.transaction(), conn.cursor("dead_letters") as letters:
            letters.itersize = 200
            for dead_letter_id, payload in letters.execute(_READ, wanted):
                page = stream.replay(api, payload)
                if page.rejects:
                    refused.update(reject.reason for reject in page.rejects)
                else:
                    passed.append(dead_letter_id)
                yield page

    if dry_run:
        for _ in pages():
            pass
    else:
        with open_loader(connect, channel, stream, merchant_id) as loader:
            now = datetime.now(UTC)
            loader.move("replay", now, now, pages(), lambda sync_id: loader.ledger.resolve(passed))
    return ReplayReport(merchant_id, stream.name, len(passed) + refused.total(), len(passed), dict(refused), dry_run)
