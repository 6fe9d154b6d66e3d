"""Which runs an announcement causes, as Airflow's REST API tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests

from tests.http.scripted_vendor import answer, scripted_vendor
from tributary.local.airflow_api import AirflowApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http.scripted_vendor import Vendor

EVENT = {"asset_events": [{"asset_id": 7, "timestamp": "2026-11-21T12:00:00Z"}]}
CONSUMERS = {"scheduled_dags": [{"dag_id": "transform"}]}


@pytest.fixture(scope="module")
def airflow() -> Iterator[Vendor]:
    with scripted_vendor() as server:
        yield server


def caused_by(airflow: Vendor, *answers: tuple[int, object]) -> list[tuple[str, str]] | None:
    airflow.will(*(answer(status, json.dumps(body).encode()) for status, body in answers))
    env = {"AIRFLOW_URL": airflow.url, "AIRFLOW_USER": "admin", "AIRFLOW_PASSWORD": "admin"}
    return AirflowApi(env).runs_caused_by("ingest_shopify", "a run")


def test_the_first_run_that_started_after_the_announcement_is_caused_by_it(airflow: Vendor) -> None:
    started = {"dag_runs": [{"dag_run_id": "asset_triggered"}]}
    assert caused_by(airflow, (200, EVENT), (200, CONSUMERS), (200, started)) == [("transform", "asset_triggered")]


def test_a_run_that_waits_to_be_started_is_waited_for(airflow: Vendor) -> None:
    assert caused_by(airflow, (200, EVENT), (200, CONSUMERS), (200, {"dag_runs": []})) is None
    # Airflow fails to show the event meanwhile.
    assert caused_by(airflow, (500, {"detail": "Internal Server Error"})) is None


def test_another_refusal_is_an_error(airflow: Vendor) -> None:
    with pytest.raises(requests.HTTPError, match="403"):
        caused_by(airflow, (403, {"detail": "Forbidden"}))
