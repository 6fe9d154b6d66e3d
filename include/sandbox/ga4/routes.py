"""The Data API and Google's token endpoint over HTTP: `/v1beta/...` at the sandbox's root, and `/google/token`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.ga4.access import TokenRefused
from sandbox.ga4.refusals import Refused, invalid
from sandbox.ga4.service import Service

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.world import Settings, World

BASE, TOKEN = "/v1beta/properties", "/google/token"


class GA4:
    """Routes over one property."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.service = Service(world, settings.google_keyfile)

    def routes(self) -> list[Route]:
        return [
            Route(TOKEN, self.token, methods=["POST"]),
            Route(BASE + "/{property}/metadata", self.metadata, methods=["GET"]),
            Route(BASE + "/{property}:{method}", self.report, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        form = await request.body()
        try:
            return JSONResponse(self.service.access.exchange(_form(form)))
        except TokenRefused as refused:
            return JSONResponse(refused.body, refused.status)

    async def metadata(self, request: Request) -> Response:
        return await self._answer(request, "metadata")

    async def report(self, request: Request) -> Response:
        return await self._answer(request, request.path_params["method"])

    async def _answer(self, request: Request, method: str) -> Response:
        try:
            with self.service.quota.request():
                body = _object(await request.body())
                authorization = request.headers.get("authorization")
                return JSONResponse(self.service.answer(method, request.path_params["property"], body, authorization))
        except Refused as refused:
            headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after is not None else {}
            return JSONResponse(refused.body(), refused.code, headers)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise invalid("Invalid JSON payload received. The body is no JSON object.")
    return value


def _form(raw: bytes) -> dict[str, str]:
    """What an HTML form says; the last of a name counts."""
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))
