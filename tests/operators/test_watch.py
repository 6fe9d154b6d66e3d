"""The watch: every merchant's streams are judged, and a silent warehouse is told once, and once that it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from tests.operators.airflow_run import AirflowRun
from tributary.operators import outage
from tributary.operators.freshness import FreshnessOperator
from tributary.paths import MERCHANTS
from tributary.warehouse.settings.merchants import load_merchants

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.operators.conftest import Messengers

SOONEST = "select channel, stream from ops.streams order by blocks_after limit 1"
MERCHANT, OTHER, *_ = [merchant.merchant_id for merchant in load_merchants(MERCHANTS)]
INCIDENTS = "analytics-incidents"
GONE = "postgresql://nobody:secret@127.0.0.1:9/none"


class Variables(dict[str, str]):
    """Airflow's Variables, which are reached through its API server only."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default)

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        del self[key]


@pytest.fixture
def watch(messengers: Messengers, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setattr(outage, "Variable", Variables())
    with DAG("watch") as dag:
        freshness = FreshnessOperator(task_id="freshness")
    return lambda: freshness.execute(AirflowRun(dag, "now").context("freshness"))


def test_what_is_too_old_is_recorded_for_its_merchant_and_fails_nothing(
    connect: Callable[[], psycopg.Connection], watch: Callable[[], None]
) -> None:
    with connect() as conn:
        ((channel, stream),) = conn.execute(SOONEST).fetchall()
        conn.execute(
            "insert into ops.merchant_channels values (%s, %s, now() - interval '9 days'), (%s, %s, now())",
            (MERCHANT, channel, OTHER, channel),
        )
    watch()
    with connect() as conn:
        found = conn.execute(
            "select merchant_id, outcome, examples from ops.check_results"
            " where run_id = 'now' and dataset = 'fct_freshness' and outcome <> 'passed'"
        ).fetchall()
        judged = conn.execute("select distinct merchant_id from ops.check_results where run_id = 'now'").fetchall()
    assert [(merchant, outcome) for merchant, outcome, _ in found] == [(MERCHANT, "failed")]
    assert (channel, stream) in [(row["channel"], row["stream"]) for row in found[0][2]]
    assert {merchant for (merchant,) in judged} >= {MERCHANT, OTHER}


def test_a_silent_warehouse_is_told_once_and_so_is_its_return(
    watch: Callable[[], None], messengers: Messengers, monkeypatch: pytest.MonkeyPatch, warehouse_url: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", GONE)
    messengers.connect(slack=False)
    for is_there in (False, True, True):
        messengers.connect(slack=is_there)
        with pytest.raises(AirflowFailException, match="does not answer") as failure:
            watch()
        assert "secret" not in str(failure.value)
    (said,) = messengers.said(INCIDENTS)
    assert "The warehouse does not answer" in said
    assert "secret" not in said

    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    for is_there in (False, True, True):
        messengers.connect(slack=is_there)
        watch()
    _, back = messengers.said(INCIDENTS)
    assert "answers again" in back
