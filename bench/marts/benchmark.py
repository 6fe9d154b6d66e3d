"""A full build of some orders and of ten times as many, and the part of it that an hour's changes cost."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg

from bench.common import postgres
from bench.common.memory import peak_of_backends
from bench.common.processes import PostgresCpu, run_side
from bench.common.report import machine, say
from bench.marts.checks import check_days, check_full
from bench.marts.days import DAYS, MERCHANTS
from bench.marts.report import Built, Size, tell, tell_all
from bench.marts.world import World, fill
from tributary.channels import CHANNELS
from tributary.paths import ROOT
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from argparse import Namespace

    from bench.marts.checks import Day
    from tributary.warehouse.scope import Build

MILLION = 1_000_000
_TOUCH = """
with touched as (
    update raw.shopify_orders as orders set payload = payload || '{"tags": ["gift"]}'
    from unnest(%s::text[], %s::text[]) as lone (merchant_id, record_id)
    where orders.merchant_id = lone.merchant_id and orders.record_id = lone.record_id
    returning orders.merchant_id, orders.record_id, orders.event_at
)
insert into ops.changes (merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at)
select merchant_id, 'shopify', 'orders', record_id, 'update', event_at, event_at from touched
"""


def run(options: Namespace) -> None:
    """The number that was asked for, and a million if that is asked for too."""
    sizes = []
    with postgres.server() as server:
        where = machine(server) | {"dbt": version("dbt-core"), "dbt-postgres": version("dbt-postgres")}
        for orders in (options.orders, *((MILLION,) if options.million else ())):
            sizes.append(_measure(server, orders))
            tell(sizes[-1])
    tell_all(sizes, where)


def _measure(server: str, orders: int) -> Size:
    cpu = PostgresCpu(server)
    with postgres.warehouse(server) as url, TemporaryDirectory() as folder:
        say(f"Making {orders:,} orders ...")
        world = fill(url, orders, ROOT / "include" / "config")
        postgres.settle(url, "vacuum (analyze)")
        say("Building all days ...")
        build, seconds = open_scope(url, everything=True)
        full = build_models(url, cpu, Path(folder), build, world.orders, seconds)
        check_full(url, world)
        started = time.perf_counter()
        with psycopg.connect(url) as conn:
            for merchant_id in build.merchants:
                publish(conn, build.build_id, "build", merchant_id, Path(folder) / "manifest.json")
        published = time.perf_counter() - started
        postgres.settle(url, "vacuum (analyze)")
        touched = touch(url, world)
        say(f"Building {len(touched)} of {len(MERCHANTS) * DAYS} days ...")
        build, seconds = open_scope(url, everything=False)
        hour = build_models(url, cpu, Path(folder), build, sum(world.days[day].orders for day in touched), seconds)
        check_days(url, world, touched)
    return Size(world, full, published, hour)


def open_scope(url: str, *, everything: bool) -> tuple[Build, float]:
    """Claim what changed, or everything; and the seconds that it took."""
    started = time.perf_counter()
    with psycopg.connect(url) as conn:
        build = open_build(conn, "build", CHANNELS, everything)
    assert build is not None
    return build, time.perf_counter() - started


def touch(url: str, world: World) -> list[Day]:
    """Change an order on every hundredth merchant day, of somebody who ordered on no other day."""
    alone, wanted = sorted(world.lone), len(MERCHANTS) * DAYS // 100
    days = [alone[number * len(alone) // wanted] for number in range(wanted)]
    with psycopg.connect(url) as conn:
        conn.execute(_TOUCH, ([merchant_id for merchant_id, _ in days], [str(world.lone[day]) for day in days]))
    return days


def build_models(url: str, cpu: PostgresCpu, target: Path, build: Build, orders: int, scope_seconds: float) -> Built:
    """Run dbt over the scope that is open."""
    postgres.settle(url)
    asked = {"target": str(target), "environment": postgres.dbt_environment(url)}
    with peak_of_backends(url) as peak:
        took = run_side(sys.executable, "bench.marts.dbt_build", asked, cpu)
    return Built(build.days, orders, scope_seconds, took, peak[0])
