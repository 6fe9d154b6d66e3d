"""Airflow's LocalExecutor, warmed up: on a small machine most of a short task's time goes into importing libraries."""

from __future__ import annotations

import importlib

from airflow.executors.local_executor import LocalExecutor

# Libraries only: our own code is imported anew by every task, so that an edit needs no restart.
LIBRARIES = (
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.slack.hooks.slack",
    "cosmos.airflow.task_group",
    "cosmos.operators.watcher",
    "cosmos.profiles",
    "dbt.cli.main",
    "soda_core.contracts.contract_verification",
    "soda_postgres.common.data_sources.postgres_data_source",
)


class WarmLocalExecutor(LocalExecutor):
    """Imports the libraries of our tasks once, before it forks the workers that share them."""

    def start(self) -> None:
        """Import, then fork."""
        for library in LIBRARIES:
            importlib.import_module(library)
        super().start()
