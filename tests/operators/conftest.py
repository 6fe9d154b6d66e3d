"""Slack and PagerDuty over real HTTP, reached through Airflow's connections."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = "http://127.0.0.1:9/"
"""Where no server answers."""


@dataclass
class Messengers:
    """What people have heard, and whether they can."""

    url: str
    patch: pytest.MonkeyPatch

    def connect(self, *, slack: bool = True, pagerduty: bool = True) -> None:
        """Let each of them answer, or not."""
        self._connection("SLACK", "slack", "xoxb-sandbox", {"base_url": f"{self.url}/slack/api/" if slack else NOBODY})
        host = f"{self.url}/pagerduty" if pagerduty else NOBODY
        self._connection("PAGERDUTY", "pagerduty_events", "k" * 32, {}, host)

    def said(self, channel: str) -> list[str]:
        """Every message of the channel as it reads now."""
        return [message["text"] for message in self._admin("GET", "slack/messages") if message["channel"] == channel]

    def alerts(self) -> list[str]:
        """Every alert's state."""
        return [alert["status"] for alert in self._admin("GET", "pagerduty/alerts")]

    def forget(self) -> None:
        self._admin("DELETE", "slack/messages")
        self._admin("DELETE", "pagerduty/alerts")

    def _admin(self, method: str, path: str) -> Any:
        response = requests.request(method, f"{self.url}/_admin/{path}", timeout=20)
        response.raise_for_status()
        return response.json()

    def _connection(self, name: str, kind: str, password: str, extra: dict[str, str], host: str | None = None) -> None:
        connection = {"conn_type": kind, "password": password, "host": host, "extra": extra}
        self.patch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    today = datetime.now(UTC)
    with serve(create_app(Settings(first_day=today.date() - timedelta(days=1), frozen_at=today))) as url:
        yield url


@pytest.fixture
def messengers(sandbox_url: str, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Messengers:
    """Both answer, and nobody has heard anything yet; the warehouse answers, too."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    messengers = Messengers(sandbox_url, monkeypatch)
    messengers.connect()
    messengers.forget()
    return messengers
