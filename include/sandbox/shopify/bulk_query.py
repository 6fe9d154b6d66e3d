"""What a bulk query may ask, and the lines that its answer becomes.

The refusals are worded as the vendor words them. Each line is one object; an object of a nested connection carries its
parent's id. Grouped, children follow their parent. Ungrouped, the vendor promises no order at all; the sandbox writes
parents before their children, mixes the children of a hundred parents, and keeps those of every hundredth to the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_list_type,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_CONNECTIONS = 5
MAX_NESTING = 2
PAGING = {"first", "last", "after", "before"}

Row = dict[str, Any]


@dataclass(slots=True)
class Shape:
    """Where the connections are in a selected object, by response key: directly in it, or in an object inside it."""

    connections: dict[str, Connection] = field(default_factory=dict)
    objects: dict[str, Shape] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.connections or self.objects)

    def split(self, value: Row, nested: list[tuple[Row, Shape]]) -> Row:
        """The object without its connections, whose nodes go to `nested`."""
        row = {}
        for key, inner in value.items():
            if key in self.connections:
                nested += self.connections[key].nodes(inner)
            elif key in self.objects and inner is not None:
                row[key] = self.objects[key].split(inner, nested)
            else:
                row[key] = inner
        return row


@dataclass(frozen=True, slots=True)
class Connection:
    edges: str
    node: str
    shape: Shape

    def nodes(self, value: Row | None) -> list[tuple[Row, Shape]]:
        return [(edge[self.node], self.shape) for edge in value[self.edges]] if value else []


@dataclass(frozen=True, slots=True)
class BulkQuery:
    """A query that passed: `field` is its one top-level connection, `key` what the answer calls it."""

    document: DocumentNode
    field: str
    key: str
    connection: Connection


def read(document: DocumentNode, schema: GraphQLSchema) -> tuple[BulkQuery | None, list[str]]:
    """The bulk query that a valid document is, or why it is none."""
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        return None, ["Invalid operation type. Only `query` operations are supported."]
    reader = _Reader(schema, document)
    shape = reader.shape(operations[0].selection_set, schema.query_type)  # type: ignore[arg-type]
    errors = reader.refusals(operations[0], shape)
    if errors:
        return None, errors
    [(key, connection)] = shape.connections.items()
    whole = visit(document, _WithoutPaging(reader.connections))
    return BulkQuery(whole, reader.roots[0], key, connection), []


class _Reader:
    """Walks the selections with their types, noting what the vendor objects to."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.roots: list[str] = []
        self.connections: set[int] = set()
        self._too_deep = self._in_list = False
        self._by_nodes: list[str] = []
        self._without_id: list[str] = []

    def refusals(self, operation: OperationDefinitionNode, shape: Shape) -> list[str]:
        errors = []
        if operation.variable_definitions:
            errors.append("Bulk queries cannot use variables.")
        if self._by_nodes:
            errors.append(
                "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
                f"'{self._by_nodes[0]} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. "
                f"Invalid connection fields: '{', '.join(self._by_nodes)}'."
            )
        errors += [
            f"Bulk queries cannot contain a top level `{name}` field."
            for name in self.roots
            if name in ("node", "nodes")
        ]
        if self._too_deep:
            errors.append(f"Bulk queries cannot contain connections with a nesting depth greater than {MAX_NESTING}.")
        if len(self.connections) > MAX_CONNECTIONS:
            errors.append(f"Bulk queries cannot contain more than {MAX_CONNECTIONS} connections.")
        if self._without_id:
            errors.append(
                "The parent 'node' field for a nested connection must select the 'id' field without an alias and must "
                f"be of 'ID' return type. Connection fields without 'id': {', '.join(self._without_id)}."
            )
        if self._in_list:
            errors.append("Queries that contain a connection field within a list field are not currently supported.")
        if not self.connections:
            errors.append("Bulk queries must contain at least one connection.")
        elif not errors and (len(self.roots) > 1 or not shape.connections):
            errors.append("Bulk queries must have a single top level field, and it must be a connection.")
        return errors

    def shape(
        self, selections: SelectionSetNode, parent: GraphQLNamedType, depth: int = -1, in_list: bool = False
    ) -> Shape:
        """`depth` counts the connections around the selections, less one."""
        shape = Shape()
        for node, owner in self._fields(selections, parent):
            if depth < 0:
                self.roots.append(node.name.value)
            if node.selection_set is None:
                continue
            returned = owner.fields[node.name.value].type
            target: Any = get_named_type(returned)
            key = node.alias.value if node.alias else node.name.value
            if target.name.endswith("Connection"):
                self._in_list |= in_list
                shape.connections[key] = self._connection(node, target, depth + 1)
            else:
                within = in_list or is_list_type(get_nullable_type(returned))
                inner = self.shape(node.selection_set, target, max(depth, 0), within)
                if inner:
                    shape.objects[key] = inner
        return shape

    def _connection(self, node: FieldNode, target: GraphQLNamedType, depth: int) -> Connection:
        self.connections.add(id(node))
        self._too_deep |= depth > MAX_NESTING
        name = node.name.value
        inside = {child.name.value: (child, owner) for child, owner in self._fields(node.selection_set, target)}
        if "nodes" in inside or "edges" not in inside:
            self._by_nodes.append(name)
            return Connection("edges", "node", Shape())
        edges, owner = inside["edges"]
        edge_type: Any = get_named_type(owner.fields["edges"].type)
        in_edge = {child.name.value: child for child, _ in self._fields(edges.selection_set, edge_type)}
        found = in_edge.get("node")
        if found is None:
            self._by_nodes.append(name)
            return Connection("edges", "node", Shape())
        node_type: Any = get_named_type(edge_type.fields["node"].type)
        shape = self.shape(found.selection_set, node_type, depth)  # type: ignore[arg-type]
        selected = [child for child, _ in self._fields(found.selection_set, node_type) if child.alias is None]
        if shape and not any(child.name.value == "id" for child in selected):
            self._without_id.append(name)
        return Connection(
            edges.alias.value if edges.alias else "edges", found.alias.value if found.alias else "node", shape
        )

    def _fields(self, selections: SelectionSetNode | None, parent: GraphQLNamedType) -> Iterator[tuple[FieldNode, Any]]:
        """The selected fields with the types that have them, fragments unfolded."""
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                yield selection, parent
                continue
            fragment: Any = (
                self._fragments[selection.name.value] if isinstance(selection, FragmentSpreadNode) else selection
            )
            condition = fragment.type_condition
            target = self._schema.type_map[condition.name.value] if condition else parent
            yield from self._fields(fragment.selection_set, target)


class _WithoutPaging(Visitor):
    """Takes `first` and the like off the connections: a bulk operation reads them whole."""

    def __init__(self, connections: set[int]) -> None:
        super().__init__()
        self._connections = connections

    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        if id(node) not in self._connections:
            return None
        return FieldNode(
            name=node.name,
            alias=node.alias,
            directives=node.directives,
            arguments=tuple(argument for argument in node.arguments or () if argument.name.value not in PAGING),
            selection_set=node.selection_set,
        )


def lines(chunks: Iterable[list[Row]], connection: Connection, group: bool) -> Iterator[tuple[Row, bool]]:
    """Every object with whether it is a top-level one, chunk by chunk of top-level objects."""
    late: list[list[Row]] = []
    for chunk in chunks:
        if group:
            for root in chunk:
                for number, row in enumerate(_grouped(root, connection.shape, None)):
                    yield row, number == 0
            continue
        families: list[list[Row]] = []
        for root in chunk:
            parent, *children = _by_level(root, connection.shape)
            families.append(children)
            yield parent, True
        late.append(families.pop(0) if families else [])
        for row in _mixed(families):
            yield row, False
    for row in _mixed(late):
        yield row, False


def _grouped(node: Row, shape: Shape, parent_id: str | None) -> Iterator[Row]:
    nested: list[tuple[Row, Shape]] = []
    row = shape.split(node, nested)
    yield row if parent_id is None else {**row, "__parentId": parent_id}
    for child, inner in nested:
        yield from _grouped(child, inner, row["id"])


def _by_level(root: Row, shape: Shape) -> Iterator[Row]:
    """The object and all below it, parents first."""
    level: list[tuple[Row, Shape, str | None]] = [(root, shape, None)]
    while level:
        below: list[tuple[Row, Shape, str | None]] = []
        for node, inner, parent_id in level:
            nested: list[tuple[Row, Shape]] = []
            row = inner.split(node, nested)
            yield row if parent_id is None else {**row, "__parentId": parent_id}
            below += [(child, deeper, row["id"]) for child, deeper in nested]
        level = below


def _mixed(families: list[list[Row]]) -> Iterator[Row]:
    """One of each family in turn."""
    return (row for row in chain.from_iterable(zip_longest(*families)) if row is not None)
