"""The models of attribution over more and more orders, and DuckDB over the same rows."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg

from bench.attribution.checks import check_marts, check_peer
from bench.attribution.report import ASOF, INDEXES, MODELS, ROUND_TRIP, RULES, Size, Took, tell, tell_all
from bench.attribution.world import World, fill
from bench.common import postgres
from bench.common.memory import peak_of_backends
from bench.common.processes import PostgresCpu, run_side
from bench.common.report import machine, say
from tributary.local.bootstrap import PEERS_VENV, python

if TYPE_CHECKING:
    from argparse import Namespace

SMALLEST, MILLION = 10_000, 1_000_000
LAST_CLICKS, *OTHERS = MODELS


def run(options: Namespace) -> None:
    """Ten thousand orders, the number that was asked for, and a million if that is asked for too; each twice."""
    numbers = sorted({SMALLEST, options.orders, *((MILLION,) if options.million else ())})
    sizes = []
    with postgres.server() as server:
        where = machine(server) | {"dbt": version("dbt-core"), "dbt-postgres": version("dbt-postgres")}
        for orders in numbers:
            for skewed in (False, True):
                sizes.append(_measure(server, orders, skewed, options.runs))
                tell(sizes[-1])
    tell_all(sizes, where)


@dataclass
class _Bench:
    """A warehouse, the folder of what is made beside it, and what each side took in it."""

    url: str
    folder: Path
    cpu: PostgresCpu
    took: defaultdict[str, list[Took]] = field(default_factory=lambda: defaultdict(list))

    def model(self, name: str) -> None:
        """Build a model as it is."""
        run, server_mb = self._side(sys.executable, "bench.marts.dbt_build", self.dbt(name))
        # Without the seconds in which dbt reads the project.
        self.took[name].append(Took(run.said["models"][name]["seconds"], run.server_cpu, server_mb))

    def indexes(self, world: World) -> None:
        """Make what dbt makes after it has made the touches."""
        asked = {"url": self.url, "indexes": world.indexes}
        run, server_mb = self._side(sys.executable, "bench.attribution.index_build", asked)
        self.took[INDEXES].append(Took(run.seconds, run.server_cpu, server_mb))

    def duckdb(self, name: str, mode: str) -> None:
        """Let DuckDB do it, and see whether it comes to the same."""
        run, server_mb = self._peer(mode)
        check_peer(self.url, ties=mode != "asof")
        cpu = run.client_cpu + (run.server_cpu if mode == "round_trip" else 0)
        self.took[name].append(Took(run.seconds, cpu, run.peak_mb + (server_mb if mode == "round_trip" else 0)))

    def export(self) -> str:
        """Lay down the rows as Parquet; says DuckDB's version."""
        return str(self._peer("export")[0].said["duckdb"])

    def dbt(self, *models: str) -> dict[str, Any]:
        """What dbt is asked for."""
        return {
            "target": str(self.folder),
            "environment": postgres.dbt_environment(self.url),
            "models": models,
        }

    def _peer(self, mode: str) -> Any:
        asked = {"mode": mode, "url": self.url, "folder": str(self.folder)}
        return self._side(python(PEERS_VENV), "bench.attribution.duckdb_asof", asked)

    def _side(self, interpreter: str | Path, module: str, asked: dict[str, Any]) -> Any:
        postgres.settle(self.url)
        with peak_of_backends(self.url) as peak:
            run = run_side(interpreter, module, asked, self.cpu)
        return run, peak[0]


def _measure(server: str, orders: int, skewed: bool, runs: int) -> Size:
    with postgres.warehouse(server) as url, TemporaryDirectory() as folder:
        bench = _Bench(url, Path(folder), PostgresCpu(server))
        # The tables as dbt makes them, and nothing in them.
        made = bench.dbt(*(f"+{model}" for model in MODELS))
        run_side(sys.executable, "bench.marts.dbt_build", made, bench.cpu)
        with psycopg.connect(url) as conn:
            conn.execute("create schema bench")
        world = fill(url, orders, skewed=skewed)
        say(f"\n{world.name}: {world.touches:,} touches of {world.megabytes:,.0f} MB. Measuring ...")
        bench.indexes(world)
        duckdb = bench.export()
        for _ in range(runs):
            bench.model(LAST_CLICKS)
            bench.duckdb(RULES, "rules")
            bench.duckdb(ASOF, "asof")
            bench.duckdb(ROUND_TRIP, "round_trip")
        for model in OTHERS:
            bench.model(model)
        check_marts(url, world)
    return Size(world, dict(bench.took), duckdb)
