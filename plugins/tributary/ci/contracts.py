"""`python -m tributary.ci.contracts [files]`: what is wrong with contracts, before a gate stumbles over it.

A misspelt column is found by PostgreSQL when the contract is judged, and holds a merchant back. What the files of this
repository can tell is told here, without a database.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from sqlglot import exp, parse_one
from sqlglot.errors import ParseError

from tributary.channels import CHANNELS
from tributary.paths import DBT_PROJECT, MART_CONTRACTS, RAW_CONTRACTS, ROOT
from tributary.quality.contract import read
from tributary.quality.soda import refusal
from tributary.warehouse.raw_table import raw_table_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tributary.quality.contract import Asked

    Columns = frozenset[str] | None
    """Of a table; None where they are written nowhere."""

RAW_COLUMNS = frozenset(
    {
        "merchant_id",
        "record_id",
        "event_at",
        "updated_at",
        "payload",
        "payload_hash",
        "api_version",
        "first_loaded_at",
        "loaded_at",
        "sync_id",
        "masked_at",
    }
)
RUNBOOKS = ROOT / "docs" / "runbooks"
FILLED_IN = {"database": "warehouse", "schema": "judged", "merchant_id": "aurora"}
"""What stands for the variables while the SQL is read."""


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong with these contracts, or with all; 1 when something is."""
    everything = [*RAW_CONTRACTS.glob("*.yml"), *MART_CONTRACTS.glob("*.yml")]
    paths = [Path(name).resolve() for name in arguments] or everything
    wrong = [problem for path in sorted(paths) for problem in problems(path)]
    sys.stdout.writelines(f"{problem}\n" for problem in wrong)
    return 1 if wrong else 0


def problems(path: Path) -> Iterator[str]:
    """What is wrong with one contract: a sentence each, with file, field, value and remedy."""
    file = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return (f"{file}: {problem}" for problem in _problems(path))


def _problems(path: Path) -> Iterator[str]:
    try:
        contract = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        yield f"is no YAML: {' '.join(str(error).split())}"
        return
    if refused := refusal(path, FILLED_IN):
        yield f"Soda does not take it: {refused}"
        return
    yield from _unknown_words(contract)
    tables = _raw_tables() if path.parent.name == RAW_CONTRACTS.name else _marts()
    if path.stem not in tables:
        yield f"its name is {path.stem!r}, and there is no such table; {_instead(path.stem, tables)}"
        return
    yield from _about_itself(path, contract)
    checks = read([path], FILLED_IN)
    if not checks:
        yield "checks: there are none; the table is never judged"
    for (column, name), times in Counter((check.column, check.name) for check in checks).items():
        if times > 1:
            yield f"check {name!r} of {column or path.stem}: is there {times} times; give each a name of its own"
    for check in checks:
        for problem in (*_for_people(check), *_tables_of(check, tables), *_columns_of(check, tables[path.stem])):
            yield f"check {check.name!r}, {problem}"


def _unknown_words(part: Any, field: str = "") -> Iterator[str]:
    """Soda passes over a word that it does not know, and judges as if nothing had been said."""
    if isinstance(part, list):
        for number, item in enumerate(part):
            yield from _unknown_words(item, f"{field}[{number}]")
    elif isinstance(part, dict):
        words, levels = _words_of_soda()
        for word, value in part.items():
            here = f"{field}.{word}" if field else str(word)
            if word not in words:
                yield f"{here}: Soda has no such word and would pass over it; {_instead(str(word), words)}"
            elif word == "level" and value not in levels:
                yield f"{here}: is {value!r}, and Soda would take it for 'fail'; it must be one of {levels}"
            elif word not in ("attributes", "check_attributes", "variables"):
                yield from _unknown_words(value, here)


def _about_itself(path: Path, contract: dict[str, Any]) -> Iterator[str]:
    """Which table it is about, as the gate reads it, and who looks at what it finds."""
    schemas = ("${var.schema}", path.parent.name)
    allowed = [f"warehouse/${{var.database}}/{schema}/{path.stem}" for schema in schemas]
    if contract["dataset"] not in allowed:
        yield f"dataset: is {contract['dataset']!r}; it must be {allowed[0]!r}"
    attributes = contract.get("check_attributes") or {}
    if not attributes.get("owner"):
        yield "check_attributes.owner: is missing; name who is asked to look, as data or analytics"
    yield from _runbook("check_attributes.runbook", attributes.get("runbook"))


def _for_people(check: Asked) -> Iterator[str]:
    """A finding needs a name and what to do."""
    if not check.body.get("name"):
        yield "name: is missing; people read it in a message: say what holds when all is well"
    if not (check.attribute("remedy") or "").strip():
        yield "attributes.remedy: is missing; say what to do when the check objects"
    own = check.runbook(warns=False)
    if own != check.defaults.get("runbook"):
        yield from _runbook("attributes.runbook", own)


def _runbook(field: str, name: str | None) -> Iterator[str]:
    known = {path.stem for path in RUNBOOKS.glob("*.md")}
    if name not in known:
        yield f"{field}: is {name!r}, and docs/runbooks has no such file; {_instead(str(name), known)}"


def _tables_of(check: Asked, tables: Collection[str]) -> Iterator[str]:
    for table in check.tables:
        if table not in {*tables, *_built_for_contracts()}:
            yield f"query: reads {table!r}, which nothing builds; {_instead(table, tables)}"


def _columns_of(check: Asked, columns: Columns) -> Iterator[str]:
    """What the check says of its own table; of others a query may know more than the files do."""
    named = [("column", check.column)] if check.column else []
    named += [("columns", name) for name in check.body.get("columns") or []]
    for field, condition in (("filter", check.only), ("expression", check.body.get("expression"))):
        try:
            named += [(field, name) for name in _columns_in(condition)] if condition else []
        except ParseError as error:
            [wrong, *_] = error.errors
            yield f"{field}: is no SQL: {wrong['description']} near {wrong['highlight']!r}"
    for field, name in named:
        if columns is not None and name not in columns:
            yield f"{field}: {check.dataset} has no column {name!r}; {_instead(name, columns)}"


def _columns_in(condition: str) -> list[str]:
    """The columns of the row that is judged; what a subquery reads is its own."""
    tree = parse_one(f"select 1 where {condition}", read="postgres")
    return [column.name for column in tree.find_all(exp.Column) if column.parent_select is tree]


def _instead(wrong: str, known: Collection[str]) -> str:
    likely = get_close_matches(wrong, known, n=1)
    return f"did you mean {likely[0]!r}?" if likely else f"known are {', '.join(sorted(known))}"


@cache
def _raw_tables() -> dict[str, Columns]:
    """The tables that the channels declare; all have the columns of `raw_table`."""
    return {
        raw_table_name(channel, name): RAW_COLUMNS
        for channel in CHANNELS
        for stream in channel.streams
        for name in (stream.name, *stream.children)
    }


@cache
def _marts() -> dict[str, Columns]:
    """What is published: models with the columns of their own contract, and what else is in schema `marts`."""
    models, sources = _described("marts/**/*.yml", "models"), _described("**/_sources.yml", "sources")
    published: dict[str, Columns] = {
        table["name"]: None for source in sources if source.get("schema") == "marts" for table in source["tables"]
    }
    return published | {
        model["name"]: frozenset(column["name"] for column in model.get("columns", ())) for model in models
    }


def _described(pattern: str, kind: str) -> list[dict[str, Any]]:
    described = [yaml.safe_load(path.read_text()) or {} for path in (DBT_PROJECT / "models").glob(pattern)]
    return [one for file in described for one in file.get(kind) or ()]


@cache
def _built_for_contracts() -> frozenset[str]:
    """Tables that are built beside the marts, and that queries of contracts may read."""
    return frozenset(path.stem for path in (DBT_PROJECT / "models" / "quality").glob("*.sql"))


@cache
def _words_of_soda() -> tuple[frozenset[str], list[str]]:
    """Every word of Soda's contract language, and the levels, from the schema that it brings.

    The schema as a whole is behind what Soda does: it refuses the filter of a check, for one.
    """
    schema = json.loads((files("soda_core.contracts") / "soda_data_contract_json_schema_1_0_0.json").read_text())
    return frozenset(_properties(schema)), schema["$defs"]["threshold"]["properties"]["level"]["enum"]


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _properties(part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
