"""What dbt's own tests and its source freshness said, read from the files that a dbt command leaves behind."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tributary.quality.finding import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATASET = "dbt"
OUTCOMES: dict[str, Outcome] = {"pass": "passed", "warn": "warned", "fail": "failed", "error": "error"}
RUN_AGAIN = "Run it again: TRIBUTARY_BUILD_SCHEMA={schema} dbt test --select {name}"

_COMMENT = re.compile(r"^--\s*(.*)$", re.MULTILINE)


def findings_of_tests(target: Path, schema: str) -> list[Finding]:
    """A finding for each test that was run, passed ones too; dbt counts the rows, and none of them is kept.

    :param target: dbt's target folder, with the results and the manifest of one `dbt test`.
    :param schema: Where the tests looked.
    """
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    return [
        _finding(nodes[result["unique_id"]], result, schema)
        for result in json.loads((target / "run_results.json").read_text())["results"]
        if result["status"] in OUTCOMES
    ]


def _finding(test: dict[str, Any], result: dict[str, Any], schema: str) -> Finding:
    outcome, rows = OUTCOMES[result["status"]], result["failures"]
    run_again = RUN_AGAIN.format(schema=schema, name=test["name"])
    return Finding(
        dataset=DATASET,
        check=title_of(test),
        column=None,
        level="warn" if test["config"]["severity"].lower() == "warn" else "fail",
        outcome=outcome,
        # What the database said may quote a row; it stands in the task's log only.
        measured="dbt could not run it" if outcome == "error" else f"{rows} {'row' if rows == 1 else 'rows'}",
        threshold="must be: 0 rows",
        remedy=" ".join(filter(None, (_description(test), run_again))),
        schema=schema,
        owner="data",
        runbook="dbt-tests",
    )


def title_of(test: dict[str, Any]) -> str:
    """The test's name as a person reads it; that of a test of one model begins with the model."""
    name: str = test["name"].removeprefix("assert_")
    generic = test.get("test_metadata")
    if generic is None:
        return _words(name).capitalize()
    model = test["attached_node"].rpartition(".")[2]
    if name.startswith(f"{generic['name']}_"):
        # Nobody named it: dbt made a name of all that it was given.
        given = [_text(value) for argument, value in generic["kwargs"].items() if argument != "model"]
        return f"{model}: {_words(generic['name'])}: {', '.join(given)}"
    return f"{model}: {_words(name)}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).strip()


def _description(test: dict[str, Any]) -> str:
    """What its YAML says of it, or the comment that its SQL begins with."""
    if test["description"] or test.get("test_metadata"):
        return str(test["description"]).strip()
    head = re.match(r"(\s*--.*\n)*", test["raw_code"])
    return " ".join(_COMMENT.findall(head[0])) if head else ""


def read_freshness(target: Path) -> dict[str, str]:
    """How fresh dbt finds each source, by its table: its verdict, and since when."""
    results: Sequence[dict[str, Any]] = json.loads((target / "sources.json").read_text())["results"]
    return {
        result["unique_id"].rpartition(".")[2]: (
            f"{result['status']}: read up to {result['max_loaded_at']}"
            if "max_loaded_at" in result
            else "dbt could not tell"
        )
        for result in results
    }
