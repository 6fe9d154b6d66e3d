"""Who may run which backfill: the whole table, asked of the first task of a backfill and read in the audit."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.utils.types import DagRunType

from tests.conftest import new_database
from tests.operators.airflow_run import AirflowRun
from tributary.backfill.asking.policy import load_policy, read_environment
from tributary.backfill.state import identify
from tributary.operators.backfill.request import RequestBackfillOperator
from tributary.paths import POLICY
from tributary.warehouse.settings.merchants import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = (1, 7, 8, 30, 31, 90, 91)
# What comes of it: it runs, it waits for approval in the end, or which rule refuses it.
RULES = {
    "width": r"in (staging|production) an? \w+.* may run",
    "incident": r"more than 30 days need an incident reference",
    "approver": r"more than 7 days need the approval of a manager who did not ask for them",
    "automatic": r"scheduled and automatic triggers are always refused",
}
# Days:                                 1        7        8        30       31       90       91
BY_HAND = """
development analyst  without incident   runs     runs     runs     runs     runs     runs     runs
development analyst  with    incident   runs     runs     runs     runs     runs     runs     runs
development analyst  dry     run        runs     runs     runs     runs     runs     runs     runs
development engineer without incident   runs     runs     runs     runs     runs     runs     runs
development engineer with    incident   runs     runs     runs     runs     runs     runs     runs
development engineer dry     run        runs     runs     runs     runs     runs     runs     runs
development manager  without incident   runs     runs     runs     runs     runs     runs     runs
development manager  with    incident   runs     runs     runs     runs     runs     runs     runs
development manager  dry     run        runs     runs     runs     runs     runs     runs     runs
staging     analyst  without incident   runs     runs     width    width    width    width    width
staging     analyst  with    incident   runs     runs     width    width    width    width    width
staging     analyst  dry     run        runs     runs     width    width    width    width    width
staging     engineer without incident   runs     runs     runs     runs     runs     runs     width
staging     engineer with    incident   runs     runs     runs     runs     runs     runs     width
staging     engineer dry     run        runs     runs     runs     runs     runs     runs     width
staging     manager  without incident   runs     runs     runs     runs     runs     runs     width
staging     manager  with    incident   runs     runs     runs     runs     runs     runs     width
staging     manager  dry     run        runs     runs     runs     runs     runs     runs     width
production  analyst  without incident   width    width    width    width    width    width    width
production  analyst  with    incident   width    width    width    width    width    width    width
production  analyst  dry     run        width    width    width    width    width    width    width
production  engineer without incident   runs     runs     waits    waits    incident incident incident
production  engineer with    incident   runs     runs     waits    waits    waits    waits    waits
production  engineer dry     run        runs     runs     runs     runs     runs     runs     runs
production  manager  without incident   runs     runs     approver approver incident incident incident
production  manager  with    incident   runs     runs     approver approver approver approver approver
production  manager  dry     run        runs     runs     runs     runs     runs     runs     runs
"""
NOT_BY_HAND = ("scheduled", "backfill", "operator_triggered", "asset_triggered", "asset_materialization")
USERS = ("analyst", "engineer", "manager")


def by_hand() -> Iterator[tuple[str, str, str, int, str]]:
    for line in BY_HAND.strip().splitlines():
        environment, user, *kind = (words := line.split())[:4]
        assert len(words[4:]) == len(DAYS)
        yield from ((environment, user, " ".join(kind), days, ends) for days, ends in zip(DAYS, words[4:], strict=True))


@pytest.fixture(scope="module")
def shared_url(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """One warehouse for the whole table: each request is a run of its own."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture(autouse=True)
def warehouse_connection(shared_url: str, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", shared_url)
    monkeypatch.setenv("TRIBUTARY_CODE_VERSION", "abc1234")
    monkeypatch.delenv("TRIBUTARY_ENVIRONMENT", raising=False)


def ask(
    user: str | None, days: int, run_type: str = "manual", policy: Path = POLICY, **asked: Any
) -> tuple[UUID, dict[str, Any] | str]:
    """The id, and what the task hands on, or why it failed."""
    end = datetime.now(UTC).date() - timedelta(days=1)
    with DAG("backfill") as dag:
        task = RequestBackfillOperator(task_id="request", policy=policy)
    run = AirflowRun(dag, f"run {uuid4()}", user=user)
    context = run.context("request")
    context["dag_run"].run_type = DagRunType(run_type)
    context["params"] = {
        "merchants": ["aurora"],
        "channels": [],
        "models": [],
        "start_date": str(end - timedelta(days=days - 1)),
        "end_date": str(end),
        "mode": "reread",
        "reason": "Refunds came late",
        "incident": None,
        "dry_run": False,
    } | asked
    try:
        return identify("backfill", run.run_id), task.execute(context)
    except AirflowFailException as refused:
        return identify("backfill", run.run_id), str(refused)


def audited(url: str, backfill_id: UUID) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(
            "select status, triggered_by, role, environment, date_range_end - date_range_start + 1, error"
            " from audit.backfill_events where backfill_id = %s order by event_id",
            (backfill_id,),
        ).fetchall()


@pytest.mark.parametrize(("environment", "user", "kind", "days", "ends"), by_hand())
def test_by_hand(
    shared_url: str, monkeypatch: pytest.MonkeyPatch, environment: str, user: str, kind: str, days: int, ends: str
) -> None:
    monkeypatch.setenv("TRIBUTARY_ENVIRONMENT", environment)
    incident = "INC-4711" if kind == "with incident" else None

    backfill_id, outcome = ask(user, days, incident=incident, dry_run=kind == "dry run")

    if ends in RULES:
        assert isinstance(outcome, str)
        assert_refused_by(ends, outcome)
        assert audited(shared_url, backfill_id) == [("refused", user, user, environment, days, outcome)]
    else:
        assert isinstance(outcome, dict), outcome
        assert (outcome["needs_approval"], outcome["is_dry_run"]) == (ends == "waits", kind == "dry run")
        assert outcome["approvers"] == (["manager"] if ends == "waits" else [])
        assert audited(shared_url, backfill_id) == [("running", user, user, environment, days, None)]


@pytest.mark.parametrize(
    ("environment", "user", "run_type", "days"),
    [
        # The rule looks at nothing else, so the narrowest and the widest range will do.
        *product(("development", "staging", "production"), USERS, NOT_BY_HAND, (DAYS[0], DAYS[-1])),
        *product(("development", "staging", "production"), (None,), ("manual", *NOT_BY_HAND), (1, 31)),
    ],
)
def test_by_nobody(
    shared_url: str, monkeypatch: pytest.MonkeyPatch, environment: str, user: str | None, run_type: str, days: int
) -> None:
    monkeypatch.setenv("TRIBUTARY_ENVIRONMENT", environment)

    backfill_id, outcome = ask(user, days, run_type, incident="INC-4711", dry_run=days == 1)

    assert isinstance(outcome, str)
    assert_refused_by("automatic", outcome)
    assert audited(shared_url, backfill_id) == [("refused", user, user or "analyst", environment, days, outcome)]


def assert_refused_by(rule: str, outcome: str) -> None:
    assert [name for name, pattern in RULES.items() if re.search(pattern, outcome)] == [rule], outcome


def test_every_kind_of_run_that_airflow_knows_is_in_the_table() -> None:
    assert {*NOT_BY_HAND, "manual"} == {kind.value for kind in DagRunType}


@pytest.mark.parametrize(
    ("user", "role"),
    [("admin", "engineer"), ("viewer", "analyst"), ("stranger", "analyst"), ("Engineer", "analyst"), ("", "analyst")],
)
def test_roles_go_by_the_name_exactly_as_it_is_signed_in(shared_url: str, user: str, role: str) -> None:
    backfill_id, _ = ask(user, 7)
    assert audited(shared_url, backfill_id)[0][2] == role


def test_production_is_meant_when_nothing_is_said_and_nonsense_is_refused(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill_id, _ = ask("engineer", 7)
    assert audited(shared_url, backfill_id)[0][3] == "production"

    monkeypatch.setenv("TRIBUTARY_ENVIRONMENT", "prod")
    backfill_id, outcome = ask("engineer", 7)
    assert outcome == "TRIBUTARY_ENVIRONMENT is 'prod'; it must be one of development, staging, production"
    assert audited(shared_url, backfill_id) == []
    assert read_environment({"TRIBUTARY_ENVIRONMENT": ""}) == "production"


def test_a_manager_who_asks_is_never_among_those_who_approve(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text().replace("managers: [manager]", "managers: [manager, ann, ben]"))

    approvers = {user: ask(user, 8, policy=policy)[1] for user in ("manager", "ben", "engineer")}

    assert {user: outcome["approvers"] for user, outcome in approvers.items() if isinstance(outcome, dict)} == {
        "manager": ["ann", "ben"],
        "ben": ["manager", "ann"],
        "engineer": ["manager", "ann", "ben"],
    }


def test_a_wrong_policy_lets_nobody_run_anything(shared_url: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text().replace("managers: [manager]", "managers: [manager, engineer]"))
    backfill_id, outcome = ask("engineer", 1, policy=policy)
    assert outcome == (
        f"{policy}: roles: 'engineer' is among the engineers and the managers; "
        "keep the name in one of them (managers may do what engineers may)"
    )
    assert audited(shared_url, backfill_id) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("analyst: 7", "analyst: seven", r"environments: staging: analyst is 'seven'; .* `any` or a whole number"),
        ("analyst: 7", "analyst: -1", r"staging: analyst is -1; .* 0 or more"),
        ("analyst: 7", "analyst: true", r"staging: analyst is True; .* whole number"),
        ("analyst: 7, ", "", r"staging: 'analyst' is missing; it needs analyst, engineer"),
        ("analyst: 7", "analist: 7", r"staging: unknown key 'analist'; known are analyst, approval_beyond"),
        ("  staging:", "  stagging:", r"environments: unknown key 'stagging'; known are development, production"),
        ("approval_beyond: 7", "approval_beyond: soon", r"production: approval_beyond is 'soon'"),
        ("[manager]", "manager", r"roles: managers is 'manager'; it must be a list of user names"),
        ("[manager]", "[4711]", r"roles: managers has 4711; .*quote it"),
        ("  managers: [manager]\n", "", r"roles: 'managers' is missing; it needs engineers, managers"),
        ("announce_to: []", "announce_to: a@x.example", r"announce_to: is 'a@x.example'; it must be a list"),
        ("announce_to: []", "announce_to: [team]", r"announce_to: has 'team'; .* e-mail address"),
        ("announce_to: []", "anounce_to: []", r"unknown key 'anounce_to'; known are announce_to"),
        ("roles:", "roles: [", r"this is no YAML: .*line"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    file, text = tmp_path / "policy.yaml", POLICY.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(SettingsError, match=message) as wrong:
        load_policy(file)
    assert str(wrong.value).startswith(str(file))


def test_what_is_no_mapping_or_no_file_is_named_too(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    with pytest.raises(SettingsError, match="the file is missing"):
        load_policy(file)
    file.write_text("")
    with pytest.raises(SettingsError, match="must be a mapping of announce_to, environments, roles"):
        load_policy(file)
