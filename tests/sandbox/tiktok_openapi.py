"""What TikTok Shop publishes of the endpoints that the sandbox has, and the command that refreshes the committed copy.

`python -m tests.sandbox.tiktok_openapi <folder of *.openapi.json>` (with `include/` on the path) writes the copy
without its prose; README.md beside that copy says where the original comes from.
"""

from __future__ import annotations

import gzip
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

from sandbox.tiktok_shop import routes
from tests.sandbox.openapi import without_prose

EXCERPT = Path(routes.__file__).with_name("openapi.json.gz")


@cache
def published() -> dict[str, Any]:
    """Operations by path and method."""
    with gzip.open(EXCERPT, "rt") as file:
        return dict(json.load(file))


def complaints(method: str, path: str, answer: Any) -> list[str]:
    """What is not in the answer as it is published; a field that is not published is wrong, too."""
    operation = published()[path][method.lower()]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    found = Draft4Validator(_closed(schema)).iter_errors(answer)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def _closed(node: Any) -> Any:
    """The schema without room for fields that it does not name."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    return {**closed, "additionalProperties": False} if isinstance(node.get("properties"), dict) else closed


def refresh(folder: Path) -> None:
    """Write the committed copy; the same input gives the same bytes."""
    paths = {
        path: operations
        for file in sorted(folder.glob("*.openapi.json"))
        for path, operations in json.loads(file.read_text())["paths"].items()
    }
    wanted = sorted((one.path, one.method.lower()) for one in routes.ENDPOINTS)
    excerpt: dict[str, Any] = {}
    for path, method in wanted:
        if method in paths.get(path, ()):
            excerpt.setdefault(path, {})[method] = without_prose(paths[path][method])
    EXCERPT.write_bytes(gzip.compress(json.dumps(excerpt, separators=(",", ":")).encode(), 9, mtime=0))


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
