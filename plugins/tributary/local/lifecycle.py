"""Starting an installation step by step, and stopping it."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import psycopg
import requests

from tributary.local import processes
from tributary.local.airflow_api import AirflowApi
from tributary.local.databases import admin_url, create_databases, seal_audit
from tributary.local.environment import METADATA_DATABASE, PORTS, external_postgres, prepare, process_env
from tributary.local.postgres import wait_until_ready
from tributary.local.problem import ProblemError
from tributary.local.progress import Progress, side_by_side
from tributary.local.workers import answering
from tributary.paths import CONFIG, DBT_MANIFEST, DBT_PROJECT, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tributary.local.environment import Installation

ROOM = 500_000_000


@contextlib.contextmanager
def only_one(installation: Installation) -> Iterator[None]:
    """Keep a second command from starting or stopping the same installation meanwhile."""
    installation.local.mkdir(parents=True, exist_ok=True)
    with (installation.local / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise ProblemError(
                f"Another command (pid {lock.read().strip() or 'unknown'}) is starting or stopping this installation.",
                "Wait for it, or stop it with Ctrl-C in its terminal.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def up(installation: Installation, progress: Progress) -> dict[str, str]:
    """Start everything that does not run, wait until it is healthy, and return the environment."""
    with progress.step("Ports, secrets and settings") as step:
        check_room(installation)
        env = prepare(installation, running=running_servers(installation))
        step.result = str(installation.env_file)
    with progress.step("PostgreSQL") as step:
        start_services(installation, env)
        step.result = f"port {env['WAREHOUSE_PORT']}"

    side_by_side(
        partial(prepare_warehouse, installation, env, progress),
        partial(prepare_metadata, installation, env, progress),
        partial(prepare_dbt, installation, env, progress),
        partial(wait_for_sandbox, installation, env, progress),
    )
    processes.start(installation, "airflow", env)
    side_by_side(
        partial(load_settings, installation, env, progress),
        partial(wait_for_airflow, installation, env, progress),
        partial(wait_for_workers, installation, env, progress),
    )
    return env


def down(installation: Installation) -> None:
    """Stop everything; nothing of this installation runs afterwards, and its data stays."""
    processes.stop(installation)


def check_room(installation: Installation) -> None:
    """Say so before a full disk breaks something in the middle."""
    installation.local.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(installation.local).free
    if free < ROOM:
        raise ProblemError(
            f"The disk of {installation.local} has {free / 1e6:.0f} MB left; this needs {ROOM / 1e6:.0f} MB.",
            "Make room, or put the data elsewhere: TRIBUTARY_LOCAL=/path make demo.",
        )


def running_servers(installation: Installation) -> set[str]:
    """The names in PORTS whose process runs."""
    names = {"api-server": "airflow"}
    alive = {names.get(name, name) for name in processes.leaders(installation)} & set(PORTS)
    if "sandbox" in alive and "sandbox_grpc" in installation.state()["ports"]:
        alive.add("sandbox_grpc")
    if not external_postgres() and installation.state() and installation.server().pid:
        alive.add("postgres")
    return alive


def start_services(installation: Installation, env: Mapping[str, str]) -> None:
    """PostgreSQL and the sandbox; returns when PostgreSQL answers and both databases are there."""
    if not external_postgres():
        installation.server().create()
    processes.start(installation, "services", env)
    wait_until_ready(
        admin_url(installation),
        alive=lambda: external_postgres() is not None or "postgres" in processes.leaders(installation),
    )
    known = installation.state()["secrets"]
    create_databases(admin_url(installation), known["metadata"], known["warehouse"])


def prepare_warehouse(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """The warehouse's schemas, raw tables and settings."""
    with progress.step("Warehouse") as step:
        from tributary.channels import CHANNELS
        from tributary.warehouse.migrate import migrate
        from tributary.warehouse.settings.files import load_all_settings
        from tributary.warehouse.settings.tables import apply_settings

        migrate(env["WAREHOUSE_URL"], CHANNELS)
        seal_audit(admin_url(installation))
        settings = load_all_settings(CONFIG)
        with psycopg.connect(env["WAREHOUSE_URL"]) as conn:
            apply_settings(conn, settings)
        step.result = f"merchants {', '.join(merchant.merchant_id for merchant in settings.merchants)}"


def prepare_metadata(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """Airflow's metadata database; again only when Airflow's version or the database's revision is another one."""
    stamp = installation.airflow_home / "migrated"
    if stamp.exists() and stamp.read_text() == metadata_revision(installation):
        return
    with progress.step("Airflow's metadata database"):
        run("airflow-db", installation, env, "airflow", "db", "migrate")
        stamp.write_text(metadata_revision(installation))


def metadata_revision(installation: Installation) -> str:
    """Airflow's version, and the revision its database has; the latter is empty before the first migration."""
    version = importlib.metadata.version("apache-airflow-core")
    with psycopg.connect(admin_url(installation), dbname=METADATA_DATABASE) as conn:
        if conn.execute("select to_regclass('alembic_version')").fetchone() == (None,):
            return f"{version} "
        revision = conn.execute("select string_agg(version_num, ',') from alembic_version").fetchone()
    return f"{version} {revision[0] if revision else ''}"


def load_settings(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """Connections, pools and variables; always, so that the file stays their one source."""
    with progress.step("Connections and pools") as step:
        step.result = run("settings", installation, env, "tributary.local.settings").splitlines()[-1]


def prepare_dbt(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """dbt's manifest, from which Airflow draws the graph; again only when the project changed."""
    sources = (
        path
        for path in DBT_PROJECT.rglob("*")
        if path.is_file() and not {"target", "logs"} & set(path.relative_to(DBT_PROJECT).parts)
    )
    if DBT_MANIFEST.exists() and DBT_MANIFEST.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    with progress.step("dbt's manifest"):
        folders = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT))
        log = ("--log-path", str(installation.logs / "dbt"))
        run("dbt-parse", installation, env, "dbt.cli.main", "--no-use-colors", "parse", *folders, *log)


def wait_for_sandbox(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """Wait until the vendors' sandbox answers; it makes up its world first."""
    with progress.step("Sandbox of the vendors") as step:
        until = time.monotonic() + 120
        while not answers(env["SANDBOX_URL"]):
            if "sandbox" not in processes.leaders(installation) or time.monotonic() > until:
                raise ProblemError(
                    "The sandbox does not answer.",
                    "Read the log, then run this command again.",
                    installation.logs / "services.log",
                )
            time.sleep(0.2)
        step.result = env["SANDBOX_URL"]


def answers(url: str) -> bool:
    """Whether an HTTP server answers there, whatever it says."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.get(url, timeout=5)
        except requests.RequestException:
            return False
    return True


def wait_for_airflow(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """Wait until every component is healthy and every DAG file was read without an error."""
    api, log = AirflowApi(env), installation.logs / "airflow.log"
    began, until = datetime.now(UTC), time.monotonic() + 180
    with progress.step("Airflow") as step:
        while set((health := api.health()).values()) != {"healthy"}:
            state = ", ".join(f"{name} {status}" for name, status in health.items() if status != "healthy")
            stopped = set(processes.wanted(installation, "airflow")) - set(processes.leaders(installation))
            if stopped or time.monotonic() > until:
                raise ProblemError(
                    f"Airflow is not healthy: {state}.", "Read the log, then run this command again.", log
                )
            step.say(state)
            time.sleep(0.5)
        wanted = {path.name for path in (ROOT / "dags").glob("*.py")}
        while True:
            # An error found before may be repaired by now: it counts when the file was read again and still has it.
            errors = api.import_errors()
            for file, (found_at, why) in errors.items():
                if found_at > began:
                    raise ProblemError(f"Airflow cannot read {file}: {why}", "Repair it, then run this command again.")
            unread = (wanted - {dag["relative_fileloc"] for dag in api.dags().values()}) | errors.keys()
            if not unread:
                break
            if time.monotonic() > until:
                raise ProblemError(f"Airflow has not read {', '.join(sorted(unread))}.", "Read the log.", log)
            step.say(f"reading {', '.join(sorted(unread))}")
            time.sleep(0.5)
        step.result = env["AIRFLOW_URL"]


def wait_for_workers(installation: Installation, env: Mapping[str, str], progress: Progress) -> None:
    """Wait until every Celery worker answers through Redis; without workers there is nothing to wait for."""
    if not (names := installation.workers):
        return
    until = time.monotonic() + 180
    with progress.step("Celery workers") as step:
        while silent := set(names) - answering(env, names).keys():
            if time.monotonic() > until:
                raise ProblemError(
                    f"No answer from {', '.join(sorted(silent))}.",
                    "Read the log, then run this command again.",
                    installation.logs / "airflow.log",
                )
            step.say(f"no answer yet from {', '.join(sorted(silent))}")
        step.result = f"{', '.join(names)} through Redis on port {installation.state()['ports']['redis']}"


def run(name: str, installation: Installation, env: Mapping[str, str], module: str, *arguments: str) -> str:
    """Run a Python module to its end and return what it wrote; a failure shows the last lines of it."""
    log = installation.logs / f"{name}.log"
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=process_env(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log.write_text(result.stdout)
    if result.returncode:
        tail = "\n    ".join(result.stdout.strip().splitlines()[-5:])
        raise ProblemError(
            f"`{module} {' '.join(arguments)}` failed:\n    {tail}",
            "Repair what it names, then run this command again.",
            log,
        )
    return result.stdout
