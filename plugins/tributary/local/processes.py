"""Starting, finding and stopping the processes of an installation.

honcho runs them from the Procfiles. Every one of them, and what they start, carries a mark in its environment; so they
are found by asking the system, and neither a stale pid file nor a killed manager can hide one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from tributary.local.environment import external_postgres, process_env
from tributary.local.problem import ProblemError
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tributary.local.environment import Installation

MARK = "TRIBUTARY_PROCESS_OF"
# In the order of their start; they stop in the reverse order, because Airflow needs the services until its end.
# An installation with Celery workers has more: see `wanted`.
GROUPS = {
    "services": ("postgres", "sandbox"),
    "airflow": ("api-server", "scheduler", "dag-processor", "triggerer"),
}


@dataclass(frozen=True, slots=True)
class Running:
    """A process of the installation, its group, and the name it has in the Procfile (none for the manager)."""

    process: psutil.Process
    group: str
    name: str | None


def running(installation: Installation) -> list[Running]:
    """Every process of this installation, whoever started it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            env = process.environ()
            group, _, local = env.get(MARK, "").partition(":")
            if local == str(installation.local) and process.pid != os.getpid():
                name = env.get("HONCHO_PROCESS_NAME")
                found.append(Running(process, group, name_of(name) if name else None))
    return found


def name_of(name: str) -> str:
    """honcho numbers every process; only of workers there may be several."""
    return name if name.startswith("worker.") else name.partition(".")[0]


def wanted(installation: Installation, group: str) -> list[str]:
    """The names of a group's processes that this installation has."""
    names = [name for name in GROUPS[group] if not (name == "postgres" and external_postgres())]
    if workers := installation.workers:
        names += workers if group == "airflow" else ["redis"]
    return names


def leaders(installation: Installation) -> dict[str, psutil.Process]:
    """The one process per name in the Procfile which the manager itself started: the oldest of its name."""
    found: dict[str, psutil.Process] = {}
    for entry in sorted(running(installation), key=lambda entry: entry.process.create_time()):
        if entry.name:
            found.setdefault(entry.name, entry.process)
    return found


def start(installation: Installation, group: str, env: Mapping[str, str]) -> None:
    """Start a group detached from this terminal, unless all of it runs; its output goes to a log of its name."""
    names = wanted(installation, group)
    if set(names) <= leaders(installation).keys():
        return
    stop_group(installation, group)
    log = installation.logs / f"{group}.log"
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    command = [
        sys.executable,
        "-m",
        "honcho",
        "--no-colour",
        "-e",
        os.devnull,
        "-d",
        str(ROOT),
        "-f",
        f"Procfile.{group}",
        "start",
        "-c",
        f"worker={len(installation.workers)}",
        *dict.fromkeys(name.partition(".")[0] for name in names),
    ]
    marked = {
        **process_env(env),
        MARK: f"{group}:{installation.local}",
        "TRIBUTARY_LOCAL": str(installation.local),
        "SANDBOX_STATE": str(installation.local / "sandbox"),
        "SANDBOX_PORT": env["SANDBOX_URL"].rpartition(":")[2],
        "SANDBOX_GRPC_PORT": str(installation.state()["ports"]["sandbox_grpc"]),
        # Without this, a process that sets its title wipes the environment which we recognise it by.
        "SPT_NOENV": "1",
    }
    with log.open("ab") as output:
        manager = subprocess.Popen(
            command,
            cwd=ROOT,
            env=marked,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not set(names) <= leaders(installation).keys():
        if manager.poll() is not None:
            raise ProblemError(f"The {group} stopped at once.", "Read the log, then run this command again.", log)
        time.sleep(0.05)


def stop_group(installation: Installation, group: str) -> None:
    """Stop a group: its manager first, which asks the others; then whatever is left, at last by force."""

    def members() -> list[psutil.Process]:
        return [entry.process for entry in running(installation) if entry.group == group]

    managers = [process for process in members() if is_manager(process)]
    if managers:
        signal_all(managers, psutil.Process.terminate)
        psutil.wait_procs(members(), timeout=20)
    if group == "services" and installation.state() and not external_postgres():
        installation.server().stop()
    signal_all(members(), psutil.Process.terminate)
    psutil.wait_procs(members(), timeout=10)
    while left := members():
        signal_all(left, psutil.Process.kill)
        psutil.wait_procs(left, timeout=5)


def is_manager(process: psutil.Process) -> bool:
    """Whether this is honcho itself, which we start in a session of its own; its forks ignore signals."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        return os.getsid(process.pid) == process.pid and "honcho" in process.cmdline()
    return False


def signal_all(processes: Collection[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    """Signal processes, some of which may have ended meanwhile."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            send(process)


def stop(installation: Installation) -> None:
    """Stop everything of this installation, Airflow before what it needs."""
    for group in reversed(GROUPS):
        stop_group(installation, group)
