"""Every rule of the gate, from the fault to the repair: who is held back, what readers see, and who hears of it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from sandbox.app import create_app
from sandbox.clock import parse_instant
from sandbox.serve import serve
from sandbox.world import Settings
from tests.conftest import new_database
from tests.dbt.gated_road import MERCHANTS, RUNBOOKS, GatedRoad, build, plant
from tests.dbt.rules import BEGIN, END, PAGE, RULES, Rule, markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.dbt.conftest import Dbt


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """Slack and PagerDuty, over HTTP."""
    settings = Settings(seed=7, first_day=date(2026, 11, 14), frozen_at=parse_instant("2026-11-15T12:00:00Z"))
    with serve(create_app(settings)) as url:
        yield url


@pytest.fixture(scope="module")
def good(module_warehouse_url: str, conn: psycopg.Connection, dbt: Dbt, dbt_target: Path, sandbox: str) -> GatedRoad:
    """A warehouse with nothing to object to, published once; since then both merchants' orders have other names."""
    plant(conn)
    build_id = build(conn, dbt)
    # Every publication reads it, and looks for nothing but marts.
    made = json.loads((dbt_target / "build" / "manifest.json").read_text())
    (manifest := dbt_target / "marts.json").write_text(
        json.dumps({"nodes": {name: node for name, node in made["nodes"].items() if node["path"].startswith("marts/")}})
    )
    road = GatedRoad(module_warehouse_url, sandbox, build_id, manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", road.url)
        road.ingest("shopify", ["shopify_orders"])
        assert road.objections() == set()
        passed = road.transform()
    assert road.objections() == set()
    assert passed == {*MERCHANTS}
    assert road.slack() == road.alerts() == []
    road.before = {merchant: road.published(merchant) for merchant in MERCHANTS}
    road.sql("update build.fct_orders set order_name = order_name || ' anew'")
    conn.close()
    return road


@pytest.fixture
def road(good: GatedRoad, postgres_server_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatedRoad]:
    """A copy of it, of whom nobody has heard yet."""
    name = urlsplit(good.url).path[1:]
    with psycopg.connect(postgres_server_url, autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
    with new_database(postgres_server_url, template=name) as url:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url)
        own = GatedRoad(url, good.sandbox, good.build_id, good.manifest, good.runs, good.before)
        for what in ("faults", "slack/messages", "pagerduty/alerts"):
            own.admin("DELETE", what)
        yield own


def damage(road: GatedRoad, rule: Rule) -> Callable[[], None]:
    """Bring the fault about; returns what repairs it."""
    with psycopg.connect(road.url) as conn:
        conn.execute("create schema kept")
        for table in rule.damaged:
            conn.execute(f'create table kept."{table}" as table {table}')
        for fault in rule.faults:
            assert conn.execute(fault).rowcount > 0, fault

    def repair() -> None:
        with psycopg.connect(road.url) as conn:
            for table in rule.damaged:
                conn.execute(f'truncate {table}; insert into {table} select * from kept."{table}"')

    return repair


@pytest.mark.parametrize("rule", RULES, ids=[rule.rule for rule in RULES])
def test_a_fault_is_held_back_or_said_and_is_over_when_it_is_repaired(road: GatedRoad, rule: Rule) -> None:
    judged = ["fct_orders"] if rule.is_raw else [rule.dataset]
    repair = damage(road, rule)

    seen = set()
    if rule.is_raw:
        held = road.ingest("shopify", [rule.dataset])
        assert held == ({"aurora"} if rule.blocks else set())
        seen |= road.objections()
    passed = road.transform({"nordlicht": judged})

    outcome = "failed" if rule.blocks else "warned"
    assert seen | road.objections() == {(outcome, rule.dataset, rule.check), *rule.follows}
    assert passed == ({"nordlicht"} if rule.blocks else {*MERCHANTS})
    assert road.published("nordlicht") == road.built("nordlicht") != road.before["nordlicht"]
    if rule.blocks:
        assert road.published("aurora") == road.before["aurora"]
    else:
        assert road.published("aurora") == road.built("aurora") != road.before["aurora"]
    [head] = road.slack()
    assert f"#{head['channel']}" == rule.channel
    run = road.runs - 1 if rule.is_raw else road.runs
    for word in ("aurora", rule.check, "Next:", f"/runs/{run}", f"{RUNBOOKS}/{rule.runbook}", rule.target):
        assert word in head["text"], head["text"]
    assert ("Published as usual: nordlicht." in head["text"]) == rule.blocks, head["text"]
    assert [alert["status"] for alert in road.alerts()] == ["triggered"] * rule.blocks

    repair()
    if rule.is_raw:
        assert road.ingest("shopify", [rule.dataset]) == set()
    assert road.transform(dict.fromkeys(MERCHANTS, judged)) == {*MERCHANTS}

    assert road.objections() == set()
    assert road.published("aurora") == road.built("aurora")
    [head] = road.heads()
    [reply] = road.replies(head)
    assert rule.check in reply["text"]
    assert "resolved" in reply["text"].lower()
    assert ":white_check_mark:" in head["text"]
    assert [alert["status"] for alert in road.alerts()] == ["resolved"] * rule.blocks


def test_fifty_failing_gates_are_one_message_and_one_resolve(road: GatedRoad) -> None:
    rule = RULES[0]
    only = {"aurora": [rule.dataset]}
    repair = damage(road, rule)
    for _ in range(50):
        assert road.transform(only, ["aurora"]) == set()

    [head] = road.heads()
    assert "seen 50 times" in head["text"]
    [louder] = road.replies(head)
    assert louder["reply_broadcast"], "nobody came within half an hour"

    repair()
    assert road.transform(only, ["aurora"]) == {"aurora"}
    [head] = road.heads()
    _, resolved = road.replies(head)
    assert "Resolved" in resolved["text"]
    assert [alert["status"] for alert in road.alerts()] == ["resolved"]


def test_one_missing_table_is_one_incident_of_each_merchant_and_one_message(road: GatedRoad) -> None:
    road.sql("alter table build.fct_orders rename to fct_orders_gone")
    assert road.transform() == set()

    told = road.sql(
        """
        select merchant_id, dataset || ': ' || check_name, (
            select count(*) from ops.incidents as folded where folded.root_id = incident.incident_id
        )
        from ops.incidents as incident where root_id is null order by merchant_id
        """
    )
    assert [(merchant, what) for merchant, what, _ in told] == [
        (merchant, "fct_orders: The table is there") for merchant in MERCHANTS
    ]
    assert all(folded >= 12 for _, _, folded in told), told
    [head] = road.slack()
    assert f"and {told[0][2]} more checks could not be evaluated because of it" in head["text"]
    assert [alert["status"] for alert in road.alerts()] == ["triggered"] * 2

    road.sql("alter table build.fct_orders_gone rename to fct_orders")
    assert road.transform() == {*MERCHANTS}
    [head] = road.heads()
    assert len(road.replies(head)) == 1
    assert road.sql("select count(*) from ops.incidents where status = 'open'") == [(0,)]
    assert [alert["status"] for alert in road.alerts()] == ["resolved"] * 2


def test_while_slack_is_down_runs_go_on_and_every_message_comes_afterwards_once(road: GatedRoad) -> None:
    """An hour of runs: Slack fails, says nothing in time, or takes a message and its answer is lost."""
    negative, mailed = RULES[0], next(rule for rule in RULES if "e-mail address" in rule.rule)
    only = {merchant: [negative.dataset, mailed.dataset] for merchant in MERCHANTS}
    road.patience = 0.3
    slack = {"route": "/slack/*", "times": None}

    def run(kind: str, **options: object) -> set[str]:
        road.admin("DELETE", "faults")
        road.admin("POST", "faults", slack | {"kind": kind, "options": options})
        road.now += timedelta(minutes=9)
        return road.transform(only)

    repair = damage(road, negative)
    assert run("http_5xx") == {"nordlicht"}
    assert run("stalled", seconds=0.5) == {"nordlicht"}
    for fault in mailed.faults:
        road.sql(fault)
    assert run("cut") == {"nordlicht"}
    assert run("http_5xx", status=500) == {"nordlicht"}
    assert {alert["status"] for alert in road.alerts()} == {"triggered"}, "PagerDuty is another road"
    repair()
    road.sql("update build.fct_orders set order_name = 'well again' where order_name like '%%@%%'")
    assert run("html") == {*MERCHANTS}
    assert run("stalled", seconds=0.5) == {*MERCHANTS}

    road.admin("DELETE", "faults")
    last = road.deliver()
    assert (last.waiting, [*last.errors]) == (0, [])
    assert road.deliver().sent == 0
    said = [(head, [reply["text"] for reply in road.replies(head)]) for head in road.heads()]
    assert [[rule.check in head["text"] for rule in (negative, mailed)] for head, _ in said] == [
        [True, False],
        [False, True],
    ]
    for head, replies in said:
        assert ":white_check_mark:" in head["text"]
        assert [":hourglass:" in text for text in replies if "Resolved" not in text] in ([], [True])
        assert sum("Resolved" in text for text in replies) == 1
    assert len(road.slack()) == road.sql("select count(*)::int from ops.messages where service = 'slack'")[0][0]


def test_the_page_lists_every_rule(record_property: Callable[[str, object], None]) -> None:
    table = markdown(RULES)
    record_property("figures", table)
    assert PAGE.read_text().partition(f"{BEGIN}\n")[2].partition(f"\n{END}")[0] == table
