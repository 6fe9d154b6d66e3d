"""Google Ads and its token endpoint over HTTP: `/v26/...` at the sandbox's root, and `/google_ads/token`."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.google_ads.access import TokenRefused
from sandbox.google_ads.refusals import VERSION, Refused
from sandbox.google_ads.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from sandbox.world import World

TOKEN, CUSTOMERS = "/google_ads/token", f"/{VERSION}/customers"


class GoogleAds:
    """Routes over every merchant's accounts."""

    def __init__(self, world: World) -> None:
        self.service = Service(world)

    def routes(self) -> list[Route]:
        return [
            Route(TOKEN, self.token, methods=["POST"]),
            Route(CUSTOMERS + ":listAccessibleCustomers", self.accessible, methods=["GET"]),
            Route(CUSTOMERS + "/{customer}/googleAds:search", self.search, methods=["POST"]),
            Route(CUSTOMERS + "/{customer}/googleAds:searchStream", self.stream, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True))
        try:
            return JSONResponse(self.service.access.exchange(form))
        except TokenRefused as refused:
            return JSONResponse(refused.body, refused.status)

    async def accessible(self, request: Request) -> Response:
        return _answer(lambda _: self.service.accessible(request.headers))

    async def search(self, request: Request) -> Response:
        raw, customer = await request.body(), request.path_params["customer"]
        return _answer(lambda _: self.service.search(request.headers, customer, _object(raw)))

    async def stream(self, request: Request) -> Response:
        raw, customer = await request.body(), request.path_params["customer"]
        return _answer(
            lambda request_id: self.service.stream(request.headers, customer, _object(raw), request_id), in_list=True
        )


def _answer(ask: Callable[[str], Any], *, in_list: bool = False) -> Response:
    """What the service says, or how it refuses; a stream's refusal stands in a list, as its batches do."""
    request_id = secrets.token_urlsafe(16)
    headers = {"request-id": request_id}
    try:
        return JSONResponse(ask(request_id), headers=headers)
    except Refused as refused:
        body = refused.body(request_id)
        return JSONResponse([body] if in_list else body, refused.http_code, headers)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused("INVALID_ARGUMENT", message="Invalid JSON payload received. The body is no JSON object.")
    return value
