"""The steps of a rollback that are its own; it takes its lease, is approved and is closed as a backfill is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.bases.skipmixin import SkipMixin

from tributary.backfill.errors import Refused
from tributary.channels import CHANNELS
from tributary.operators.backfill.request import asker_of
from tributary.operators.backfill.step import BackfillOperator, refuse
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_MANIFEST, POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context


class RequestRollbackOperator(BaseOperator):
    """Begins the rollback that the form asks for, or fails with the rule that refuses it; both are in the audit.

    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and return what it is about."""
        from tributary.backfill.asking.policy import load_policy
        from tributary.backfill.asking.request_rollback import AskedBack, request_rollback
        from tributary.warehouse.settings.merchants import SettingsError

        params = context["params"]
        asked = AskedBack(
            params["backfill_id"].strip(),
            params["reason"].strip(),
            params["incident"],
            # Whatever is not plainly false changes nothing.
            params["dry_run"] is not False,
        )
        try:
            asker, policy = asker_of(context), load_policy(POLICY)
            with warehouse(self.warehouse_conn_id) as conn:
                rollback = request_rollback(conn, asked, asker, policy)
        except (Refused, SettingsError) as error:
            refuse(error)
        return {
            "backfill_id": str(rollback.backfill_id),
            "restores": str(rollback.restores),
            "merchants": list(rollback.merchants),
        }


class PreviewOperator(BackfillOperator, SkipMixin):
    """Shows what would be put back, and what would stay because it was published since; a dry run ends with it."""

    inherits_from_skipmixin = True
    step = "preview"

    def execute(self, context: Context) -> None:
        """Show it in the log and in XCom `card`; skip what follows when nothing is to be put back."""
        from tributary.backfill.lease import renew
        from tributary.backfill.publishing.rollback import preview

        with self.entered(context) as (conn, rollback):
            renew(conn, rollback.backfill_id)
            shown = preview(conn, rollback, CHANNELS, DBT_MANIFEST)
            conn.execute(
                "update ops.backfills set compared_at = clock_timestamp() where backfill_id = %s",
                (rollback.backfill_id,),
            )
        self.log.info("%s", shown)
        context["ti"].xcom_push("card", shown)
        if rollback.is_dry_run:
            after = self.get_flat_relatives(upstream=False)
            self.skip(context["ti"], [task for task in after if not task.is_teardown])


class RestoreOperator(BackfillOperator):
    """Puts back what the backfill replaced, as far as nobody has published it since."""

    step = "rollback"
    outcome = "restored"

    def execute(self, context: Context) -> int:
        """Restore, and return how many rows changed."""
        from tributary.backfill.publishing.rollback import restore

        with self.entered(context) as (conn, rollback):
            rows = restore(conn, rollback.backfill_id, CHANNELS, DBT_MANIFEST)
            assert rollback.restores is not None, "a rollback restores one"
            self.tell(conn, rollback.restores)
        self.log.info("Put back: %d rows", rows)
        return rows
