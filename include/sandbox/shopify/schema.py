"""The published Admin GraphQL schema, and the command that refreshes the committed copy.

`python -m sandbox.shopify.schema <introspection.json[.gz]>` (with `include/` on the path) writes the copy without
descriptions; README.md beside this file says where the original comes from.
"""

from __future__ import annotations

import gzip
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_client_schema

SCHEMA_FILE = Path(__file__).with_name("admin_2026-10.schema.json.gz")


@cache
def admin_schema() -> GraphQLSchema:
    """The schema that every query is validated and executed against; read once in a process."""
    with gzip.open(SCHEMA_FILE, "rt") as file:
        return build_client_schema(json.load(file), assume_valid=True)


def without_descriptions(node: Any) -> Any:
    """The introspection result without its prose, which is four fifths of it."""
    if isinstance(node, dict):
        return {key: without_descriptions(value) for key, value in node.items() if key != "description"}
    if isinstance(node, list):
        return [without_descriptions(value) for value in node]
    return node


def refresh(introspection: Path) -> None:
    """Write the committed copy from a full introspection result; the same input gives the same bytes."""
    opener = gzip.open if introspection.suffix == ".gz" else open
    with opener(introspection, "rt") as file:
        result = json.load(file)
    stripped = json.dumps(without_descriptions(result.get("data", result)), separators=(",", ":"))
    SCHEMA_FILE.write_bytes(gzip.compress(stripped.encode(), 9, mtime=0))


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
