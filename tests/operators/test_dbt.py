"""What the task that runs dbt passes on to Airflow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tributary.operators.dbt import _but_views


def event(**node: str) -> str:
    return json.dumps({"info": {"name": "NodeFinished"}, "data": {"node_info": node} if node else {}})


@pytest.mark.parametrize(
    ("said", "is_heard"),
    [
        (event(materialized="view", node_status="success"), False),
        (event(materialized="view", node_status="started"), False),
        (event(materialized="view", node_status="error"), True),
        (event(materialized="table", node_status="success"), True),
        (event(), True),
        (json.dumps({"info": {"name": "MainReportVersion"}}), True),
    ],
    ids=["a view", "a view that begins", "a view that fails", "a table", "no node", "dbt's version"],
)
def test_airflow_hears_of_everything_but_views_that_succeed(said: str, is_heard: bool) -> None:
    heard: list[tuple[str, Any]] = []
    _but_views(lambda *told: heard.append(told))(said, {"context": 1})
    assert heard == ([(said, {"context": 1})] if is_heard else [])
