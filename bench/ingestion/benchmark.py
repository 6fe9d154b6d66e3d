"""Runs every side in turn, as often as asked, and reports their ratios."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.common import postgres
from bench.common.processes import Median, PostgresCpu, Run, run_side
from bench.common.report import Ratio, keep, machine, say, table
from bench.ingestion.bare_copy import prepare
from bench.ingestion.checks import check_counts, check_peer, check_warehouse
from bench.ingestion.orders import CHANGED_EVERY, Dataset, render
from bench.ingestion.vendor import vendor
from tributary.channels.shopify.api import API_VERSION, DOCUMENT
from tributary.local.bootstrap import PEERS_VENV, python
from tributary.paths import ROOT

if TYPE_CHECKING:
    from argparse import Namespace

CACHE = ROOT / ".local" / "bench"
MILLION = 1_000_000
COPY = "bare COPY"
FIRST, NOTHING, CHANGED = "Tributary, first load", "Tributary, nothing changed", "Tributary, 1 % changed"
# Name -> how the side runs, and in which files it loads. Parquet makes dlt keep json instead of jsonb.
DEFAULT, BEST, BEST_JSON = "dlt, defaults", "dlt, Arrow, csv", "dlt, Arrow, parquet (json)"
PEERS = {
    DEFAULT: ("default", ""),
    "dlt, nesting off, csv": ("tuned", "csv"),
    BEST: ("arrow", "csv"),
    BEST_JSON: ("arrow", "parquet"),
}
GROWTH, MEGABYTES = 1.1, 150


@dataclass
class Bench:
    """One server, one API, one set of orders; and what each side took so far."""

    server: str
    api: str
    dataset: Dataset
    cpu: PostgresCpu
    runs: defaultdict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))

    def copy(self, files: dict[str, str]) -> Run:
        """The rows as prepared, into empty tables."""
        with postgres.warehouse(self.server) as url:
            postgres.settle(url)
            run = run_side(sys.executable, "bench.ingestion.bare_copy", {"database": url, "files": files}, self.cpu)
            check_warehouse(url, self.dataset)
        return run

    def tributary(self, *, profile: bool = False) -> dict[str, Run]:
        """A first load; all of it read again unchanged; and again with some orders changed."""
        orders, children = self.dataset.orders, sum(self.dataset.children.values())
        changed = -(-orders // CHANGED_EVERY)
        with postgres.warehouse(self.server) as url:
            postgres.settle(url)
            first = self._sync(url, "first", profile)
            check_counts(first.said, inserted=orders + children, rejected=0)
            check_warehouse(url, self.dataset)
            # What an hour's autovacuum would have done; without a checkpoint everything is read from the beginning.
            postgres.settle(url, "delete from ops.checkpoints", "vacuum (analyze)")
            nothing = self._sync(url, "first", profile)
            check_counts(nothing.said, inserted=0, updated=0, removed=0, unchanged=orders + children)
            postgres.settle(url, "delete from ops.checkpoints")
            some = self._sync(url, "changed", profile)
            check_counts(some.said, inserted=0, updated=changed, removed=0, unchanged=orders + children - changed)
            check_warehouse(url, self.dataset, "changed")
        return {FIRST: first, NOTHING: nothing, CHANGED: some}

    def first_load(self) -> Run:
        """A first load alone."""
        with postgres.warehouse(self.server) as url:
            run = self._sync(url, "first", False)
            check_warehouse(url, self.dataset)
        return run

    def peer(self, way: str, files: str) -> Run:
        """Dlt, into an empty database."""
        with postgres.database(self.server) as url:
            postgres.settle(url)
            asked = {
                "database": url,
                "api": f"{self.api}/first",
                "path": f"admin/api/{API_VERSION}/graphql.json",
                "document": DOCUMENT,
                "way": way,
                "format": files,
                **self._window(),
            }
            run = run_side(python(PEERS_VENV), "bench.ingestion.dlt_merge", asked, self.cpu)
            check_peer(url, self.dataset, whole_payload=way == "arrow")
        return run

    def _sync(self, url: str, shown: str, profile: bool) -> Run:
        asked = {"database": url, "api": f"{self.api}/{shown}", "profile": profile, **self._window()}
        return run_side(sys.executable, "bench.ingestion.tributary_sync", asked, self.cpu)

    def _window(self) -> dict[str, str]:
        return {"start": self.dataset.start.isoformat(), "end": self.dataset.end.isoformat()}


def run(options: Namespace) -> None:
    """Every side, interleaved, in processes and databases of their own."""
    say(f"Rendering {options.orders:,} orders ...")
    dataset = render(options.orders, CACHE)
    with postgres.server() as server, vendor(dataset.folder) as api, TemporaryDirectory(dir=CACHE) as folder:
        bench = Bench(server, api, dataset, PostgresCpu(server))
        where = machine(server)
        files = prepare(f"{api}/first", dataset.start, dataset.end, Path(folder))
        # A new server's first megabytes of WAL cost more than all that follow, whoever writes them.
        bench.copy(files)
        for number in range(1, options.runs + 1):
            say(f"Run {number} of {options.runs} ...")
            _round(bench, files, with_peers=not options.without_peers)
        ratios = _ratios(bench.runs)
        _report(dataset, where, bench.runs, ratios)
        if options.profile:
            _tell_phases(bench.tributary(profile=True))
    if options.million:
        _memory(bench.runs[FIRST], options.orders)


def _round(bench: Bench, files: dict[str, str], *, with_peers: bool) -> None:
    bench.runs[COPY].append(bench.copy(files))
    for name, took in bench.tributary().items():
        bench.runs[name].append(took)
    for name, (way, written) in PEERS.items() if with_peers else ():
        bench.runs[name].append(bench.peer(way, written))


def _ratios(runs: dict[str, list[Run]]) -> list[Ratio]:
    seconds = {name: Median.of(of_side).seconds for name, of_side in runs.items()}
    ratios = [
        Ratio(f"{FIRST} / {COPY}", seconds[COPY] / seconds[FIRST], 0.7),
        Ratio(f"{CHANGED} / {COPY}", seconds[COPY] / seconds[CHANGED], 2),
        Ratio(f"{NOTHING} / {COPY}", seconds[COPY] / seconds[NOTHING], 3),
    ]
    goals = {DEFAULT: 10, BEST: 2.5, BEST_JSON: 2.5}
    ratios += [
        Ratio(f"{FIRST} / {peer}", seconds[peer] / seconds[FIRST], goals[peer]) for peer in goals if peer in runs
    ]
    return ratios


def _report(dataset: Dataset, where: dict[str, str], runs: dict[str, list[Run]], ratios: list[Ratio]) -> None:
    rows = {"orders": dataset.orders, **dataset.children}
    about = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    dlt = {str(took.said["dlt"]) for name in PEERS for took in runs.get(name, ())}
    where |= {"dlt": ", ".join(dlt)} if dlt else {}
    say(
        f"\n{about}; {dataset.bytes / dataset.orders:,.0f} bytes an order\n"
        + "; ".join(f"{name} {value}" for name, value in where.items())
    )
    say(f"\n{table(runs, dataset.orders)}\n")
    for ratio in ratios:
        say(ratio.line())
    kept = keep(
        "ingestion",
        {
            "rows": rows,
            "bytes": dataset.bytes,
            "machine": where,
            "ratios": {ratio.what: {"measured": ratio.measured, "goal": ratio.goal} for ratio in ratios},
        },
        runs,
    )
    say(f"\n{kept.relative_to(ROOT)}")


def _tell_phases(runs: dict[str, Run]) -> None:
    say("\nWhere the time goes, in a run of its own that was slower for being watched:")
    for name, took in runs.items():
        say(f"\n{name + f', {took.seconds:.2f} s':<34} {'waited s':>9} {'CPU s':>7}")
        for phase, (waited, cpu) in took.said["phases"].items():
            say(f"  {phase:<32} {waited:>9.2f} {cpu:>7.2f}")
        said = sum(waited for waited, _ in took.said["phases"].values())
        say(f"  {'the rest: Python, and its waiting':<32} {took.seconds - said:>9.2f}")


def _memory(runs: list[Run], orders: int) -> None:
    """The peak of ten times the orders, or as many as make a million."""
    small = Median.of(runs).peak_mb
    dataset = render(MILLION, CACHE, changed=False)
    with postgres.server() as server, vendor(dataset.folder) as api:
        large = Bench(server, api, dataset, PostgresCpu(server)).first_load()
    verdict = "reached" if large.peak_mb <= min(GROWTH * small, MEGABYTES) else "MISSED"
    say(
        f"\nmemory: {small:.0f} MB for {orders:,} orders, {large.peak_mb:.0f} MB for {MILLION:,} "
        f"({large.seconds:.0f} s); goal {GROWTH:g} times as much, below {MEGABYTES} MB   {verdict}"
    )
