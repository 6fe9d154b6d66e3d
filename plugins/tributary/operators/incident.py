"""The one message that a failed run sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TriggerRule
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tributary.notify.incident import INCIDENTS, headline, message
from tributary.operators.warehouse import warehouse
from tributary.quality.incident import problems_of_run, published_since

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportIncidentOperator(BaseOperator):
    """Waits for every task before it; if one failed, tells Slack once and fails, so that the run is red.

    :param channel: The channel whose failed syncs belong to the incident, in a DAG that syncs one.
    :param slack_conn_id: The Slack connection.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(
        self,
        *,
        channel: str | None = None,
        slack_conn_id: str = "slack",
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=TriggerRule.ALL_DONE, retries=0, **kwargs)
        self.channel = channel
        self.slack_conn_id = slack_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> None:
        """Collect what went wrong in this run and send it."""
        # Slack's client takes half a second to import, and every task of a DAG imports the DAG's operators.
        from airflow.providers.slack.hooks.slack import SlackHook

        ti, started_at = context["ti"], context["dag_run"].start_date
        states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
        failed = sorted(task_id for task_id, state in states.items() if state == "failed")
        if not failed or started_at is None:
            raise AirflowSkipException("Nothing failed.")
        with warehouse(self.warehouse_conn_id) as conn:
            problems = problems_of_run(conn, ti.run_id, started_at, self.channel, failed)
            published = published_since(conn, started_at)
        run_url = f"{conf.get('api', 'base_url').rstrip('/')}/dags/{ti.dag_id}/runs/{ti.run_id}"
        SlackHook(slack_conn_id=self.slack_conn_id).call(
            "chat.postMessage", json={"channel": INCIDENTS, "text": message(ti.dag_id, run_url, problems, published)}
        )
        raise AirflowFailException(headline(ti.dag_id, problems))
