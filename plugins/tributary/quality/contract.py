"""What contracts ask, as far as Soda's results do not say it: conditions, tables in queries, attributes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """One check, as its contract asks it."""

    schema: str
    dataset: str
    column: str | None
    kind: str
    body: Mapping[str, Any]
    only: str
    """The contract's condition on the rows that are judged, and the check's own."""
    named: tuple[str, ...]
    """Columns that the contract names anywhere: what to know a row by when its table has no primary key."""
    defaults: Mapping[str, Any]
    """The contract's `check_attributes`."""

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.body.get("name") or self.kind)

    @property
    def query(self) -> str | None:
        """Its own query, when it has one."""
        return self.body.get("query")

    @property
    def unit(self) -> str:
        """What stands behind the figure and its threshold."""
        return " %" if (self.body.get("threshold") or {}).get("metric") == "percent" else ""

    @property
    def tables(self) -> list[str]:
        """The tables of its schema that it cannot be evaluated without, its own first."""
        found = re.findall(rf'"{re.escape(self.schema)}"[.]"?(\w+)', f"{self.query} {self.body.get('expression')}")
        return list(dict.fromkeys([self.dataset, *found]))

    def attribute(self, name: str) -> str | None:
        """The check's own attribute, or the contract's."""
        return (self.body.get("attributes") or {}).get(name) or self.defaults.get(name)

    def runbook(self, *, warns: bool) -> str | None:
        """A check may name its own; any other's warning is looked at the way all warnings are."""
        own = (self.body.get("attributes") or {}).get("runbook")
        return own or ("warnings" if warns else self.defaults.get("runbook"))


def read(contracts: Sequence[Path], variables: Mapping[str, str]) -> list[Asked]:
    """Every check of the contracts, with the variables put in."""
    return [asked for path in contracts for asked in _checks(_filled(path.read_text(), variables))]


def _filled(text: str, variables: Mapping[str, str]) -> Any:
    return yaml.safe_load(re.sub(r"\$\{var\.(\w+)\}", lambda match: str(variables.get(match[1], match[0])), text))


def _checks(contract: Mapping[str, Any]) -> Iterator[Asked]:
    *_, schema, dataset = contract["dataset"].split("/")
    columns = contract.get("columns") or []
    bodies = [(column["name"], check) for column in columns for check in column.get("checks") or []]
    bodies += [(None, check) for check in contract.get("checks") or []]
    keyed = [name for _, check in bodies for body in check.values() for name in (body or {}).get("columns") or []]
    named = tuple(dict.fromkeys([*keyed, *(column["name"] for column in columns)]))
    for column, check in bodies:
        ((kind, body),) = check.items()
        body = body or {}
        only = " and ".join(f"({part.strip()})" for part in (contract.get("filter"), body.get("filter")) if part)
        yield Asked(schema, dataset, column, kind, body, only or "true", named, contract.get("check_attributes") or {})
