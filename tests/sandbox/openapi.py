"""What a committed copy of a vendor's OpenAPI keeps."""

from __future__ import annotations

from typing import Any

PROSE = {"description", "example", "examples", "summary", "tags"}


def without_prose(node: Any) -> Any:
    """The schema alone."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    # A field may have one of these names; then what stands there is a schema.
    return {key: without_prose(value) for key, value in node.items() if key not in PROSE or isinstance(value, dict)}
