"""What many tests share: a PostgreSQL server, warehouses cloned from a migrated one, and an Airflow home of its own."""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from xdist.scheduler import LoadFileScheduling

from tributary.channels import CHANNELS
from tributary.local.postgres import temporary_server
from tributary.paths import DBT_MANIFEST
from tributary.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]

# Airflow reads these when it is first imported, and would otherwise write to the user's home.
os.environ |= {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="tributary-airflow-"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "SODA_CORE_TELEMETRY_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that a second process goes through the rest meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


SHARING = ("tests/e2e/", "tests/backfill/")
"""Folders whose tests share what takes long to make: an installation, a built warehouse."""


class ByFile(LoadFileScheduling):
    """The tests of a file stay in one process, and so do all of a folder that share something."""

    def _split_scope(self, nodeid: str) -> str:
        shared = next((folder for folder in SHARING if nodeid.startswith(folder)), None)
        return shared or str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How tests go to processes when there are several (`make test`)."""
    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Figures that tests measured (`record_property("figures", ...)`): what they print themselves is not seen."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, figures in getattr(report, "user_properties", ()):
            if name == "figures":
                terminalreporter.section("figures")
                terminalreporter.write_line(str(figures))


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The superuser's URL of a server that all tests share."""
    with temporary_server() as url:
        yield url


@contextmanager
def new_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a database that is dropped afterwards."""
    name = f"tributary_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield server_url.rpartition("/")[0] + f"/{name}"
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def migrated_database(postgres_server_url: str) -> Iterator[str]:
    """The name of the database that the warehouses of tests are cloned from."""
    with new_database(postgres_server_url) as url:
        migrate(url, CHANNELS)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def warehouse_url(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """A fresh migrated warehouse."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture
def connect(warehouse_url: str) -> Callable[[], psycopg.Connection]:
    """Opens a connection to the test's warehouse."""
    return lambda: psycopg.connect(warehouse_url)


@pytest.fixture(scope="session")
def manifest() -> Path:
    """dbt's manifest where the DAGs look for it, put there at once: an installation may be reading it."""
    from dbt.cli.main import dbtRunner

    project = DBT_MANIFEST.parents[1]
    DBT_MANIFEST.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DBT_MANIFEST.parent) as made, pytest.MonkeyPatch.context() as patch:
        for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"):
            patch.setenv(f"WAREHOUSE_{name}", "1")
        folders = ("--project-dir", str(project), "--profiles-dir", str(project))
        parse = dbtRunner().invoke(["--quiet", "parse", *folders, "--target-path", made, "--log-path", made])
        assert parse.success, parse.exception
        Path(made, DBT_MANIFEST.name).replace(DBT_MANIFEST)
    return DBT_MANIFEST
