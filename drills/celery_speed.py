"""What a second worker brings: a full cycle of all channels, each time from nothing, on an otherwise idle machine.

.venv/bin/python -m drills.celery_speed          # the scheduler's own processes, one worker, two workers
"""

from __future__ import annotations

import os
import shutil
import time

import psutil

from tributary.local.airflow_api import AirflowApi
from tributary.local.demo import TRANSFORM, start_ingests, transform
from tributary.local.environment import Installation
from tributary.local.lifecycle import down, up
from tributary.local.progress import Progress
from tributary.paths import ROOT


def busy() -> float:
    """The CPU seconds that all processes of this machine have used."""
    spent = psutil.cpu_times()
    return float(spent.user + spent.system)


def cycle(workers: int) -> str:
    """A row: how long all channels and their publication take, and how much of the machine they use."""
    os.environ["TRIBUTARY_WORKERS"] = str(workers)
    installation = Installation(ROOT / ".local-drill-speed")
    shutil.rmtree(installation.local, ignore_errors=True)
    try:
        api = AirflowApi(up(installation, Progress()))
        load, began, spent = os.getloadavg()[0], time.monotonic(), busy()
        for dag_id, run_id in start_ingests(api).items():
            api.wait_for_run(dag_id, run_id, lambda _: None, installation)
        ingested = time.monotonic() - began
        api.wait_for_run(TRANSFORM, transform(api), lambda _: None, installation)
        seconds, spent = time.monotonic() - began, busy() - spent
    finally:
        down(installation)
    share = spent / seconds / (psutil.cpu_count() or 1)
    return f"| {workers} | {ingested:.0f} | {seconds:.0f} | {spent:.0f} | {share:.0%} | {load:.1f} |"


if __name__ == "__main__":
    rows = [cycle(workers) for workers in (0, 1, 2)]
    print("| workers | ingests s | whole cycle s | CPU s | of the machine | load before |\n|---|---|---|---|---|---|")
    print("\n".join(rows))
