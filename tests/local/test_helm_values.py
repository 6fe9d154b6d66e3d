"""The values for Kubernetes say what compose says, so that neither drifts from the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tributary.local.settings import SETTINGS, read_settings
from tributary.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
INIT = COMPOSE["services"]["init"]
VALUES = yaml.safe_load((ROOT / "include" / "kubernetes" / "values.yaml").read_text())
JOB = VALUES["migrateDatabaseJob"]

# What the chart sets by itself, or what concerns Celery alone.
CHARTS_OWN = {
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    # Its probes ask the database instead.
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
}


def named(entries: list[dict[str, str]]) -> dict[str, str]:
    """A list of variables as Kubernetes wants it."""
    return {entry["name"]: entry["value"] for entry in entries}


def steps(script: str) -> list[str]:
    """The programs that a script runs, one after the other."""
    return re.findall(r"^ *(python -m .*)$", script, re.MULTILINE)


def test_every_setting_of_compose_is_the_charts_or_here() -> None:
    shared = {name for name in COMPOSE["services"]["scheduler"]["environment"] if "__CELERY" not in name}
    assert shared == CHARTS_OWN | named(VALUES["env"]).keys()


def test_the_job_takes_the_steps_of_composes_init() -> None:
    [script] = INIT["command"]
    assert steps(JOB["args"][-1]) == steps(script) != []


@pytest.fixture
def environment_of_step(tmp_path: Path) -> dict[str, str]:
    """What the job's last step finds in its environment, with an .env as it is made for compose."""
    made = [sys.executable, "-m", "tributary.local.compose_env", "--demo"]
    (tmp_path / ".env").write_text(subprocess.run(made, check=True, capture_output=True, text=True).stdout)
    (tmp_path / "python").write_text(f"#!/bin/sh\nexport -p > '{tmp_path}/seen'\n")
    (tmp_path / "python").chmod(0o755)
    command = [*JOB["command"], *JOB["args"][:-1], JOB["args"][-1].replace("/run/tributary/", f"{tmp_path}/")]
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **named(VALUES["env"]), **named(JOB["env"])}
    subprocess.run(command, env=env, check=True)
    seen = (tmp_path / "seen").read_text()
    read = ["bash", "-c", 'set -a; . "$1"; env -0', "bash", str(tmp_path / "seen")]
    assert seen
    lines = subprocess.run(read, check=True, capture_output=True, text=True, env={}).stdout.split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def test_the_job_finds_all_that_composes_init_finds(environment_of_step: dict[str, Any]) -> None:
    # The administrator's URL names a server of your own: .env has it, as that of `make demo` may.
    wanted = INIT["environment"].keys() - CHARTS_OWN - {"TRIBUTARY_POSTGRES_URL"}
    assert {name for name in wanted - environment_of_step.keys() if "__CELERY" not in name} == set()
    assert environment_of_step["GA4_AURORA_KEYFILE"].startswith('{"type": "service_account"')
    assert len(read_settings(SETTINGS, environment_of_step)["connections"]) > 10
    password = environment_of_step["WAREHOUSE_PASSWORD"]
    assert (
        environment_of_step["WAREHOUSE_URL"] == f"postgresql://tributary_pipeline:{password}@db.example:5432/tributary"
    )


def test_no_secret_stands_in_the_file() -> None:
    variables = named(JOB["env"]) | named(VALUES["env"])
    assert [name for name in variables if re.search("SECRET|TOKEN$|PASSWORD|KEY", name) and variables[name]] == []
    assert VALUES["data"].keys() == {"metadataSecretName"}
