"""dbt's own tests and its source freshness as Airflow tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos.operators.local import DbtSourceLocalOperator, DbtTestLocalOperator

from tributary.operators.dbt import dbt_command
from tributary.operators.failure import fail_as_recorded
from tributary.operators.warehouse import warehouse
from tributary.paths import DBT_PROJECT
from tributary.quality.dbt_results import findings_of_tests, read_freshness
from tributary.quality.finding import Ran, record

if TYPE_CHECKING:
    from airflow.sdk import Context

ALL_DAYS = "all_days"
"""The tag of tests that hold of all days together, and say nothing when only some are built."""


class DbtTestsOperator(DbtTestLocalOperator):
    """Runs dbt's data tests over what is built in a schema; keeps every result, and fails when one of them fails.

    :param schema: The schema that was built in; some days are enough.
    :param project: The dbt project.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(
        self, *, schema: str, project: Path = DBT_PROJECT, warehouse_conn_id: str = "warehouse", **kwargs: Any
    ) -> None:
        super().__init__(
            select="test_type:data",
            exclude=f"tag:{ALL_DAYS}",
            callback=_record_tests,
            callback_args={"schema": schema, "warehouse_conn_id": warehouse_conn_id},
            **dbt_command(schema, project, warehouse_conn_id),
            **kwargs,
        )


class SourceFreshnessOperator(DbtSourceLocalOperator):
    """Runs `dbt source freshness`; what it says of each source is the task's XCom `freshness`.

    A stale source does not fail the task: the contract of `fct_freshness` judges by the same horizons, more often and
    merchant by merchant, and tells people.

    :param project: The dbt project.
    :param warehouse_conn_id: The warehouse's connection.
    """

    def __init__(self, *, project: Path = DBT_PROJECT, warehouse_conn_id: str = "warehouse", **kwargs: Any) -> None:
        super().__init__(callback=_keep_freshness, **dbt_command("build", project, warehouse_conn_id), **kwargs)

    def handle_exception_dbt_runner(self, result: Any) -> None:
        """What Cosmos calls after dbt: fails the task only when dbt could not judge a source."""
        if result.exception or any(one.status == "runtime error" for one in result.result.results):
            super().handle_exception_dbt_runner(result)


def _record_tests(folder: str, schema: str, warehouse_conn_id: str, context: Context) -> None:
    target = Path(folder) / "target"
    if not (target / "run_results.json").exists():
        return  # dbt came to no test, and Cosmos fails the task with dbt's words
    findings = findings_of_tests(target, schema)
    with warehouse(warehouse_conn_id) as conn:
        record(conn, Ran(context["ti"].dag_id, context["run_id"]), None, findings)
    if blocking := [finding.sentence() for finding in findings if finding.is_blocking]:
        # Here and not by Cosmos, whose exception would let the task be tried again.
        fail_as_recorded(context, "; ".join(blocking))


def _keep_freshness(folder: str, context: Context) -> None:
    target = Path(folder) / "target"
    if (target / "sources.json").exists():
        context["ti"].xcom_push(key="freshness", value=read_freshness(target))
