"""Ports, secrets and the environment: decided once, kept, and readable by a shell."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tributary.local import environment
from tributary.local.environment import parse_env, prepare, render_env
from tributary.local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.local.environment import Installation

HOSTILE = {
    "QUOTES": 'it\'s "quoted" `id` $(id) $HOME \\ end\\',
    "LINES": "first\nsecond # not a comment\n",
    "EMPTY": "",
    "SPACES": "  two  ",
    "UNICODE": "Größe €",
    "ASSIGNMENT": "a=b=c export X=1",
}


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_hostile_values_come_back_from_the_file_and_from_a_shell(tmp_path: pytest.TempPathFactory) -> None:
    file = tmp_path / "env"  # type: ignore[operator]
    file.write_text(render_env(HOSTILE))
    assert parse_env(file.read_text()) == HOSTILE
    shell = subprocess.run(
        ["/bin/sh", "-c", '. "$1"; env -0', "sh", file],
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    seen = dict(entry.split("=", 1) for entry in shell.stdout.decode().split("\0") if entry)
    assert {name: seen[name] for name in HOSTILE} == HOSTILE


def test_preparing_again_keeps_ports_and_secrets(installation: Installation) -> None:
    first = prepare(installation)
    assert prepare(installation) == first == installation.env()


def test_whatever_holds_a_secret_is_the_owners_only(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_WORKERS", "2")
    env = prepare(installation)
    secrets = {env["WAREHOUSE_PASSWORD"], env["AIRFLOW__CORE__FERNET_KEY"], env["AIRFLOW_PASSWORD"]}
    secrets.add(installation.state()["secrets"]["redis"])
    holding = [
        path
        for path in installation.local.rglob("*")
        if path.is_file() and any(secret in path.read_text() for secret in secrets)
    ]
    assert {path.name for path in holding} == {"env", "state.json", "passwords.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}


def test_airflow_can_sign_and_approvals_hold(installation: Installation) -> None:
    env = prepare(installation)
    assert len(env["AIRFLOW__API_AUTH__JWT_SECRET"].encode()) >= 64
    users = dict(user.split(":") for user in env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(","))
    assert users == {"admin": "admin", "engineer": "op", "analyst": "user", "manager": "user", "viewer": "viewer"}
    assert not any("ALL_ADMINS" in name for name in env)
    passwords = json.loads((installation.airflow_home / "passwords.json").read_text())
    assert passwords.keys() == users.keys()
    assert len(set(passwords.values())) == len(users)


def test_a_taken_port_is_avoided(installation: Installation, taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment.PORTS, "airflow", taken_port)
    env = prepare(installation)
    assert env["AIRFLOW_URL"] != f"http://127.0.0.1:{taken_port}"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"{env['AIRFLOW_URL']}/execution/"


def test_a_pinned_port_that_is_taken_names_who_has_it(
    installation: Installation, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_PORT_SANDBOX", str(taken_port))
    with pytest.raises(ProblemError, match=f"{taken_port}.*pid {os.getpid()}") as caught:
        prepare(installation)
    assert "TRIBUTARY_PORT_SANDBOX" in caught.value.remedy


@pytest.mark.parametrize("nonsense", ["http", "0", "65536", "-1"])
def test_a_pinned_port_that_is_none_is_refused(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    monkeypatch.setenv("TRIBUTARY_PORT_AIRFLOW", nonsense)
    with pytest.raises(ProblemError, match="TRIBUTARY_PORT_AIRFLOW"):
        prepare(installation)


def test_a_running_server_keeps_its_port(
    installation: Installation, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_PORT_AIRFLOW", str(environment.PORTS["airflow"]))
    monkeypatch.delenv("TRIBUTARY_PORT_AIRFLOW")
    env = prepare(installation)
    port = int(env["AIRFLOW__API__PORT"])
    with socket.create_server(("127.0.0.1", port)):
        assert prepare(installation, running={"airflow"}) == env
        monkeypatch.setenv("TRIBUTARY_PORT_AIRFLOW", str(taken_port))
        with pytest.raises(ProblemError, match="runs on port"):
            prepare(installation, running={"airflow"})


def test_what_the_user_writes_to_dotenv_wins_over_the_sandbox(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"SHOPIFY_AURORA_TOKEN": "shpat_real", "TRIBUTARY_PORT_SANDBOX": "18090"}
    monkeypatch.setattr(environment, "dotenv", lambda: own)
    env = prepare(installation)
    assert env["SHOPIFY_AURORA_TOKEN"] == "shpat_real"
    assert env["SHOPIFY_NORDLICHT_TOKEN"] == "shpat_sandbox_nordlicht"
    assert env["SANDBOX_URL"].endswith(":18090")


def test_backfills_go_by_the_environment_that_the_user_names(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRIBUTARY_ENVIRONMENT", raising=False)
    assert prepare(installation)["TRIBUTARY_ENVIRONMENT"] == "production"
    monkeypatch.setattr(environment, "dotenv", lambda: {"TRIBUTARY_ENVIRONMENT": "staging"})
    assert prepare(installation)["TRIBUTARY_ENVIRONMENT"] == "staging"
    monkeypatch.setenv("TRIBUTARY_ENVIRONMENT", "development")
    assert prepare(installation)["TRIBUTARY_ENVIRONMENT"] == "development"


def test_an_existing_server_replaces_the_embedded_one(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_POSTGRES_URL", "postgresql://boss:secret@db.internal:6543/postgres")
    env = prepare(installation)
    assert (env["WAREHOUSE_HOST"], env["WAREHOUSE_PORT"]) == ("db.internal", "6543")
    assert "@db.internal:6543/airflow" in env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert "secret@" not in render_env(env)


def test_workers_are_asked_for_once_and_kept_until_they_are_given_up(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = prepare(installation)
    assert alone["AIRFLOW__CORE__EXECUTOR"] == "tributary.local.executor.WarmLocalExecutor"
    assert not any("CELERY" in name for name in alone)
    monkeypatch.setenv("TRIBUTARY_WORKERS", "2")
    env = prepare(installation)
    assert installation.workers == ("worker.1", "worker.2")
    assert env["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    broker = urlsplit(env["AIRFLOW__CELERY__BROKER_URL"])
    assert (broker.scheme, broker.hostname) == ("redis", "127.0.0.1")
    assert len(broker.password or "") >= 20
    assert env["AIRFLOW__CELERY__RESULT_BACKEND"] == f"db+{env['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN']}"
    # Nothing waits in Redis: there are as many tasks as slots.
    assert int(env["AIRFLOW__CORE__PARALLELISM"]) == 2 * int(env["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
    monkeypatch.delenv("TRIBUTARY_WORKERS")
    assert prepare(installation) == env
    monkeypatch.setenv("TRIBUTARY_WORKERS", "0")
    assert prepare(installation) == alone
    assert installation.workers == ()


@pytest.mark.parametrize("nonsense", ["two", "-1", "1.5", "17"])
def test_a_number_of_workers_that_is_none_is_refused(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    monkeypatch.setenv("TRIBUTARY_WORKERS", nonsense)
    with pytest.raises(ProblemError, match=f"TRIBUTARY_WORKERS is '{nonsense}'") as caught:
        prepare(installation)
    assert "from 0" in caught.value.remedy


def test_the_workers_of_a_running_airflow_are_not_changed(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = prepare(installation)
    monkeypatch.setenv("TRIBUTARY_WORKERS", "2")
    with pytest.raises(ProblemError, match="TRIBUTARY_WORKERS is 2, but Airflow runs with no workers"):
        prepare(installation, running={"airflow"})
    monkeypatch.delenv("TRIBUTARY_WORKERS")
    assert prepare(installation, running={"airflow"}) == env


def test_without_celery_workers_are_refused_and_not_kept(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    monkeypatch.setenv("TRIBUTARY_WORKERS", "2")
    with pytest.raises(ProblemError, match="no Celery") as caught:
        prepare(installation)
    assert "make celery" in caught.value.remedy
    monkeypatch.delenv("TRIBUTARY_WORKERS")
    assert prepare(installation)["AIRFLOW__CORE__EXECUTOR"] != "CeleryExecutor"


def test_processes_reach_the_loopback_interface_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/somebody/elses")
    env = environment.process_env({"AIRFLOW_HOME": "/ours"})
    assert env["NO_PROXY"] == env["no_proxy"] == "intranet.example,127.0.0.1,localhost"
    assert env["AIRFLOW_HOME"] == "/ours"
    assert "AIRFLOW__CORE__DAGS_FOLDER" not in env
