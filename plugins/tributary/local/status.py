"""`make status`: what runs, how fresh the data is, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg

from tributary.local import processes, redis_server
from tributary.local.airflow_api import AirflowApi
from tributary.local.environment import external_postgres
from tributary.local.figures import (
    CLOSED_QUOTAS,
    DEAD_LETTERS,
    FRESHNESS,
    INCIDENTS,
    PUBLICATIONS,
    WAITING,
    table,
)
from tributary.local.lifecycle import answers
from tributary.local.workers import answering

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tributary.local.environment import Installation

TABLES = (FRESHNESS, PUBLICATIONS, INCIDENTS, WAITING, DEAD_LETTERS, CLOSED_QUOTAS)


def status(installation: Installation) -> tuple[str, bool]:
    """The report, and whether everything that should run does."""
    env = installation.env()
    if not env:
        return "Nothing was started here yet: make demo", False
    workers = answering(env, installation.workers) if installation.workers else {}
    healths = health(env) | worker_health(installation, env, workers)
    # A worker's leader only starts it again.
    pids = {name: process.pid for name, process in processes.leaders(installation).items()} | workers
    lines = [f"{'':2}{'process':<14}{'pid':>8}{'port':>7}  state"]
    for name, (port, state) in healths.items():
        pid = str(pids.get(name) or ("elsewhere" if name == "postgres" and external_postgres() else "-"))
        shown = state if pid != "-" else "stopped"
        lines.append(f"{'':2}{name:<14}{pid:>8}{port:>7}  {shown}")
    lines.append("")
    lines.append(freshness(env))
    healthy = all(state == "healthy" for _, state in healths.values())
    return "\n".join(lines), healthy


def health(env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Port and state by process."""
    airflow = AirflowApi(env).health()
    try:
        psycopg.connect(env["WAREHOUSE_URL"], connect_timeout=3).close()
        postgres = "healthy"
    except psycopg.OperationalError:
        postgres = "does not answer"
    sandbox = "healthy" if answers(env["SANDBOX_URL"]) else "does not answer"
    return {
        "postgres": (env["WAREHOUSE_PORT"], postgres),
        "sandbox": (str(urlsplit(env["SANDBOX_URL"]).port), sandbox),
        "api-server": (str(urlsplit(env["AIRFLOW_URL"]).port), airflow["metadatabase"]),
        "scheduler": ("", airflow["scheduler"]),
        "dag-processor": ("", airflow["dag_processor"]),
        "triggerer": ("", airflow["triggerer"]),
    }


def worker_health(
    installation: Installation, env: Mapping[str, str], answered: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Port and state of Redis and of each Celery worker, if there are any."""
    if not installation.workers:
        return {}
    redis = "healthy" if redis_server.answers(env) else "does not answer"
    return {"redis": (str(installation.state()["ports"]["redis"]), redis)} | {
        name: ("", "healthy" if name in answered else "does not answer") for name in installation.workers
    }


def freshness(env: Mapping[str, str]) -> str:
    """How far every stream was read, what was published last, what is wrong, and what waits for what."""
    try:
        with psycopg.connect(env["WAREHOUSE_URL"], connect_timeout=3) as conn:
            parts = [table(conn, query) for query in TABLES]
    except psycopg.OperationalError:
        return "  The warehouse does not answer, so nothing is known of the data."
    return "\n\n".join(filter(None, parts)) or "  The warehouse is empty."
