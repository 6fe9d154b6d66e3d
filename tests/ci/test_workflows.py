"""GitHub's files: they say what GitHub understands, run what is there, and open no door."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tributary.paths import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCRIPTS = Path(sys.executable).parent
IN_CI = 15
"""Minutes that a pull request waits at most."""


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPTS / program, *arguments], capture_output=True, text=True, check=False)


def schema(name: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return run("check-jsonschema", "--builtin-schema", f"vendor.{name}", *files)


def audit(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("zizmor", "--offline", "--strict-collection", "--no-progress", folder)


def jobs() -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{path.stem}: {name}", job)
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
    ]
    assert found
    return found


def scripts() -> str:
    return "\n".join(step.get("run", "") for _, job in jobs() for step in job["steps"])


def test_github_understands_them() -> None:
    checked = schema("github-workflows", *WORKFLOWS)
    assert checked.returncode == 0, checked.stdout
    checked = schema("dependabot", GITHUB / "dependabot.yml")
    assert checked.returncode == 0, checked.stdout


def test_what_github_does_not_understand_is_found(tmp_path: Path) -> None:
    (broken := tmp_path / "tests.yml").write_text(WORKFLOWS[-1].read_text().replace("runs-on:", "run-on:"))
    assert schema("github-workflows", broken).returncode == 1


def test_they_open_no_door() -> None:
    audited = audit(GITHUB)
    assert audited.returncode == 0, audited.stdout


@pytest.mark.parametrize(
    ("whole", "hole", "finding"),
    [
        (r"@[0-9a-f]{40}", "@main", "unpinned-uses"),
        (r'--base "\$BASE"', "--base ${{ github.head_ref }}", "template-injection"),
        (r"\n  pull_request:", "\n  pull_request_target:", "dangerous-triggers"),
        (
            r"permissions:\n      contents: read\n    steps",
            "permissions: write-all\n    steps",
            "excessive-permissions",
        ),
    ],
)
def test_an_open_door_is_found(tmp_path: Path, whole: str, hole: str, finding: str) -> None:
    shutil.copytree(GITHUB, tmp_path / ".github")
    file = tmp_path / ".github" / "workflows" / "dbt_ci.yml"
    opened, times = re.subn(whole, lambda _: hole, file.read_text())
    assert times
    file.write_text(opened)
    audited = audit(tmp_path / ".github")
    assert audited.returncode
    assert finding in audited.stdout


@pytest.mark.parametrize(("name", "job"), [job for job in jobs() if not job[0].startswith("nightly")])
def test_a_pull_request_waits_for_no_job_longer_than_that(name: str, job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= IN_CI
    assert sum(step.get("timeout-minutes", 0) for step in job["steps"]) < IN_CI, "no time is left to tell of it"


def test_whatever_they_run_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"\bmake ([a-z-]+)", scripts()))
    modules = set(re.findall(r"python -m ([\w.]+)", scripts()))
    assert made
    assert made <= targets
    assert {"tributary.ci.slim", "tributary.ci.telling", "tributary.ci.definitions", "pytest"} <= modules
    assert not [name for name in modules if importlib.util.find_spec(name) is None]


def test_every_test_is_in_one_part() -> None:
    matrix = dict(jobs())["tests: tests"]["strategy"]["matrix"]["include"]
    parts = [folder for part in matrix for folder in part["folders"].split()]
    there = sorted(
        {f"tests/{path.relative_to(ROOT / 'tests').parts[0]}" for path in (ROOT / "tests").glob("*/test_*.py")}
    )
    assert sorted(parts) == there


def test_the_night_drills_what_make_drill_does() -> None:
    by_hand = re.findall(r"-m pytest (drills/\S+)", (ROOT / "Makefile").read_text())
    [ui] = [path for path in by_hand if path.endswith("_ui.py")]
    assert sorted({*by_hand} - {ui}) == sorted(dict(jobs())["nightly: drill"]["strategy"]["matrix"]["drill"])


def test_who_owns_a_file_is_said_of_files_that_are_there() -> None:
    lines = [line.split() for line in (GITHUB / "CODEOWNERS").read_text().splitlines()]
    owned = {words[0]: words[1:] for words in lines if words and not words[0].startswith("#")}
    assert all(owners and all(re.fullmatch(r"@[\w-]+/[\w-]+", owner) for owner in owners) for owners in owned.values())
    assert not [path for path in owned if path != "*" and not (ROOT / path.lstrip("/")).exists()]
    for path in ("/dbt/models/marts/", "/include/contracts/", "/docs/metrics.md"):
        assert owned[path] == ["@tributary/analytics"]


def test_whoever_asks_for_a_review_is_asked_for_the_changelog() -> None:
    template = (GITHUB / "pull_request_template.md").read_text()
    assert "metric means something else" in template
    assert "CHANGELOG.md" in template
