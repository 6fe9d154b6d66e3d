"""The operators of the night: the proof that incremental equals full, and the end of old records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from tributary.backfill.closing import sweep
from tributary.backfill.story import tell
from tributary.channels import CHANNELS
from tributary.operators.failure import fail_as_recorded
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_MANIFEST
from tributary.quality.finding import Finding, Ran, record
from tributary.warehouse.proof import CHECK, DATASET, compare, open_proof, proven_merchants
from tributary.warehouse.retention import expire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from tributary.warehouse.proof import Difference

REMEDY = (
    "Readers see a figure that a rebuild would not show. Trigger transform with full rebuild, then find out why: a "
    "change that the scope did not follow, a write to marts or raw by hand, or a model that changed without a rebuild."
)


class OpenProofOperator(BaseOperator):
    """Draws some published days that no unpublished change touches, to compute them again beside production.

    :param schema: The schema to build in.
    :param days: How many merchant days to draw; each run draws others.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, schema: str, days: int, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.days = days
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Open the proof, and say over what."""
        with warehouse(self.warehouse_conn_id) as conn:
            build = open_proof(conn, self.schema, CHANNELS, days=self.days, seed=context["run_id"])
        if build is None:
            raise AirflowSkipException("No day is published yet, or all of them are about to change.")
        return {"merchants": build.merchants, "days": build.days}


class CompareProofOperator(BaseOperator):
    """Fails when a published day differs from what was computed again.

    :param schema: The schema that was built in.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, schema: str, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> None:
        """Compare, and keep every difference for the incident."""
        with warehouse(self.warehouse_conn_id) as conn:
            differences = compare(conn, self.schema, CHANNELS, DBT_MANIFEST)
            for merchant_id in proven_merchants(conn, self.schema):
                own = [difference for difference in differences if difference.merchant_id == merchant_id]
                record(conn, Ran(self.dag_id, context["run_id"]), merchant_id, [_finding(own)])
        if differences:
            days = dict.fromkeys(f"{each.merchant_id} {each.mart} {each.date_day}" for each in differences)
            fail_as_recorded(context, "; ".join(days))


def _finding(differences: Sequence[Difference]) -> Finding:
    return Finding(
        dataset=DATASET,
        check=CHECK,
        column=None,
        level="fail",
        outcome="failed" if differences else "passed",
        measured=f"{sum(difference.rows for difference in differences)} rows differ",
        threshold="must be: 0",
        remedy=REMEDY,
        rows=[
            {"mart": each.mart, "date_day": each.date_day.isoformat(), "keys": ", ".join(each.keys)}
            for each in differences
        ],
        schema="marts",
        owner="data",
        runbook="proof-differs",
    )


class ExpireOperator(BaseOperator):
    """Deletes records of the pipeline whose time is over, and what dead backfills have left.

    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Expire, and say how many rows went."""
        now = datetime.now(UTC)
        with warehouse(self.warehouse_conn_id) as conn:
            for backfill_id in sweep(conn, now):
                tell(conn, backfill_id)
            return expire(conn, now)
