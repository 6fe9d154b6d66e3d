"""Slim CI as the workflow runs it: a warehouse with a production in it, and a checkout that a pull request changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from tests.backfill.kill_build import run_dbt
from tests.conftest import new_database
from tests.dbt.conftest import MERCHANTS
from tests.dbt.shop import line, load, order
from tributary.channels import CHANNELS
from tributary.paths import DBT_PROJECT, ROOT
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCHEMA = "ci_42"


@dataclass
class PullRequest:
    """A checkout that changes production's, and what slim CI says of it."""

    home: Path
    production: Path
    out: Path
    url: str

    @contextmanager
    def changing(self, path: str, change: Callable[[str], str]) -> Iterator[None]:
        """Let a file read otherwise, or be there at all."""
        file = self.home / path
        before = file.read_text() if file.exists() else None
        file.write_text(change(before or ""))
        try:
            yield
        finally:
            file.unlink() if before is None else file.write_text(before)

    def judge(self, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Slim CI, as the workflow calls it."""
        address = urlsplit(self.url)
        warehouse = {
            "WAREHOUSE_HOST": "127.0.0.1",
            "WAREHOUSE_PORT": str(address.port),
            "WAREHOUSE_USER": address.username or "",
            "WAREHOUSE_PASSWORD": unquote(address.password or ""),
            "WAREHOUSE_DATABASE": address.path.lstrip("/"),
        }
        places = ("--production", str(self.production), "--schema", SCHEMA, "--out", str(self.out))
        return subprocess.run(
            [sys.executable, "-m", "tributary.ci.slim", *places, *more],
            env={**os.environ, "TRIBUTARY_HOME": str(self.home), **warehouse, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def comment(self) -> str:
        """What would stand under the pull request."""
        return (self.out / "comment.md").read_text()

    def ran(self) -> dict[str, str]:
        """Each node that dbt ran and what became of it, by dbt's own results."""
        results = json.loads((self.out / "dbt" / "run_results.json").read_text())["results"]
        return {result["unique_id"]: result["status"] for result in results}

    def models(self) -> set[str]:
        """The models that dbt built."""
        return {name.rpartition(".")[2] for name, status in self.ran().items() if name.startswith("model.")}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the warehouse answers."""
        with psycopg.connect(self.url) as conn:
            return conn.execute(query).fetchall()  # type: ignore[arg-type]


def checkout(folder: Path) -> Path:
    """What slim CI reads of a checkout."""
    shutil.copytree(DBT_PROJECT, folder / "dbt", ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copytree(ROOT / "include" / "contracts", folder / "include" / "contracts")
    return folder


@pytest.fixture(scope="package")
def pull_request(
    postgres_server_url: str, migrated_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PullRequest]:
    """A production with two days of a merchant, and a pull request that changes nothing yet."""
    folder = tmp_path_factory.mktemp("slim")
    production = checkout(folder / "production")
    with new_database(postgres_server_url, template=migrated_database) as url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(MERCHANTS)
            for number, day in enumerate(("2026-11-02", "2026-11-03"), 1):
                sold = order(number, f"{day}T12:00:00Z", line(number, "20.00"), total="20.00", customer=number)
                load(conn, "aurora", sold)
            build = open_build(conn, "build", CHANNELS, everything=True)
            assert build is not None
            target = production / "dbt" / "target"
            run_dbt(url, target, "build", project=production / "dbt")
            publish(conn, build.build_id, "build", "aurora", target / "manifest.json")
            # The build of an hour later is about other days: what people read stands in marts alone.
            conn.execute("truncate build.fct_aov")
        yield PullRequest(checkout(folder / "change"), production, folder / "out", url)
