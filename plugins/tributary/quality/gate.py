"""The gate: Soda contracts of one schema verified for one merchant."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from tributary.quality.examples import failing_rows, row_queries
from tributary.quality.finding import Finding

# Soda reads this when it is imported; without a network its telemetry costs six seconds a run.
os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")

from soda_core.common.data_source_connection import DataSourceConnection
from soda_core.common.yaml import ContractYamlSource
from soda_core.contracts.contract_verification import (
    CheckOutcome,
    CheckResult,
    ContractVerificationSession,
)
from soda_postgres.common.data_sources.postgres_data_source import PostgresDataSourceImpl
from soda_postgres.common.data_sources.postgres_data_source_connection import (
    PostgresDataSource,
    PostgresDataSourceConnection,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import psycopg

    from tributary.quality.finding import Outcome

_OUTCOMES: Mapping[CheckOutcome, Outcome] = {
    CheckOutcome.PASSED: "passed",
    CheckOutcome.FAILED: "failed",
    CheckOutcome.WARN: "warned",
    CheckOutcome.NOT_EVALUATED: "error",
}


def verify(conn: psycopg.Connection, contracts: Sequence[Path], variables: Mapping[str, str]) -> list[Finding]:
    """Verify the contracts over the caller's connection; anything Soda could not evaluate is a blocking finding."""
    if not contracts:
        raise ValueError("no contract to verify: a gate that checks nothing would let everything through")
    variables = {"database": conn.info.dbname, **variables}
    session = ContractVerificationSession.execute(
        contract_yaml_sources=[ContractYamlSource.from_file_path(str(path)) for path in contracts],
        variables=variables,
        data_source_impls=[_data_source(conn)],
    )
    conn.rollback()
    findings = [
        _finding(result.contract.dataset_name, check) for result in session.results for check in result.check_results
    ]
    if session.has_errors:
        findings.append(Finding("contracts", session.get_errors_str().strip(), None, "fail", "error"))
    queries = row_queries(contracts, variables) if any(finding.outcome == "failed" for finding in findings) else {}
    return [
        replace(finding, rows=failing_rows(conn, queries[key]))
        if finding.outcome == "failed" and (key := (finding.dataset, finding.check)) in queries
        else finding
        for finding in findings
    ]


def _finding(dataset: str, result: CheckResult) -> Finding:
    check = result.check
    threshold = check.warn_threshold if result.is_warned and check.warn_threshold else check.threshold
    return Finding(
        dataset=dataset,
        check=check.name or check.type,
        column=check.column_name,
        level="warn" if threshold is not None and threshold.level == "warn" else "fail",
        outcome=_OUTCOMES.get(result.outcome, "error"),
        measured=None if result.threshold_value is None else str(result.threshold_value),
        threshold=None if threshold is None else str(threshold).partition("\n")[2].replace("\n", ", ") or None,
        remedy=str((check.attributes or {}).get("remedy") or "").strip() or None,
    )


class _LentConnection(PostgresDataSourceConnection):
    """Soda's view of a connection that the caller opened and will close."""

    def __init__(self, conn: psycopg.Connection) -> None:
        DataSourceConnection.__init__(self, "warehouse", {}, conn)

    def close_connection(self) -> None:
        """Leave the connection open: it belongs to the caller."""


def _data_source(conn: psycopg.Connection) -> PostgresDataSourceImpl:
    # Soda's model insists on an address and a password although a connection is lent to it.
    address = {"host": "lent", "database": conn.info.dbname, "user": "lent", "password": "lent"}
    model = PostgresDataSource.model_validate({"type": "postgres", "name": "warehouse", "connection": address})
    return PostgresDataSourceImpl(model, connection=_LentConnection(conn))
