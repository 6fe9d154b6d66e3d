"""Each side in a process of its own: its time, its CPU seconds and PostgreSQL's, its peak memory."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil
import psycopg

from bench.common.memory import peak_of_tree
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SideFailedError(RuntimeError):
    """A measured process ended with an error; its own words are on the terminal."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one side took."""

    seconds: float
    client_cpu: float
    server_cpu: float
    peak_mb: float
    """Of the client's processes together; PostgreSQL's are apart."""
    said: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Median:
    """The medians of a side's runs, each figure on its own."""

    seconds: float
    client_cpu: float
    server_cpu: float
    peak_mb: float

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Median:
        return cls(*(median(getattr(run, name) for run in runs) for name in cls.__slots__))

    @property
    def cpu(self) -> float:
        """Of both processes: what does not depend on how busy the machine was."""
        return self.client_cpu + self.server_cpu


class PostgresCpu:
    """The CPU seconds that a server has used, backends that ended included."""

    def __init__(self, url: str) -> None:
        with psycopg.connect(url) as conn:
            self._postmaster = psutil.Process(conn.info.backend_pid).parent()

    def seconds(self) -> float:
        if self._postmaster is None:
            return 0.0
        own = self._postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._postmaster.children():
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
        return total


def run_side(python: str | Path, module: str, arguments: dict[str, Any], cpu: PostgresCpu, **environment: str) -> Run:
    """Run a module with its arguments as JSON; the last line it prints is what it measured."""
    before = cpu.seconds()
    process = subprocess.Popen(
        [python, "-m", module, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    with peak_of_tree(process.pid) as peak:
        out, _ = process.communicate()
    if process.returncode:
        raise SideFailedError(f"{module} {arguments} ended with {process.returncode}")
    said = json.loads(out.splitlines()[-1])
    return Run(
        seconds=said.pop("seconds"),
        client_cpu=said.pop("client_cpu"),
        server_cpu=cpu.seconds() - before,
        peak_mb=max(said.pop("peak_mb"), peak[0]),
        said=said,
    )
