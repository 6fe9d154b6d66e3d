"""The quarterly drill: backfills through a real Airflow, with a fault in every place that can be sampled there.

`tests/backfill/test_kill.py` goes through all places, without Airflow.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

from drills.house import go_on
from tests.e2e.conftest import Road
from tributary.local import processes
from tributary.local.airflow_api import AirflowApi
from tributary.local.demo import INGESTS
from tributary.local.environment import Installation
from tributary.local.lifecycle import up
from tributary.local.progress import Progress
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drills.house import House

pytestmark = pytest.mark.timeout(3600)

REREAD = {"mode": "reread"}
REBUILD = {"mode": "rebuild"}


@pytest.fixture(scope="session", autouse=True)
def quiet(house: House) -> Iterator[None]:
    """The schedules rest, so that nothing but the drill moves a figure."""
    with house.road.paused(*INGESTS, "transform", "housekeeping"):
        yield


@pytest.fixture
def wrong(house: House) -> Iterator[tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]]:
    """The figures as they are right, and as they are now that one of them is wrong."""
    right = house.digests()
    house.corrupt()
    yield right, house.digests()
    assert house.digests() == right, "the drill leaves the figures as it found them"


KILLS = {
    "lease": ("lease", 1),
    "scope": ("scope", 1),
    "in the publication": ("publish", 1),
    "behind the publication": ("publish", 2),
    "close": ("publish", 3),
}
"""The step that the backfill is in, and the how-manieth stop in it. `close` is none: it says in which one it ended."""


@pytest.mark.parametrize("kill_at", KILLS.values(), ids=KILLS)
def test_killed_in_a_step_it_ends_as_if_nothing_had_been(
    house: House, wrong: tuple[object, object], kill_at: tuple[str, int]
) -> None:
    run_id = house.ask("engineer", 3, **REBUILD)
    assert house.ended(run_id, kill_at) == "success", house.tasks(run_id)
    assert house.audit(run_id) == ("published", None)
    assert house.left_behind(run_id) == []


def test_cancelled_while_it_waits_nothing_has_changed(
    house: House, wrong: tuple[object, object], record_property: Callable[[str, object], None]
) -> None:
    right, now = wrong
    run_id = house.ask("engineer", 8, **REBUILD)
    house.waiting(run_id)
    house.people("engineer").call("PATCH", f"dags/backfill/dagRuns/{run_id}", json={"state": "failed"})
    house.ended(run_id)
    house.until(run_id, lambda: not house.left_behind(run_id), go_on)
    assert house.digests() == now
    assert house.audit(run_id)[0] == "failed"
    # The next one starts, and puts it right.
    again = house.ask("engineer", 3, **REBUILD)
    assert house.ended(again) == "success", house.tasks(again)
    assert house.digests() == right


def test_rejected_nothing_has_changed_and_approved_it_has_until_it_is_taken_back(
    house: House, wrong: tuple[object, object]
) -> None:
    right, now = wrong
    rejected = house.ask("engineer", 8, **REBUILD)
    house.waiting(rejected)
    house.answer("manager", rejected, "Reject")
    assert house.ended(rejected) == "failed"
    assert (house.audit(rejected)[0], house.digests()) == ("rejected", now)

    approved = house.ask("engineer", 8, **REBUILD)
    house.waiting(approved)
    house.answer("manager", approved, "Approve")
    assert house.ended(approved) == "success", house.tasks(approved)
    assert (house.audit(approved)[0], house.digests()) == ("published", right)

    dag_id = "rollback_backfill"
    asked = {"backfill_id": str(house.id(approved)), "reason": "quarterly drill of the rollback", "dry_run": False}
    back = house.people("engineer").trigger(dag_id, asked)
    house.waiting(back, dag_id)
    house.answer("manager", back, "Approve", dag_id)
    assert house.ended(back, dag_id=dag_id) == "success", house.tasks(back, dag_id)
    assert (house.audit(approved)[0], house.audit(back, dag_id)[0]) == ("rolled back", "restored")
    assert house.digests() == now

    last = house.ask("engineer", 3, **REBUILD)
    assert house.ended(last) == "success"


def test_airflow_dies_while_it_builds_and_comes_back(house: House, wrong: tuple[object, object]) -> None:
    right, now = wrong
    run_id = house.ask("engineer", 3, **REBUILD)
    house.until(run_id, lambda: house.tasks(run_id).get("dbt.dbt_producer_watcher") == "running", go_on)
    installation = Installation(ROOT / ".local-drill")
    members = [entry.process for entry in processes.running(installation) if entry.group == "airflow"]
    processes.signal_all(members, psutil.Process.kill)
    psutil.wait_procs(members, timeout=10)
    assert house.digests() == now
    env = up(installation, Progress())
    house.road = Road(env, AirflowApi(env))
    # dbt is not begun a second time for what one run has half built.
    assert house.ended(run_id) == "failed", house.tasks(run_id)
    assert (house.audit(run_id)[0], house.left_behind(run_id), house.digests()) == ("failed", [], now)
    again = house.ask("engineer", 3, **REBUILD)
    assert house.ended(again) == "success", house.tasks(again)
    assert house.digests() == right


def test_a_week_and_ninety_days_of_all_channels_read_again(
    house: House, wrong: tuple[object, object], record_property: Callable[[str, object], None]
) -> None:
    seconds = {}
    progress: set[int] = set()
    for days, incident in ((7, None), (30, None), (90, "INC-4711")):
        began = time.monotonic()
        run_id = house.ask("engineer", days, **REREAD, incident=incident)
        read = "select count(*) from ops.backfill_reads where backfill_id = %s"
        if days > 7:

            def is_waiting(run_id: str = run_id, read: str = read) -> bool:
                ((windows,),) = house.road.sql(read, house.id(run_id))
                progress.add(windows)
                return house.road.has_asked("backfill", run_id)

            house.until(run_id, is_waiting, go_on)
            house.answer("manager", run_id, "Approve")
        assert house.ended(run_id) == "success", house.tasks(run_id)
        seconds[days] = time.monotonic() - began
        assert house.audit(run_id) == ("published", None)
        if days == 7:
            house.corrupt()
    assert len(progress) > 10, "how far it is can be seen while it reads"
    record_property(
        "figures", {f"{days} days of aurora, all channels, read again": f"{s:.0f} s" for days, s in seconds.items()}
    )


def test_the_next_hour_changes_nothing(house: House, wrong: tuple[object, object]) -> None:
    right, _ = wrong
    run_id = house.ask("engineer", 3, **REREAD)
    assert house.ended(run_id) == "success", house.tasks(run_id)
    assert house.digests() == right
    house.road.airflow.unpause("transform")
    house.road.ended("transform", house.road.airflow.trigger("transform"))
    assert house.digests() == right
