"""The drill of the workers: all channels on two of them, one of which is killed in the middle of its work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
from psycopg import sql
from redis import Redis

from drills.house import House, go_on
from tests.e2e.conftest import AGO, Road, open_road, until
from tributary.local.airflow_api import DONE, AirflowApi
from tributary.local.demo import INGESTS, TRANSFORM, transform
from tributary.local.environment import Installation
from tributary.local.lifecycle import up
from tributary.local.processes import signal_all, stop_group
from tributary.local.progress import Progress
from tributary.local.workers import answering
from tributary.paths import DBT_MANIFEST, ROOT
from tributary.warehouse.manifest import read_marts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(3600)

LOCAL = ROOT / ".local-drill-celery"
SHOPIFY = "ingest_shopify"
WORKERS = ("worker.1", "worker.2")
NOW = (datetime.now(UTC) - AGO).isoformat()
"""The same for both installations, so that their vendors tell the same."""

_RAW = "select table_name from information_schema.columns where table_schema = 'raw' and column_name = 'payload_hash'"
_RECORDS = sql.SQL("select merchant_id, record_id, payload_hash from {}")

# A customer's key is made with a secret of the installation's own.
_ROWS = sql.SQL("""
select merchant_id, md5(string_agg(row, ' ' order by row))
from (select merchant_id, (to_jsonb(one) - 'customer_key')::text as row from {} as one) as rows
group by merchant_id
""")

Figures = tuple[dict[str, set[Any]], dict[tuple[str, str], str]]


def figures(house: House) -> Figures:
    """All that raw holds, and every mart of every merchant."""
    with psycopg.connect(house.road.env["WAREHOUSE_URL"]) as conn:
        raw = {
            table: conn.execute(_RECORDS.format(sql.Identifier("raw", table))).fetchall()
            for (table,) in conn.execute(_RAW).fetchall()
        }
        marts = {
            (model.name, merchant): digest
            for model in read_marts(DBT_MANIFEST)
            for merchant, digest in conn.execute(_ROWS.format(sql.Identifier("marts", model.name))).fetchall()
        }
    assert all(len(rows) == len(set(rows)) for rows in raw.values()), "nothing is there twice"
    return {table: set(rows) for table, rows in raw.items()}, marts


def something_happens(road: Road) -> None:
    """A sale at one shop, a refund at each."""
    road.sandbox("POST", "shops/aurora/orders", {"lines": [{"price": "25.00", "quantity": 2}]})
    for merchant in ("aurora", "nordlicht"):
        ((order,),) = road.sql(
            """
            select order_id from marts.fct_orders
            where merchant_id = %s and is_counted and refunds = 0 and revenue > 0 and financial_status = 'PAID'
            order by date_day, order_id limit 1
            """,
            merchant,
        )
        road.sandbox("POST", f"shops/{merchant}/orders/{order}/refunds", {"full": True})


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Figures, Figures]:
    """What an installation without workers has after the first cycle, and after the next, when something happened."""
    with open_road(ROOT / ".local-drill-alone", SANDBOX_NOW=NOW, TRIBUTARY_WORKERS="0") as road, road.alone(SHOPIFY):
        house = House(road)
        first = figures(house)
        something_happens(road)
        states = road.cycle()
        assert states[SHOPIFY] == states[TRANSFORM] == "success", states
        return first, figures(house)


@pytest.fixture(scope="module")
def first(undisturbed: tuple[Figures, Figures]) -> Iterator[tuple[House, Figures]]:
    """Two workers, and what they made of the first cycle."""
    with open_road(LOCAL, SANDBOX_NOW=NOW, TRIBUTARY_WORKERS="2") as road, road.alone(SHOPIFY):
        house = House(road)
        yield house, figures(house)


def tasks(road: Road, dag_id: str) -> list[dict[str, Any]]:
    """The latest attempt of each task of each run of a DAG."""
    path = f"dags/{dag_id}/dagRuns/~/taskInstances"
    return list(road.airflow.call("GET", path, params={"limit": 100})["task_instances"])


def seconds(road: Road) -> float:
    """From the first task's start to the last one's end."""
    times = [
        datetime.fromisoformat(task[when])
        for dag_id in (*INGESTS, TRANSFORM)
        for task in tasks(road, dag_id)
        for when in ("start_date", "end_date")
        if task[when]
    ]
    return (max(times) - min(times)).total_seconds()


def test_a_full_cycle_of_all_channels_on_two_workers_has_the_figures_of_one_process(
    first: tuple[House, Figures], undisturbed: tuple[Figures, Figures], record_property: Callable[[str, object], None]
) -> None:
    house, found = first
    assert found == undisturbed[0]
    ran = {dag_id: {task["hostname"] for task in tasks(house.road, dag_id)} for dag_id in (*INGESTS, TRANSFORM)}
    assert ran[TRANSFORM] - {"", None} == set(WORKERS)
    assert set().union(*ran.values()) - {"", None} == set(WORKERS)
    record_property("figures", {"all channels and their publication on two workers": f"{seconds(house.road):.0f} s"})


def test_a_worker_killed_in_mid_sync_and_one_in_mid_publish_change_nothing(
    first: tuple[House, Figures], undisturbed: tuple[Figures, Figures], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = first
    installation = Installation(LOCAL)
    stop_group(installation, "airflow")
    monkeypatch.setenv("TRIBUTARY_FAILPOINT", "before commit,swapped")
    env = up(installation, Progress())
    house.road = Road(env, AirflowApi(env))
    something_happens(house.road)

    # News does not start what is paused, not even afterwards.
    with house.road.paused(TRANSFORM):
        assert "stream.sync" in done_again(house, SHOPIFY, house.road.airflow.trigger(SHOPIFY))
    assert "merchant.publish" in done_again(house, TRANSFORM, transform(house.road.airflow))
    assert figures(house) == undisturbed[1]

    tried = [task["try_number"] for dag_id in (SHOPIFY, TRANSFORM) for task in tasks(house.road, dag_id)]
    deliver_again(env)
    assert tried == [task["try_number"] for dag_id in (SHOPIFY, TRANSFORM) for task in tasks(house.road, dag_id)]
    assert figures(house) == undisturbed[1]
    # Nobody had to start a worker again.
    assert until(lambda: answering(env, WORKERS).keys() == set(WORKERS) or None, "an answer of both workers")


def done_again(house: House, dag_id: str, run_id: str) -> set[str]:
    """Kill -9 the worker of the run's first task that stops itself, and all it runs; what the run did once more."""
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances"
    killed: list[psutil.Process] = []

    def instances() -> list[dict[str, Any]]:
        return list(house.road.airflow.call("GET", path, params={"limit": 200})["task_instances"])

    def on_stop(process: psutil.Process) -> None:
        if killed or process.pid not in {task["pid"] for task in instances()}:
            go_on(process)
            return
        pids = answering(house.road.env, WORKERS).values()
        [worker] = [parent for parent in process.parents() if parent.pid in pids]
        killed.extend([*worker.children(recursive=True), worker])
        signal_all(killed, psutil.Process.kill)
        psutil.wait_procs(killed, timeout=10)

    house.until(run_id, lambda: house.state(run_id, dag_id) in DONE, on_stop)
    assert house.state(run_id, dag_id) == "success", house.tasks(run_id, dag_id)
    assert killed
    return {task["task_id"] for task in instances() if task["try_number"] > 1}


def deliver_again(env: dict[str, str]) -> None:
    """As if a day had passed: what the killed workers have not acknowledged goes to others, who are done with it."""
    with Redis.from_url(env["AIRFLOW__CELERY__BROKER_URL"]) as redis:
        messages = redis.zrange("unacked_index", 0, -1)
        assert messages
        redis.zadd("unacked_index", dict.fromkeys(messages, 0), xx=True)
        until(lambda: None if set(messages) & set(redis.zrange("unacked_index", 0, -1)) else True, "their end")
        until(lambda: None if redis.llen("default") else True, "an empty queue")
