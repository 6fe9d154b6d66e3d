"""Loads `airflow_settings.yaml`, the one source of connections, pools and variables, into Airflow's metadata.

The file has the Astro CLI's format. Secrets are not in it: `${NAME}` stands for an environment variable, which must be
there, and `${NAME:-value}` has a value without it. Loading twice changes nothing, and entries that somebody made in the
UI under other names stay.

python -m tributary.local.settings            loads them
python -m tributary.local.settings --print    prints them with the variables in place, as the Astro CLI wants them
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import yaml

from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTINGS = ROOT / "airflow_settings.yaml"
REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}")
CONNECTION = {
    "conn_id": "conn_id",
    "conn_type": "conn_type",
    "conn_host": "host",
    "conn_schema": "schema",
    "conn_login": "login",
    "conn_password": "password",
    "conn_port": "port",
    "conn_extra": "extra",
    "conn_uri": "uri",
}


class SettingsError(ValueError):
    """What is wrong in the settings file, and where; never holds a value of the environment."""


def read_settings(path: Path, env: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The connections, pools and variables of the file, with the environment's values in place."""
    document = yaml.safe_load(path.read_text()) or {}
    airflow = document.get("airflow") or {}
    settings = {kind: airflow.get(kind) or [] for kind in ("connections", "pools", "variables")}
    keys = {"connections": "conn_id", "pools": "pool_name", "variables": "variable_name"}
    return {
        kind: [
            {
                field: expand(value, env, f"{path.name}: {keys[kind]} {entry[keys[kind]]}, {field}")
                for field, value in entry.items()
            }
            for entry in entries
            if entry.get(keys[kind])
        ]
        for kind, entries in settings.items()
    }


def expand(value: Any, env: Mapping[str, str], where: str) -> Any:
    """Replace every `${NAME}` in a value, at any depth."""
    if isinstance(value, dict):
        return {key: expand(inner, env, f"{where}.{key}") for key, inner in value.items()}
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        if not env.get(name) and default is None:
            raise SettingsError(
                f"{where}: the environment variable {name} is not set. Set it in .env beside the Makefile, "
                "or in the environment of whatever loads this file."
            )
        return env.get(name) or default or ""

    return REFERENCE.sub(replace, value)


def load(path: Path = SETTINGS, env: Mapping[str, str] = os.environ) -> str:
    """Write the settings to the metadata database and say what was written."""
    from airflow.models import Connection, Pool, Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    settings = read_settings(path, env)
    with create_session() as session:
        for entry in settings["connections"]:
            declared = Connection(**connection_arguments(entry))
            existing = session.scalar(select(Connection).where(Connection.conn_id == declared.conn_id))
            connection = existing or declared
            for name in ("conn_type", "host", "schema", "login", "password", "port", "extra"):
                setattr(connection, name, getattr(declared, name))
            session.add(connection)
        for entry in settings["pools"]:
            Pool.create_or_update_pool(
                entry["pool_name"],
                slots=int(entry["pool_slot"]),
                description=entry.get("pool_description") or "",
                include_deferred=False,
                session=session,
            )
        for entry in settings["variables"]:
            Variable.set(entry["variable_name"], entry["variable_value"], session=session)
    return ", ".join(f"{len(entries)} {kind}" for kind, entries in settings.items())


def connection_arguments(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the file as the arguments of Airflow's Connection."""
    unknown = sorted(set(entry) - set(CONNECTION))
    if unknown:
        raise SettingsError(f"Connection {entry['conn_id']}: unknown field {', '.join(unknown)}.")
    arguments = {CONNECTION[field]: value for field, value in entry.items() if value not in (None, "")}
    if "port" in arguments:
        arguments["port"] = int(arguments["port"])
    if isinstance(arguments.get("extra"), dict):
        arguments["extra"] = json.dumps(arguments["extra"])
    return arguments


def main() -> None:
    """Load the file, or print it."""
    parser = argparse.ArgumentParser(prog="python -m tributary.local.settings", description=load.__doc__)
    parser.add_argument("--print", action="store_true", help="print them with the variables in place instead")
    try:
        if parser.parse_args().print:
            yaml.safe_dump({"airflow": read_settings(SETTINGS, os.environ)}, sys.stdout, sort_keys=False)
        else:
            sys.stdout.write(load() + "\n")
    except SettingsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
