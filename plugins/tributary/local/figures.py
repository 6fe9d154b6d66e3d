"""What the warehouse holds, for people: the merchants' last days, and how fresh everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST_DAYS = """
    select m.name, d.date_day, d.orders, d.revenue, d.aov, round(d.spend, 2) as spend, round(d.roas, 2) as roas,
        d.new_customers as new, d.cac, d.currency
    from marts.fct_daily_metrics d join ops.merchants m using (merchant_id)
    where d.date_day > (select max(date_day) from marts.fct_daily_metrics x where x.merchant_id = d.merchant_id) - 7
    order by d.merchant_id, d.date_day
"""
TOTALS = """
    select m.name, count(*) as days, sum(d.orders) as orders, sum(d.revenue) as revenue,
        round(sum(d.revenue) / nullif(sum(d.orders), 0), 2) as aov, round(sum(d.spend), 2) as spend,
        round(sum(d.attributed_revenue) / nullif(sum(d.spend), 0), 2) as roas, sum(d.new_customers) as new,
        round(sum(d.spend) / nullif(sum(d.new_customers), 0), 2) as cac, d.currency
    from marts.fct_daily_metrics d join ops.merchants m using (merchant_id)
    group by d.merchant_id, m.name, d.currency order by d.merchant_id
"""
FRESHNESS = """
    select merchant_id, channel || ' ' || stream as stream,
        to_char(horizon at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "read up to (UTC)",
        case when is_stale then 'blocks after ' || blocks_after_hours::real || ' h, is '
            when is_beyond_sla then 'beyond its SLA of ' || sla_hours::real || ' h: ' else '' end
        || case when is_loading and not is_beyond_sla then 'reading its history' else hours_behind || ' h behind' end
        as state
    from marts.fct_freshness order by 1, 2
"""
INCIDENTS = """
    select incident_id::text as incident, severity, merchant_id as merchant, dataset || ': ' || check_name as "check",
        to_char(opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "since (UTC)",
        to_char(muted_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "muted until (UTC)"
    from ops.incidents where status = 'open' and root_id is null order by severity, opened_at, incident_id
"""
WAITING = """
    select service, channel, count(*) as "messages waiting",
        to_char(min(created_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "since (UTC)",
        (array_agg(error order by attempted_at desc nulls last))[1] as "last error"
    from ops.messages where sent_body is null or sent_body <> body group by 1, 2 order by 1, 2
"""
PUBLICATIONS = """
    select merchant_id, to_char(max(published_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "published (UTC)",
        count(distinct date_day) as days
    from ops.publications group by 1 order by 1
"""
DEAD_LETTERS = """
    select merchant_id, channel || ' ' || stream as stream, count(*) as "open dead letters"
    from ops.dead_letters where resolved_at is null group by 1, 2 order by 1, 2
"""
# An account's key is a digest, or whom the vendor counts: no secret.
CLOSED_QUOTAS = """
    select account, quota,
        to_char(closed_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as "closed until (UTC)", reason
    from ops.vendor_quotas where closed_until > now() order by 1, 2
"""


def table(conn: psycopg.Connection[Any], query: str) -> str:
    """A query's rows as aligned text; empty when there is none, or not even the table yet."""
    try:
        with conn.transaction():
            cursor = conn.execute(query.encode())
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return ""
    if not rows or not cursor.description:
        return ""
    lines = [[column.name for column in cursor.description], *([text(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [not isinstance(value, str) for value in rows[0]]
    return "\n".join(
        "  "
        + "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def text(value: Any) -> str:
    """A value as people read it; an amount keeps the decimals the database gave it."""
    return "" if value is None else f"{value:,}" if hasattr(value, "as_tuple") or isinstance(value, int) else str(value)
