"""A client of TikTok Shop's sandbox that signs what it is told to sign, so that tests can also ask wrongly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests

from sandbox.clock import parse_instant
from sandbox.tiktok_shop.access import APP_KEY, APP_SECRET, SHOPS
from sandbox.tiktok_shop.signing import expected
from tests.sandbox.conftest import NOW

BRITISH, AURORA, BOREALIS = (shop.cipher for shop in SHOPS)
FIRST_TOKEN = "TTP_access_aurora_0"
FIRST_REFRESH = "TTP_refresh_aurora_0"
SHOPS_PATH = "/authorization/202309/shops"
ORDERS_PATH = "/order/202309/orders/search"
PRODUCTS_PATH = "/product/202502/products/search"
SHOP_PATH = "/analytics/202509/shop/performance"
VIDEOS_PATH = "/analytics/202509/shop_videos/performance"


@dataclass
class Signed:
    """One request as it goes over the wire."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: bytes
    token: str | None = FIRST_TOKEN

    def send(self, url: str) -> requests.Response:
        headers = {"content-type": "application/json"}
        if self.token is not None:
            headers["x-tts-access-token"] = self.token
        address = f"{url}{self.path}?{urlencode(self.query)}"
        return requests.request(self.method, address, data=self.body, headers=headers, timeout=20)


@dataclass
class Seller:
    """Aurora, unless the arguments say otherwise."""

    url: str
    now: int = int(NOW.timestamp())
    token: str | None = FIRST_TOKEN

    def signed(
        self,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        *,
        cipher: str | None = AURORA,
        timestamp: int | None = None,
        secret: str = APP_SECRET,
        method: str | None = None,
    ) -> Signed:
        raw = b"" if body is None else json.dumps(body).encode()
        asked = {"app_key": APP_KEY, "timestamp": self.now if timestamp is None else timestamp, **(query or {})}
        if cipher is not None and path != SHOPS_PATH:
            asked["shop_cipher"] = cipher
        pairs = [(name, str(value)) for name, value in asked.items()]
        pairs.append(("sign", expected(secret, path.encode(), pairs, "application/json", raw)))
        return Signed(method or ("GET" if body is None else "POST"), path, pairs, raw, self.token)

    def data(self, path: str, query: dict[str, Any] | None = None, body: Any = None, **how: Any) -> dict[str, Any]:
        """What a request that must succeed brings."""
        answer = self.signed(path, query, body, **how).send(self.url).json()
        assert answer["code"] == 0, answer
        return dict(answer["data"])

    def code(self, path: str, query: dict[str, Any] | None = None, body: Any = None, **how: Any) -> int:
        """The code with which the vendor answers; an answer has either data or another code than 0."""
        answer = self.signed(path, query, body, **how).send(self.url).json()
        assert (answer["data"] is None) == (answer["code"] != 0)
        return int(answer["code"])

    def auth(self, verb: str, **asked: str) -> dict[str, Any]:
        """The whole answer of the authorisation host."""
        grant = {"get": "authorized_code", "refresh": "refresh_token"}[verb]
        query = {"app_key": APP_KEY, "app_secret": APP_SECRET, "grant_type": grant, **asked}
        return dict(requests.get(f"{self.url}/tiktok_auth/api/v2/token/{verb}", query, timeout=20).json())

    def at(self, instant: str) -> Seller:
        """The same seller at another time."""
        return Seller(self.url, int(parse_instant(instant).timestamp()), self.token)
