"""Changing a JSON value at a path such as `data.orders.nodes.0.id`; `*` stands for every item of a list."""

from __future__ import annotations

import json
from typing import Any

MISSING = object()


def encoded(value: Any) -> bytes:
    """JSON as Starlette writes it, so that what a fault leaves alone keeps its bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half of a surrogate pair has no bytes in UTF-8: it goes out as the escape that it is in JSON.
    return text.encode(errors="backslashreplace")


def overlaid(value: Any, patch: Any) -> Any:
    """A JSON value with another laid over it; lists are patched by index, or all their items by `*`."""
    if isinstance(value, dict) and isinstance(patch, dict):
        return {**value, **{key: overlaid(value.get(key), inner) for key, inner in patch.items()}}
    if isinstance(value, list) and isinstance(patch, dict):
        patches = [patch.get(str(index), patch.get("*", MISSING)) for index in range(len(value))]
        return [item if one is MISSING else overlaid(item, one) for item, one in zip(value, patches, strict=True)]
    return patch


def changed(value: Any, path: str, to: Any) -> Any:
    """A JSON value with something else at the path; with MISSING it is left out, and an empty path changes nothing."""
    if not path:
        return value
    name, _, rest = path.partition(".")
    items: dict[Any, Any] = dict(enumerate(value) if isinstance(value, list) else value)
    for key in items if name == "*" else [int(name) if isinstance(value, list) else name]:
        items[key] = changed(items[key], rest, to) if rest else to
    kept = {key: item for key, item in items.items() if item is not MISSING}
    return list(kept.values()) if isinstance(value, list) else kept


def at(value: Any, path: str) -> Any:
    """What a JSON value holds at the path."""
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value
