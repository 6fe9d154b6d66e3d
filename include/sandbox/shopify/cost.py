"""What a query costs, and the bucket it is paid from.

Shopify documents the principle (scalar 0, object 1, a connection sized by `first`, interfaces the dearest selection)
and not the sizes. The sizes here fit what public clients measured against versions 2025-07 to 2026-01:

* a connection costs 2 + sized(first) x the cost of one node, where sized(n) is 2 ln n rounded down and at least 1:
  `customers(first: 100) {nodes {legacyResourceId}}` 11, an inventory query with first: 100 and 5 objects a node 48,
  order lines with 10 objects a node 23 for first: 3 and 43 for first: 10;
* a plain list of objects costs as one object, however long;
* MoneyBag, MoneyV2 and PageInfo cost nothing;
* a mutation costs 10, whatever it answers.

The actual cost is the same sum over what was returned: null costs nothing, a connection is sized by its nodes.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from sandbox.shopify.pages import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_QUERY_COST = 1000
MAX_PAGE_SIZE = 250
MUTATION_COST = 10
FREE = {"MoneyBag", "MoneyV2", "PageInfo"}


def sized(count: int) -> int:
    """How many times a connection of that many nodes pays for a node."""
    return max(1, math.floor(2 * math.log(count))) if count > 0 else 0


@dataclass(slots=True)
class Part:
    """A selected field that costs something. `size` is set for connections; `path` leads from their value to nodes."""

    key: str
    children: list[Part]
    size: int | None = None
    paths: list[tuple[str, str | None]] = field(default_factory=list)
    fixed: int | None = None

    def requested(self) -> int:
        if self.fixed is not None:
            return self.fixed
        inner = 1 + sum(child.requested() for child in self.children)
        return inner if self.size is None else 2 + sized(self.size) * inner

    def actual(self, value: Any) -> int:
        if value is None:
            return 0
        if self.fixed is not None:
            return self.fixed
        if self.size is None:
            return max((self._one(item) for item in value), default=0) if isinstance(value, list) else self._one(value)
        nodes = self._nodes(value)
        return 2 + sized(len(nodes)) * max((self._one(node) for node in nodes), default=0)

    def _one(self, value: Any) -> int:
        return 0 if value is None else 1 + sum(child.actual(value.get(child.key)) for child in self.children)

    def _nodes(self, value: dict[str, Any]) -> list[Any]:
        for key, inner in self.paths:
            return [edge[inner] for edge in value[key]] if inner else list(value[key])
        return []


class CostReader:
    """Turns one operation into its costly parts, refusing page sizes that the vendor refuses."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        root = schema.get_root_type(operation.operation)
        assert root is not None
        self.parts = self._selected(operation.selection_set, root)
        if operation.operation is OperationType.MUTATION:
            self.parts = [Part(part.key, [], fixed=MUTATION_COST) for part in self.parts]

    def _selected(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> list[Part]:
        parts: list[Part] = []
        dearest: list[Part] = []
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                parts += self._field(selection, parent)
                continue
            selection = cast("Any", selection)
            spread = isinstance(selection, FragmentSpreadNode)
            fragment = self._fragments[selection.name.value] if spread else selection
            condition = fragment.type_condition
            target = self._schema.type_map[condition.name.value] if condition else parent
            inside = self._selected(fragment.selection_set, target)
            if is_abstract_type(parent) and target is not parent:
                if sum(part.requested() for part in inside) > sum(part.requested() for part in dearest):
                    dearest = inside
            else:
                parts += inside
        return parts + dearest

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> list[Part]:
        name = node.name.value
        if name.startswith("__"):
            return []
        definition = parent.fields[name]  # type: ignore[attr-defined]
        target = get_named_type(definition.type)
        if is_leaf_type(target) or target.name in FREE or node.selection_set is None:
            return []
        key = node.alias.value if node.alias else name
        if not target.name.endswith("Connection"):
            return [Part(key, self._selected(node.selection_set, target))]
        arguments = get_argument_values(definition, node, self._variables)
        part = Part(key, [], page_size(arguments, node))
        for selection in self._flat(node.selection_set):
            inner = selection.alias.value if selection.alias else selection.name.value
            child = get_named_type(target.fields[selection.name.value].type)
            if selection.name.value == "nodes" and selection.selection_set:
                part.paths.append((inner, None))
                part.children += self._selected(selection.selection_set, child)
            elif selection.name.value == "edges" and selection.selection_set:
                for edge in self._flat(selection.selection_set):
                    if edge.name.value == "node" and edge.selection_set:
                        part.paths.append((inner, edge.alias.value if edge.alias else "node"))
                        node_type = get_named_type(child.fields["node"].type)
                        part.children += self._selected(edge.selection_set, node_type)
        return [part]

    def _flat(self, selections: SelectionSetNode) -> list[FieldNode]:
        """The fields of a connection or edge, fragments unfolded."""
        found: list[FieldNode] = []
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                found.append(selection)
            elif isinstance(selection, FragmentSpreadNode):
                found += self._flat(self._fragments[selection.name.value].selection_set)
            elif isinstance(selection, InlineFragmentNode):
                found += self._flat(selection.selection_set)
        return found


def page_size(arguments: dict[str, Any], node: FieldNode) -> int:
    """The page size that a connection asks for, or the vendor's refusal."""
    sizes = [arguments[name] for name in ("first", "last") if arguments.get(name) is not None]
    if not sizes:
        message = "you must provide one of first or last"
    elif len(sizes) > 1:
        message = "providing both first and last is not supported"
    elif not 0 <= sizes[0] <= MAX_PAGE_SIZE:
        message = f"page size {sizes[0]} is not between 0 and {MAX_PAGE_SIZE}"
    else:
        return int(sizes[0])
    raise GraphQLError(message, node, extensions=bad_request("").extensions, path=[node.name.value])


@dataclass(slots=True)
class Bucket:
    """The leaky bucket of one token at one shop: it holds twenty seconds' worth of its restore rate."""

    restore_rate: int
    clock: Callable[[], float] = time.monotonic
    available: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self.available = self.maximum
        self._at = self.clock()

    @property
    def maximum(self) -> float:
        return float(20 * self.restore_rate)

    def refill(self) -> None:
        now = self.clock()
        self.available = min(self.maximum, self.available + (now - self._at) * self.restore_rate)
        self._at = now

    def status(self) -> dict[str, float]:
        return {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": float(math.floor(self.available)),
            "restoreRate": float(self.restore_rate),
        }
