"""The seconds that the gate takes for a merchant, over a build of all days and over that of an hour."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg

from bench.common import postgres
from bench.common.processes import PostgresCpu
from bench.common.report import keep, machine, say
from bench.marts.benchmark import build_models, open_scope, touch
from bench.marts.checks import check_days, check_full
from bench.marts.days import MERCHANTS
from bench.marts.world import fill
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS, ROOT
from tributary.quality.finding import Ran, record
from tributary.quality.gate import verify
from tributary.warehouse.publish import publish

if TYPE_CHECKING:
    from argparse import Namespace

GOAL = 3.0
# The orders were made for a year that is over, and contracts of raw judge the latest days.
_BECOMES_RECENT = """
update raw.{0} set event_at = event_at + (select now() - max(event_at) from raw.shopify_orders)
where event_at >= (select max(event_at) - interval '40 days' from raw.shopify_orders)
"""
_RAW = """
select table_name from information_schema.tables
where table_schema = 'raw' and table_name <> 'shopify_orders' order by table_name
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """One merchant's contracts of one kind."""

    what: str
    merchant_id: str
    checks: int
    not_well: int
    seconds: float


def run(options: Namespace) -> None:
    """Build, judge, change an hour's worth, build again, and judge again."""
    with postgres.server() as server:
        where = machine(server)
        judged = _measure(server, options.orders)
    _tell(judged, options.orders, where)


def _measure(server: str, orders: int) -> list[Judged]:
    cpu = PostgresCpu(server)
    with postgres.warehouse(server) as url, TemporaryDirectory() as folder:
        say(f"Making {orders:,} orders and building all days ...")
        world = fill(url, orders, ROOT / "include" / "config")
        postgres.settle(url, "vacuum (analyze)")
        build, seconds = open_scope(url, everything=True)
        build_models(url, cpu, Path(folder), build, orders, seconds)
        check_full(url, world)
        judged = _judge(url, "marts, all days", "build", MART_CONTRACTS)
        with psycopg.connect(url) as conn:
            for merchant_id in MERCHANTS:
                publish(conn, build.build_id, "build", merchant_id, Path(folder) / "manifest.json")
        say("Building an hour's days ...")
        touched = touch(url, world)
        build, seconds = open_scope(url, everything=False)
        build_models(url, cpu, Path(folder), build, sum(world.days[day].orders for day in touched), seconds)
        check_days(url, world, touched)
        judged += _judge(url, "marts, an hour", "build", MART_CONTRACTS)
        with psycopg.connect(url) as conn:
            names = [name for (name,) in conn.execute(_RAW).fetchall()]
            for name in [*names, "shopify_orders"]:
                conn.execute(_BECOMES_RECENT.format(name).encode())
        postgres.settle(url, "vacuum (analyze)")
        return judged + _judge(url, "raw", "raw", RAW_CONTRACTS)


def _judge(url: str, what: str, schema: str, folder: Path) -> list[Judged]:
    """As the gate does it, without the second that it takes to import Soda, and the first time not counted."""
    postgres.settle(url)
    contracts = sorted(path for path in folder.glob("*.yml"))
    judged = []
    with psycopg.connect(url) as conn:
        for merchant_id in (MERCHANTS[0], *MERCHANTS):
            started = time.perf_counter()
            findings = verify(conn, contracts, {"schema": schema, "merchant_id": merchant_id})
            record(conn, Ran("bench", what), merchant_id, findings)
            took = time.perf_counter() - started
            if errors := [finding.sentence() for finding in findings if finding.outcome == "error"]:
                raise RuntimeError(f"{what}: not evaluated: {errors}")
            not_well = sum(finding.outcome != "passed" for finding in findings)
            judged.append(Judged(what, merchant_id, len(findings), not_well, took))
    return judged[1:]


def _tell(judged: list[Judged], orders: int, where: dict[str, str]) -> None:
    say("\n" + "\n".join(f"{name}: {value}" for name, value in where.items()))
    say(f"\n{orders:,} orders of {len(MERCHANTS)} merchants; seconds for one of them")
    say(f"{'':<18} {'checks':>7} {'not well':>9} {'median':>8} {'slowest':>8}")
    for what in dict.fromkeys(one.what for one in judged):
        of = [one for one in judged if one.what == what]
        seconds = [one.seconds for one in of]
        verdict = "reached" if max(seconds) < GOAL else "MISSED"
        say(
            f"{what:<18} {of[0].checks:>7} {of[0].not_well:>9} {statistics.median(seconds):>8.2f} "
            f"{max(seconds):>8.2f}   goal {GOAL:.0f}   {verdict}"
        )
    say(f"\nKept in {keep('gate', {**where, 'orders': orders, 'judged': [asdict(one) for one in judged]}, {})}")
