"""The paged query of orders in the form that bulk operations take, made from its text so that the two cannot differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    NameNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    parse,
    print_ast,
)

from tributary.channels.shopify.api import DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

APART = {"refunds"}
"""Lists whose members hold connections, which bulk refuses: it gives their ids, and they are fetched by those."""

_PAGING = {"first", "after", "last", "before", "sortKey"}
_SEARCH = "SEARCH"


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of the paged answer: the order of its fields, and where in it a connection's nodes belong."""

    fields: list[str] = field(default_factory=list)
    connections: set[str] = field(default_factory=set)
    objects: dict[str, Shape] = field(default_factory=dict)
    """Those of its fields that hold connections in turn."""


def bulk_query(search: str) -> str:
    """The query for the orders that the search finds, all their connections whole, lists `APART` as ids."""
    text, _ = _made()
    return text.replace(f'"{_SEARCH}"', json.dumps(search))


def order_shape() -> Shape:
    """What an order looks like in the paged answer."""
    return _made()[1]


@cache
def _made() -> tuple[str, Shape]:
    maker = _Maker(parse(DOCUMENT, no_location=True))
    return maker.text(), maker.shape()


class _Maker:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        for definition in document.definitions:
            if isinstance(definition, FragmentDefinitionNode):
                self._fragments[definition.name.value] = definition
            elif (
                isinstance(definition, OperationDefinitionNode)
                and definition.name
                and definition.name.value == "Orders"
            ):
                (root,) = definition.selection_set.selections
                assert isinstance(root, FieldNode)
                self._root = root

    def text(self) -> str:
        root = self._connection(self._root)
        search = ArgumentNode(name=NameNode(value="query"), value=StringValueNode(value=_SEARCH))
        root = FieldNode(name=root.name, arguments=(search,), selection_set=root.selection_set)
        # On one line, so that it can be compared with what Shopify says it runs.
        return " ".join(print_ast(SelectionSetNode(selections=(root,))).split())

    def shape(self) -> Shape:
        return self._shape(self._nodes(self._flat(self._root)))

    def _flat(self, holder: FieldNode | FragmentDefinitionNode) -> list[SelectionNode]:
        """Its selections, with named fragments written out: each is of the very type that it is spread in."""
        found: list[SelectionNode] = []
        for selection in holder.selection_set.selections if holder.selection_set else ():
            if isinstance(selection, FragmentSpreadNode):
                found += self._flat(self._fragments[selection.name.value])
            else:
                found.append(selection)
        return found

    @staticmethod
    def _nodes(selections: list[SelectionNode]) -> FieldNode | None:
        """The field `nodes`, which only connections have."""
        named = (node for node in selections if isinstance(node, FieldNode) and node.name.value == "nodes")
        return next(named, None)

    def _bulk(self, selection: SelectionNode) -> SelectionNode:
        if not isinstance(selection, FieldNode) or selection.selection_set is None:
            return selection
        if self._nodes(self._flat(selection)):
            return self._connection(selection)
        selections = [_field("id")] if selection.name.value in APART else map(self._bulk, self._flat(selection))
        return _field(selection.name.value, *selections, arguments=selection.arguments)

    def _connection(self, connection: FieldNode) -> FieldNode:
        """Bulk pages by itself and wants connections spelled as edges."""
        nodes = self._nodes(self._flat(connection))
        assert nodes is not None
        node = _field("node", *map(self._bulk, self._flat(nodes)))
        kept = tuple(one for one in connection.arguments or () if one.name.value not in _PAGING)
        return _field(connection.name.value, _field("edges", node), arguments=kept)

    def _shape(self, holder: FieldNode | None) -> Shape:
        shape = Shape()
        assert holder is not None
        for selection in self._flat(holder):
            if not isinstance(selection, FieldNode):
                continue
            name = selection.name.value
            shape.fields.append(name)
            if self._nodes(self._flat(selection)):
                shape.connections.add(name)
            elif selection.selection_set and name not in APART:
                inner = self._shape(selection)
                if inner.connections or inner.objects:
                    shape.objects[name] = inner
        return shape


def _field(name: str, *selections: SelectionNode, arguments: Iterable[ArgumentNode] | None = ()) -> FieldNode:
    inside = SelectionSetNode(selections=tuple(selections)) if selections else None
    return FieldNode(name=NameNode(value=name), arguments=tuple(arguments or ()), selection_set=inside)
