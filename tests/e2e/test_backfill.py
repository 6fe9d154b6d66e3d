"""A backfill as people run it, through a real scheduler: refused, shown, approved, published, taken back.

Raw has lost an order and a published figure is wrong; the shop knows better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from psycopg.types.json import Json

from tests.e2e.conftest import until
from tributary.local.airflow_api import AirflowApi
from tributary.local.demo import TRANSFORM
from tributary.local.environment import Installation
from tributary.paths import ROOT

if TYPE_CHECKING:
    from datetime import date

    from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200, func_only=True)]

MERCHANT, BYSTANDER = "aurora", "nordlicht"
AUDIT = "analytics-audit"
LOSE = "delete from raw.shopify_orders where merchant_id = 'aurora' and record_id = %s"
WRONG = "update marts.fct_revenue set revenue = revenue + 1000 where merchant_id = 'aurora' and date_day = %s"


class People:
    """Those who sign in, each with a password of their own."""

    def __init__(self, road: Road) -> None:
        self._env = road.env
        self._passwords = Installation(ROOT / ".local-e2e").state()["secrets"]["users"]

    def sign_in(self, user: str) -> AirflowApi:
        return AirflowApi(self._env | {"AIRFLOW_USER": user, "AIRFLOW_PASSWORD": self._passwords[user]})

    def answer(self, user: str, dag_id: str, run_id: str, option: str = "Approve") -> int:
        """The HTTP status of an answer to the approval."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        try:
            self.sign_in(user).call("PATCH", path, json={"chosen_options": [option], "params_input": {}})
        except requests.HTTPError as refused:
            return int(refused.response.status_code)
        return 200


@pytest.fixture
def people(road: Road) -> People:
    return People(road)


def figures(road: Road, merchant: str) -> dict[str, str]:
    """A checksum of every published mart's rows of one merchant."""
    tables = road.sql(
        "select tablename from pg_tables where schemaname = 'marts' and tablename in "
        "(select table_name from information_schema.columns where table_schema = 'marts' and column_name = 'date_day')"
    )
    query = "select coalesce(md5(string_agg(row::text, '|' order by row::text)), '') from marts.{} as row "
    return {table: road.sql(query.format(table) + "where merchant_id = %s", merchant)[0][0] for (table,) in tables}


def orders_in_raw(road: Road) -> list[tuple[Any, ...]]:
    """What raw says of aurora's orders, without when it learnt it."""
    return road.sql(
        "select record_id, event_at, updated_at, payload_hash from raw.shopify_orders where merchant_id = 'aurora' "
        "order by record_id"
    )


def an_old_order(road: Road) -> tuple[str, date]:
    """Somebody's only order, twelve days before the last."""
    return road.sql(
        """
        select order_id, date_day from marts.fct_orders
        where
            merchant_id = 'aurora' and sales_channel = 'shopify' and is_counted
            and date_day = (select max(date_day) - 12 from marts.fct_orders where merchant_id = 'aurora')
            and order_id in (select record_id from raw.shopify_orders where merchant_id = 'aurora')
        order by order_id
        limit 1
        """
    )[0]


def status(road: Road, run_id: str) -> tuple[Any, ...]:
    [row] = road.sql(
        """
        select audit.status, audit.triggered_by, audit.approved_by, audit.error, audit.backfill_id
        from audit.backfills as audit inner join ops.backfills as known on known.backfill_id = audit.backfill_id
        where known.run_id = %s
        """,
        run_id,
    )
    return row


def waits(road: Road, dag_id: str, run_id: str) -> str:
    """What the approval shows, as soon as it waits for somebody; an end before that is a failure."""
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve"

    def look() -> str | None:
        run = road.airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")
        assert run["state"] not in ("success", "failed"), road.ended(dag_id, run_id)
        if not road.has_asked(dag_id, run_id):
            return None
        return str(road.airflow.call("GET", f"{path}/-1/hitlDetails")["body"])

    return str(until(look, f"the approval of {run_id}"))


def test_a_backfill_repairs_what_it_is_asked_to_and_nothing_else_and_can_be_taken_back(
    road: Road, people: People
) -> None:
    order, day = an_old_order(road)
    right, others, raw = figures(road, MERCHANT), figures(road, BYSTANDER), orders_in_raw(road)
    [lost] = road.sql("select row_to_json(lost) from raw.shopify_orders as lost where record_id = %s", order)
    with road.paused("watch", "housekeeping", TRANSFORM), road.listening() as said:
        road.sql(LOSE, order)
        road.sql(WRONG, day)
        wrong, without = figures(road, MERCHANT), orders_in_raw(road)
        form = {
            "merchants": [MERCHANT],
            "channels": ["shopify"],
            "start_date": str(road.sql("select %s::date - 3", day)[0][0]),
            "end_date": str(road.sql("select %s::date + 4", day)[0][0]),
            "reason": "An order was lost, ticket 4711",
            "dry_run": False,
        }

        refused = people.sign_in("analyst").trigger("backfill", form)
        assert road.ended("backfill", refused)["request[]"] == "failed"
        assert status(road, refused)[:2] == ("refused", "analyst")

        run_id = people.sign_in("engineer").trigger("backfill", form)
        shown = waits(road, "backfill", run_id)
        assert "aurora" in shown
        assert str(day) in shown
        assert figures(road, MERCHANT) == wrong, "nothing is published before it is approved"
        assert orders_in_raw(road) == without
        assert [people.answer(user, "backfill", run_id) for user in ("analyst", "engineer", "admin")] == [403] * 3
        assert people.answer("manager", "backfill", run_id) == 200
        states = road.ended("backfill", run_id)
        assert states["backfill"] == states["close[]"] == "success", states
        assert figures(road, MERCHANT) == right
        assert orders_in_raw(road) == raw
        assert figures(road, BYSTANDER) == others
        outcome, asked_by, approved_by, error, backfill_id = status(road, run_id)
        assert (outcome, asked_by, approved_by, error) == ("published", "engineer", "manager", None)

    heads = [one for one in said if one["channel"] == AUDIT and "thread_ts" not in one]
    assert ["(refused)" in one["text"] for one in heads] == [True, False], heads
    replies = [one["text"] for one in said if one.get("thread_ts") == heads[1]["ts"]]
    for reply, words in zip(replies, ("Waits up to 4 hours", "Approved by manager", "Published: "), strict=True):
        assert words in reply
    assert "(published)" in heads[1]["text"]

    states = road.cycle()
    assert states["scope[]"] == "skipped", "the next hourly run has nothing left to do"

    with road.paused("watch", "housekeeping", TRANSFORM):
        back = {"backfill_id": str(backfill_id), "reason": "To see that it can be taken back", "dry_run": False}
        run_id = people.sign_in("engineer").trigger("rollback_backfill", back)
        assert "aurora" in waits(road, "rollback_backfill", run_id)
        assert people.answer("manager", "rollback_backfill", run_id) == 200
        states = road.ended("rollback_backfill", run_id)
        assert states["rollback_backfill"] == "success", states
        assert status(road, run_id)[:3] == ("restored", "engineer", "manager")
        assert figures(road, MERCHANT) == wrong
        assert orders_in_raw(road) == without
        assert figures(road, BYSTANDER) == others
        # The shop's order comes in again, as a sync would bring it.
        road.sql(
            "insert into raw.shopify_orders select (json_populate_record(null::raw.shopify_orders, %s::json)).*",
            Json(lost[0]),
        )
        road.sql(
            """
            insert into ops.changes (merchant_id, channel, stream, record_id, operation, new_event_at, sync_id)
            select merchant_id, 'shopify', 'orders', record_id, 'insert', event_at, sync_id
            from raw.shopify_orders where merchant_id = 'aurora' and record_id = %s
            """,
            order,
        )
    assert road.run(TRANSFORM)["transform"] == "success"
    assert figures(road, MERCHANT) == right
    assert road.sql("select from ops.leases") == []
    assert road.sql("select from pg_namespace where nspname ~ '^backfill_'") == []
