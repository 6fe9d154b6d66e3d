"""The Celery workers of an installation: who one of them is, and which of them answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tributary.local import redis_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def own_name() -> str:
    """Airflow notes it with every task that this worker runs; all workers of one machine share its host name."""
    return os.environ["HONCHO_PROCESS_NAME"]


def answering(env: Mapping[str, str], names: Iterable[str], patience: float = 3) -> dict[str, int]:
    """The process ids of the workers that answer, by their name, as soon as all of these have."""
    from celery import Celery  # type: ignore[import-untyped]

    if not redis_server.answers(env):
        return {}
    app = Celery(broker=env["AIRFLOW__CELERY__BROKER_URL"], set_as_current=False)
    inspect = app.control.inspect([f"celery@{name}" for name in names], timeout=patience)
    try:
        answers = inspect.stats() or {}
    finally:
        app.close()
    return {node.partition("@")[2]: answer["pid"] for node, answer in answers.items()}
