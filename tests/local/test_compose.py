"""The production shape names nothing that the image, the settings or the code do not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.configuration import conf

from tributary.local import processes
from tributary.local.environment import parse_env, prepare
from tributary.local.settings import REFERENCE, SETTINGS
from tributary.paths import ROOT

if TYPE_CHECKING:
    from tributary.local.environment import Installation

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yaml").read_text()


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    """The services by name."""
    return yaml.safe_load(COMPOSE)["services"]


def test_every_airflow_process_is_there_once_and_runs_our_image(services: dict[str, dict[str, Any]]) -> None:
    ours = {name: service for name, service in services.items() if "build" in service}
    assert ours.keys() == {"init", "worker", *processes.GROUPS["airflow"]}
    assert len({service["image"] for service in ours.values()}) == 1
    for name in processes.GROUPS["airflow"]:
        assert ours[name]["command"] == ["airflow", name]
        assert "healthcheck" in ours[name]


def test_everything_waits_for_the_initialisation(services: dict[str, dict[str, Any]]) -> None:
    for name in ("worker", *processes.GROUPS["airflow"]):
        assert services[name]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}


def test_the_settings_find_their_variables(services: dict[str, dict[str, Any]]) -> None:
    wanted = set(REFERENCE.findall(re.sub(r"^ *#.*", "", SETTINGS.read_text(), flags=re.MULTILINE)))
    assert wanted
    assert wanted <= services["init"]["environment"].keys()


def test_all_airflow_processes_share_one_configuration(services: dict[str, dict[str, Any]]) -> None:
    configurations = [
        {key: value for key, value in service["environment"].items() if key.startswith("AIRFLOW__")}
        for service in services.values()
        if "build" in service
    ]
    assert all(configuration == configurations[0] for configuration in configurations)
    assert configurations[0]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_airflow_knows_every_setting(services: dict[str, dict[str, Any]], installation: Installation) -> None:
    names = {*re.findall(r"AIRFLOW__\w+", DOCKERFILE), *services["worker"]["environment"], *prepare(installation)}
    settings = [name.lower().split("__")[1:] for name in names if name.startswith("AIRFLOW__")]
    assert settings
    for section, option in settings:
        # Those of providers are known to Airflow only where the provider is installed.
        if section not in ("celery", "cosmos"):
            assert option in conf.configuration_description[section]["options"]


def test_every_secret_is_required_and_listed_for_the_user() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    optional = set(re.findall(r"\$\{(\w+):-", COMPOSE))
    assert set(re.findall(r"\$\{(\w+)[}:]", COMPOSE)) == required | optional
    example = parse_env(re.sub(r"^#(?=[A-Z0-9_]+=)", "", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert required <= example.keys()


def test_the_image_copies_what_exists_and_the_context_lets_through() -> None:
    copied = {name for sources in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in sources.split()}
    assert copied
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in copied:
        assert (ROOT / name).exists()
        assert any(name == pattern or (name.startswith("requirements") and "*" in pattern) for pattern in let_through)
