"""The last task of a DAG: what the run saw becomes incidents, and people hear of what is new."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TriggerRule
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException
from psycopg import OperationalError

from tributary.operators.failure import failed_tasks
from tributary.operators.messengers import PAGERDUTY, SLACK, pager, slack
from tributary.operators.warehouse import warehouse
from tributary.quality.incidents.observation import Run
from tributary.quality.incidents.observed import headline, observations_of_run

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportIncidentOperator(BaseOperator):
    """Waits for every task before it, opens and resolves incidents, and fails when one of these tasks failed.

    The run is then red. It is not when nothing but a vendor's quota is spent, which nobody can do anything about, nor
    when Slack or PagerDuty does not answer: what waits is sent by a later run.

    :param channel: The channel that the DAG syncs, if it does.
    :param slack_conn_id: The Slack connection.
    :param pagerduty_conn_id: The PagerDuty connection; without it nobody is paged.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(
        self,
        *,
        channel: str | None = None,
        slack_conn_id: str = SLACK,
        pagerduty_conn_id: str = PAGERDUTY,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=TriggerRule.ALL_DONE, retries=0, **kwargs)
        self.channel = channel
        self.slack_conn_id = slack_conn_id
        self.pagerduty_conn_id = pagerduty_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> None:
        """Observe, settle, escalate, deliver; then be as red as the run."""
        from tributary.notify.outbox import deliver
        from tributary.quality.incidents.settle import escalate, settle

        run, failed, now = run_of(context), failed_tasks(context), datetime.now(UTC)
        to_page = pager(self.pagerduty_conn_id)
        try:
            conn = warehouse(self.warehouse_conn_id)
        except OperationalError as error:
            raise AirflowFailException(
                f"The warehouse does not answer, so this run is not reported; the DAG `watch` tells Slack: {error}"
            ) from None
        with conn:
            observations = observations_of_run(conn, run, self.channel, failed.unexplained, failed.syncs)
            self.log.info("%s", settle(conn, run, observations, now, to_page is not None))
            escalate(conn, run, now, to_page is not None)
            delivered = deliver(conn, slack(self.slack_conn_id), to_page)
        for why in delivered.errors:
            self.log.warning("Not sent, which a later run does: %s", why)
        # A gate that is shut by what an earlier run found leaves no finding in this one.
        earlier = f"for a reason of an earlier run: {', '.join(failed.explained)}" if failed.explained else None
        if any(failed) and (reason := headline(observations) or earlier):
            raise AirflowFailException(reason)


def run_of(context: Context) -> Run:
    """The run, as messages name it."""
    ti, base_url = context["ti"], conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    started_at = context["dag_run"].start_date
    assert started_at is not None, "a run with a running task has started"
    return Run(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        started_at=started_at,
        url=f"{base_url}/dags/{ti.dag_id}/runs/{ti.run_id}",
        runbooks_url=f"{base_url}/runbooks",
    )
