"""A figure that means something else is told in the changelog, or the change is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AOV, YAML = "dbt/models/marts/metrics/fct_aov.sql", "dbt/models/marts/metrics/_metrics.yml"
ORDERS, MACRO = "dbt/models/intermediate/int_orders.sql", "dbt/macros/revenue_of_order.sql"
QUALITY, PROJECT = "dbt/models/quality/day_over_day.sql", "dbt/dbt_project.yml"
CHANGELOG, DEFINITIONS = "CHANGELOG.md", "dbt/models/definitions.md"

FILES = {
    AOV: """
        -- The mean.
        select round(revenue / nullif(orders, 0), 2) as aov, 'as -- is' as kind from {{ ref('fct_revenue') }}
    """,
    YAML: """
        models:
          - name: fct_aov
            description: One row per merchant and day.
            columns:
              - name: aov
                data_type: numeric(38, 2)
                description: Revenue by orders.
                config: {meta: {formula: revenue / orders, limits: After refunds.}}
    """,
    ORDERS: "select * from orders",
    MACRO: "{% macro revenue_of_order(row) %}{{ row }}.gross_sales{% endmacro %}",
    QUALITY: "select 1 as day",
    PROJECT: "name: tributary\nvars: {attribution_window_hours: 168}\n",
    DEFINITIONS: "A day is one of the merchant's.\n",
    CHANGELOG: """
        ### Data changes

        | model | old | new | why |
        |---|---|---|---|
        | fct_aov | - | new | first release |
    """,
}
ROW = "| {models} | the mean | the median | outliers |\n"


class Repository:
    """A repository with one commit, and what the check says of its working tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, text in FILES.items():
            self.write(path, dedent(text).lstrip())
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()
        self.git("switch", "--quiet", "--create", "change")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", self.root, *who, *arguments], check=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def tell(self, models: str) -> None:
        self.write(CHANGELOG, (self.root / CHANGELOG).read_text() + ROW.format(models=models))

    def check(self, base: str = "main") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tributary.ci.definitions", "--base", base],
            env={**os.environ, "TRIBUTARY_HOME": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
        )

    def refuses(self, what: str) -> bool:
        done = self.check()
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        return what in done.stdout

    def passes(self) -> bool:
        done = self.check()
        assert not done.stderr
        return (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def edit(path: str, old: str, new: str) -> Callable[[Repository], None]:
    return lambda repository: repository.change(path, old, new)


CHANGES = {
    "fct_aov (dbt/models/marts/metrics/fct_aov.sql)": edit(AOV, "orders, 0", "units, 0"),
    "fct_aov.aov": edit(YAML, "Revenue by orders.", "Revenue by units."),
    "fct_aov.aov (dbt": edit(YAML, "After refunds.", "Before refunds."),
    "fct_aov (dbt/models/marts/metrics/_metrics.yml)": edit(YAML, "merchant and day", "merchant and week"),
}
BELOW = {
    "int_orders": edit(ORDERS, "select *", "select distinct *"),
    "revenue_of_order": edit(MACRO, "gross_sales", "net_sales"),
    "the variable attribution_window_hours": edit(PROJECT, "168", "24"),
    "the definitions that all marts share": edit(DEFINITIONS, "merchant's", "vendor's"),
}


def test_what_did_not_change_needs_no_word(repository: Repository) -> None:
    assert repository.passes()


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_mart_needs_a_row_that_names_it(repository: Repository, what: str) -> None:
    CHANGES[what](repository)
    assert repository.refuses(what)
    assert repository.refuses("add `| fct_aov | what it was | what it is | why |`")
    repository.tell("fct_revenue")
    assert repository.refuses(what), "a row of another mart tells nothing of this one"
    repository.tell("fct_roas, fct_aov")
    assert repository.passes()


@pytest.mark.parametrize("what", BELOW)
def test_what_lies_below_needs_a_row_that_names_a_mart(repository: Repository, what: str) -> None:
    BELOW[what](repository)
    assert repository.refuses(what)
    repository.tell("orders")
    assert repository.refuses("names the marts that it moves")
    repository.tell("all marts")
    assert repository.passes()


@pytest.mark.parametrize("commits", [False, True])
def test_a_commit_and_the_working_tree_are_the_same(repository: Repository, *, commits: bool) -> None:
    repository.change(AOV, "orders, 0", "units, 0")
    if commits:
        repository.commit()
    assert repository.refuses("fct_aov")


def test_a_new_mart_and_one_that_went_are_changes(repository: Repository) -> None:
    repository.write("dbt/models/marts/metrics/fct_mer.sql", "select 1 as mer")
    (repository.root / AOV).unlink()
    assert repository.refuses("fct_mer")
    assert repository.refuses("fct_aov")


def test_what_the_base_did_meanwhile_is_not_ours(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    repository.change(AOV, "orders, 0", "units, 0")
    repository.commit()
    repository.git("switch", "--quiet", "change")
    assert repository.passes()


def test_comments_and_layout_mean_nothing(repository: Repository) -> None:
    repository.change(AOV, "-- The mean.", "{# Of every day. #}\n/* The mean,\nrounded. */")
    repository.change(AOV, " as aov, ", "\n    as aov, -- per order\n\n    ")
    repository.change(AOV, "(orders,", "( orders ,")
    repository.change(YAML, "Revenue by orders.", ">\n          Revenue by\n          orders.")
    assert repository.passes()


def test_text_in_quotes_is_no_comment(repository: Repository) -> None:
    repository.change(AOV, "'as -- is'", "'as -- was'")
    assert repository.refuses("fct_aov")


def test_what_is_never_published_or_read_by_nothing_defines_nothing(repository: Repository) -> None:
    repository.change(QUALITY, "1", "2")
    repository.write("dbt/models/intermediate/int_new.sql", "select 1")
    assert repository.passes()


def test_an_old_row_tells_nothing_new(repository: Repository) -> None:
    repository.change(AOV, "orders, 0", "units, 0")
    repository.change(CHANGELOG, "| fct_aov | - | new | first release |", "| fct_aov | - | new | the first |")
    assert repository.passes(), "a row that was written anew is a new row"
    repository.change(CHANGELOG, "the first", "first release")
    assert repository.refuses("fct_aov")


def test_a_base_that_is_not_there_is_told(repository: Repository) -> None:
    done = repository.check("origin/main")
    assert done.returncode == 1
    assert "--base must be a commit that is fetched" in done.stderr


def test_the_repositorys_own_changelog_has_rows_that_are_read() -> None:
    from tributary.ci.definitions import _rows

    named = ", ".join(_rows((ROOT / CHANGELOG).read_text()).values())
    assert "fct_daily_metrics" in named
    assert "fct_tiktok_videos" in named
