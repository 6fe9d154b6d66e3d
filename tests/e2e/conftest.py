"""One whole installation for these tests: PostgreSQL, the sandbox and the four Airflow processes."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests

from tests.e2e.independent_tiktok import TikTokShop
from tributary.local.airflow_api import DONE, AirflowApi
from tributary.local.demo import INGESTS, TRANSFORM, start_ingests, transform
from tributary.local.environment import Installation
from tributary.local.lifecycle import down, up
from tributary.local.progress import Progress
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 600
AGO = timedelta(days=3)
"""How far behind this machine's clock the vendors' stand: when they move on, no day of theirs lies ahead of ours."""


@dataclass(frozen=True)
class Road:
    """What a person does with an installation: trigger, wait, look, and let things happen at the vendor."""

    env: dict[str, str]
    airflow: AirflowApi

    def cycle(self) -> dict[str, str]:
        """Ingest, and the transform it causes; returns the state of each of both runs' tasks, and of the runs."""
        return self.follow("ingest_shopify")

    def follow(self, dag_id: str, conf: dict[str, Any] | None = None) -> dict[str, str]:
        """Trigger a DAG by hand, and wait for what its assets cause too."""
        return self.watch({dag_id: self.airflow.trigger(dag_id, conf)})

    def follow_all(self, *dag_ids: str) -> dict[str, str]:
        """Trigger several DAGs side by side, and wait for what they cause together."""
        return self.watch({dag_id: self.airflow.trigger(dag_id) for dag_id in dag_ids})

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> dict[str, str]:
        """Trigger a DAG by hand; returns the state of its tasks, and of the run."""
        return self.ended(dag_id, self.airflow.trigger(dag_id, conf))

    @contextmanager
    def paused(self, *dag_ids: str) -> Iterator[None]:
        """None of them starts meanwhile, neither by its schedule nor by news."""
        for dag_id in sorted(dag_ids):
            self.airflow.call("PATCH", f"dags/{dag_id}", json={"is_paused": True})
        try:
            yield
        finally:
            for dag_id in sorted(dag_ids):
                self.airflow.unpause(dag_id)

    @contextmanager
    def alone(self, *dag_ids: str) -> Iterator[None]:
        """No other ingest starts by itself meanwhile, as all do at the full hour."""
        with self.paused(*INGESTS.keys() - set(dag_ids)):
            yield

    @contextmanager
    def listening(self) -> Iterator[list[dict[str, Any]]]:
        """What Slack hears meanwhile, messages and replies, as they are in the end."""
        before = {message["ts"] for message in self.slack()}
        heard: list[dict[str, Any]] = []
        yield heard
        heard += [message for message in self.slack() if message["ts"] not in before]

    def slack(self) -> list[dict[str, Any]]:
        """All that Slack holds, in the order in which it was said."""
        return list(self.sandbox("GET", "slack/messages"))

    def alerts(self, merchant: str, status: str) -> list[str]:
        """What PagerDuty shows of a merchant's alerts in that state."""
        alerts = self.sandbox("GET", "pagerduty/alerts")
        return [one["summary"] for one in alerts if (one["group"], one["status"]) == (merchant, status)]

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.env["WAREHOUSE_URL"]) as conn:
            cursor = conn.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def sandbox(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.env['SANDBOX_URL']}/_admin/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def tiktok(self) -> TikTokShop:
        """The merchant's TikTok Shop as a stranger reads it, by the vendor's clock."""
        token = self.sandbox("GET", "tiktok/authorisation")["access_tokens"][0]
        now = datetime.fromisoformat(self.sandbox("GET", "clock")["now"]).timestamp()
        app = (self.env["TIKTOK_SHOP_AURORA_APP_KEY"], self.env["TIKTOK_SHOP_AURORA_APP_SECRET"])
        return TikTokShop(self.env["SANDBOX_URL"], *app, token, self.env["TIKTOK_SHOP_AURORA_SHOP_ID"], lambda: now)

    def watch(self, runs: dict[str, str]) -> dict[str, str]:
        """Wait for these runs, and for what they cause; returns the states of all."""
        states = {}
        for dag_id, run_id in runs.items():
            states |= self.ended(dag_id, run_id)
        # A run that failed may have announced nothing.
        announced = [run for run in runs.items() if states[run[0]] == "success"]
        for caused in sorted({caused for run in announced for caused in self._caused_by(*run)}):
            states |= self.ended(*caused)
        return states

    def ended(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The states of a run's tasks, and of the run, when it has ended."""
        state = until(lambda: self._ended(dag_id, run_id), f"{dag_id} {run_id}")
        tasks = self.airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 200})
        return {
            dag_id: state,
            **{f"{t['task_id']}[{t['rendered_map_index'] or ''}]": t["state"] for t in tasks["task_instances"]},
        }

    def has_asked(self, dag_id: str, run_id: str) -> bool:
        """Whether an approval waits, and the scheduler knows it: an answer before that is lost, and asked for again."""
        log = Path(self.env["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]).parent / "airflow.log"
        task = f"TaskInstance Finished: dag_id={dag_id}, task_id=approve, run_id={run_id}, "
        told = log.read_text("utf-8", "replace").splitlines()
        return any(task in line and "state=awaiting_input" in line for line in told)

    def _ended(self, dag_id: str, run_id: str) -> str | None:
        state: str = self.airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state if state in DONE else None

    def _caused_by(self, dag_id: str, run_id: str) -> set[tuple[str, str]]:
        return until(lambda: self._started_after(dag_id, run_id) or None, "the run that is caused")

    def _started_after(self, dag_id: str, run_id: str) -> set[tuple[str, str]] | None:
        """The runs that take up what this run announced; None when one is yet to be started.

        Announcements that come while another one waits share its run, and Airflow then names the first alone as its
        cause. So what counts is which run was the first to start after the announcement.
        """
        announced = {"source_dag_id": dag_id, "source_run_id": run_id}
        try:
            events = self.airflow.call("GET", "assets/events", params=announced)["asset_events"]
        except requests.HTTPError as error:
            # Airflow cannot show an event as long as a run that it caused waits to be started.
            if error.response.status_code == requests.codes.internal_server_error:
                return None
            raise
        runs = set()
        for event in events:
            for consumer in self.airflow.call("GET", f"assets/{event['asset_id']}")["scheduled_dags"]:
                since = {"start_date_gte": event["timestamp"], "order_by": "start_date", "limit": 1}
                started = self.airflow.call("GET", f"dags/{consumer['dag_id']}/dagRuns", params=since)["dag_runs"]
                if not started:
                    return None
                runs.add((consumer["dag_id"], started[0]["dag_run_id"]))
        return runs


def until(look: Any, what: str) -> Any:
    """What is seen as soon as there is something to see."""
    deadline = time.monotonic() + PATIENCE
    while (seen := look()) is None:
        assert time.monotonic() < deadline, f"{what} is not there after {PATIENCE} s"
        time.sleep(0.5)
    return seen


@contextmanager
def open_road(local: Path, **environment: str) -> Iterator[Road]:
    """Everything has come in and been published once; the vendors' clocks stand still, so that figures can agree."""
    installation = Installation(local)
    if installation.local.exists():
        down(installation)
        shutil.rmtree(installation.local)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"SANDBOX_NOW": (datetime.now(UTC) - AGO).isoformat(), **environment}.items():
                patch.setenv(name, value)
            env = up(installation, Progress())
        running = Road(env, AirflowApi(env))
        # Rates as the vendors' clock has them; a file goes by this machine's.
        bank = {"connection_id": "fx", "conn_type": "fx", "host": f"{env['SANDBOX_URL']}/ecb"}
        running.airflow.call("PATCH", "connections/fx", params={"update_mask": "host"}, json=bank)
        for dag_id, run_id in start_ingests(running.airflow).items():
            first = running.ended(dag_id, run_id)
            assert set(first.values()) <= {"success", "skipped"}, first
        first = running.ended(TRANSFORM, transform(running.airflow))
        assert set(first.values()) <= {"success", "skipped"}, first
        yield running
    finally:
        down(installation)


@pytest.fixture(scope="package")
def road() -> Iterator[Road]:
    """The one installation of these tests."""
    with open_road(ROOT / ".local-e2e") as running:
        yield running
