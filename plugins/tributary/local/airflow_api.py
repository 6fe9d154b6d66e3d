"""The few calls of Airflow's REST API that starting, triggering and watching need."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from tributary.local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tributary.local.environment import Installation

COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
DONE = frozenset({"success", "failed"})


class AirflowApi:
    """A session of the administrator; no proxy stands between us and the loopback interface."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._url = env["AIRFLOW_URL"]
        self._login = {"username": env["AIRFLOW_USER"], "password": env["AIRFLOW_PASSWORD"]}
        self._session = requests.Session()
        self._session.trust_env = False

    def health(self) -> dict[str, str]:
        """Every component's health; all of them `stopped` when the API server does not answer."""
        try:
            response = self._session.get(f"{self._url}/api/v2/monitor/health", timeout=5)
            response.raise_for_status()
        except requests.RequestException:
            return dict.fromkeys(COMPONENTS, "stopped")
        return {name: (response.json().get(name) or {}).get("status") or "starting" for name in COMPONENTS}

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """One call; signs in when it has to."""
        for _ in range(2):
            response = self._session.request(method, f"{self._url}/api/v2/{path}", timeout=30, **arguments)
            if response.status_code != requests.codes.unauthorized:
                break
            token = self._session.post(f"{self._url}/auth/token", json=self._login, timeout=30)
            token.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        response.raise_for_status()
        return response.json()

    def dags(self) -> dict[str, dict[str, Any]]:
        """Every DAG by its id."""
        return {dag["dag_id"]: dag for dag in self.call("GET", "dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> dict[str, tuple[datetime, str]]:
        """What keeps a DAG file from being read, by file: when that was found, and the last line of its traceback."""
        return {
            error["filename"]: (
                datetime.fromisoformat(error["timestamp"]),
                error["stack_trace"].strip().splitlines()[-1],
            )
            for error in self.call("GET", "importErrors")["import_errors"]
        }

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run, with the form filled in, and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.call("POST", f"dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def active_runs(self, dag_id: str) -> list[str]:
        """The runs that are queued or running, by id."""
        runs = self.call("GET", f"dags/{dag_id}/dagRuns", params={"state": ["queued", "running"]})["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def wait_for_run(
        self, dag_id: str, run_id: str, say: Callable[[str], None], installation: Installation, patience: float = 900
    ) -> None:
        """Wait until a run ends; a failed one is a problem that names its tasks and their logs."""
        until = time.monotonic() + patience
        while True:
            state = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"]
            tasks = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
            states = [task["state"] for task in tasks["task_instances"]]
            say(f"{state}, {sum(state in ('success', 'skipped') for state in states)} of {len(states)} tasks done")
            if state in DONE:
                break
            if time.monotonic() > until:
                raise ProblemError(
                    f"{dag_id} did not end within {patience:.0f} s: {state}.",
                    f"Look at the run in {self._url}/dags/{dag_id}/runs/{run_id}.",
                    installation.logs / "airflow.log",
                )
            time.sleep(1)
        if state == "failed":
            failed = [task for task in tasks["task_instances"] if task["state"] == "failed"]
            labels = [" ".join(filter(None, (task["task_id"], task["rendered_map_index"]))) for task in failed]
            folder = installation.logs / "tasks" / f"dag_id={dag_id}" / f"run_id={run_id}"
            first = min(failed, key=lambda task: task["end_date"], default=None)
            log = max((folder / f"task_id={first['task_id']}").rglob("*.log"), default=None) if first else None
            raise ProblemError(
                f"{dag_id} failed in {', '.join(sorted(labels)) or 'no task of its own'}"
                + (f": {last_error(log)}" if log else "."),
                f"Look at {self._url}/dags/{dag_id}/runs/{run_id}, repair the cause, and run this command again.",
                log or folder,
            )


def last_error(log: Path) -> str:
    """The last error in a task's log, in one line."""
    error = "see its log"
    for line in log.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("level") in ("error", "critical"):
            causes = entry.get("error_detail") or [{}]
            error = causes[0].get("exc_value") or entry["event"]
    return error.strip().splitlines()[0]
