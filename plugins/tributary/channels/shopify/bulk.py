"""The life of a bulk operation: taken over or started, waited for, and its file brought here."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tributary.channels.shopify.reading import seconds
from tributary.http import AuthError, BrokenResponse, Fatal, RequestRefused, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.channels.shopify.api import ShopifyApi

log = logging.getLogger(__name__)

TAKEN_OVER_WITHIN = timedelta(days=1)
"""An interrupted sync is tried again within hours; what is older may be what an app with fewer scopes saw."""

_UNDER_WAY = {"CREATED", "RUNNING", "CANCELING"}
_BUSY = {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}
_SCOPE_REMEDY = "Grant the app the access scopes that the orders query needs (Test on the connection names them)."
_AGAIN_REMEDY = "The next run starts a new one; if that ends so too, look at Shopify's status page."


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds to wait for a free place and for the end of an operation, and how they pass."""

    busy: float = 1800.0
    run: float = 3 * 3600.0
    first_pause: float = 2.0
    longest_pause: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def pauses(self, total: float) -> Iterator[bool]:
        """Pauses that grow, each True when it is over, until the total is used up."""
        pause = self.first_pause
        while total > 0:
            self.sleep(pause)
            yield True
            total -= pause
            pause = min(pause * 1.5, self.longest_pause)


class Operation(msgspec.Struct, rename="camel"):
    """What Shopify says of a bulk operation."""

    id: str
    query: str
    status: str
    error_code: str | None
    created_at: datetime
    root_object_count: int
    file_size: int | None
    url: str | None

    def text(self) -> str:
        """Its query, whatever became of the white space."""
        return " ".join(self.query.split())

    def __str__(self) -> str:
        code = f", {self.error_code}" if self.error_code else ""
        return f"{self.id} ({self.status}{code}, created {self.created_at:%Y-%m-%d %H:%M} UTC)"


class _Nodes(msgspec.Struct):
    nodes: list[Operation]


class _Listed(msgspec.Struct, rename="camel"):
    bulk_operations: _Nodes


class _Found(msgspec.Struct, rename="camel"):
    bulk_operation: Operation | None


class _UserError(msgspec.Struct):
    message: str
    code: str | None = None


class _Start(msgspec.Struct, rename="camel"):
    bulk_operation: Operation | None
    user_errors: list[_UserError]


class _Started(msgspec.Struct, rename="camel"):
    bulk_operation_run_query: _Start


# Shopify writes 64-bit numbers as text.
_LISTED = msgspec.json.Decoder(_Listed, strict=False)
_FOUND = msgspec.json.Decoder(_Found, strict=False)
_STARTED = msgspec.json.Decoder(_Started, strict=False)


def usable(api: ShopifyApi) -> list[Operation]:
    """This app's recent operations whose result is there or on its way, those that are done first, newest first."""
    return [found for found in _recent(api) if found.status in ("COMPLETED", "CREATED", "RUNNING")]


def bring(api: ShopifyApi, query: str, file: BinaryIO, patience: Patience) -> int:
    """Runs the query in bulk, or takes over a run of the very same, and downloads what came out; returns its size."""
    operation = next((found for found in usable(api) if found.text() == query), None)
    if operation:
        log.info("Taking over bulk operation %s", operation)
        operation = _ended(api, operation, patience)
        if operation.status == "COMPLETED" and _downloaded(api, operation, file):
            return file.tell()
        log.warning("Bulk operation %s gives nothing any more; a new one is started.", operation)
    for last in (False, True):
        operation = _ended(api, _start(api, query, patience), patience)
        if operation.status == "COMPLETED" and _downloaded(api, operation, file):
            return file.tell()
        if operation.error_code == "ACCESS_DENIED":
            raise AuthError(f"Bulk operation {operation} may not read orders", remedy=_SCOPE_REMEDY)
        if last or operation.status == "CANCELED":
            break
        log.warning("Bulk operation %s came to nothing; it is started once more.", operation)
    raise Transient(f"Bulk operation {operation} came to nothing", remedy=_AGAIN_REMEDY)


def _recent(api: ShopifyApi) -> list[Operation]:
    query = f"operation_type:query AND created_at:>='{seconds(api.now() - TAKEN_OVER_WITHIN)}'"
    found = api.execute("BulkOperations", {"query": query}).read(_LISTED).bulk_operations.nodes
    return sorted(found, key=lambda one: (one.status == "COMPLETED", one.created_at), reverse=True)


def _start(api: ShopifyApi, query: str, patience: Patience) -> Operation:
    """A new operation, as soon as there is a place for it.

    When the answer to a start is lost, the client asks again and the first start goes on unseen: it takes a place for
    a while, and does no other harm.
    """
    pauses = patience.pauses(patience.busy)
    while True:
        started = api.execute("StartBulkOperation", {"query": query}).read(_STARTED).bulk_operation_run_query
        if started.bulk_operation:
            log.info("Started bulk operation %s", started.bulk_operation)
            return started.bulk_operation
        refusal = "; ".join(f"{error.code}: {error.message}" for error in started.user_errors)
        if not _BUSY.issuperset(error.code or "" for error in started.user_errors):
            raise RequestRefused(
                f"Shopify does not run the orders query in bulk: {refusal}",
                remedy="Check that the connection's API version is the one this channel was made for.",
            )
        log.info("No place for a bulk operation yet: %s", refusal)
        if not next(pauses, False):
            break
    in_the_way = ", ".join(str(one) for one in _recent(api) if one.status in _UNDER_WAY) or "unknown"
    raise Transient(
        f"No place for a bulk operation within {patience.busy:.0f} s ({refusal}); in the way: {in_the_way}",
        remedy="Let them end or cancel them (bulkOperationCancel); the next run goes on from here.",
    )


def _ended(api: ShopifyApi, operation: Operation, patience: Patience) -> Operation:
    """The operation when it is over, however it ended."""
    pauses = patience.pauses(patience.run)
    while operation.status in _UNDER_WAY:
        if not next(pauses, False):
            raise Transient(
                f"Bulk operation {operation} did not end within {patience.run:.0f} s",
                remedy="It goes on at Shopify, and the next run takes it over.",
            )
        found = api.execute("BulkOperation", {"id": operation.id}).read(_FOUND).bulk_operation
        if found is None:
            raise Transient(f"Bulk operation {operation} disappeared", remedy=_AGAIN_REMEDY)
        operation = found
    return operation


def _downloaded(api: ShopifyApi, operation: Operation, file: BinaryIO) -> bool:
    """Whether the operation's result could be had; it may be empty. Its address works for a week."""
    file.seek(0)
    file.truncate()
    if operation.url is None:
        return operation.root_object_count == 0
    try:
        api.download(operation.url, file)
    except Fatal as error:
        log.warning("The file of bulk operation %s is gone: %s", operation, error)
        return False
    if operation.file_size not in (None, file.tell()):
        what = f"The file of bulk operation {operation} has {file.tell()} bytes instead of {operation.file_size}"
        raise BrokenResponse(what, remedy="The next run downloads it again.")
    return True
