"""The processes: found by their mark, stopped whatever happened, and never another installation's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from redis import AuthenticationError, Redis

from tributary.local import lifecycle, processes, redis_server, status
from tributary.local.environment import prepare
from tributary.local.problem import ProblemError
from tributary.local.progress import Progress
from tributary.local.workers import answering
from tributary.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tributary.local.environment import Installation


@pytest.fixture
def services(installation: Installation) -> Installation:
    """PostgreSQL with both databases, and the sandbox on its way up."""
    lifecycle.start_services(installation, prepare(installation))
    return installation


def pids(installation: Installation) -> set[int]:
    server = installation.server().pid
    return {entry.process.pid for entry in processes.running(installation)} | ({server} if server else set())


def answers_within(installation: Installation, env: dict[str, str]) -> None:
    until = time.monotonic() + 20
    while not redis_server.answers(env):
        assert time.monotonic() < until, (installation.logs / "services.log").read_text()


def lives(pid: int) -> bool:
    """Whether it still does anything; whoever adopts an orphan may take a moment to bury it."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_procfiles_and_groups_name_the_same_processes() -> None:
    for group, names in processes.GROUPS.items():
        lines = (ROOT / f"Procfile.{group}").read_text().splitlines()
        named = {line.partition(":")[0] for line in lines if not line.startswith("#")}
        assert named == {*names, *({"redis"} if group == "services" else {"worker"})}


def test_stop_leaves_no_process_and_start_goes_on_with_the_data(services: Installation) -> None:
    assert set(processes.leaders(services)) == {"postgres", "sandbox"}
    before = pids(services)
    processes.stop(services)
    assert pids(services) == set()
    assert not any(lives(pid) for pid in before)
    identity = (services.server().data / "PG_VERSION").stat().st_ino
    lifecycle.start_services(services, prepare(services))
    assert (services.server().data / "PG_VERSION").stat().st_ino == identity


def test_a_killed_manager_hides_nothing(services: Installation) -> None:
    before = pids(services)
    managers = [entry.process for entry in processes.running(services) if processes.is_manager(entry.process)]
    assert len(managers) == 1
    managers[0].kill()
    managers[0].wait()
    processes.stop(services)
    assert pids(services) == set()
    assert not any(lives(pid) for pid in before)


def test_starting_what_runs_changes_nothing(services: Installation) -> None:
    before = processes.leaders(services)
    lifecycle.start_services(services, prepare(services, running=lifecycle.running_servers(services)))
    assert processes.leaders(services) == before


def test_another_installation_is_left_alone(services: Installation, tmp_path: Path) -> None:
    other = type(services)(tmp_path / "other")
    processes.stop(other)
    assert set(processes.leaders(services)) == {"postgres", "sandbox"}


def test_redis_wants_its_password_shows_it_nowhere_and_keeps_what_waits(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_WORKERS", "2")
    env = prepare(installation)
    lifecycle.start_services(installation, env)
    assert set(processes.leaders(installation)) == {"postgres", "sandbox", "redis"}
    answers_within(installation, env)
    port, password = (installation.state()[part]["redis"] for part in ("ports", "secrets"))
    with pytest.raises(AuthenticationError), Redis(port=port) as stranger:
        stranger.ping()
    shown = [entry.process.cmdline() for entry in processes.running(installation)]
    assert any("redis-server" in words[0] for words in shown)
    assert not any(password in word for words in shown for word in words)
    with Redis.from_url(env["AIRFLOW__CELERY__BROKER_URL"]) as queue:
        queue.lpush("default", "a task")
    processes.stop(installation)
    assert pids(installation) == set()
    lifecycle.start_services(installation, prepare(installation))
    answers_within(installation, env)
    with Redis.from_url(env["AIRFLOW__CELERY__BROKER_URL"]) as queue:
        assert queue.lrange("default", 0, -1) == [b"a task"]


def test_a_killed_worker_is_started_again_and_the_other_goes_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_WORKERS", "2")
    monkeypatch.setitem(processes.GROUPS, "airflow", ())
    env = prepare(installation)
    lifecycle.start_services(installation, env)
    processes.start(installation, "airflow", env)
    lifecycle.wait_for_workers(installation, env, Progress())
    before = answering(env, installation.workers)
    assert before.keys() == {"worker.1", "worker.2"}
    psutil.Process(before["worker.1"]).kill()
    until = time.monotonic() + 180
    while (now := answering(env, installation.workers)).keys() != before.keys() or now == before:
        assert time.monotonic() < until, now
    assert now["worker.2"] == before["worker.2"]
    assert status.worker_health(installation, env, now)["worker.1"] == ("", "healthy")
    assert {entry.name for entry in processes.running(installation)} >= {"worker.1", "worker.2"}
    processes.stop(installation)
    assert pids(installation) == set()


def test_only_one_command_at_a_time(installation: Installation) -> None:
    with (
        lifecycle.only_one(installation),
        pytest.raises(ProblemError, match=f"pid {os.getpid()}"),
        lifecycle.only_one(installation),
    ):
        pass


def test_a_failing_step_says_which_why_and_what_to_do(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "tributary.local", "up", "--local-dir", installation.local],
            env={**os.environ, "TRIBUTARY_PORT_AIRFLOW": str(port)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr.startswith(
        f"FAILED at Ports, secrets and settings: Port {port} (TRIBUTARY_PORT_AIRFLOW) is taken"
    )
    assert "what to do: Stop that process" in result.stderr
    assert "Traceback" not in result.stderr


def test_status_before_the_first_start(installation: Installation) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tributary.local", "status", "--local-dir", installation.local],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (3, "Nothing was started here yet: make demo\n")
