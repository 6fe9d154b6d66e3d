"""`make demo`: from nothing to the merchants' figures on the screen."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

import psycopg

from tributary.channels import CHANNELS
from tributary.local.airflow_api import AirflowApi
from tributary.local.figures import LAST_DAYS, TOTALS, table
from tributary.local.lifecycle import up
from tributary.local.problem import ProblemError
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tributary.local.environment import Installation
    from tributary.local.progress import Progress

INGESTS = {f"ingest_{channel.name}": channel.name for channel in CHANNELS}
TRANSFORM = "transform"


def demo(installation: Installation, progress: Progress) -> str:
    """Start everything, bring the first figures through the whole road, and say where to look."""
    env = up(installation, progress)
    api = AirflowApi(env)
    for dag_id, run_id in start_ingests(api).items():
        with progress.step(f"Ingest of {INGESTS[dag_id]}") as step:
            api.wait_for_run(dag_id, run_id, step.say, installation)
    with progress.step("Build, gate and publish") as step:
        api.wait_for_run(TRANSFORM, transform(api), step.say, installation)
    return f"{figures(env)}\n\n{where(installation, env)}\nReady after {progress.seconds:.0f} s."


def start_ingests(api: AirflowApi) -> dict[str, str]:
    """Unpause every DAG but `transform`; return a run of each ingest: the one that its schedule starts, or our own.

    A `transform` that is paused takes no news, so that the first one builds once, when all channels came in.
    """
    paused = [dag_id for dag_id, dag in api.dags().items() if dag["is_paused"] and dag_id != TRANSFORM]
    for dag_id in paused:
        api.unpause(dag_id)
    runs: dict[str, str] = {}
    until = time.monotonic() + (15 if set(paused).intersection(INGESTS) else 0)
    while len(runs) < len(INGESTS):
        for dag_id in (dag_id for dag_id in INGESTS if dag_id not in runs):
            if active := api.active_runs(dag_id):
                runs[dag_id] = active[0]
            elif time.monotonic() >= until:
                runs[dag_id] = api.trigger(dag_id)
        time.sleep(0.5)
    return {dag_id: runs[dag_id] for dag_id in INGESTS}


def transform(api: AirflowApi) -> str:
    """Let `transform` run from now on, and start it."""
    api.unpause(TRANSFORM)
    return api.trigger(TRANSFORM)


def figures(env: Mapping[str, str]) -> str:
    """Each merchant's last seven days, and all of them together."""
    with psycopg.connect(env["WAREHOUSE_URL"]) as conn:
        days, totals = table(conn, LAST_DAYS), table(conn, TOTALS)
    if not totals:
        raise ProblemError("Nothing was published.", "Look at the runs of `transform` in Airflow.")
    return f"\nThe last seven days\n{days}\n\nAll days\n{totals}"


def where(installation: Installation, env: Mapping[str, str]) -> str:
    """Where to look, how to sign in, and how to stop."""
    local = installation.local
    folder = str(local.relative_to(ROOT) if local.is_relative_to(ROOT) else local)
    shown = shlex.quote(f"{folder}/{installation.env_file.name}")
    workers = ", ".join(installation.workers)
    elsewhere = f"   (each with TRIBUTARY_LOCAL={shlex.quote(folder)})" if folder != ".local" else ""
    return (
        f"Airflow    {env['AIRFLOW_URL']}  (user {env['AIRFLOW_USER']}, password {env['AIRFLOW_PASSWORD']})\n"
        + (f"Tasks      run in Celery workers: {workers}\n" if workers else "")
        + f'Warehouse  . {shown} && psql "$WAREHOUSE_URL"\n'
        f"Messages   {env['SANDBOX_URL']}/slack  (what Slack and PagerDuty would show)\n"
        f"Next       make status | make logs | make down{elsewhere}"
    )
