"""The hooks of a commit: each refuses the fault that it is there for, by name, and lets this repository pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# dbt reads the whole project, which takes a slow machine minutes.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
HOOKS = {
    hook["id"]: hook.get("stages", CONFIG["default_stages"])[0] for repo in CONFIG["repos"] for hook in repo["hooks"]
}
"""Each hook, and the stage that it runs in."""
MADE = (".git", ".venv", ".local*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "target", "logs", "results")
"""What is in the folder of somebody who works here, and in no clone."""


class Clone:
    """A repository with the files of this one as they are now, and this one's environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*MADE))
        (root / ".venv").symlink_to(sys.prefix)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT", "SKIP"))
        }
        self._env = kept | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PRE_COMMIT_HOME": str(root.parent / "pre-commit"),
            # The environment knows the package of the folder that it was made for.
            "PYTHONPATH": str(root / "plugins"),
        }
        self.git("init", "--quiet")
        (root / ".git" / "info" / "exclude").write_text("/.venv\n")
        self.git("add", "--all")
        self.git(
            "-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "As it is"
        )
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.root, env=self._env, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def run(self, *arguments: str, skip: str = "") -> subprocess.CompletedProcess[str]:
        """What `pre-commit run` says of these hooks or files."""
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--color=never", *arguments],
            cwd=self.root,
            env=self._env | {"SKIP": skip},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("hooks") / "clone")


@pytest.fixture
def clone(repository: Clone) -> Iterator[Clone]:
    """As it was committed, before and after."""
    yield repository
    repository.git("reset", "--hard", "--quiet")
    repository.git("clean", "--force", "--quiet", "-d")


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def added(text: str) -> Callable[[str], str]:
    return lambda before: before + text


@dataclass(frozen=True)
class Fault:
    """What a change puts into files, and what each hook that must refuse it has to say."""

    changes: Mapping[str, Callable[[str], str]]
    refused: Mapping[str, tuple[str, ...]]


UNTESTED = """
models:
  - name: fct_untested
    description: One row per merchant, and no test.
    columns:
      - {name: merchant_id, description: The merchant., data_type: text}
"""
FAULTS = {
    "an import that nobody uses": Fault(
        {"dags/watch.py": added("\n\nimport os\n")},
        {"ruff": ("dags/watch.py", "F401")},
    ),
    "code in a form of its own": Fault(
        {"dags/watch.py": added("HOURS = {  'a':1 }\n")},
        {"ruff-format": ("File would be reformatted", "dags/watch.py")},
    ),
    "a key that is there twice": Fault(
        {"include/config/policy.yaml": added("announce_to: []\n")},
        {"yamllint": ("include/config/policy.yaml", 'duplication of key "announce_to"')},
    ),
    "SQL in capitals": Fault(
        {"dbt/models/marts/metrics/fct_aov.sql": replaced("select", "SELECT")},
        {"sqlfluff": ("fct_aov.sql", "CP01")},
    ),
    "a contract of a column that is not there": Fault(
        {"include/contracts/marts/fct_roas.yml": replaced("(coalesce(spend, 0)", "(coalesce(spent, 0)")},
        {"contracts": ("include/contracts/marts/fct_roas.yml", "no column 'spent'; did you mean 'spend'?")},
    ),
    "a column renamed under its contract": Fault(
        {"dbt/models/marts/metrics/_metrics.yml": replaced("- name: aov\n", "- name: average\n")},
        {"contracts": ("include/contracts/marts/fct_aov.yml", "no column 'aov'")},
    ),
    "a model that is not there": Fault(
        {"dbt/models/marts/metrics/fct_aov.sql": added("\n-- {{ ref('int_ordres') }}\n")},
        {"dbt-parse": ("fct_aov", "int_ordres")},
    ),
    "models without what belongs to them": Fault(
        {
            "dbt/models/intermediate/_intermediate.yml": replaced(
                "    description: The refunds of all channels.\n", ""
            ),
            "dbt/models/staging/fx/_stg_fx.yml": replaced(
                "{name: merchant_id, description: The merchant.}", "{name: merchant_id}"
            ),
            "dbt/models/marts/core/fct_untested.sql": added("select merchant_id from {{ ref('fct_orders') }}\n"),
            "dbt/models/marts/core/_untested.yml": added(UNTESTED),
        },
        {
            "dbt-descriptions": ("dbt/models/intermediate/int_refunds.sql: does not have defined description",),
            "dbt-columns": ("stg_fx__rates.sql: following columns are missing description:\n- merchant_id\n",),
            "dbt-tests": ("fct_untested: has only 0 tests, but 1 are required",),
        },
    ),
    "a metric that means something else": Fault(
        {"dbt/models/marts/metrics/fct_aov.sql": replaced("percentile_disc(0.5)", "percentile_disc(0.4)")},
        {"definitions": ("fct_aov (dbt/models/marts/metrics/fct_aov.sql) changed, and no new row of CHANGELOG.md",)},
    ),
}


def test_every_hook_has_a_fault() -> None:
    assert {hook for fault in FAULTS.values() for hook in fault.refused} == set(HOOKS)


def test_this_repository_passes(clone: Clone) -> None:
    # sqlfluff takes a minute for all models, and `make lint` runs it; here it reads one.
    done = clone.run("--all-files", skip="sqlfluff")
    assert done.returncode == 0, done.stdout
    one = clone.run("sqlfluff", "--files", "dbt/models/marts/metrics/fct_aov.sql")
    assert one.returncode == 0, one.stdout
    pushed = clone.run("--all-files", "--hook-stage=pre-push")
    assert pushed.returncode == 0, pushed.stdout
    assert sum(out.stdout.count("Passed") for out in (done, one, pushed)) == len(HOOKS)
    assert clone.git("status", "--porcelain") == "", "a hook left something behind"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_refused(clone: Clone, fault: Fault) -> None:
    for path, change in fault.changes.items():
        file = clone.root / path
        file.write_text(change(file.read_text() if file.exists() else ""))
    clone.git("add", "--all")
    if "dbt-tests" in fault.refused:
        parsed = clone.run("dbt-parse", "--files", *fault.changes)
        assert parsed.returncode == 0, parsed.stdout
    for hook, says in fault.refused.items():
        done = clone.run(hook, f"--hook-stage={HOOKS[hook]}", "--files", *fault.changes)
        assert done.returncode == 1, done.stdout
        assert "Failed" in done.stdout
        for words in says:
            assert words in done.stdout
