"""Shopify's Admin GraphQL API: one request, its cost, its errors."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tributary.channels.answer import Answer
from tributary.channels.payloads import neutralised, refusal
from tributary.channels.shopify.envelope import ENVELOPE
from tributary.channels.shopify.refusals import refused
from tributary.http import AuthError, BrokenResponse, Budget, HttpClient, Request, RequestRefused, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tributary.channels.shopify.envelope import Extensions
    from tributary.channels.shopify.token import TokenSource

log = logging.getLogger(__name__)

API_VERSION = "2026-10"
DOCUMENT = "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("*.graphql")))


def budgets() -> dict[str, Budget]:
    """The budget of a standard plan; every answer says how much the shop really has."""
    return {"graphql": Budget(rate=100, capacity=2000)}


class _Scope(msgspec.Struct):
    handle: str


class _Installation(msgspec.Struct, rename="camel"):
    access_scopes: list[_Scope]


class _Installed(msgspec.Struct, rename="camel"):
    current_app_installation: _Installation


_INSTALLED = msgspec.json.Decoder(_Installed)


class ShopifyApi:
    """Runs the operations of this folder's .graphql files against one shop."""

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        token: TokenSource,
        version: str = API_VERSION,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._client = client
        self._url = f"{base_url}/admin/api/{version}/graphql.json"
        self._token = token
        self._costs: dict[str, float] = {}
        self._warned: set[str] = set()
        self.version = version
        self.served_version = version
        """The version that the last answer came from: an expired one falls forward silently."""

    @cached_property
    def scopes(self) -> frozenset[str]:
        """What the token may do; asked once."""
        installed = self.execute("Scopes").read(_INSTALLED).current_app_installation
        return frozenset(scope.handle for scope in installed.access_scopes)

    def now(self) -> datetime:
        """The present moment by the shop's own clock, which is the one that its records are stamped with."""
        _ = self.scopes  # Until the shop has answered once, its clock is unknown.
        return self._now() + self._client.skew

    def execute(
        self, operation: str, variables: Mapping[str, object] | None = None, document: str = DOCUMENT
    ) -> Answer:
        """Runs the named operation; a token that was refused is renewed once where that is possible."""
        try:
            return self._send(operation, variables or {}, document)
        except AuthError:
            if not self._token.renew():
                raise
            return self._send(operation, variables or {}, document)

    def warn_once(self, message: str) -> None:
        """Logs what holds for the whole of a sync, not once more for every page."""
        if message not in self._warned:
            log.warning("%s", message)
            self._warned.add(message)

    def download(self, url: str, file: BinaryIO) -> None:
        """Brings the file of a bulk operation. Its address is signed, so the token stays here."""
        self._client.download(Request("GET", url), file)

    @property
    def restore_rate(self) -> float:
        """Points that come back a second, as the shop last said."""
        return self._client.budgets["graphql"].rate

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def _send(self, operation: str, variables: Mapping[str, object], document: str) -> Answer:
        body = msgspec.json.encode({"query": document, "operationName": operation, "variables": variables})
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Shopify-Access-Token": self._token.value(),
        }
        request = Request("POST", self._url, headers, body)
        # Shopify wants the whole requested cost to be available; it says how much that was in each answer.
        cost = self._costs.get(operation, 0.0)
        return self._client.send(request, lambda response: self._read(operation, response), budget="graphql", cost=cost)

    def _read(self, operation: str, response: Response) -> Answer:
        flaw = refusal(response.body)
        clean = neutralised(response.body) if flaw else response.body
        try:
            envelope = ENVELOPE.decode(clean)
        except msgspec.ValidationError as error:
            raise RequestRefused(f"The answer is not GraphQL: {error}", where=response.where) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            excerpt = self._client.redact.body(response.body)
            raise BrokenResponse(f"The answer is not whole JSON: {excerpt}", where=response.where) from None
        wait = self._account(operation, envelope.extensions)
        self._notice_version(response.headers.get("X-Shopify-API-Version", self.version))
        self._notice_search(envelope.extensions)
        if envelope.errors:
            raise refused(envelope.errors, response.where, wait)
        if len(memoryview(envelope.data)) == len(b"null"):
            raise BrokenResponse("The answer holds neither data nor errors", where=response.where)
        return Answer(flaw, envelope.data, clean, response.body, response.where)

    def _account(self, operation: str, extensions: Extensions | None) -> float:
        """Notes the cost and what is left; returns the seconds until the same request fits again."""
        if extensions is None or extensions.cost is None:
            return 1.0
        cost, left = extensions.cost.requested_query_cost, extensions.cost.throttle_status
        self._costs[operation] = cost
        self._client.budgets["graphql"].report(
            available=left.currently_available, rate=left.restore_rate, capacity=left.maximum_available
        )
        return max(0.0, cost - left.currently_available) / left.restore_rate

    def _notice_version(self, served: str) -> None:
        if served not in (self.served_version, self.version):
            log.warning(
                "Shopify answered as API version %s although %s was asked for, which is no longer (or not yet) served; "
                "put a supported version into the connection's field api_version.",
                served,
                self.version,
            )
        self.served_version = served

    def _notice_search(self, extensions: Extensions | None) -> None:
        """A filter that Shopify does not know is left out, not refused: the answer then holds more than was asked."""
        for search in extensions.search if extensions else ():
            for warning in search.warnings:
                self.warn_once(f"Shopify ignores {warning.field!r} in the search {search.query!r}: {warning.message}")
