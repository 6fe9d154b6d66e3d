"""The operator that silences one incident for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from tributary.operators.incident import run_of
from tributary.operators.messengers import PAGERDUTY, SLACK, pager, slack
from tributary.operators.warehouse import warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class MuteOperator(BaseOperator):
    """Mutes an incident in the name of whoever asked for it, and says so in the incident's thread.

    :param incident_id: The incident's number. (templated)
    :param hours: For how long; 0 ends the mute now. (templated)
    :param reason: Why. (templated)
    :param slack_conn_id: The Slack connection.
    :param pagerduty_conn_id: The PagerDuty connection; without it nobody is paged.
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("incident_id", "hours", "reason")

    def __init__(
        self,
        *,
        incident_id: str,
        hours: str,
        reason: str,
        slack_conn_id: str = SLACK,
        pagerduty_conn_id: str = PAGERDUTY,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.incident_id = incident_id
        self.hours = hours
        self.reason = reason
        self.slack_conn_id = slack_conn_id
        self.pagerduty_conn_id = pagerduty_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> str:
        """Mute it, send what there is to say, and return it as a sentence."""
        from tributary.notify.outbox import deliver
        from tributary.quality.incidents.mutes import mute

        user, now = context["dag_run"].triggering_user_name, datetime.now(UTC)
        if not user:
            raise AirflowFailException("A mute is asked for by a person: trigger it in the UI, signed in.")
        run, to_page = run_of(context), pager(self.pagerduty_conn_id)
        # Counted from the run's start, so that a task that is tried again asks for the same.
        until = run.started_at + timedelta(hours=int(self.hours))
        with warehouse(self.warehouse_conn_id) as conn:
            try:
                said = mute(
                    conn,
                    int(self.incident_id),
                    user,
                    self.reason.strip(),
                    until,
                    run,
                    now,
                    to_page is not None,
                )
            except LookupError as error:
                raise AirflowFailException(str(error)) from None
            delivered = deliver(conn, slack(self.slack_conn_id), to_page)
        for why in delivered.errors:
            self.log.warning("Not sent, which a later run does: %s", why)
        self.log.info("%s", said)
        return said
