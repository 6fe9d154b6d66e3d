"""What the benchmark of the marts prints and keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.common.report import keep, say
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.common.processes import Run
    from bench.marts.world import World

EXPONENT, SHARE = 1.1, 0.05
SLOWEST = 12


@dataclass(frozen=True, slots=True)
class Built:
    """What a build took, and what was in it."""

    days: int
    orders: int
    scope_seconds: float
    run: Run
    backends_mb: float

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        return dict(self.run.said["models"])

    def seconds(self, *, views: bool = True) -> float:
        """Of the models' execution, by dbt's run results."""
        return float(sum(model["seconds"] for model in self.models.values() if views or model["is_table"]))

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(model["rows"] for model in self.models.values() if model["is_table"])


@dataclass(frozen=True, slots=True)
class Size:
    """Everything of one number of orders."""

    world: World
    full: Built
    publish_seconds: float
    hour: Built


def tell(size: Size) -> None:
    """What one number of orders took."""
    world = size.world
    say(
        f"\n{world.orders:,} orders of {world.bytes / world.orders:,.0f} bytes by {world.customers:,} customers, "
        f"of whom {100 * world.returned / world.customers:.0f} % came back; "
        + ", ".join(f"{count:,} {table}" for table, count in world.rows.items() if table != "shopify_orders")
    )
    heads = ("days", "orders", "rows", "scope s", "dbt s", "models s", "tables s", "orders/s", "rows/s", "CPU s")
    say("\n" + " " * 9 + "".join(f"{head:>11}" for head in (*heads, "PostgreSQL", "dbt MB", "server MB")))
    for name, built in _both(size):
        took = built.run
        seconds = (built.scope_seconds, took.seconds, built.seconds(), built.seconds(views=False))
        say(
            f"{name:<9}{built.days:>11,}{built.orders:>11,}{built.rows:>11,}"
            + "".join(f"{one:>11.2f}" for one in seconds)
            + f"{built.orders / took.seconds:>11,.0f}{built.rows / took.seconds:>11,.0f}"
            f"{took.client_cpu + took.server_cpu:>11.1f}{took.server_cpu:>11.1f}"
            f"{took.peak_mb:>11.0f}{built.backends_mb:>11.0f}"
        )
    say(f"publication of all days: {size.publish_seconds:.2f} s")


def tell_all(sizes: list[Size], where: dict[str, str]) -> None:
    """What took longest, where it ran, and whether the goals are reached; all of it is kept."""
    _tell_slowest(sizes)
    say("\n" + "; ".join(f"{name} {value}" for name, value in where.items()) + "\n")
    goals = _goals(sizes)
    for what, (measured, goal) in goals.items():
        verdict = "reached" if measured <= goal else "MISSED"
        say(f"{what:<64} {measured:>7.3f}   goal {goal:>5.2f}   {verdict}")
    content = {
        "sizes": [_kept(size) for size in sizes],
        "machine": where,
        "goals": {what: {"measured": measured, "goal": goal} for what, (measured, goal) in goals.items()},
    }
    runs = {f"{size.world.orders} orders, {name}": [built.run] for size in sizes for name, built in _both(size)}
    say(f"\n{keep('marts', content, runs).relative_to(ROOT)}")


def _tell_slowest(sizes: list[Size]) -> None:
    """The models that take longest, in the largest size; and how their time grew."""
    first, last = sizes[0], sizes[-1]
    say(f"\n{'slowest models, seconds':<34} {'all days':>9} {'an hour':>9} {'rows':>11} {'exponent':>9}")
    for name, model in sorted(last.full.models.items(), key=lambda item: -item[1]["seconds"])[:SLOWEST]:
        of_hour = last.hour.models[name]["seconds"]
        grown = f"{_exponent(first, last, name):>9.2f}" if first is not last else ""
        say(f"{name:<34} {model['seconds']:>9.2f} {of_hour:>9.2f} {model['rows']:>11,} {grown}")


def _exponent(small: Size, large: Size, model: str = "") -> float:
    """By which power of the number of orders the time grows, of one model or of all tables; views hold no rows."""
    taken = [size.full.models[model]["seconds"] if model else size.full.seconds(views=False) for size in (small, large)]
    return math.log(taken[1] / taken[0]) / math.log(large.world.orders / small.world.orders)


def _goals(sizes: list[Size]) -> dict[str, tuple[float, float]]:
    """Each with what was measured, and what it should be at most."""
    goals = {}
    for size in sizes:
        of = f"{size.world.orders:,} orders: an hour's / all days'"
        goals[f"{of} models"] = (size.hour.seconds() / size.full.seconds(), SHARE)
        goals[f"{of} tables"] = (size.hour.seconds(views=False) / size.full.seconds(views=False), SHARE)
    if len(sizes) == 2:
        to = f"{sizes[1].world.orders:,} orders"
        goals[f"exponent of the tables' time, to {to}"] = (_exponent(sizes[0], sizes[1]), EXPONENT)
    return goals


def _both(size: Size) -> Iterator[tuple[str, Built]]:
    yield "all days", size.full
    yield "an hour", size.hour


def _kept(size: Size) -> dict[str, Any]:
    return {
        "orders": size.world.orders,
        "rows": dict(size.world.rows),
        "publish_seconds": size.publish_seconds,
        "builds": {
            name: {
                "days": built.days,
                "orders": built.orders,
                "rows": built.rows,
                "scope_seconds": built.scope_seconds,
                "models_seconds": built.seconds(),
                "tables_seconds": built.seconds(views=False),
                "backends_mb": built.backends_mb,
            }
            for name, built in _both(size)
        },
    }
