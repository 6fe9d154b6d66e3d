"""The operator that judges how old every merchant's streams are, between the runs that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tributary.operators.messengers import SLACK
from tributary.operators.outage import answering_warehouse
from tributary.paths import MART_CONTRACTS, MERCHANTS
from tributary.quality.finding import Ran, record
from tributary.quality.report import report
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from airflow.sdk import Context

CONTRACT = MART_CONTRACTS / "fct_freshness.yml"


class FreshnessOperator(BaseOperator):
    """Verifies the contract of freshness for every merchant, and keeps what it found for the incident.

    It fails for none of it: the next gate holds back whoever is too old, and the run's report tells it now.

    :param slack_conn_id: The Slack connection, which hears directly of a warehouse that does not answer.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, slack_conn_id: str = SLACK, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slack_conn_id = slack_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> None:
        """Judge every merchant, and show the results in the log."""
        # Soda takes more than a second to import, and every task of a DAG imports the DAG's operators.
        from tributary.quality.gate import verify

        with answering_warehouse(self.warehouse_conn_id, self.slack_conn_id) as conn:
            for merchant in load_merchants(MERCHANTS):
                variables = {"schema": "marts", "merchant_id": merchant.merchant_id}
                findings = verify(conn, [CONTRACT], variables)
                record(conn, Ran(self.dag_id, context["run_id"]), merchant.merchant_id, findings)
                # Verifying the next one begins with a rollback.
                conn.commit()
                self.log.info("%s\n%s", merchant.merchant_id, "\n".join(report(findings)))
