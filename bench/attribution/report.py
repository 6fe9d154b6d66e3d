"""What the benchmark of attribution prints and keeps."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.common.report import keep, say
from tributary.paths import ROOT

if TYPE_CHECKING:
    from bench.attribution.world import World

MODELS = ("int_last_clicks", "fct_attributed_orders", "fct_attribution_ledger", "fct_attribution_credits")
INDEXES = "indexes of int_touchpoints"
RULES, ASOF, ROUND_TRIP = "DuckDB, all rules, Parquet", "DuckDB, ASOF alone", "PostgreSQL > DuckDB > PostgreSQL"
SLOWER, SLOWER_SKEWED, ROUND, EXPONENT = 3, 1, 1, 1.1
GOALS_FROM = 100_000
"""Orders. With fewer, what dbt does around any model takes longer than the model."""


@dataclass(frozen=True, slots=True)
class Took:
    """One run of one side; memory is that of the processes that did the work."""

    seconds: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Size:
    """Everything of one number of orders."""

    world: World
    took: dict[str, list[Took]]
    duckdb: str

    def seconds(self, side: str) -> float:
        return median(took.seconds for took in self.took[side])

    def ratio(self, side: str) -> float:
        """How many times as long the last click takes as another side."""
        return self.seconds(MODELS[0]) / self.seconds(side)


def tell(size: Size) -> None:
    """What each side took, the medians of its runs."""
    say(f"{'':<36}{'k orders/s':>11}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}")
    for side, runs in size.took.items():
        cpu, peak_mb = median(took.cpu for took in runs), median(took.peak_mb for took in runs)
        speed = size.world.orders / size.seconds(side) / 1000
        say(f"{side:<36}{speed:>11.1f}{size.seconds(side):>9.2f}{cpu:>8.2f}{peak_mb:>9.0f}")


def tell_all(sizes: list[Size], where: dict[str, str]) -> None:
    """Whether the goals are reached, and where it ran; all of it is kept."""
    where = where | {"DuckDB": f"{sizes[0].duckdb}, 2 threads"}
    say("\n" + "; ".join(f"{name} {value}" for name, value in where.items()) + "\n")
    goals = _goals(sizes)
    for what, (measured, goal) in goals.items():
        verdict = "" if goal is None else f"   goal {goal:>5.2f}   {'reached' if measured <= goal else 'MISSED'}"
        say(f"{what:<76}{measured:>7.2f}{verdict}")
    content = {
        "sizes": [
            asdict(size.world) | {"took": {side: [asdict(took) for took in runs] for side, runs in size.took.items()}}
            for size in sizes
        ],
        "machine": where,
        "goals": {what: {"measured": measured, "goal": goal} for what, (measured, goal) in goals.items()},
    }
    say(f"\n{keep('attribution', content, {}).relative_to(ROOT)}")


def _goals(sizes: list[Size]) -> dict[str, tuple[float, float | None]]:
    """Each with what was measured, and what it should be at most; None where nothing was promised."""
    goals: dict[str, tuple[float, float | None]] = {}
    for size in sizes:
        of = f"{size.world.name}: last click /"
        promised = {RULES: SLOWER_SKEWED if size.world.skewed else SLOWER, ROUND_TRIP: ROUND}
        for side in (RULES, ROUND_TRIP, ASOF):
            goal = promised.get(side) if size.world.orders >= GOALS_FROM else None
            goals[f"{of} {side}"] = (size.ratio(side), goal)
    for first in sizes:
        last = next(size for size in reversed(sizes) if size.world.skewed == first.world.skewed)
        if first is not last:
            for side in MODELS:
                what = f"exponent of {side}, {first.world.name} to {last.world.orders:,}"
                goals[what] = (_exponent(first, last, side), EXPONENT)
    return goals


def _exponent(small: Size, large: Size, side: str) -> float:
    """By which power of the number of orders the time grows."""
    return math.log(large.seconds(side) / small.seconds(side)) / math.log(large.world.orders / small.world.orders)
