"""Refuses a change of what a figure means that CHANGELOG.md does not tell.

`python -m tributary.ci.definitions --base COMMIT` compares the working tree with where it left that commit: the SQL
that figures are made of (models and macros), the project's variables, and what the marts' YAML says of columns.
Comments, line breaks and indentation are no change. A changed mart needs a new row in a data-change table that names
it; what lies below the marts needs one that names a mart that it moves.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import yaml

from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHANGELOG = "CHANGELOG.md"
PROJECT = "dbt/dbt_project.yml"
DEFINITIONS = "dbt/models/definitions.md"
MARTS = "dbt/models/marts/"
ALL_MARTS = "all marts"

# Models of `quality` are never published.
_FIGURES = re.compile(r"dbt/(models/(?!quality/).+|macros/.+)\.sql")
# Strings and quoted names stay as they are; everything else is compared word by word, without comments.
_TOKEN = re.compile(r"(?s)\{#.*?#\}|/\*.*?\*/|--[^\n]*|('(?:[^']|'')*'|\"[^\"]*\"|\w+|[^\w\s])")
_ROW = re.compile(r"^\| *([^|]+?) *\|[^|]*\|[^|]*\|[^|]*\| *$", re.MULTILINE)
_MART = re.compile(r"\b(?:fct|dim)_\w+|\ball marts\b")

Key = TypeVar("Key", str, tuple[str, str])


class Change(NamedTuple):
    """A definition that is another one now."""

    what: str
    path: str
    mart: str | None
    """None of what lies below the marts: which of them it moves, only its author knows."""

    def sentence(self) -> str:
        """What is missing, and what to write."""
        named = self.mart or "the marts that it moves"
        row = f"| {self.mart or 'fct_...'} | what it was | what it is | why |"
        return f"{self.what} ({self.path}) changed, and no new row of {CHANGELOG} names {named}: add `{row}`"


class History:
    """The files of the commit that the working tree left, beside its own."""

    def __init__(self, base: str) -> None:
        self._base = _git("merge-base", base, "HEAD").strip()

    def changed(self) -> list[str]:
        """The paths that differ, new and deleted ones too."""
        tracked = _git("diff", "--name-only", "--no-renames", "-z", self._base)
        new = _git("ls-files", "--others", "--exclude-standard", "-z")
        return sorted(filter(None, (tracked + new).split("\0")))

    def before(self, path: str) -> str:
        """A file as it was; empty when it was not there."""
        return _git("show", f"{self._base}:{path}") if _git("ls-tree", self._base, "--", path) else ""

    def now(self, path: str) -> str:
        """A file as it is; empty when it is not there any more."""
        file = ROOT / path
        return file.read_text() if file.exists() else ""


def untold(history: History) -> list[Change]:
    """The changes that no new row of the changelog tells."""
    rows = _rows(history.now(CHANGELOG)).items() - _rows(history.before(CHANGELOG)).items()
    named = {name for _, models in rows for name in _MART.findall(models)}
    return [
        change
        for path in history.changed()
        for change in _changes(path, history.before(path), history.now(path))
        if not (named & {change.mart, ALL_MARTS} if change.mart else named)
    ]


def _rows(changelog: str) -> dict[str, str]:
    """The rows of the data-change tables: the whole of each, and its first cell, which names models."""
    return {match[0]: match[1] for match in _ROW.finditer(changelog)}


def _changes(path: str, before: str, now: str) -> Iterator[Change]:
    name = PurePosixPath(path).stem
    if _FIGURES.fullmatch(path) and _tokens(before) != _tokens(now):
        if path.startswith(MARTS):
            yield Change(name, path, name)
        elif before:
            # What is new below the marts moves nothing before something that is not new reads it.
            yield Change(name, path, None)
    elif path.startswith(MARTS) and path.endswith(".yml"):
        for mart, column in _differing(_columns(path, before), _columns(path, now)):
            yield Change(f"{mart}.{column}" if column else mart, path, mart)
    elif path == PROJECT:
        for variable in _differing(_vars(path, before), _vars(path, now)):
            yield Change(f"the variable {variable}", path, None)
    elif path == DEFINITIONS and before.split() != now.split():
        yield Change("the definitions that all marts share", path, None)


def _differing(before: Mapping[Key, Any], now: Mapping[Key, Any]) -> list[Key]:
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _tokens(source: str) -> list[str]:
    return [token for token in _TOKEN.findall(source) if token]


def _columns(path: str, source: str) -> dict[tuple[str, str], list[str]]:
    """What the YAML says of each model and of its columns, by its words."""
    said = {}
    for model in _yaml(path, source).get("models") or ():
        said[model["name"], ""] = str(model.get("description")).split()
        for column in model.get("columns") or ():
            meta = (column.get("config") or {}).get("meta") or {}
            parts = (column.get("data_type"), column.get("description"), meta.get("formula"), meta.get("limits"))
            said[model["name"], column["name"]] = [" ".join(str(part).split()) for part in parts]
    return said


def _vars(path: str, source: str) -> dict[str, Any]:
    return dict(_yaml(path, source).get("vars") or {})


def _yaml(path: str, source: str) -> dict[str, Any]:
    try:
        return yaml.safe_load(source) or {}
    except yaml.YAMLError as error:
        sys.exit(f"{path} is no YAML: {error}")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        sys.exit(f"git {arguments[0]} failed: {done.stderr.strip()}. --base must be a commit that is fetched")
    return done.stdout


def main() -> int:
    """Name every change that is not told; 1 when there is one."""
    parser = argparse.ArgumentParser(
        prog="python -m tributary.ci.definitions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", required=True, help="the commit to compare with, as origin/main")
    missing = untold(History(parser.parse_args().base))
    for change in missing:
        sys.stdout.write(f"{change.sentence()}\n")
    if missing:
        sys.stdout.write("Where no figure moves, say so in such a row: its author knows, and whoever reviews it.\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
