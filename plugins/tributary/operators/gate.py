"""The gate as a task: contracts of one schema, for one merchant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from tributary.operators.warehouse import warehouse
from tributary.quality.finding import record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow.sdk import Context


class GateOperator(BaseOperator):
    """Verifies Soda contracts for one merchant; a blocking finding fails the task, a warning is logged.

    :param contracts: The folder of contracts, one file per dataset.
    :param datasets: Which of them; all when not given. (templated)
    :param schema: The schema that holds the datasets.
    :param merchant_id: The merchant whose rows are judged. (templated)
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("datasets", "merchant_id")

    def __init__(
        self,
        *,
        contracts: Path,
        schema: str,
        merchant_id: str,
        datasets: Sequence[str] | None = None,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contracts = contracts
        self.datasets = datasets
        self.schema = schema
        self.merchant_id = merchant_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Verify, keep every result, and hold the merchant back when one of them blocks."""
        # Soda takes more than a second to import, and every task of a DAG imports the DAG's operators.
        from tributary.quality.gate import verify

        files = [self.contracts / f"{name}.yml" for name in self.datasets] if self.datasets else []
        with warehouse(self.warehouse_conn_id) as conn:
            findings = verify(
                conn,
                files or sorted(self.contracts.glob("*.yml")),
                {"schema": self.schema, "merchant_id": self.merchant_id},
            )
            record(conn, context["run_id"], self.merchant_id, findings)
        for finding in findings:
            if finding.outcome == "warned":
                self.log.warning("%s: %s", self.merchant_id, finding.sentence())
        blocking = [finding.sentence() for finding in findings if finding.is_blocking]
        if blocking:
            raise AirflowFailException(f"{self.merchant_id} is held back: {'; '.join(blocking)}")
        return {"checks": len(findings), "warnings": sum(finding.outcome == "warned" for finding in findings)}
