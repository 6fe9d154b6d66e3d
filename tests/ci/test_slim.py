"""Slim CI by real dbt on a real warehouse: what it builds, what it says, and whom it tells."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.ci.conftest import SCHEMA
from tributary.ci import slim
from tributary.ci.telling import CHANNEL, comment, message
from tributary.ci.verdict import Problem, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ci.conftest import PullRequest

pytestmark = pytest.mark.timeout(600)

FUNNEL, AOV = "dbt/models/intermediate/ga4/int_ga4__funnel.sql", "dbt/models/marts/metrics/fct_aov.sql"
TEST, CONTRACT = "dbt/tests/assert_days_are_quiet.sql", "include/contracts/marts/fct_aov.yml"
ALL_ROWS = "select * from {{ ref('fct_aov') }}"
CHANGE = {
    "PULL_REQUEST": "42",
    "PULL_REQUEST_TITLE": "Median <!channel>",
    "PULL_REQUEST_URL": "https://github.example/tributary/pull/42",
    "COMMITTER": "Ann",
}
SCHEMAS = "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"
PUBLISHED = "select date_day, revenue, aov, xmin from marts.fct_aov order by date_day"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    now = datetime.now(UTC)
    with serve(create_app(Settings(first_day=now.date() - timedelta(days=1), frozen_at=now))) as url:
        yield url


def tell(folder: Path, sandbox: str, **given: str) -> subprocess.CompletedProcess[str]:
    """The workflow's last step."""
    slack = {"SLACK_TOKEN": "xoxb-sandbox", "SLACK_BASE_URL": f"{sandbox}/slack/api/"}
    return subprocess.run(
        [sys.executable, "-m", "tributary.ci.telling", str(folder)],
        env={**os.environ, **slack, **CHANGE, **given},
        capture_output=True,
        text=True,
        check=False,
    )


def heard(sandbox: str) -> list[str]:
    messages = requests.get(f"{sandbox}/_admin/slack/messages", timeout=20).json()
    return [message["text"] for message in messages if f"#{message['channel']}" == CHANNEL]


def test_only_what_changed_and_what_reads_it_is_built(pull_request: PullRequest) -> None:
    before, published = pull_request.rows(SCHEMAS), pull_request.rows(PUBLISHED)
    assert len(published) == 2
    with pull_request.changing(FUNNEL, lambda sql: sql.replace("select", "select distinct", 1)):
        done = pull_request.judge()
    assert done.returncode == 0, done.stdout
    assert pull_request.models() == {"int_ga4__funnel", "fct_funnel"}
    assert set(pull_request.ran().values()) <= {"success", "pass"}
    assert "**Changed:** `int_ga4__funnel`" in pull_request.comment
    assert "**Built because they read what changed:** `fct_funnel`" in pull_request.comment
    assert pull_request.comment.startswith("### dbt: passes: 2 models built")
    assert pull_request.rows(SCHEMAS) == before, "what was built is thrown away"
    assert pull_request.rows(PUBLISHED) == published, "production is as it was"


def test_sql_that_the_database_refuses_is_told_with_file_and_line(pull_request: PullRequest, sandbox: str) -> None:
    def misspell(sql: str) -> str:
        assert "left join medians" in sql
        return sql.replace("left join medians", "left joinn medians")

    with pull_request.changing(AOV, misspell):
        line = (pull_request.home / AOV).read_text().splitlines().index("    left joinn medians") + 1
        done = pull_request.judge()
    assert done.returncode == 1
    assert "does not pass: 1 error" in pull_request.comment
    assert f"`{AOV}:{line}`" in pull_request.comment
    assert 'syntax error at or near "joinn"' in pull_request.comment
    assert pull_request.models() <= {"fct_aov"}
    told = tell(pull_request.out, sandbox)
    assert told.returncode == 0, told.stderr
    [said] = heard(sandbox)
    assert "<https://github.example/tributary/pull/42|#42 Median &lt;!channel&gt;>, last commit by Ann" in said
    assert f"{AOV}:{line}" in said
    assert 'syntax error at or near "joinn"' in said


def test_a_project_that_cannot_be_read_is_told_with_file_and_line(pull_request: PullRequest) -> None:
    with pull_request.changing(AOV, lambda sql: f"{{{{ ref('fct_orders') }}\n{sql}"):
        done = pull_request.judge()
    assert done.returncode == 1
    assert f"**The project cannot be read** in `{AOV}:1`" in pull_request.comment
    assert "unexpected '}'" in pull_request.comment
    assert str(pull_request.home) not in pull_request.comment


def test_a_warning_passes_and_says_so(pull_request: PullRequest) -> None:
    with pull_request.changing(TEST, lambda _: "{{ config(severity='warn') }} " + ALL_ROWS):
        done = pull_request.judge()
    assert done.returncode == 0, done.stdout
    assert pull_request.models() == set(), "a new test builds nothing: it reads production"
    assert pull_request.comment.startswith("### dbt: passes with warnings: 0 models built, 1 test run, 1 warning")
    assert f"#### Warnings, which do not block\n\n**Days are quiet** in `{TEST}`" in pull_request.comment
    assert "Got 2 results" in pull_request.comment


def test_a_failed_test_or_contract_blocks_by_name(pull_request: PullRequest) -> None:
    def refuse_all(contract: str) -> str:
        assert "(orders = 0) <> (aov is null)" in contract
        return contract.replace("(orders = 0) <> (aov is null)", "orders >= 0")

    with pull_request.changing(TEST, lambda _: ALL_ROWS), pull_request.changing(CONTRACT, refuse_all):
        done = pull_request.judge()
    assert done.returncode == 1
    assert "does not pass: 2 tests failed" in pull_request.comment
    _, _, blocking = pull_request.comment.partition("#### Tests that block")
    assert f"**Days are quiet** in `{TEST}`" in blocking
    assert "**aurora: fct_aov: A day without orders has no average" in blocking
    assert f"in `{CONTRACT}`" in blocking
    assert "Warnings" not in blocking


def test_a_changed_variable_is_seen(pull_request: PullRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slim, "DBT_PROJECT", pull_request.home / "dbt")
    assert slim._changed_vars(pull_request.production) == []
    with pull_request.changing("dbt/dbt_project.yml", lambda text: text.replace("hours: 168", "hours: 24")):
        changed = slim._changed_vars(pull_request.production)
    assert changed == ["attribution_half_life_hours", "attribution_window_hours"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--schema", "build"), "--schema is 'build': it is dropped, so name it ci_<number of the pull request>"),
        (("--production", "/nowhere"), "let dbt parse or build there first"),
        ((), "WAREHOUSE_PORT not set"),
    ],
)
def test_what_is_missing_is_named(
    pull_request: PullRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    places = ("--production", str(pull_request.production), "--schema", SCHEMA, "--out", str(pull_request.out))
    monkeypatch.setattr(sys, "argv", ["slim", *places, *arguments])
    for name in ("HOST", "USER", "PASSWORD", "DATABASE"):
        monkeypatch.setenv(f"WAREHOUSE_{name}", "set")
    monkeypatch.delenv("WAREHOUSE_PORT", raising=False)
    with pytest.raises(SystemExit) as ended:
        slim.main()
    assert said in f"{ended.value.code}{capsys.readouterr().err}"


def test_no_verdict_is_told_too(tmp_path: Path, sandbox: str) -> None:
    assert tell(tmp_path, sandbox).returncode == 0
    assert ":x: *Slim CI came to no verdict*" in heard(sandbox)[-1]


def test_a_slack_that_does_not_take_it_is_told_without_the_token(tmp_path: Path, sandbox: str) -> None:
    told = tell(tmp_path, sandbox, SLACK_TOKEN="xoxb-of-somebody-else")
    assert told.returncode == 1
    assert f"{CHANNEL} was not told: invalid_auth" in told.stderr
    assert "xoxb" not in told.stderr
    assert "SLACK_TOKEN not set: nobody was told" in tell(tmp_path, sandbox, SLACK_TOKEN="").stderr


def test_many_problems_are_told_as_far_as_people_read() -> None:
    problems = [Problem(f"test {number}", "dbt/tests/a.sql", "```\n" + "no " * 2_000) for number in range(60)]
    verdict = Verdict(blocking=problems, tests=60, skipped=["fct_aov"])
    assert "and 10 more" in comment(verdict)
    assert comment(verdict).count("```") == 100, "nothing that is said ends its fence"
    assert len(comment(verdict)) < 65_536, "GitHub takes no longer one"
    assert "and 52 more in the pull request" in message(verdict, CHANGE)
    assert len(message(verdict, CHANGE)) < 4_000
