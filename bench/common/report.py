"""What a benchmark prints and keeps: figures of each side, ratios against goals, the machine and the versions."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg

from bench.common.processes import Median
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.common.processes import Run

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster than something else, and how much it should be."""

    what: str
    measured: float
    goal: float

    def line(self) -> str:
        verdict = "reached" if self.measured >= self.goal else "MISSED"
        return f"{self.what:<52} {self.measured:>6.2f}   goal {self.goal:>5.2f}   {verdict}"


def table(sides: Mapping[str, Sequence[Run]], rows: int) -> str:
    """The medians of each side's runs; thousands of rows a second first."""
    lines = [f"{'':<34} {'k rows/s':>9} {'seconds':>8} {'CPU s':>7} {'of them PostgreSQL':>19} {'peak MB':>8}"]
    for name, runs in sides.items():
        middle = Median.of(runs)
        lines.append(
            f"{name:<34} {rows / middle.seconds / 1000:>9.1f} {middle.seconds:>8.2f} {middle.cpu:>7.2f} "
            f"{middle.server_cpu:>19.2f} {middle.peak_mb:>8.0f}"
        )
    return "\n".join(lines)


def machine(server_url: str) -> dict[str, str]:
    """Where it ran."""
    with psycopg.connect(server_url) as conn:
        row = conn.execute("select current_setting('server_version'), current_setting('fsync')").fetchone()
    postgres, fsync = row or ("", "")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": platform.platform(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "PostgreSQL": f"{postgres}, fsync {fsync}",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("psycopg", "msgspec", "requests")},
    }


def keep(benchmark: str, content: dict[str, Any], sides: Mapping[str, Sequence[Run]]) -> Path:
    """Write everything down, every single run too."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}-{benchmark}.json"
    runs = {name: [asdict(run) for run in of_side] for name, of_side in sides.items()}
    path.write_text(json.dumps({**content, "runs": runs}, indent=1))
    return path


def say(text: str = "") -> None:
    """Tell the person who waits, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
