"""The first task of a backfill: what was asked for is checked, decided and recorded before anything begins."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf

from tributary.operators.backfill.step import refuse
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_MANIFEST, MERCHANTS, POLICY

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import Context

    from tributary.backfill.asking.request import Asked, Asker


class RequestBackfillOperator(BaseOperator):
    """Begins the backfill that the form asks for, or fails with the rule that refuses it; both are in the audit.

    It reads the run's params merchants, channels, models, start_date, end_date, mode, reason, incident and dry_run, and
    who triggered the run.

    :param policy: The file that says who may run what.
    :param merchants: The file of merchants.
    :param manifest: dbt's manifest.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(
        self,
        *,
        policy: Path = POLICY,
        merchants: Path = MERCHANTS,
        manifest: Path = DBT_MANIFEST,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.merchants = merchants
        self.manifest = manifest
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and return what the tasks after it go by."""
        from tributary.backfill.asking.policy import load_policy
        from tributary.backfill.asking.request import request
        from tributary.backfill.errors import Refused
        from tributary.warehouse.settings.merchants import SettingsError, load_merchants

        try:
            policy, merchants, asker = load_policy(self.policy), load_merchants(self.merchants), asker_of(context)
            with warehouse(self.warehouse_conn_id) as conn:
                asked, now = _asked(context["params"]), datetime.now(UTC)
                backfill = request(conn, asked, asker, policy, merchants, self.manifest, now)
        except (Refused, SettingsError) as error:
            refuse(error)
        approvers = policy.approvers(backfill.requested_by) if backfill.needs_approval else []
        self.log.info("Backfill %s of %s: %d days", backfill.short, ", ".join(backfill.merchants), backfill.days)
        return {
            "backfill_id": str(backfill.backfill_id),
            "schema": backfill.build_schema,
            "merchants": list(backfill.merchants),
            "is_dry_run": backfill.is_dry_run,
            "needs_approval": backfill.needs_approval,
            "approvers": approvers,
        }


def asker_of(context: Context) -> Asker:
    """Who asks, by which run, and in which environment; raises SettingsError when that is none."""
    from tributary.backfill.asking.policy import read_environment
    from tributary.backfill.asking.request import Asker

    ti, dag_run = context["ti"], context["dag_run"]
    base_url = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return Asker(
        user=dag_run.triggering_user_name,
        run_type=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        run_url=f"{base_url}/dags/{ti.dag_id}/runs/{ti.run_id}",
        environment=read_environment(os.environ),
    )


def _asked(params: Any) -> Asked:
    from tributary.backfill.asking.request import Asked

    return Asked(
        merchants=list(params.get("merchants") or ()),
        channels=list(params.get("channels") or ()),
        models=list(params.get("models") or ()),
        first_day=params.get("start_date"),
        last_day=params.get("end_date"),
        mode=params.get("mode") or "",
        reason=params.get("reason") or "",
        incident=params.get("incident"),
        # Whatever is not plainly false changes nothing.
        is_dry_run=params.get("dry_run") is not False,
    )
