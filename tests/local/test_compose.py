"""The production shape: valid, complete, without a secret, and refused by name when a variable is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.configuration import conf

from tests.local.compose import COMPOSE, DEMO, DOCKERFILE, IMAGE, MissingError, image_environment, read, required
from tributary.local import processes
from tributary.local.environment import parse_env, prepare
from tributary.local.settings import REFERENCE, SETTINGS, read_settings
from tributary.paths import ROOT

if TYPE_CHECKING:
    from tributary.local.environment import Installation

WORKERS = {"worker-1", "worker-2"}
JOBS = {"init"}
ASTRO = (ROOT / "astro.Dockerfile").read_text()


def made(*flags: str) -> dict[str, str]:
    """The file that the documented command writes."""
    command = [sys.executable, "-m", "tributary.local.compose_env", *flags]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Compose's quotes are not a shell's: inside of single ones it takes everything as it is, and nothing goes on after.
    assert all(re.fullmatch(r"\w+=('[^']*'|[^'\" #$]*)", line) for line in text.splitlines())
    return parse_env(text)


@pytest.fixture(scope="module")
def demo() -> dict[str, str]:
    """What a user of the profile `demo` has."""
    return made("--demo")


@pytest.fixture(scope="module")
def services(demo: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The services by name, with the demo's variables in place."""
    found: dict[str, dict[str, Any]] = read(demo)["services"]
    return found


def test_the_file_is_valid_by_the_compose_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, ROOT / "docker-compose.yaml"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_airflow_process_is_there_once_and_runs_our_image(services: dict[str, dict[str, Any]]) -> None:
    ours = {name: service for name, service in services.items() if service["image"] == IMAGE}
    assert ours.keys() == {"init", "sandbox", *WORKERS, *processes.GROUPS["airflow"]}
    assert [name for name, service in services.items() if "build" in service] == ["init"]
    assert services.keys() - ours.keys() == {"postgres", "redis"}
    for name in processes.GROUPS["airflow"]:
        assert ours[name]["command"] == ["airflow", name]
    for name in WORKERS:
        assert ours[name]["command"] == ["airflow", "celery", "worker", "--celery-hostname", name]
        assert f"celery@{name}" in ours[name]["healthcheck"]["test"]


def test_only_the_demo_has_a_sandbox(services: dict[str, dict[str, Any]]) -> None:
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == {
        "sandbox": [DEMO]
    }


def test_every_service_is_limited_and_says_how_it_is(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert ("healthcheck" in service) == (name not in JOBS), name


def test_what_must_last_is_in_a_named_volume(services: dict[str, dict[str, Any]]) -> None:
    named = set(yaml.safe_load(COMPOSE)["volumes"])
    kept = {volume.partition(":")[::2] for service in services.values() for volume in service.get("volumes", ())}
    assert {source for source, _ in kept if not source.startswith("./")} == named
    for name in ("postgres", "redis", "sandbox"):
        assert services[name]["volumes"]


def test_everything_waits_for_the_initialisation(services: dict[str, dict[str, Any]]) -> None:
    for name in (*WORKERS, *processes.GROUPS["airflow"]):
        assert services[name]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}
    assert services["init"]["depends_on"] == {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}


def test_a_worker_is_given_the_time_to_end_its_tasks(services: dict[str, dict[str, Any]]) -> None:
    for name in WORKERS:
        assert services[name]["stop_grace_period"] == "10m"
        # With a shell in between, the signal would end the shell and not reach the worker.
        assert services[name]["init"] is True
        assert "entrypoint" not in services[name]


def test_the_settings_find_their_variables(services: dict[str, dict[str, Any]]) -> None:
    assert len(read_settings(SETTINGS, services["init"]["environment"])["connections"]) > 10


def test_what_the_settings_miss_stops_the_start_before_anything_is_changed(services: dict[str, dict[str, Any]]) -> None:
    assert yaml.safe_load(COMPOSE)["services"]["init"]["env_file"] == "${TRIBUTARY_ENV_FILE:-.env}"
    [script] = services["init"]["command"]
    assert script.startswith("python -m tributary.local.settings --print > /dev/null\n")
    assert services["init"]["entrypoint"] == ["/bin/bash", "-euc"]
    command = [sys.executable, "-m", "tributary.local.settings", "--print"]
    own = read(made())["services"]["init"]["environment"]
    refused = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "SHOPIFY_AURORA_HOST is not set. Set it in .env" in refused.stderr


def test_only_the_initialisation_knows_the_vendors_secrets(services: dict[str, dict[str, Any]]) -> None:
    own = services["worker-1"]["environment"]
    assert {name for name in own if not name.startswith("AIRFLOW__")} == {"TRIBUTARY_ENVIRONMENT"}
    for name in (*WORKERS, *processes.GROUPS["airflow"]):
        assert services[name]["environment"] == own
    assert own.items() <= services["init"]["environment"].items()
    assert own["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_airflow_knows_every_setting(services: dict[str, dict[str, Any]], installation: Installation) -> None:
    names = {*re.findall(r"AIRFLOW__\w+", DOCKERFILE + ASTRO), *services["init"]["environment"], *prepare(installation)}
    settings = [name.lower().split("__")[1:] for name in names if name.startswith("AIRFLOW__")]
    assert settings
    for section, option in settings:
        # Those of providers are known to Airflow only where the provider is installed.
        if section not in ("celery", "cosmos", "fab"):
            assert option in conf.configuration_description[section]["options"]


def test_every_variable_is_required_or_has_a_default_and_is_listed_for_the_user() -> None:
    defaulted = set(re.findall(r"\$\{(\w+):-", COMPOSE))
    assert set(re.findall(r"\$\{(\w+)[}:]", COMPOSE)) == required() | defaulted
    example = parse_env(re.sub(r"^#(?=[A-Z0-9_]+=)", "", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    of_vendors = {name for name, default in REFERENCE.findall(SETTINGS.read_text()) if not name.startswith("WAREHOUSE")}
    assert required() | (of_vendors - {"NAME"}) <= example.keys()


@pytest.mark.parametrize("name", sorted(required()))
def test_what_is_missing_is_refused_by_name(name: str, demo: dict[str, str]) -> None:
    with pytest.raises(MissingError, match=rf"^{name}: set it in \.env"):
        read({other: value for other, value in demo.items() if other != name})


def test_the_demo_speaks_to_its_sandbox_alone(services: dict[str, dict[str, Any]]) -> None:
    hosts = {
        name: value
        for name, value in services["init"]["environment"].items()
        if name.endswith(("_HOST", "_URI")) or value.startswith("https:")
    }
    vendors = {name: value for name, value in hosts.items() if name not in ("WAREHOUSE_HOST", "SMTP_HOST")}
    assert len(vendors) > 10
    assert all(value.startswith(("http://sandbox:8090", "http://sandbox:8091")) for value in vendors.values()), vendors


def test_no_two_installations_share_a_secret() -> None:
    one, other = made(), made()
    assert one.keys() == other.keys() == required()
    assert not set(one.values()) & set(other.values())
    assert len(one["JWT_SECRET"]) >= 64
    for name, value in one.items():
        assert name.endswith("_KEY") or re.fullmatch(r"[\w-]{24,}", value), "it would have to be escaped in a URL"


def test_neither_file_nor_image_holds_a_secret(demo: dict[str, str]) -> None:
    secret = re.compile(r"PASSWORD|SECRET|TOKEN$|KEY$|KEYFILE|AUTH$|ROUTING")
    empty = read(dict.fromkeys(demo, "given"))
    for name, service in empty["services"].items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                assert value in ("given", ""), f"{name}: {variable}"
            assert not re.search(r":(?!given@)[^/@]+@", value), f"{name}: {variable} holds a password of its own"
    for dockerfile in (DOCKERFILE, ASTRO):
        assert set(re.findall(r"\w*(?:PASSWORD|SECRET|TOKEN|KEY)\w*=(\S+)", dockerfile)) == {"unused"}
    assert not re.search(r"^!.*\.env", (ROOT / ".dockerignore").read_text(), re.MULTILINE)


@pytest.mark.parametrize("dockerfile", [DOCKERFILE, ASTRO], ids=["compose", "astro"])
def test_the_image_copies_what_exists_and_the_context_lets_through(dockerfile: str) -> None:
    copied = {name for sources in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE) for name in sources.split()}
    assert copied
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in copied:
        assert (ROOT / name).exists()
        assert any(name == pattern or (name.startswith("requirements") and "*" in pattern) for pattern in let_through)


def test_the_image_says_which_code_it_holds(demo: dict[str, str]) -> None:
    build = read({**demo, "TRIBUTARY_CODE_VERSION": "abc1234"})["services"]["init"]["build"]
    assert build["args"] == {"TRIBUTARY_CODE_VERSION": "abc1234"}
    assert re.search(r"^ARG TRIBUTARY_CODE_VERSION$", DOCKERFILE, re.MULTILINE)
    assert "TRIBUTARY_CODE_VERSION=${TRIBUTARY_CODE_VERSION}" in DOCKERFILE


def test_the_images_paths_are_those_of_the_repository() -> None:
    image = image_environment()
    home = image["TRIBUTARY_HOME"]
    within = {name: value for name, value in image.items() if value.startswith(f"{home}/")}
    assert within.keys() >= {"AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__FAB__CONFIG_FILE"}
    for value in within.values():
        assert (ROOT / value.removeprefix(f"{home}/")).exists(), value


def test_the_astro_cli_takes_this_folder_for_a_project() -> None:
    project = yaml.safe_load((ROOT / ".astro" / "config.yaml").read_text())
    assert project == {"project": {"name": "tributary"}}
