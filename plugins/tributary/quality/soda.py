"""Soda, as far as the gate uses it: contracts verified over a connection that the caller opened."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from tributary.quality.failed_rows import masked

# Soda reads this when it is imported; without a network its telemetry costs six seconds a run.
os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")

from soda_core.common.data_source_connection import DataSourceConnection
from soda_core.common.exceptions import SodaCoreException
from soda_core.common.yaml import ContractYamlSource
from soda_core.contracts.contract_verification import ContractVerificationSession
from soda_postgres.common.data_sources.postgres_data_source import PostgresDataSourceImpl
from soda_postgres.common.data_sources.postgres_data_source_connection import (
    PostgresDataSource,
    PostgresDataSourceConnection,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import psycopg
    from soda_core.contracts.contract_verification import ContractVerificationSessionResult


class _Quiet(logging.Filter):
    """Soda logs a table of every contract, and PostgreSQL's errors with the values that they are about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave the errors, which Soda itself gathers from its log, without what identifies people."""
        record.msg, record.args, record.exc_info = masked(record.getMessage()), (), None
        return record.levelno >= logging.ERROR


logging.getLogger("soda").addFilter(_Quiet())


def judge(
    conn: psycopg.Connection, contracts: Sequence[Path], variables: Mapping[str, str]
) -> ContractVerificationSessionResult:
    """Soda's results, contract by contract; nothing of what it did stays open on the connection."""
    results = ContractVerificationSession.execute(
        contract_yaml_sources=[ContractYamlSource.from_file_path(str(path)) for path in contracts],
        variables=dict(variables),
        data_source_impls=[_data_source(conn)],
    )
    conn.rollback()
    return results


def refusal(contract: Path, variables: Mapping[str, str]) -> str | None:
    """Why Soda would not even begin with a contract: its form is wrong. Nothing is asked of a database."""
    try:
        results = ContractVerificationSession.execute(
            contract_yaml_sources=[ContractYamlSource.from_file_path(str(contract))],
            variables=dict(variables),
            data_source_impls=[PostgresDataSourceImpl(_model("nowhere"), connection=None)],
            only_validate_without_execute=True,
        )
    except SodaCoreException as error:
        return str(error)
    return results.get_errors_str().strip() or None


class _LentConnection(PostgresDataSourceConnection):
    """Soda's view of a connection that the caller opened and will close."""

    def __init__(self, conn: psycopg.Connection) -> None:
        DataSourceConnection.__init__(self, "warehouse", {}, conn)

    def close_connection(self) -> None:
        """Leave the connection open: it belongs to the caller."""


def _data_source(conn: psycopg.Connection) -> PostgresDataSourceImpl:
    return PostgresDataSourceImpl(_model(conn.info.dbname), connection=_LentConnection(conn))


def _model(database: str) -> PostgresDataSource:
    # Soda's model insists on an address and a password although a connection is lent to it.
    address = {"host": "lent", "database": database, "user": "lent", "password": "lent"}
    return PostgresDataSource.model_validate({"type": "postgres", "name": "warehouse", "connection": address})
