"""docker-compose.yaml's services as processes: initialised, healthy, at work, and used by people under FAB."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.local.compose import read
from tests.local.production import PATIENCE, Production
from tributary.local.environment import parse_env
from tributary.local.postgres import THROWAWAY, temporary_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.local.airflow_api import AirflowApi

pytestmark = pytest.mark.timeout(900)

# A task that ends when it is told to, and a question for the manager alone; neither needs a warehouse or a vendor.
DAGS = """
import time
from pathlib import Path
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import dag, task

# On a busy machine the API server may answer too late; that is tried again, as everywhere.
patient = {"retries": 3, "retry_delay": 0}

@dag(schedule=None, is_paused_upon_creation=False, default_args=patient)
def waits():
    @task
    def wait(params):
        folder = Path(params["folder"])
        (folder / "began").touch()
        while not (folder / "go").exists():
            time.sleep(0.1)
    wait()

@dag(schedule=None, is_paused_upon_creation=False, default_args=patient)
def asks():
    ApprovalOperator(task_id="ask", subject="Publish?", assigned_users=[{"id": "manager", "name": "manager"}])

waits()
asks()
"""
ROLES = {"engineer": "Op", "analyst": "User", "manager": "User", "viewer": "Viewer"}
# `airflow users create`, but in one process for all: each takes seconds to start.
ADD_PEOPLE = """
import json, sys
from airflow.cli.cli_parser import get_parser
for name, role in json.loads(sys.argv[1]).items():
    person = ["--username", name, "--firstname", name, "--lastname", "Tester", "--email", f"{name}@shop.example"]
    given = get_parser().parse_args(["users", "create", *person, "--role", role, "--password", f"{name}-password"])
    given.func(given)
"""
SET_PASSWORDS = """
import json, sys
from tributary.local.administrator import ensure_administrator
for password in json.loads(sys.argv[1]):
    print(ensure_administrator(password))
"""


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    """All services up and healthy, after an initialisation that ran to its end."""
    made = subprocess.run(
        [sys.executable, "-m", "tributary.local.compose_env", "--demo"], capture_output=True, text=True, check=True
    )
    secret = parse_env(made.stdout)
    settings = [word for word in read(secret)["services"]["postgres"]["command"] if "=" in word]
    with (
        temporary_server((*THROWAWAY, *settings)) as url,
        tempfile.TemporaryDirectory(prefix="tributary-production-") as folder,
    ):
        secret["POSTGRES_PASSWORD"] = str(urlsplit(url).password)
        installation = Production(Path(folder), secret, url, DAGS)
        try:
            installation.start("redis")
            for name in ("postgres", "redis"):
                installation.wait_until_healthy(name)
            init = installation.run("init")
            assert init.returncode == 0, init.stdout[-3000:]
            # In the file's order: first those that are asked by HTTP; asking the others starts a program each time.
            rest = [name for name in installation.services if name not in ("postgres", "redis", "init")]
            for name in rest:
                installation.start(name)
            for name in rest:
                installation.wait_until_healthy(name)
            yield installation
        finally:
            installation.kill()


@pytest.fixture(scope="module")
def people(production: Production) -> dict[str, AirflowApi]:
    """One person of each role, signed in."""
    added = production.run("init", sys.executable, "-c", ADD_PEOPLE, json.dumps(ROLES))
    assert added.returncode == 0, added.stdout
    others = {name: production.api(name, f"{name}-password") for name in ROLES}
    return {"admin": production.api("admin", production.variables["ADMIN_PASSWORD"]), **others}


def until(condition: Callable[[], Any]) -> Any:
    """What the condition gives once it gives something."""
    deadline = time.monotonic() + PATIENCE
    while not (given := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return given


def refused(api: AirflowApi, method: str, path: str, **arguments: Any) -> bool:
    """Whether this person may not do that; nothing but a 403 counts as a refusal."""
    try:
        api.call(method, path, **arguments)
    except requests.HTTPError as error:
        if error.response.status_code == requests.codes.forbidden:
            return True
        raise
    return False


def state(api: AirflowApi, dag_id: str, run_id: str) -> str:
    return str(api.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])


def test_every_service_is_healthy_by_its_own_check(production: Production) -> None:
    assert production.healthy == production.services.keys() - {"init"}


def test_people_can_do_what_their_role_says(production: Production, people: dict[str, AirflowApi]) -> None:
    sees_connections = {name for name, api in people.items() if not refused(api, "GET", "connections")}
    assert sees_connections == {"admin", "engineer"}
    trigger = {"logical_date": None, "conf": {"folder": str(production.folder)}}
    (production.folder / "go").touch()
    triggers = {name for name, api in people.items() if not refused(api, "POST", "dags/waits/dagRuns", json=trigger)}
    assert triggers == people.keys() - {"viewer"}
    runs = people["viewer"].call("GET", "dags/waits/dagRuns")["dag_runs"]
    assert {run["triggering_user_name"] for run in runs} == triggers


def test_a_required_action_is_answered_by_whom_it_is_assigned_to(people: dict[str, AirflowApi]) -> None:
    run_id = people["analyst"].trigger("asks")
    path = f"dags/asks/dagRuns/{run_id}/taskInstances/ask/-1/hitlDetails"
    waiting = f"dags/~/dagRuns/{run_id}/hitlDetails"
    until(lambda: people["manager"].call("GET", waiting, params={"response_received": False})["hitl_details"])
    answer = {"chosen_options": ["Approve"], "params_input": {}}
    answered = [name for name in people if not refused(people[name], "PATCH", path, json=answer)]
    assert answered == ["manager"]
    until(lambda: state(people["admin"], "asks", run_id) == "success")
    given = people["viewer"].call("GET", f"dags/asks/dagRuns/{run_id}/taskInstances/ask/xcomEntries/return_value")
    assert "'manager'" in str(given["value"])


def test_stopped_workers_end_their_task_first(
    production: Production, people: dict[str, AirflowApi], tmp_path: Path
) -> None:
    conf = {"folder": str(tmp_path)}
    run_id = people["engineer"].trigger("waits", conf)
    until((tmp_path / "began").exists)
    stopping = {name: production.running.pop(name) for name in ("worker-1", "worker-2")}
    try:
        for worker in stopping.values():
            worker.terminate()
        # The one that is idle ends; the other one waits for its task.
        until(lambda: [worker for worker in stopping.values() if worker.poll() is not None])
        assert state(people["engineer"], "waits", run_id) == "running"
        assert [worker for worker in stopping.values() if worker.poll() is None]
        (tmp_path / "go").touch()
        assert [worker.wait(PATIENCE) for worker in stopping.values()] == [0, 0]
        assert state(people["engineer"], "waits", run_id) == "success"
    finally:
        for name in stopping:
            production.start(name)


def test_a_changed_password_of_the_administrator_is_set(production: Production) -> None:
    def administrator(*passwords: str) -> list[str]:
        said = production.run("init", sys.executable, "-c", SET_PASSWORDS, json.dumps(passwords)).stdout.splitlines()
        return [line for line in said if line.startswith("The user admin")]

    given = production.variables["ADMIN_PASSWORD"]
    try:
        assert administrator(given, "another-one", "another-one") == [
            "The user admin is there.",
            "The user admin has a new password.",
            "The user admin is there.",
        ]
        assert production.api("admin", "another-one").dags()
        with pytest.raises(requests.HTTPError, match="401"):
            production.api("admin", given).dags()
    finally:
        administrator(given)


def test_nothing_shows_a_secret(production: Production, people: dict[str, AirflowApi]) -> None:
    secrets = {
        name: value
        for name, value in production.variables.items()
        if name.endswith(("_PASSWORD", "_SECRET", "_TOKEN", "_KEY")) and len(value) > 8
    }
    assert len(secrets) > 15
    shown = {name: production.log(name).read_text() for name in (*production.running, "init")}
    for name, process in production.running.items():
        family = [process, *process.children(recursive=True)]
        shown[f"{name}'s arguments"] = " ".join(word for one in family for word in one.cmdline())
    for where, text in shown.items():
        assert text or where == "sandbox", where
        assert not [name for name, value in secrets.items() if value in text], where
