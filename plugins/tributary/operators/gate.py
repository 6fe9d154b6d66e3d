"""The gate as a task: contracts of one schema, for one merchant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tributary.operators.failure import fail_as_recorded
from tributary.operators.warehouse import warehouse
from tributary.quality.finding import Ran, record
from tributary.quality.report import report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow.sdk import Context


class GateOperator(BaseOperator):
    """Verifies Soda contracts for one merchant; a blocking finding fails the task, a warning is logged.

    What came before (`after`) is not judged again and leaves no finding here: its own record says what is wrong.

    :param contracts: The folder of contracts, one file per dataset.
    :param datasets: Which of them; all when not given. (templated)
    :param schema: The schema that holds the datasets. (templated)
    :param merchant_id: The merchant whose rows are judged. (templated)
    :param after: A folder of contracts that came before: the merchant is also held back by their latest results.
    :param warehouse_conn_id: The warehouse's connection.
    """

    template_fields: Sequence[str] = ("datasets", "schema", "merchant_id")

    def __init__(
        self,
        *,
        contracts: Path,
        schema: str,
        merchant_id: str,
        datasets: Sequence[str] | None = None,
        after: Path | None = None,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contracts = contracts
        self.datasets = datasets
        self.schema = schema
        self.merchant_id = merchant_id
        self.after = after
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Verify, keep every result, and hold the merchant back when one of them blocks."""
        # Soda takes more than a second to import, and every task of a DAG imports the DAG's operators.
        from tributary.quality.gate import held_by, verify

        variables = {"schema": self.schema, "merchant_id": self.merchant_id}
        with warehouse(self.warehouse_conn_id) as conn:
            findings = verify(conn, self.files(), variables)
            record(conn, Ran(self.dag_id, context["run_id"]), self.merchant_id, findings)
            held = held_by(conn, self.merchant_id, self.before())
        for line in report(findings):
            self.log.info("%s", line)
        for sentence in held:
            self.log.error("Held back by what came before: %s", sentence)
        blocking = [finding for finding in findings if finding.is_blocking and finding.root is None]
        if reasons := [finding.sentence() for finding in blocking] + held:
            more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
            fail_as_recorded(context, f"{self.merchant_id} is held back: {reasons[0]}{more}")
        return {"checks": len(findings), "warnings": sum(finding.outcome == "warned" for finding in findings)}

    def files(self) -> list[Path]:
        """The contracts to verify."""
        if self.datasets:
            return [self.contracts / f"{name}.yml" for name in self.datasets]
        return sorted(self.contracts.glob("*.yml"))

    def before(self) -> list[str]:
        """The datasets of which the latest results count."""
        return sorted(path.stem for path in self.after.glob("*.yml")) if self.after else []
