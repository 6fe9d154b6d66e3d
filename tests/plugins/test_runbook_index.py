"""The index of the runbooks: none is missing in it, and each line says what one sees."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

from runbooks import INDEX, RUNBOOKS, app

ROWS = re.findall(r"^\| (.+?) \| \[(.+?)\]\((\S+)\.md\) \|$", INDEX.read_text(), re.MULTILINE)


def test_every_runbook_is_in_the_index() -> None:
    there = {path.stem for path in RUNBOOKS.glob("*.md")} - {INDEX.stem}
    assert {name for _, _, name in ROWS} == there


def test_a_runbook_is_called_by_its_title() -> None:
    titles = {path.stem: path.read_text().partition("\n")[0].removeprefix("# ") for path in RUNBOOKS.glob("*.md")}
    assert {(name, title) for _, title, name in ROWS} == {(name, titles[name]) for _, _, name in ROWS}


def test_no_two_lines_are_about_the_same() -> None:
    seen = [what for what, _, _ in ROWS]
    assert len(seen) == len(set(seen))


def test_airflow_shows_the_index_in_its_groups() -> None:
    page = TestClient(app).get("/").text
    groups = re.findall(r"^## (.+)$", INDEX.read_text(), re.MULTILINE)
    assert groups
    assert re.findall(r"<h2>(.+)</h2>", page) == groups
    assert page.count("<tr>") == len(ROWS) + len(groups)
