"""The steps of a backfill that end it: what was approved is published, and whatever became of it is recorded."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tributary.backfill.state import load
from tributary.channels import CHANNELS
from tributary.operators.backfill.announcing import SMTP, announce
from tributary.operators.backfill.step import BackfillOperator, identify_run
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_MANIFEST, POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tributary.backfill.state import Backfill

ANNOUNCED_BEYOND = 7
"""Days: users are told by e-mail, too, when more of them changed."""


class PublishBackfillOperator(BackfillOperator):
    """Makes the build visible, all merchants at once, as it was shown; what it replaces is kept for a rollback.

    :param smtp_conn_id: The mail server's connection; without it nobody is written to.
    """

    step = "publish"
    outcome = "published"

    def __init__(self, *, smtp_conn_id: str = SMTP, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smtp_conn_id = smtp_conn_id

    def execute(self, context: Context) -> int:
        """Publish, tell, and return how many rows changed."""
        from tributary.backfill.asking.policy import load_policy
        from tributary.backfill.publishing.publish import publish

        with self.entered(context) as (conn, backfill):
            if backfill.is_dry_run:
                raise AirflowSkipException("A dry run publishes nothing.")
            rows = publish(conn, backfill.backfill_id, CHANNELS, DBT_MANIFEST)
            backfill = load(conn, backfill.backfill_id)
        self.log.info("Published: %d rows changed", rows)
        if backfill.days > ANNOUNCED_BEYOND:
            self.log.info("%s", announce(backfill, load_policy(POLICY).announce_to, self.smtp_conn_id))
        return rows


class CloseBackfillOperator(BackfillOperator):
    """Records how it ended, frees its merchants and drops its schema, whatever became of the tasks before it."""

    step = "close"

    def execute(self, context: Context) -> str:
        """Close it; fail when it failed, so that the run is as red as its outcome."""
        from tributary.backfill.closing import close

        backfill_id = identify_run(context)
        with closing(warehouse(self.warehouse_conn_id)) as conn:
            conn.autocommit = True
            status = close(conn, backfill_id, _why(load(conn, backfill_id), context))
            backfill = load(conn, backfill_id)
            self.tell(conn, backfill_id)
        self.log.info("Backfill %s: %s", backfill.short, status)
        if status == "failed":
            raise AirflowFailException(backfill.error)
        return status


def _why(backfill: Backfill, context: Context) -> str | None:
    """What it failed of, if it did; a killed task says nothing itself."""
    if backfill.error:
        return backfill.error
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    failed = sorted(name for name, state in states.items() if state == "failed")
    # dbt's tasks are not ours: they leave their reason in their logs.
    if built := [name.rpartition(".")[2] for name in failed if name.startswith("dbt.")]:
        return f"dbt: {', '.join(built[:5])} failed, see the task's log"
    if failed or not (backfill.is_dry_run and backfill.compared_at):
        return f"it was killed or cancelled in {failed[0] if failed else backfill.step}"
    return None
