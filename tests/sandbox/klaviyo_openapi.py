"""What Klaviyo publishes of the endpoints that the sandbox has, and the command that refreshes the committed copy.

`python -m tests.sandbox.klaviyo_openapi <stable.json>` (with `include/` on the path) writes the copy without its prose;
README.md beside that copy says where the original comes from.
"""

from __future__ import annotations

import gzip
import json
import sys
from functools import cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator

from sandbox.klaviyo.published import ENDPOINTS, EXCERPT, document, resolved
from tests.sandbox.openapi import without_prose

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def _validator(method: str, path: str, status: int) -> Draft4Validator:
    responses = document()["paths"][path][method.lower()]["responses"]
    found = responses[str(status)] if str(status) in responses else _target(responses[f"{status // 100}XX"]["$ref"])
    schema = _closed(found["content"]["application/vnd.api+json"]["schema"])
    return Draft4Validator({**schema, "components": _closed(document()["components"])})


def complaints(method: str, path: str, status: int, answer: Any) -> list[str]:
    """What is not in the answer as it is published; a field that is not published is wrong, too."""
    found = _validator(method, path, status).iter_errors(answer)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def _target(reference: str) -> Any:
    node: Any = document()
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def _closed(node: Any) -> Any:
    """The schema in terms of JSON Schema, without room for fields that it does not name."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "allOf" in node:
        return _closed(reduce(_merged, map(resolved, node["allOf"])))
    # The vendor's alternatives overlap: what one of them takes, another may take as well.
    closed = {"anyOf" if key == "oneOf" else key: _closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict):
        closed["additionalProperties"] = False
    return {"anyOf": [closed, {"enum": [None]}]} if node.get("nullable") is True else closed


def _merged(one: Any, other: Any) -> Any:
    """Both of two schemas in one, so that each may name fields of the same object."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {**one, **other, **{key: _merged(one[key], other[key]) for key in one.keys() & other.keys()}}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref" and isinstance(value, str))
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def refresh(original: Path) -> None:
    """Write the committed copy; the same input gives the same bytes."""
    whole = json.loads(original.read_text())
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        operation = whole["paths"][endpoint.path][endpoint.method.lower()]
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = without_prose(operation)
    components: dict[str, Any] = {}
    wanted = list(_references(paths))
    while wanted:
        _, _, kind, name = wanted.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = without_prose(whole["components"][kind][name])
            wanted += _references(components[kind][name])
    info = {"title": whole["info"]["title"], "version": whole["info"]["version"]}
    excerpt = {"openapi": whole["openapi"], "info": info, "paths": paths, "components": components}
    text = json.dumps(excerpt, separators=(",", ":"), sort_keys=True)
    EXCERPT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
