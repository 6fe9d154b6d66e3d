"""The operator that looks after backfills whose run is gone, and approvals that nobody gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tributary.backfill.closing import sweep
from tributary.backfill.story import tell, untold
from tributary.backfill.waiting import expired_leases, waiting_long
from tributary.operators.messengers import SLACK
from tributary.operators.outage import answering_warehouse
from tributary.paths import MERCHANTS
from tributary.quality.finding import Finding, Ran, record
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

DATASET = "backfills"
ANSWERED = "No approval waits for more than an hour"
CLOSED = "No backfill outlives its lease"


class WatchBackfillsOperator(BaseOperator):
    """Closes what is dead, and keeps for the incident what waits for somebody. It fails for none of it.

    :param slack_conn_id: The Slack connection, which hears directly of a warehouse that does not answer.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, slack_conn_id: str = SLACK, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slack_conn_id = slack_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> None:
        """Sweep, then judge every merchant: an incident ends with the finding that all is well."""
        with answering_warehouse(self.warehouse_conn_id, self.slack_conn_id) as conn:
            for backfill_id in sweep(conn, datetime.now(UTC)):
                self.log.warning("Closed as failed, since nobody works for it any more: %s", backfill_id)
            for backfill_id in untold(conn):
                tell(conn, backfill_id)
            conn.commit()
            waiting, expired = waiting_long(conn), expired_leases(conn)
            known = {merchant.merchant_id for merchant in load_merchants(MERCHANTS)}
            ran = Ran(self.dag_id, context["run_id"])
            for merchant_id in sorted(known | waiting.keys() | expired.keys()):
                record(conn, ran, merchant_id, findings(waiting.get(merchant_id, []), expired.get(merchant_id, [])))


def findings(waiting: Sequence[dict[str, str]], expired: Sequence[dict[str, str]]) -> list[Finding]:
    """What is to be said of one merchant."""
    return [
        _finding(
            ANSWERED,
            waiting,
            "wait",
            "Approve or reject it under Required Actions in Airflow. The days it is about are not published meanwhile; "
            "unanswered, it ends by itself four hours after it was asked for.",
        ),
        _finding(
            CLOSED,
            expired,
            "outlive it",
            "Its run is dead and something still holds what it locked: end that session in pg_stat_activity. The next "
            "run of watch closes the backfill.",
        ),
    ]


def _finding(check: str, rows: Sequence[dict[str, str]], does: str, remedy: str) -> Finding:
    return Finding(
        dataset=DATASET,
        check=check,
        column=None,
        level="warn",
        outcome="warned" if rows else "passed",
        measured=f"{len(rows)} {does}",
        threshold="must be: 0",
        remedy=remedy,
        rows=rows,
        owner="data",
        runbook="backfill_process",
    )
