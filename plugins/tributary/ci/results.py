"""What dbt said, as problems with a place in the repository and words that people can read."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tributary.ci.verdict import Problem, Verdict
from tributary.paths import DBT_PROJECT, ROOT
from tributary.quality.dbt_results import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_IN_FILE = re.compile(r"(?:^|[\s(])((?:models|macros|tests)/[\w/]+\.(?:sql|yml|md))", re.MULTILINE)
_YAML = re.compile(r"Error reading \w+: ([\w/]+\.yml)")
_LINE = re.compile(r"^\s*(?:Syntax error near )?line (\d+)", re.MULTILINE)
_STATEMENT_LINE = re.compile(r"^\s*LINE \d+: (.*)$", re.MULTILINE)


def told(changed: Sequence[str], ran: Any) -> Verdict:
    """What dbt's results say: of models what became of them, of tests what is wrong."""
    models = defaultdict[str, list[str]](list)
    problems = defaultdict[str, list[Problem]](list)
    tests = 0
    for result in ran.results:
        node, status, said = result.node, str(result.status), str(result.message or "")
        is_model = node.resource_type == "model"
        if is_model:
            models[status].append(node.name)
        elif status != "skipped":
            tests += 1
        if status in ("error", "fail", "warn"):
            title = node.name if is_model else _title(node)
            problems[status].append(Problem(title, _place(node, said), _words(said)))
    return Verdict(
        changed=sorted(changed),
        built=sorted(models["success"]),
        skipped=sorted(models["skipped"]),
        tests=tests,
        errors=problems["error"],
        blocking=problems["fail"],
        warnings=problems["warn"],
    )


def _title(test: Any) -> str:
    if test.resource_type == "unit_test":
        return f"{test.model}: {test.name.replace('_', ' ')}"
    return title_of(test.to_dict())


def _place(node: Any, said: str) -> str:
    """The file that is to be mended, with the line that dbt or the database means."""
    file = Path(node.original_file_path)
    if quoted := _STATEMENT_LINE.search(said):
        # The database counts lines of the statement that dbt made; what it quotes is found again in the model.
        if node.resource_type == "unit_test":
            file = next(DBT_PROJECT.glob(f"models/**/{node.model}.sql")).relative_to(DBT_PROJECT)
        lines = (DBT_PROJECT / file).read_text().splitlines()
        found = [number for number, line in enumerate(lines, 1) if quoted[1].strip(" .") in line]
        if len(found) == 1:
            return f"dbt/{file}:{found[0]}"
    line = _LINE.search(said)
    return f"dbt/{file}:{line[1]}" if line else f"dbt/{file}"


def unreadable(said: str) -> Problem:
    """What keeps dbt from reading the project at all."""
    file, yml, line = _IN_FILE.search(said), _YAML.search(said), _LINE.search(said)
    place = "dbt"
    if file or yml:
        place = f"dbt/{file[1]}" if file else f"dbt/models/{yml[1]}"  # type: ignore[index]
    return Problem("The project cannot be read", f"{place}:{line[1]}" if line else place, _words(said))


def _words(said: str) -> str:
    """Without the path of this machine at its end."""
    return re.sub(r"\n\s*compiled code at .*", "", said).replace(f"{ROOT}/", "").strip()
