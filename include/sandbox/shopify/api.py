"""Answers one Admin GraphQL request: validate, price, charge, execute, in the vendor's order and words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLResolveInfo,
    OperationDefinitionNode,
    execute,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.utilities import get_operation_ast

from sandbox.shopify import search, views
from sandbox.shopify.cost import MAX_PAGE_SIZE, MAX_QUERY_COST, Bucket, CostReader
from sandbox.shopify.pages import connection
from sandbox.shopify.schema import admin_schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from sandbox.business.order import Order
    from sandbox.world import Shop, World

Info: TypeAlias = "GraphQLResolveInfo[Any]"

SUPPORTED_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
VERSION = re.compile(r"20\d\d-(01|04|07|10)")
HORIZON = timedelta(days=60)
ORDER_SORT = {"UPDATED_AT": "updated_at", "CREATED_AT": "created_at", "PROCESSED_AT": "processed_at", "ID": "id"}
RULE_CODES = {
    "FieldsOnCorrectTypeRule": "undefinedField",
    "KnownArgumentNamesRule": "argumentNotAccepted",
    "ProvidedRequiredArgumentsRule": "missingRequiredArguments",
    "ValuesOfCorrectTypeRule": "argumentLiteralsIncompatible",
    "ScalarLeafsRule": "selectionMismatch",
    "KnownTypeNamesRule": "undefinedType",
    "NoUndefinedVariablesRule": "variableNotDefined",
    "NoUnusedVariablesRule": "variableNotUsed",
    "VariablesInAllowedPositionRule": "variableMismatch",
    "KnownFragmentNamesRule": "useOfUndefinedFragment",
    "NoUnusedFragmentsRule": "useAndDefineFragment",
}
COST_MESSAGE = (
    "Query cost is {cost}, which exceeds the single query max cost limit ({limit}).\n\n"
    "See https://shopify.dev/concepts/about-apis/rate-limits for more information on how the\n"
    "cost of a query is calculated."
)


def served_version(requested: str) -> str | None:
    """The version that answers: an expired one falls forward to the oldest supported; an unknown one is not found."""
    if requested in SUPPORTED_VERSIONS or requested in ("2027-01", "unstable"):
        return requested
    if VERSION.fullmatch(requested) and requested < SUPPORTED_VERSIONS[0]:
        return SUPPORTED_VERSIONS[0]
    return None


@dataclass(slots=True)
class Grant:
    """What a token may do, and the budget it does it with."""

    scopes: frozenset[str]
    bucket: Bucket


class Prepared:
    """Parsed and validated documents, the most recent ones."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._kept: OrderedDict[str, tuple[DocumentNode | None, list[dict[str, Any]]]] = OrderedDict()

    def get(self, query: str) -> tuple[DocumentNode | None, list[dict[str, Any]]]:
        if query not in self._kept:
            self._kept[query] = self._prepare(query)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(query)
        return self._kept[query]

    @staticmethod
    def _prepare(query: str) -> tuple[DocumentNode | None, list[dict[str, Any]]]:
        try:
            document = parse(query)
        except GraphQLError as unreadable:
            return None, [unreadable.formatted]  # type: ignore[list-item]
        errors = []
        for rule in specified_rules:
            for error in validate(admin_schema(), document, [rule]):
                extensions: dict[str, Any] = {"code": RULE_CODES.get(rule.__name__, "invalid")}
                message = error.message
                missing = re.match(r"Cannot query field '(\w+)' on type '(\w+)'", message)
                if missing:
                    extensions |= {"typeName": missing[2], "fieldName": missing[1]}
                    message = f"Field '{missing[1]}' doesn't exist on type '{missing[2]}'"
                errors.append({**error.formatted, "message": message, "extensions": extensions})
        return (None if errors else document), errors


@dataclass(slots=True)
class AdminApi:
    """One shop's Admin API."""

    world: World
    shop: Shop
    page_cap: int
    prepared: Prepared
    search_notes: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, query: str, variables: dict[str, Any], operation_name: str | None, grant: Grant) -> dict[str, Any]:
        document, errors = self.prepared.get(query)
        if document is None:
            return {"errors": errors}
        operation = get_operation_ast(document, operation_name)
        if operation is None:
            return {"errors": [{"message": "An operation name is required", "extensions": {"code": "BAD_REQUEST"}}]}
        coerced = get_variable_values(admin_schema(), operation.variable_definitions or (), variables)
        if isinstance(coerced, list):
            return {"errors": [{**e.formatted, "extensions": {"code": "INVALID_VARIABLE"}} for e in coerced]}
        try:
            parts = CostReader(admin_schema(), document, operation, coerced).parts
        except GraphQLError as error:
            return {"data": None, "errors": [error.formatted], **self._spent(0, 0, grant)}
        requested = sum(part.requested() for part in parts)
        refusal = self._refusal(requested, grant)
        if refusal is not None:
            return refusal
        return self._execute(document, operation, variables, parts, requested, grant)

    def _refusal(self, requested: int, grant: Grant) -> dict[str, Any] | None:
        """Too dear for any bucket, or too dear for this one now."""
        if requested > MAX_QUERY_COST:
            extensions = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MAX_QUERY_COST}
            message = COST_MESSAGE.format(cost=requested, limit=MAX_QUERY_COST)
            return {"errors": [{"message": message, "extensions": extensions}], **self._spent(requested, None, grant)}
        grant.bucket.refill()
        if requested > grant.bucket.available:
            return throttled(requested, grant.bucket)
        return None

    def _execute(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        parts: Iterable[Any],
        requested: int,
        grant: Grant,
    ) -> dict[str, Any]:
        self.search_notes.clear()
        result = execute(
            admin_schema(),
            document,
            root_value=self._root(grant),
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
            field_resolver=resolve,
            is_awaitable=_never,
        )
        data = result.data  # type: ignore[union-attr]
        actual = sum(part.actual(data.get(part.key)) for part in parts) if data else 0
        grant.bucket.available -= actual
        answer: dict[str, Any] = {"data": data}
        if result.errors:  # type: ignore[union-attr]
            answer["errors"] = [error.formatted for error in result.errors]  # type: ignore[union-attr]
        answer.update(self._spent(requested, actual, grant))
        if self.search_notes:
            answer["extensions"]["search"] = list(self.search_notes)
        return answer

    @staticmethod
    def _spent(requested: int, actual: int | None, grant: Grant) -> dict[str, Any]:
        return {"extensions": {"cost": cost_report(requested, actual, grant.bucket)}}

    def _root(self, grant: Grant) -> dict[str, Any]:
        """The fields of QueryRoot that the sandbox simulates."""
        shop, merchant = self.shop, self.shop.merchant
        local = self.world.now().astimezone(merchant.zone)

        def order(info: Info, id: str) -> Any:  # noqa: A002 (the vendor's name)
            require(info, grant, "read_orders")
            return self._node(id, grant, "Order")

        def node(info: Info, id: str) -> Any:  # noqa: A002 (the vendor's name)
            require(info, grant, "read_orders")
            return self._node(id, grant)

        def nodes(info: Info, ids: list[str]) -> Any:
            require(info, grant, "read_orders")
            if len(ids) > MAX_PAGE_SIZE:
                raise GraphQLError(
                    f"The input array size of {len(ids)} is greater than the maximum allowed of {MAX_PAGE_SIZE}.",
                    extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
                )
            return [self._node(gid, grant) for gid in ids]

        def orders_count(info: Info, limit: int | None, query: str | None = None, **_: Any) -> Any:
            count = len(self._matching(info, grant, query, "id"))
            exact = limit is None or count <= limit
            return {"count": count if exact else limit, "precision": "EXACT" if exact else "AT_LEAST"}

        def drafts(info: Info, **arguments: Any) -> Any:
            require(info, grant, "read_orders", "read_draft_orders")
            by_id = {draft.id: draft for draft in shop.drafts}
            rows = [(number, number) for number in sorted(by_id)]
            return connection(rows, lambda number: views.draft(by_id[number], merchant), arguments)

        def customers(info: Info, **arguments: Any) -> Any:
            require(info, grant, "read_customers")
            known = shop.customers()
            rows = [(number, number) for number in sorted(known)]
            return connection(rows, lambda number: views.customer(known[number][0], number), arguments)

        scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in sorted(grant.scopes)]
        return {
            "shop": views.shop(merchant, local.utcoffset() or timedelta(), local.tzname() or ""),
            "orders": lambda info, **arguments: self._orders(info, grant, arguments),
            "ordersCount": orders_count,
            "order": order,
            "node": node,
            "nodes": nodes,
            "draftOrders": drafts,
            "customers": customers,
            "publicApiVersions": [
                {"handle": version, "displayName": version, "supported": version != "unstable"}
                for version in (*SUPPORTED_VERSIONS, "unstable")
            ],
            "currentAppInstallation": {"id": views.gid("AppInstallation", 1), "accessScopes": scopes},
        }

    def _view(self, order: Order) -> views.View:
        return views.OrderView(order, self.world.now).build()

    def _visible(self, order: Order, grant: Grant) -> bool:
        """Without read_all_orders, only the last 60 days exist."""
        return "read_all_orders" in grant.scopes or order.created_at >= self.world.now() - HORIZON

    def _matching(self, info: Info, grant: Grant, query: str | None, sort: str) -> list[tuple[Any, int]]:
        require(info, grant, "read_orders")
        found = search.parse(query, self.shop.merchant.zone)
        if found.warnings:
            self.search_notes.append({"path": [info.field_name], "query": query, "warnings": list(found.warnings)})
        rows = self.shop.sorted_by(sort)
        low, high = found.windows.get(sort, (None, None))
        start = bisect_left(rows, low, key=itemgetter(0)) if low else 0
        stop = bisect_left(rows, high, key=itemgetter(0)) if high else len(rows)
        orders = self.shop.orders
        return [
            row for row in rows[start:stop] if self._visible(orders[row[1]], grant) and found.accepts(orders[row[1]])
        ]

    def _orders(self, info: Info, grant: Grant, arguments: dict[str, Any]) -> Any:
        sort = ORDER_SORT.get(arguments["sortKey"])
        if sort is None:
            raise not_simulated(f"orders sorted by {arguments['sortKey']}; it sorts by {sorted(ORDER_SORT)}")
        rows = self._matching(info, grant, arguments.get("query"), sort)
        return connection(rows, lambda number: self._view(self.shop.orders[number]), arguments, self.page_cap)

    def _node(self, gid: str, grant: Grant, only: str | None = None) -> Any:
        """An order, refund or line by its global id; a child's number begins with its order's."""
        match = re.fullmatch(r"gid://shopify/(Order|Refund|LineItem)/(\d+)", gid)
        if match is None or (only and match[1] != only):
            if re.fullmatch(r"gid://shopify/\w+/\d+", gid):
                return None
            raise GraphQLError(f"Invalid global id '{gid}'", extensions={"code": "argumentLiteralsIncompatible"})
        kind, number = match[1], int(match[2])
        order = self.shop.orders.get(number if kind == "Order" else number // 1000)
        if order is None or not self._visible(order, grant):
            return None
        view = self._view(order)
        if kind == "Order":
            return view
        children = view["refunds"](None) if kind == "Refund" else view["lineItems"](None)["nodes"](None)
        return next((child for child in children if child["id"] == gid), None)


def cost_report(requested: int, actual: int | None, bucket: Bucket) -> dict[str, Any]:
    return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": bucket.status()}


def throttled(requested: int, bucket: Bucket) -> dict[str, Any]:
    """Shopify's way of saying slow down: HTTP 200, an error, no data."""
    documentation = "https://shopify.dev/api/usage/rate-limits"
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": documentation}}
    return {"errors": [error], "extensions": {"cost": cost_report(requested, None, bucket)}}


def _never(value: Any) -> TypeGuard[Awaitable[Any]]:
    """No resolver here is asynchronous, and asking each value is slow."""
    return False


def resolve(source: dict[str, Any], info: Info, **arguments: Any) -> Any:
    """The value of a field in a view; calling it with the arguments when it takes some."""
    try:
        value = source[info.field_name]
    except KeyError:
        raise not_simulated(f"{info.parent_type.name}.{info.field_name}") from None
    return value(info, **arguments) if callable(value) else value


def not_simulated(what: str) -> GraphQLError:
    return GraphQLError(f"the sandbox does not simulate {what}", extensions={"code": "NOT_SIMULATED"})


def require(info: Info, grant: Grant, *scopes: str) -> None:
    """Refuse as Shopify does when a scope is missing."""
    for scope in scopes:
        if scope not in grant.scopes:
            required = f"`{scope}` access scope."
            raise GraphQLError(
                f"Access denied for {info.field_name} field. Required access: {required}",
                extensions={
                    "code": "ACCESS_DENIED",
                    "documentation": "https://shopify.dev/api/usage/access-scopes",
                    "requiredAccess": required,
                },
            )
