"""The steps of backfills as a worker runs them, on connections as the operators have them: OPERATIONS, by their names.

The shops are those of `kill_world`; "build" is what dbt made of the models.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from tests.backfill import kill_build
from tests.backfill.kill_build import MANIFEST_FILE, made_by_dbt
from tests.backfill.kill_world import (
    A_LITTLE_LATER,
    ASKED,
    BYSTANDER,
    MERCHANTS,
    REPROCESSED,
    SHOP,
    WORLD,
    ZONES,
    Vendor,
    sync,
)
from tributary.backfill import lease
from tributary.backfill.asking.policy import load_policy
from tributary.backfill.asking.request import Asked, Asker, request
from tributary.backfill.asking.request_rollback import AskedBack, request_rollback
from tributary.backfill.closing import close, sweep
from tributary.backfill.comparing.difference import compare
from tributary.backfill.publishing.publish import publish
from tributary.backfill.publishing.rollback import preview, restore
from tributary.backfill.rereading.overlay import create_overlay
from tributary.backfill.rereading.reading import read_again
from tributary.backfill.scope import open_scope
from tributary.backfill.state import Backfill, build_schema, enter, identify
from tributary.paths import POLICY
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.publish import publish as publish_by_schedule
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

STEPS = ("request", "lease", "reread", "scope", "build", "difference", "publish", "close")
STEPS_BACK = ("request", "lease", "preview", "rollback", "close")
REASON = "the vendor corrected its figures"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of `backfill`, or of the DAG that takes one back: whose days it is about, and who asked for it."""

    name: str
    merchants: tuple[str, ...] = REPROCESSED
    user: str = "engineer"
    mode: str = "reread"
    is_dry_run: bool = False
    restores: str = ""

    @property
    def dag_id(self) -> str:
        return "rollback_backfill" if self.restores else "backfill"

    @property
    def backfill_id(self) -> UUID:
        return identify(self.dag_id, self.name)

    @property
    def schema(self) -> str:
        return build_schema(self.backfill_id)


RUNS = (
    Run("first"),
    Run("second", user="manager"),
    Run("of aurora", ("aurora",)),
    Run("of nordlicht", ("nordlicht",), user="manager"),
    Run("dry", is_dry_run=True),
    Run("from raw", mode="rebuild"),
    Run("back", user="manager", restores="first"),
)


def _request(run: Run, url: str) -> None:
    asker = Asker(run.user, "manual", run.dag_id, run.name, f"http://airflow.example/{run.name}")
    with psycopg.connect(url) as conn:
        failpoint("request: begins")
        if run.restores:
            asked_back = AskedBack(str(identify("backfill", run.restores)), REASON, is_dry_run=False)
            request_rollback(conn, asked_back, asker, load_policy(POLICY))
        else:
            asked = Asked(
                merchants=run.merchants,
                channels=["shopify"] if run.mode == "reread" else [],
                models=[],
                first_day=ASKED[0],
                last_day=ASKED[1],
                mode=run.mode,
                reason=REASON,
                is_dry_run=run.is_dry_run,
            )
            request(conn, asked, asker, load_policy(POLICY), MERCHANTS, _manifest(), datetime.now(UTC))


def _lease(run: Run, url: str) -> None:
    with _entered(run, url, "lease") as (conn, backfill):
        lease.take(conn, backfill)
        if not run.restores:
            create_overlay(conn, backfill, WORLD)


def _reread(run: Run, url: str) -> None:
    with _entered(run, url, "reread") as (_, backfill):
        for merchant_id in run.merchants:
            connect = partial(psycopg.connect, url)
            read_again(connect, Vendor(merchant_id), SHOP, backfill, merchant_id, ZONES[merchant_id], lambda _: None)


def _scope(run: Run, url: str) -> None:
    with _entered(run, url, "scope") as (conn, backfill):
        open_scope(conn, backfill, WORLD)


def _build(run: Run, url: str) -> None:
    with psycopg.connect(url) as conn:
        kill_build.build(conn, run.schema, raw=run.schema)


def _difference(run: Run, url: str) -> None:
    with _entered(run, url, "difference") as (conn, backfill):
        compare(conn, backfill, _manifest())


def _publish(run: Run, url: str) -> None:
    with _entered(run, url, "publish") as (conn, _):
        publish(conn, run.backfill_id, WORLD, _manifest())


def _preview(run: Run, url: str) -> None:
    with _entered(run, url, "preview") as (conn, backfill):
        preview(conn, backfill, WORLD, _manifest())


def _rollback(run: Run, url: str) -> None:
    with _entered(run, url, "rollback") as (conn, _):
        restore(conn, run.backfill_id, WORLD, _manifest())


def _close(run: Run, url: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as conn:
        failpoint("close: begins")
        close(conn, run.backfill_id, None)


@contextmanager
def _entered(run: Run, url: str, step: str) -> Iterator[tuple[psycopg.Connection, Backfill]]:
    with closing(psycopg.connect(url, autocommit=True)) as conn:
        backfill = enter(conn, run.backfill_id, step)
        failpoint(f"{step}: begins")
        yield conn, backfill


def _sweep(url: str, *, later: bool) -> None:
    """Housekeeping, now or long after whatever was going on."""
    with closing(psycopg.connect(url, autocommit=True)) as conn:
        if later:
            conn.execute("update ops.leases set expires_at = clock_timestamp()")
        sweep(conn, datetime.now(UTC) + later * timedelta(hours=31))


def _publish_hourly(url: str, *, everything: bool = False) -> None:
    """The scheduled run: what changed is built and published."""
    with psycopg.connect(url) as conn:
        build = open_build(conn, "build", WORLD, everything)
    if build is not None:
        with psycopg.connect(url) as conn:
            kill_build.build(conn, "build")
        for merchant_id in build.merchants:
            with psycopg.connect(url) as conn:
                publish_by_schedule(conn, build.build_id, "build", merchant_id, _manifest())


def _manifest() -> Path:
    return made_by_dbt() / MANIFEST_FILE


_OF_A_RUN: dict[str, Callable[[Run, str], None]] = {
    "request": _request,
    "lease": _lease,
    "reread": _reread,
    "scope": _scope,
    "build": _build,
    "difference": _difference,
    "publish": _publish,
    "preview": _preview,
    "rollback": _rollback,
    "close": _close,
}
OPERATIONS: dict[str, Callable[[str], None]] = {
    f"{step} {run.name}": partial(work, run) for step, work in _OF_A_RUN.items() for run in RUNS
} | {
    "sync": sync,
    "sync kumo": lambda url: sync(url, A_LITTLE_LATER, BYSTANDER),
    "publish hourly": _publish_hourly,
    "rebuild everything": partial(_publish_hourly, everything=True),
    "sweep": partial(_sweep, later=True),
    "sweep as it is": partial(_sweep, later=False),
}
