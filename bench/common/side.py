"""What one measured process says of itself. Standard library only, because peers run in environments of their own."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Time the block, without what the process needed to start; prints the figures and what was added to them."""
    said: dict[str, Any] = {}
    cpu, started = _cpu_seconds(), time.perf_counter()
    yield said
    said |= {
        "seconds": time.perf_counter() - started,
        "client_cpu": _cpu_seconds() - cpu,
        "peak_mb": _peak_kilobytes() / 1024,
    }
    sys.stdout.write(json.dumps(said) + "\n")


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_kilobytes() -> int:
    """Of this program alone: `ru_maxrss` would count what the process that started it held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
