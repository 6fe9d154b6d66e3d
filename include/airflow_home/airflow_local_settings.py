"""Airflow's own settings in Python: its home page says whose figures are being reprocessed.

It belongs into $AIRFLOW_HOME/config. Every process of Airflow imports it, so whatever takes time is imported when the
home page asks.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["DASHBOARD_UIALERTS"]

log = logging.getLogger(__name__)

LASTS = 10
"""For how many seconds the warehouse is not asked again."""
AT_MOST = 2
"""For how many seconds it is waited for."""


class Alerts(list):
    """What is there at the moment of asking: Airflow goes through the list for every page that it shows."""

    def __init__(self) -> None:
        super().__init__()
        self._asking = threading.Lock()
        self._alerts: list[Any] = []
        self._until = 0.0
        self._is_silent = False

    def __iter__(self) -> Iterator[Any]:
        # Whoever comes while somebody asks sees what was known before.
        if time.monotonic() >= self._until and self._asking.acquire(blocking=False):
            try:
                self._alerts = self._ask()
                self._is_silent = False
            except Exception as error:  # a home page without the banner is better than none
                self._alerts = []
                if not self._is_silent:
                    log.warning("The home page cannot tell what is being reprocessed: %s", type(error).__name__)
                self._is_silent = True
            finally:
                self._until = time.monotonic() + LASTS
                self._asking.release()
        return iter(self._alerts)

    def _ask(self) -> list[Any]:
        from airflow.api_fastapi.common.types import UIAlert
        from airflow.models.connection import Connection
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        from tributary.backfill.banner import reprocessing

        known = Connection.get_connection_from_secrets("warehouse")
        patience = {"connect_timeout": AT_MOST, "options": f"-c statement_timeout={AT_MOST}s"}
        known.set_extra(json.dumps(known.extra_dejson | patience))
        with PostgresHook(connection=known).get_conn() as conn:
            return [UIAlert(text=text, category="warning") for text in reprocessing(conn)]


DASHBOARD_UIALERTS = Alerts()
