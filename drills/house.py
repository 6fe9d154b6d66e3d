"""An installation to drill in: its people, its figures, and what it takes to harm it."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
from psycopg import sql

from tributary.backfill.state import build_schema, identify
from tributary.local.airflow_api import DONE, AirflowApi
from tributary.paths import DBT_MANIFEST
from tributary.warehouse.manifest import read_marts

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.e2e.conftest import Road

BACKFILL = "backfill"
PATIENCE = 1800
STOPS = ("lease: committed", "scope: before commit", "publish: swapped", "publish: committed", "close: before commit")
"""Where a task stops itself, to be killed there or to go on."""

_CORRUPT = """
update marts.fct_daily_metrics set revenue = revenue + 1000, orders = orders + 5
where merchant_id = %s and date_day = %s
"""

_DIGESTS = sql.SQL("""
select merchant_id, md5(string_agg(one::text, ' ' order by one::text)) from {} as one group by merchant_id
""")


@dataclass
class House:
    """A running installation, seen by those who press its buttons."""

    road: Road
    told: list[str] = field(default_factory=list)

    def ask(self, user: str, days: int, merchant: str = "aurora", **more: Any) -> str:
        """Fill in the form; returns the run."""
        last = self.today() - timedelta(days=3)
        asked = {
            "merchants": [merchant],
            "start_date": str(last - timedelta(days=days - 1)),
            "end_date": str(last),
            "reason": "quarterly drill of the backfills",
            "dry_run": False,
            **more,
        }
        return self.people(user).trigger(BACKFILL, asked)

    def people(self, user: str) -> AirflowApi:
        """Airflow as one of them sees it."""
        return AirflowApi(self.road.env | {"AIRFLOW_USER": user, "AIRFLOW_PASSWORD": self.password(user)})

    def password(self, user: str) -> str:
        passwords = json.loads(Path(self.road.env["AIRFLOW_HOME"], "passwords.json").read_text())
        return str(passwords[user])

    def today(self) -> date:
        """Today at the vendors, whose clock stands still."""
        return date.fromisoformat(self.road.sandbox("GET", "clock")["now"][:10])

    def answer(self, user: str, run_id: str, option: str, dag_id: str = BACKFILL) -> None:
        """Approve or reject what waits."""
        task, airflow = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve", self.people(user)
        answer = {"chosen_options": [option], "params_input": {}}
        airflow.call("PATCH", f"{task}/-1/hitlDetails", json=answer)
        self.until(run_id, lambda: airflow.call("GET", task)["state"] in ("success", "failed"), go_on)

    def state(self, run_id: str, dag_id: str = BACKFILL) -> str:
        return str(self.road.airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, run_id: str, dag_id: str = BACKFILL) -> dict[str, str]:
        """The state of each of a run's tasks."""
        found = self.road.airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 200})
        return {task["task_id"]: task["state"] for task in found["task_instances"]}

    def until(self, run_id: str, happened: Callable[[], bool], on_stop: Callable[[psutil.Process], None]) -> None:
        """Wait; whoever has stopped itself meanwhile is left to `on_stop`."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            for process in self.stopped():
                on_stop(process)
            assert time.monotonic() < deadline, f"{run_id} takes too long: {self.tasks(run_id)}"
            time.sleep(0.2)

    def ended(self, run_id: str, kill_at: tuple[str, int] | None = None, dag_id: str = BACKFILL) -> str:
        """The state in which a run ends whose task is killed when it stops for the n-th time in a step."""
        stops: list[str] = []

        def on_stop(process: psutil.Process) -> None:
            step = self.step(run_id, dag_id)
            stops.append(step)
            is_victim = kill_at is not None and (step, stops.count(step)) == kill_at
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL if is_victim else signal.SIGCONT)
            if is_victim:
                self.told.append(f"killed in {step}")

        self.until(run_id, lambda: self.state(run_id, dag_id) in DONE, on_stop)
        assert kill_at is None or self.told.pop() == f"killed in {kill_at[0]}"
        return self.state(run_id, dag_id)

    def waiting(self, run_id: str, dag_id: str = BACKFILL) -> None:
        """Wait until it waits for somebody."""
        self.until(run_id, lambda: self.road.has_asked(dag_id, run_id), go_on)

    def stopped(self) -> list[psutil.Process]:
        """Processes of this installation that have stopped themselves."""
        mine = self.road.env["AIRFLOW_HOME"]
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_stopped = process.status() == psutil.STATUS_STOPPED
                if is_stopped and process.environ().get("AIRFLOW_HOME") == mine:
                    found.append(process)
        return found

    def step(self, run_id: str, dag_id: str = BACKFILL) -> str:
        rows = self.road.sql("select step from ops.backfills where backfill_id = %s", self.id(run_id, dag_id))
        return str(rows[0][0]) if rows else ""

    @staticmethod
    def id(run_id: str, dag_id: str = BACKFILL) -> UUID:
        return identify(dag_id, run_id)

    def audit(self, run_id: str, dag_id: str = BACKFILL) -> tuple[str, str | None]:
        """What the audit says of it: its state and error."""
        query = "select status, error from audit.backfills where backfill_id = %s"
        ((status, error),) = self.road.sql(query, self.id(run_id, dag_id))
        return status, error

    def left_behind(self, run_id: str, dag_id: str = BACKFILL) -> list[str]:
        """Leases and schemas that it has not given back."""
        backfill_id = self.id(run_id, dag_id)
        leases = self.road.sql("select merchant_id from ops.leases where backfill_id = %s", backfill_id)
        schemas = self.road.sql("select nspname::text from pg_namespace where nspname = %s", build_schema(backfill_id))
        return [name for (name,) in [*leases, *schemas]]

    def corrupt(self, merchant: str = "aurora") -> date:
        """A figure is wrong that a backfill puts right; returns its day."""
        day = self.today() - timedelta(days=4)
        with psycopg.connect(self.road.env["WAREHOUSE_URL"]) as conn:
            assert conn.execute(_CORRUPT, (merchant, day)).rowcount == 1
        return day

    def digests(self) -> dict[tuple[str, str], str]:
        """Every mart of every merchant."""
        with psycopg.connect(self.road.env["WAREHOUSE_URL"]) as conn:
            return {
                (model.name, merchant): digest
                for model in read_marts(DBT_MANIFEST)
                for merchant, digest in conn.execute(_DIGESTS.format(sql.Identifier("marts", model.name))).fetchall()
            }


def go_on(process: psutil.Process) -> None:
    """Let it go on as if nothing had been."""
    with suppress(psutil.NoSuchProcess):
        os.kill(process.pid, signal.SIGCONT)
