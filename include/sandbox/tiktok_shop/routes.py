"""TikTok Shop's HTTP surface on both of its hosts: what a request must bring, and the envelope of every answer."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.business.merchants import AURORA
from sandbox.shop import Shop
from sandbox.tiktok_shop import analytics, authorization, finance, orders, products, returns
from sandbox.tiktok_shop.access import APP_KEY, APP_SECRET, SHOPS, Access, Authorisation, AuthorisedShop
from sandbox.tiktok_shop.endpoint import Asked, Endpoint, Refused
from sandbox.tiktok_shop.signing import decoded, is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from sandbox.world import Settings, World

ENDPOINTS: tuple[Endpoint, ...] = (
    *authorization.ENDPOINTS,
    *orders.ENDPOINTS,
    *returns.ENDPOINTS,
    *finance.ENDPOINTS,
    *products.ENDPOINTS,
    *analytics.ENDPOINTS,
)

PAST_SECONDS, AHEAD_SECONDS = 300, 30
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
TOKEN = re.compile(r"[A-Z]+_[\w+/=-]+")


class TikTokShop:
    """The API at the root, and its authorisation host below `/tiktok_auth`; neither answers for the other."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._endpoints = [(_template(one.path), one) for one in ENDPOINTS]
        file = settings.state / "tiktok_shop.json" if settings.state else None
        self.access = Access(world, {one.scope for one in ENDPOINTS if one.scope}, file)
        british = replace(AURORA, zone=ZoneInfo("Europe/London"), currency="GBP", products=(), tiktok=None)
        self._empty = Shop(british, world.seed, world.first_day)

    def routes(self) -> list[Route]:
        return [
            Route("/tiktok_auth/api/v2/token/get", self.exchange, methods=["GET"]),
            Route("/tiktok_auth/api/v2/token/refresh", self.refresh, methods=["GET"]),
            Route("/{module}/{version:int}/{rest:path}", self.api, methods=METHODS),
        ]

    async def exchange(self, request: Request) -> Response:
        return self._envelope(lambda: self.access.exchange(request.query_params))

    async def refresh(self, request: Request) -> Response:
        return self._envelope(lambda: self.access.refresh(request.query_params))

    async def api(self, request: Request) -> Response:
        body = await request.body()
        return self._envelope(lambda: self._answer(request, body))

    def _answer(self, request: Request, body: bytes) -> dict[str, Any]:
        """The checks in the vendor's order, then the endpoint."""
        path: bytes = request.scope["raw_path"]
        query = decoded(request.scope["query_string"])
        endpoint, names = self._endpoint(request.method, path.decode("latin-1"))
        asked: dict[str, str] = {}
        for name, value in query:  # a list may come as one value with commas, or as the parameter several times
            asked[name] = f"{asked[name]},{value}" if name in asked else value
        if asked.get("app_key") != APP_KEY:
            raise Refused(36009004, "Invalid app_key", 400)
        if "sign" not in asked:
            raise Refused(36009004, "Required parameter sign is missing", 400)
        if not is_signed(APP_SECRET, path, query, request.headers.get("content-type", ""), body):
            raise Refused(106001, "Invalid sign: the signature does not match the request", 401)
        self._check_time(asked.get("timestamp", ""))
        authorisation = self._authorisation(request)
        if endpoint.scope and endpoint.scope not in authorisation.scopes:
            raise Refused(105005, f"Access denied: the authorisation does not include the scope {endpoint.scope}", 403)
        shop = self._shop(endpoint, authorisation, asked)
        owned = [one for one in SHOPS if one.seller == authorisation.seller]
        return endpoint.handle(Asked(shop, self._world.now(), names, asked, _object(body), owned))

    def _endpoint(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        found = [(one, match) for template, one in self._endpoints if (match := template.fullmatch(path))]
        if not found:
            raise Refused(36009009, "Invalid path: there is no such API", 404)
        for endpoint, match in found:
            if endpoint.method == method:
                return endpoint, match.groupdict()
        raise Refused(36009010, f"Invalid method {method} for this path", 405)

    def _check_time(self, text: str) -> None:
        now = self.access.now()
        if not text.isdecimal() or not now - PAST_SECONDS <= int(text) <= now + AHEAD_SECONDS:
            window = f"[{now - PAST_SECONDS}, {now + AHEAD_SECONDS}]"
            raise Refused(36009004, f"Invalid timestamp: it must be in Unix seconds within {window}", 400)

    def _authorisation(self, request: Request) -> Authorisation:
        token = request.headers.get("x-tts-access-token", "")
        if not TOKEN.fullmatch(token):
            raise Refused(36009004, "Invalid header x-tts-access-token: it is missing or malformed", 400)
        return self.access.authorisation(token)

    def _shop(self, endpoint: Endpoint, authorisation: Authorisation, asked: Mapping[str, str]) -> Shop:
        cipher = asked.get("shop_cipher")
        if not endpoint.needs_cipher:
            if cipher is not None:
                raise Refused(36009004, "Unexpected shop_cipher: it is not required by this API", 400)
            return self._empty
        if not cipher:
            raise Refused(106013, "Required parameter shop_cipher is missing", 400)
        return self._opened(self.access.shop(authorisation, cipher))

    def _opened(self, shop: AuthorisedShop) -> Shop:
        known = self._world.shop(f"{shop.merchant}.myshopify.com") if shop.merchant else None
        return known or self._empty

    def _envelope(self, answer: Callable[[], dict[str, Any]]) -> Response:
        now, status = self._world.now(), 200
        try:
            said = {"code": 0, "message": "Success", "data": answer()}
        except Refused as refused:
            said, status = {"code": refused.code, "message": refused.message, "data": None}, refused.status
        said["request_id"] = f"{now:%Y%m%d%H%M%S}{secrets.token_hex(10).upper()}"
        return JSONResponse(said, status, {"Date": format_datetime(now, usegmt=True)})


def _template(path: str) -> re.Pattern[str]:
    """A path such as `/x/{id}/y` as an expression that names its parts."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; no body is an empty one."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refused(36009023, "Invalid request body: it is not a JSON object", 400)
    return asked
