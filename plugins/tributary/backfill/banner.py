"""What people see on Airflow's home page while their figures are being reprocessed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tributary.notify.mrkdwn import clipped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from psycopg import Connection

_LONGEST = 300

_AT_WORK = """
select
    array_agg(leases.merchant_id order by leases.merchant_id),
    to_char(
        min(leases.since) at time zone 'UTC',
        case when min(leases.since) > now() - interval '12 hours' then 'HH24:MI' else 'YYYY-MM-DD HH24:MI' end
    ),
    backfills.first_day,
    backfills.last_day,
    leases.holder,
    leases.reason
from ops.leases
inner join ops.backfills on leases.backfill_id = backfills.backfill_id
where leases.expires_at > now()
group by backfills.backfill_id, leases.holder, leases.reason
order by min(leases.since)
"""


def reprocessing(conn: Connection) -> list[str]:
    """One line of Markdown for each backfill that is at work: whose figures, since when, which days, by whom, why."""
    return [_line(*row) for row in conn.execute(_AT_WORK).fetchall()]


def _line(
    merchants: Sequence[str], since: str, first_day: date | None, last_day: date | None, holder: str, reason: str
) -> str:
    whose = ", ".join(f"**{plain(merchant_id)}**" for merchant_id in merchants)
    days = f" ({first_day} to {last_day})" if first_day else ""
    return (
        f"{whose} {'is' if len(merchants) == 1 else 'are'} being reprocessed since {since} UTC{days} "
        f"by {plain(holder)}: {plain(reason.rstrip(' .'))}. Figures are the last published ones until it ends."
    )


def plain(text: str) -> str:
    """Somebody's text as Markdown that reads as it was written: no link, no picture, no HTML, one line."""
    # An address would become a link by itself, escaped or not: a space of no width keeps it from that.
    broken = re.sub(r"(?i)(://|www(?=\.)|@)", "\\1\u200b", clipped(" ".join(text.split()), _LONGEST))
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", broken)
