"""Imports what our tasks import, once: on a small machine most of a short task's time goes into importing libraries.

For the process whose forks run the tasks: the scheduler, or a Celery worker.
"""

from __future__ import annotations

import importlib

# Libraries only: our own code is imported anew by every task, so that an edit needs no restart.
for library in (
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.slack.hooks.slack",
    "cosmos.airflow.task_group",
    "cosmos.operators.watcher",
    "cosmos.profiles",
    "dbt.cli.main",
    "soda_core.contracts.contract_verification",
    "soda_postgres.common.data_sources.postgres_data_source",
):
    importlib.import_module(library)
