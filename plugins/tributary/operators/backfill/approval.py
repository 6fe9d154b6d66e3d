"""A manager's approval of a backfill: Airflow asks, and the audit says who answered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tributary.backfill.asking.policy import load_policy
from tributary.backfill.errors import Refused
from tributary.operators.backfill.step import BackfillOperator
from tributary.paths import POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context
    from psycopg import Connection

    from tributary.backfill.state import Backfill, Status

PATIENCE = timedelta(hours=4)
"""How long a manager has; after that it is as good as rejected."""
_MARGIN = timedelta(minutes=30)
"""For how much longer the merchants are held: the answer is still to be acted upon."""


class ApproveBackfillOperator(BackfillOperator, ApprovalOperator):
    """Shows the difference to the managers, but never to whoever asked, and waits for one of them.

    It is skipped when the policy wants no approval, and in a dry run.

    :param shown_by: The task whose XCom `card` is the difference.
    """

    step = "approve"

    def __init__(self, *, shown_by: str, **kwargs: Any) -> None:
        super().__init__(
            subject="Publish this backfill?",
            body=f"{{{{ ti.xcom_pull(task_ids='{shown_by}', key='card') }}}}",
            defaults=self.REJECT,
            response_timeout=PATIENCE,
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        """Ask, and wait without a worker; tried again after an answer, it asks nobody twice."""
        with self.entered(context) as (conn, backfill):
            if backfill.is_dry_run or not backfill.needs_approval:
                raise AirflowSkipException("The policy wants no approval of it.")
            if backfill.approved_by:
                return
            self._prepare(conn, backfill)
        ApprovalOperator.execute(self, context)

    def _prepare(self, conn: Connection, backfill: Backfill) -> None:
        from tributary.backfill import audit, story
        from tributary.backfill.lease import renew

        managers = load_policy(POLICY).approvers(backfill.requested_by)
        if not managers:
            remedy = "Name one in include/config/policy.yaml."
            raise Refused("a manager approves what somebody else asked for", "there is no other manager", remedy)
        self.assigned_users = [{"id": manager, "name": manager} for manager in managers]
        self.subject = f"Publish? {story.title(backfill)}"
        renew(conn, backfill.backfill_id, PATIENCE + _MARGIN)
        with conn.transaction():
            audit.move(conn, backfill.backfill_id, "waiting")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Record who approved it; or that somebody rejected it, or nobody answered, and fail."""
        with self.entered(context) as (conn, backfill):
            if "error" in event:
                self._end(conn, backfill, "failed", f"Airflow could not ask for the approval: {event['error_type']}")
            user = event["responded_by_user"]
            if user is None:
                hours = PATIENCE // timedelta(hours=1)
                self._end(conn, backfill, "expired", f"Nobody approved it within {hours} hours")
            if list(event["chosen_options"]) != [self.APPROVE]:
                self._end(conn, backfill, "rejected", f"Rejected by {user['name']}")
            # Airflow lets nobody else answer; it is not trusted with it alone.
            if user["name"] not in load_policy(POLICY).approvers(backfill.requested_by):
                why = f"{user['name']} approved it, which only a manager may who did not ask for it"
                self._end(conn, backfill, "rejected", why)
            self._approve(conn, backfill, user["name"])
        return str(user["name"])

    def _end(self, conn: Connection, backfill: Backfill, status: Status, why: str) -> None:
        from tributary.backfill import audit

        with conn.transaction():
            audit.move(conn, backfill.backfill_id, status, why)
        raise AirflowFailException(why)

    def _approve(self, conn: Connection, backfill: Backfill, manager: str) -> None:
        from tributary.backfill import audit
        from tributary.backfill.lease import renew

        renew(conn, backfill.backfill_id)
        with conn.transaction():
            conn.execute(
                "update ops.backfills set approved_by = %s where backfill_id = %s", (manager, backfill.backfill_id)
            )
            audit.move(conn, backfill.backfill_id, "running")
