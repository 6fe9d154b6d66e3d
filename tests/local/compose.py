"""docker-compose.yaml and the Dockerfile as compose and the engine would read them, without either."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import yaml

from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yaml").read_text()
DEMO = "demo"
IMAGE = "tributary:0.1.0"

_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")


class MissingError(Exception):
    """What compose ends with when a required variable is not set: its name and what the file says of it."""


def interpolated(value: Any, env: Mapping[str, str]) -> Any:
    """A value of the file with the variables in place, at any depth."""
    if isinstance(value, dict):
        return {key: interpolated(inner, env) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, env) for inner in value]
    return _REFERENCE.sub(lambda match: _value(match, env), value) if isinstance(value, str) else value


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    dollar, name, operator, text = match.groups()
    if dollar:
        return "$"
    if operator == ":?" and not env.get(name):
        raise MissingError(f"{name}: {text}")
    return env.get(name) or (text if operator == ":-" else "")


def read(env: Mapping[str, str]) -> dict[str, Any]:
    """The whole file, as `docker compose config` shows it with these variables in the environment's file."""
    document: dict[str, Any] = interpolated(yaml.safe_load(COMPOSE), env)
    for service in document["services"].values():
        if service.pop("env_file", None):
            service["environment"] = {**env, **service["environment"]}
    return document


def required() -> set[str]:
    """The variables without which nothing starts."""
    return set(re.findall(r"\$\{(\w+):\?", COMPOSE))


def image_environment() -> dict[str, str]:
    """What the image sets in every container, but for what is given to its build."""
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    words = (word.partition("=") for word in shlex.split(block.replace("\\\n", " ")))
    return {name: value for name, _, value in words if not value.startswith("${")}


def image_entrypoint() -> list[str]:
    """What the image puts before a service's command."""
    [line] = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)
    entrypoint: list[str] = json.loads(line)
    return entrypoint
