"""What went wrong in a run, gathered from the records that its tasks left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.notify.incident import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg


def problems_of_run(
    conn: psycopg.Connection, run_id: str, started_at: datetime, channel: str | None, failed_tasks: Sequence[str]
) -> list[Problem]:
    """Blocking checks and the channel's failed syncs by merchant; where there is neither, the tasks that failed."""
    blocked = conn.execute(
        """
        select merchant_id, dataset, check_name, measured, threshold, remedy, examples, level
        from ops.check_results
        where run_id = %s and outcome in ('failed', 'error')
        order by merchant_id, dataset, check_name
        """,
        (run_id,),
    )
    problems = [
        Problem(
            merchant_id,
            f"{dataset}: {check} (measured {measured}, {threshold})",
            remedy,
            examples,
            holds_back=level == "fail",
        )
        for merchant_id, dataset, check, measured, threshold, remedy, examples, level in blocked
    ]
    unread = conn.execute(
        """
        select latest.merchant_id, string_agg(latest.stream, ', ' order by latest.stream) as streams, min(latest.error)
        from (
            select distinct on (merchant_id, stream) merchant_id, stream, status, error
            from ops.syncs
            where channel = %s and started_at >= %s
            order by merchant_id, stream, started_at desc
        ) as latest
        where latest.status = 'failed'
        -- the same error at several streams differs in its place, which stands in parentheses
        group by latest.merchant_id, regexp_replace(latest.error, ' [(][^()]*[)]', '', 'g')
        order by latest.merchant_id, streams
        """,
        (channel, started_at),
    )
    problems += [
        Problem(
            merchant_id,
            f"{channel} {streams} did not sync: {error}",
            "Nothing: the first run after that time goes on there."
            if _comes_back(error)
            else "Mend the cause; the next run goes on there.",
            holds_back=not _comes_back(error),
        )
        for merchant_id, streams, error in unread
    ]
    return problems or [
        Problem(None, f"task {task_id} failed", "Read its log, mend the cause, then clear the task.")
        for task_id in failed_tasks
    ]


def _comes_back(error: str) -> bool:
    """Whether nobody has to do anything about it: a quota that is used up comes back by itself."""
    return error.startswith("QuotaSpent: ")


def published_since(conn: psycopg.Connection, moment: datetime) -> list[str]:
    """The merchants that were published since then."""
    rows = conn.execute(
        "select distinct merchant_id from ops.publications where published_at >= %s order by 1", (moment,)
    )
    return [merchant_id for (merchant_id,) in rows]
