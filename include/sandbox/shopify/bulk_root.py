"""The fields of QueryRoot and Mutation that have to do with bulk operations, for one request."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, execute

from sandbox.shopify import bulk_query, search
from sandbox.shopify.access import never_awaitable, not_simulated, resolve
from sandbox.shopify.bulk import UNFINISHED, BulkFailedError, Operation
from sandbox.shopify.pages import connection
from sandbox.shopify.schema import admin_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.shopify.access import Grant, Info
    from sandbox.shopify.bulk import BulkOperations
    from sandbox.shopify.bulk_query import BulkQuery
    from sandbox.shopify.documents import Prepared
    from sandbox.shopify.root import Listing, Root

CHUNK = 100
SORT = {"CREATED_AT": "created_at", "COMPLETED_AT": "completed_at"}


@dataclass(slots=True)
class BulkRoot:
    """What a token can do with bulk operations; `storage` is the address of their files."""

    operations: BulkOperations
    root: Root
    prepared: Prepared
    storage: str

    def queries(self) -> dict[str, Any]:
        return {"bulkOperation": self._one, "bulkOperations": self._all}

    def mutations(self) -> dict[str, Any]:
        return {"bulkOperationRunQuery": self._start, "bulkOperationCancel": self._cancel}

    def _start(self, info: Info, query: str, groupObjects: bool) -> dict[str, Any]:  # noqa: N803 (the vendor's name)
        asked, reasons = self._read(query)
        if asked is None:
            errors = [{"field": ["query"], "message": reason, "code": "INVALID"} for reason in reasons]
            return {"bulkOperation": None, "userErrors": errors}
        if asked.field not in self.root.listings:
            raise not_simulated(f"a bulk query of {asked.field}; it has {sorted(self.root.listings)}")
        busy = self.operations.busy()
        if busy is not None:
            self._get_on()
            return {"bulkOperation": None, "userErrors": [busy]}
        now = self.root.world.now()
        operation = self.operations.start(query, asked, groupObjects, self.root.grant, now)
        return {"bulkOperation": self._view(operation.id), "userErrors": []}

    def _read(self, query: str) -> tuple[BulkQuery | None, list[str]]:
        document, errors = self.prepared.get(query)
        if document is None:
            return None, [f"Invalid bulk query: {error['message']}" for error in errors]
        return bulk_query.read(document, admin_schema())

    def _cancel(self, info: Info, id: str) -> dict[str, Any]:  # noqa: A002 (the vendor's name)
        operation = self._find(id)
        if operation is None:
            error = {"field": ["id"], "message": "Bulk operation does not exist"}
            return {"bulkOperation": None, "userErrors": [error]}
        errors = []
        if operation.status in UNFINISHED:
            operation.cancel()
        else:
            message = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
            errors.append({"field": None, "message": message})
        return {"bulkOperation": self._view(operation.id), "userErrors": errors}

    def _one(self, info: Info, id: str) -> Any:  # noqa: A002 (the vendor's name)
        self._get_on()
        operation = self._find(id)
        return self._view(operation.id) if operation else None

    def _all(self, info: Info, **arguments: Any) -> Any:
        """The newest first, as the vendor lists them; `reverse` turns that around."""
        self._get_on()
        found = search.parse(arguments.get("query"), self.root.shop.merchant.zone, search.BULK_OPERATIONS)
        rows = self.operations.found(found, SORT[arguments["sortKey"]])
        return connection(rows, self._view, {**arguments, "reverse": not arguments.get("reverse")})

    def _find(self, gid: str) -> Operation | None:
        match = re.fullmatch(r"gid://shopify/BulkOperation/(\d+)", gid)
        if match is None:
            raise GraphQLError(f"Invalid global id '{gid}'", extensions={"code": "argumentLiteralsIncompatible"})
        return self.operations.operations.get(int(match[1]))

    def _view(self, number: int) -> dict[str, Any]:
        return self.operations.operations[number].view(self.storage)

    def _get_on(self) -> None:
        self.operations.get_on(self.root.world.now(), self._run)

    def _run(self, query: BulkQuery, grant: Grant) -> Iterator[list[dict[str, Any]]]:
        """The query's top-level objects as they are now, executed on the schema some at a time."""
        root = replace(self.root, grant=grant, search_notes=[])
        listing: Listing | None = None
        start = 0

        def chunk(info: Info, **arguments: Any) -> Any:
            nonlocal listing
            if listing is None:
                listing = root.listings[query.field](info, arguments)
                if arguments.get("reverse"):
                    listing = replace(listing, rows=list(reversed(listing.rows)))
            return connection(listing.rows[start : start + CHUNK], listing.view, {})

        while listing is None or start < len(listing.rows):
            result = execute(
                admin_schema(),
                query.document,
                root_value={query.field: chunk},
                field_resolver=resolve,
                is_awaitable=never_awaitable,
            )
            if result.errors:  # type: ignore[union-attr]
                error = result.errors[0]  # type: ignore[union-attr]
                denied = (error.extensions or {}).get("code") == "ACCESS_DENIED"
                raise BulkFailedError("ACCESS_DENIED" if denied else "INTERNAL_SERVER_ERROR", error.message)
            yield [node for node, _ in query.connection.nodes(result.data[query.key])]  # type: ignore[union-attr,index]
            start += CHUNK
