"""Airflow's LocalExecutor, warmed up."""

from __future__ import annotations

import importlib

from airflow.executors.local_executor import LocalExecutor


class WarmLocalExecutor(LocalExecutor):
    """Imports the libraries of our tasks once, before it forks the workers that share them."""

    def start(self) -> None:
        """Import, then fork."""
        importlib.import_module("tributary.local.warm")
        super().start()
