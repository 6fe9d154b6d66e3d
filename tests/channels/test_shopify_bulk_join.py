"""The lines of a bulk file in whatever order become the orders that they were."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from tributary.channels.shopify import jsonl
from tributary.channels.shopify.api import DOCUMENT
from tributary.channels.shopify.bulk_query import APART, bulk_query, order_shape
from tributary.channels.shopify.jsonl import PLACES, families, joined
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tributary.channels.shopify.bulk_query import Shape

Order = dict[str, Any]

TEXT = st.text(max_size=8)
VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(), TEXT, st.lists(TEXT, max_size=2), st.dictionaries(TEXT, TEXT)
)


def node(kind: str, number: int) -> st.SearchStrategy[Order]:
    """What hangs on an order; discounts have no ids of their own."""
    head = {"__typename": st.just(kind), "index": st.just(number)}
    if not kind.endswith("DiscountApplication"):
        head = {"id": st.just(f"gid://shopify/{kind}/{number}")}
    return st.fixed_dictionaries({**head, "name": TEXT, "inner": VALUE})


@st.composite
def orders(draw: st.DrawFn) -> list[Order]:
    """Orders as the paged query shows them, fields in its order, with unknown fields at the end."""
    numbers = iter(range(10_000))

    def shaped(shape: Shape, path: tuple[str, ...]) -> Order:
        made: Order = {}
        for name in shape.fields:
            here = (*path, name)
            if name in shape.connections:
                kinds = [kind for kind, place in PLACES.items() if place == here]
                size = draw(st.integers(0, 4))
                nodes = [draw(node(draw(st.sampled_from(kinds)), next(numbers))) for _ in range(size)]
                made[name] = {"nodes": nodes, "pageInfo": {"hasNextPage": False}}
            elif name in shape.objects:
                made[name] = None if draw(st.booleans()) else shaped(shape.objects[name], here)
            elif name in APART:
                size = draw(st.integers(0, 3))
                made[name] = [{"id": f"gid://shopify/Refund/{next(numbers)}", "v": draw(VALUE)} for _ in range(size)]
            else:
                made[name] = draw(VALUE)
        return made

    found = []
    for number in range(draw(st.integers(0, 5))):
        order = shaped(order_shape(), ())
        order["id"] = f"gid://shopify/Order/{number}"
        found.append(order | draw(st.dictionaries(st.sampled_from(["aNewField", "another"]), VALUE)))
    return found


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def lines(order: Order) -> Iterator[bytes]:
    """An order as bulk writes it: without connections, which are lines of their own, and its refunds as ids."""
    nested: list[Order] = []

    def split(value: Order, shape: Shape) -> Order:
        row = {}
        for name, inner in value.items():
            if name in shape.connections:
                nested.extend(inner["nodes"])
            elif name in shape.objects and inner is not None:
                row[name] = split(inner, shape.objects[name])
            else:
                row[name] = [{"id": refund["id"]} for refund in inner] if name in APART else inner
        return row

    yield dumped(split(order, order_shape())) + b"\n"
    for number, child in enumerate(nested):
        parent = {"__parentId": order["id"]}
        yield dumped(parent | child if number % 3 else child | parent) + b"\n"


def together(file: bytes, refunds: dict[str, bytes]) -> list[bytes]:
    return [joined(family, order_shape(), refunds) for part in families(io.BytesIO(file), len(file)) for family in part]


@settings(max_examples=60, deadline=None)
@given(orders(), st.integers(1, 400), st.randoms(use_true_random=False))
def test_any_mixture_of_lines_becomes_the_same_orders(found: list[Order], part: int, chance: random.Random) -> None:
    """Only the lines of one connection keep their order among themselves: a connection has one."""
    queues = []
    for order in found:
        root, *children = lines(order)
        queues.append([root])
        by_place: dict[Any, list[bytes]] = {}
        for line in children:
            by_place.setdefault(jsonl._place(jsonl._read(line)), []).append(line)
        queues += by_place.values()
    mixed = b""
    while queues := [queue for queue in queues if queue]:
        mixed += chance.choice(queues).pop(0)
    refunds = {refund["id"]: dumped(refund) for order in found for refund in order["refunds"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "PART_BYTES", part)
        patch.setattr(jsonl, "MOST_PARTS", 7)
        assert sorted(together(mixed, refunds)) == sorted(map(dumped, found))


def small(number: int, *children: Order) -> list[bytes]:
    root = {"id": f"gid://shopify/Order/{number}", "name": "#1", "refunds": []}
    return [dumped(line) + b"\n" for line in (root, *({**c, "__parentId": root["id"]} for c in children))]


def line_item(number: int, **fields: Any) -> Order:
    return {"id": f"gid://shopify/LineItem/{number}", **fields}


def test_an_order_that_is_there_twice_is_one_in_its_later_form() -> None:
    earlier, later = small(1, line_item(1, q=1), line_item(2, q=1)), small(1, line_item(1, q=1), line_item(2, q=0))
    (order,) = together(b"".join(earlier + later), {})
    assert [node["q"] for node in json.loads(order)["lineItems"]["nodes"]] == [1, 0]


def test_a_connection_that_may_be_cut_says_so() -> None:
    whole = small(1, *(line_item(number) for number in range(jsonl.NESTED_WHOLE - 1)))
    (order,) = together(b"".join(whole), {})
    assert json.loads(order)["lineItems"]["pageInfo"] == {"hasNextPage": False}
    perhaps = small(1, *(line_item(number) for number in range(jsonl.NESTED_WHOLE)))
    (order,) = together(b"".join(perhaps), {})
    assert json.loads(order)["lineItems"]["pageInfo"] == {"hasNextPage": True}


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (small(1, line_item(1))[1], "parts of 1 orders that are not in it"),
        (small(1)[0][:-9], "not an object as it should be"),
        (b"<html>", "not an object as it should be"),
        (b"".join(small(1, {"id": "gid://shopify/Fulfillment/1"})), "type 'Fulfillment', which belongs nowhere"),
        (b"".join(small(1, {"name": "of no type"})), "type None"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(file: bytes, words: str) -> None:
    with pytest.raises(BrokenResponse, match=words):
        together(file, {})


def fields(text: str, operation: str | None = None) -> Any:
    """The field tree of a document's operation: fragments written out, connections without what pages them."""
    document = parse(text)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def tree(selections: SelectionSetNode | None) -> Any:
        found: dict[str, Any] = {}
        for one in selections.selections if selections else ():
            if isinstance(one, FieldNode):
                inner = tree(one.selection_set)
                if "edges" in inner:
                    inner = {"nodes": inner["edges"]["node"]}
                found[one.name.value] = {name: value for name, value in inner.items() if name != "pageInfo"}
            elif hasattr(one, "name"):
                found |= tree(fragments[one.name.value].selection_set)
            else:
                found[f"... on {one.type_condition.name.value}"] = tree(one.selection_set)
        return found

    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    (asked,) = [d for d in operations if operation is None or (d.name and d.name.value == operation)]
    return tree(asked.selection_set)


def test_bulk_asks_for_what_pages_ask_for_less_what_is_fetched_apart() -> None:
    paged, in_bulk = fields(DOCUMENT, "Orders"), fields(bulk_query("x"))
    order = paged["orders"]["nodes"]
    assert {"lineItems", "customerJourneySummary", "refunds"} <= set(order)
    assert in_bulk == {"orders": {"nodes": {**order, "refunds": {"id": {}}}}}
    assert list(in_bulk["orders"]["nodes"]) == list(order) == order_shape().fields


def test_every_connection_of_an_order_has_its_place() -> None:
    def connections(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name in shape.connections:
            yield (*path, name)
        for name, inner in shape.objects.items():
            yield from connections(inner, (*path, name))

    assert set(PLACES.values()) == set(connections(order_shape()))


def test_the_search_is_quoted_into_the_query() -> None:
    (asked,) = parse(bulk_query('tag:"a b" \\ c')).definitions
    assert isinstance(asked, OperationDefinitionNode)
    (root,) = asked.selection_set.selections
    assert root.arguments[0].value.value == 'tag:"a b" \\ c'  # type: ignore[union-attr,index]
