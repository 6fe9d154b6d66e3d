"""An installation of its own per test, where PostgreSQL's account can reach it when root runs the tests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tributary.local import environment, processes
from tributary.local.environment import Installation
from tributary.local.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An empty installation on ports of its own, untouched by what the user has set; stopped at the end."""
    monkeypatch.delenv("TRIBUTARY_POSTGRES_URL", raising=False)
    monkeypatch.delenv("TRIBUTARY_WORKERS", raising=False)
    for server in environment.PORTS:
        monkeypatch.delenv(f"TRIBUTARY_PORT_{server.upper()}", raising=False)
        # The usual ports are for an installation that starts at the same time.
        monkeypatch.setitem(environment.PORTS, server, free_port())
    monkeypatch.setattr(environment, "dotenv", dict)
    with tempfile.TemporaryDirectory(prefix="tributary-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        made = Installation(Path(folder).resolve() / "it's here")
        yield made
        processes.stop(made)
