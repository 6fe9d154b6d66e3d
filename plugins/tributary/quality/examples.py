"""Rows that a failed check objects to: a count alone tells nobody where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import psycopg

MOST = 5


def row_queries(contracts: Sequence[Path], variables: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The query of every check that asks for failed rows, by dataset and the check's name."""
    queries = {}
    for path in contracts:
        contract = yaml.safe_load(path.read_text())
        for check in contract.get("checks") or []:
            if "query" in (asked := check.get("failed_rows") or {}):
                query = re.sub(r"\$\{var\.(\w+)\}", lambda match: variables[str(match[1])], asked["query"])
                queries[contract["dataset"].rpartition("/")[2], asked["name"]] = query
    return queries


def failing_rows(conn: psycopg.Connection, query: str) -> list[dict[str, str]]:
    """The first of the rows, as text."""
    limited = sql.SQL("select * from ({}) as failed limit {}").format(sql.SQL(query), MOST)
    with conn.transaction():
        cursor = conn.execute(limited)
        names = [column.name for column in cursor.description or ()]
        return [{name: str(value) for name, value in zip(names, row, strict=True)} for row in cursor]
