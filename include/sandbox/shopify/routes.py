"""Shopify's HTTP surface: tokens, versions, status codes and headers around the GraphQL answer."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.business.merchants import MERCHANTS
from sandbox.shopify.access import Grant
from sandbox.shopify.api import AdminApi, served_version
from sandbox.shopify.bulk import BulkOperations
from sandbox.shopify.cost import Bucket
from sandbox.shopify.documents import Prepared

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.world import Settings, World

INVALID_TOKEN = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
SCOPES = frozenset(
    {
        "read_all_orders",
        "read_customers",
        "read_draft_orders",
        "read_inventory",
        "read_orders",
        "read_products",
        "read_reports",
    }
)
TOKEN_SECONDS = 86_399
STORAGE = "/storage/bulk-operation-outputs"


@dataclass(slots=True)
class Token:
    """An access token of one shop."""

    shop: str
    grant: Grant
    expires_at: datetime | None = None
    revoked: bool = False


class Shopify:
    """The tokens and the API of every shop in the world."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._prepared = Prepared()
        self.tokens: dict[str, Token] = {}
        self.bulk = {merchant.domain: BulkOperations(merchant.id_base // 1000) for merchant in MERCHANTS}
        for merchant in MERCHANTS:
            self.issue(merchant.domain, f"shpat_sandbox_{merchant.merchant_id}", SCOPES, None)

    @property
    def domains(self) -> list[str]:
        return [merchant.domain for merchant in MERCHANTS]

    def issue(self, shop: str, token: str, scopes: frozenset[str], seconds: int | None) -> Token:
        """Make a token valid, for ever or for so many seconds of the sandbox's clock."""
        expires_at = self._world.now() + timedelta(seconds=seconds) if seconds is not None else None
        self.tokens[token] = Token(shop, Grant(scopes, Bucket(self._settings.restore_rate)), expires_at)
        return self.tokens[token]

    def routes(self) -> list[Route]:
        return [
            Route("/shopify/{shop}/admin/api/{version}/graphql.json", self.graphql, methods=["POST"]),
            Route("/shopify/{shop}/admin/oauth/access_token", self.access_token, methods=["POST"]),
            Route(STORAGE + "/{name}", self.stored, methods=["GET"]),
        ]

    async def graphql(self, request: Request) -> Response:
        body = await request.body()
        version = served_version(request.path_params["version"])
        shop = self._world.shop(request.path_params["shop"])
        if shop is None or version is None:
            return JSONResponse({"errors": "Not Found"}, 404)
        token = self.tokens.get(request.headers.get("x-shopify-access-token", ""))
        if token is None or token.revoked or token.shop != shop.merchant.domain:
            return JSONResponse(INVALID_TOKEN, 401)
        if token.expires_at is not None and token.expires_at <= self._world.now():
            return JSONResponse(INVALID_TOKEN, 401)
        try:
            asked: Any = json.loads(body)
            query, variables = asked["query"], asked.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        bulk, storage = self.bulk[shop.merchant.domain], str(request.base_url).rstrip("/") + STORAGE
        api = AdminApi(self._world, shop, self._settings, self._prepared, bulk, storage)
        answer = api.answer(query, variables, asked.get("operationName"), token.grant)
        return JSONResponse(answer, headers={"X-Shopify-API-Version": version})

    async def stored(self, request: Request) -> Response:
        """The file of a bulk operation, as from a storage host: no token, but a signed address that expires."""
        everything = [operation for bulk in self.bulk.values() for operation in bulk.operations.values()]
        operation = next((one for one in everything if one.name == request.path_params["name"]), None)
        if operation is None:
            return _storage_error(404, "NoSuchKey", "The specified key does not exist.")
        if request.query_params.get("Signature") != operation.signature:
            return _storage_error(403, "SignatureDoesNotMatch", "Access denied.")
        expires_at = operation.expires_at()
        if expires_at is None or self._world.now() >= expires_at or not (operation.has_result or operation.has_part):
            return _storage_error(400, "ExpiredToken", "The provided token has expired.")
        return FileResponse(operation.file, media_type="application/jsonl", filename=operation.name)

    async def access_token(self, request: Request) -> Response:
        """The client-credentials grant: form or JSON, a token for a day."""
        domain = request.path_params["shop"]
        if self._world.shop(domain) is None:
            return JSONResponse({"errors": "Not Found"}, 404)
        body = (await request.body()).decode()
        as_json = request.headers.get("content-type", "").startswith("application/json")
        asked = json.loads(body) if as_json else dict(parse_qsl(body))
        name = domain.removesuffix(".myshopify.com")
        if asked.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if (asked.get("client_id"), asked.get("client_secret")) != (f"client_{name}", f"secret_{name}"):
            return JSONResponse({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
        token = f"shpat_{secrets.token_hex(16)}"
        self.issue(domain, token, SCOPES, TOKEN_SECONDS)
        return JSONResponse({"access_token": token, "scope": ",".join(sorted(SCOPES)), "expires_in": TOKEN_SECONDS})


def _storage_error(status: int, code: str, message: str) -> Response:
    """As cloud storage refuses."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(body, status, media_type="application/xml; charset=UTF-8")
