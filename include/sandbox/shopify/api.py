"""Answers one Admin GraphQL request: validate, price, charge, execute, in the vendor's order and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, execute
from graphql.execution.values import get_variable_values
from graphql.utilities import get_operation_ast

from sandbox.shopify.access import never_awaitable, resolve
from sandbox.shopify.bulk_root import BulkRoot
from sandbox.shopify.cost import MAX_QUERY_COST, Bucket, CostReader
from sandbox.shopify.root import SUPPORTED_VERSIONS, Root
from sandbox.shopify.schema import admin_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.shop import Shop
    from sandbox.shopify.access import Grant
    from sandbox.shopify.bulk import BulkOperations
    from sandbox.shopify.documents import Prepared
    from sandbox.world import Settings, World

VERSION = re.compile(r"20\d\d-(01|04|07|10)")
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
class AdminApi:
    """One shop's Admin API; `storage` is the address of the files that bulk operations leave."""

    world: World
    shop: Shop
    settings: Settings
    prepared: Prepared
    bulk: BulkOperations
    storage: str

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
        root = Root(self.world, self.shop, grant, self.settings)
        bulk = BulkRoot(self.bulk, root, self.prepared, self.storage)
        mutation = operation.operation is OperationType.MUTATION
        result = execute(
            admin_schema(),
            document,
            root_value=bulk.mutations() if mutation else {**root.fields(), **bulk.queries()},
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
            field_resolver=resolve,
            is_awaitable=never_awaitable,
        )
        data = result.data  # type: ignore[union-attr]
        actual = sum(part.actual(data.get(part.key)) for part in parts) if data else 0
        grant.bucket.available -= actual
        answer: dict[str, Any] = {"data": data}
        if result.errors:  # type: ignore[union-attr]
            answer["errors"] = [error.formatted for error in result.errors]  # type: ignore[union-attr]
        answer.update(self._spent(requested, actual, grant))
        if root.search_notes:
            answer["extensions"]["search"] = root.search_notes
        return answer

    @staticmethod
    def _spent(requested: int, actual: int | None, grant: Grant) -> dict[str, Any]:
        return {"extensions": {"cost": cost_report(requested, actual, grant.bucket)}}


def cost_report(requested: int, actual: int | None, bucket: Bucket) -> dict[str, Any]:
    return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": bucket.status()}


def throttled(requested: int, bucket: Bucket) -> dict[str, Any]:
    """Shopify's way of saying slow down: HTTP 200, an error, no data."""
    documentation = "https://shopify.dev/api/usage/rate-limits"
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": documentation}}
    return {"errors": [error], "extensions": {"cost": cost_report(requested, None, bucket)}}
