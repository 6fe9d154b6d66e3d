"""Faults on demand: what can go wrong between a vendor and a client, injected in front of any route but `/_admin`.

`FAULTS` at the end is the one registry: a kind is a coroutine that answers in the app's stead, usually by spoiling the
answer that the app gave. `options` are the kind's own.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response

from sandbox.shopify.api import throttled
from sandbox.shopify.cost import Bucket
from sandbox.shopify.routes import INVALID_TOKEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(slots=True)
class Fault:
    """Strikes requests whose path matches the shell pattern `route`: lets `skip` pass, then hits `times` of them."""

    route: str
    kind: str
    times: int | None = 1
    skip: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"there is no fault {self.kind!r}; there are {sorted(FAULTS)}")

    def strikes(self, path: str) -> bool:
        """Whether this request is hit; counts it either way."""
        if not fnmatchcase(path, self.route) or self.times == self.hits:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class Faults:
    """ASGI middleware: gives every answer its request id, and lets the first fault that strikes have it."""

    def __init__(self, app: ASGIApp, faults: list[Fault]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = str(uuid.uuid4())
            await send(message)

        path = scope["path"]
        fault = None if path.startswith("/_admin") else next((f for f in self._faults if f.strikes(path)), None)
        if fault is None:
            await self._app(scope, receive, send_with_id)
        else:
            await FAULTS[fault.kind](Exchange(self._app, scope, receive, send_with_id), fault.options)


@dataclass(slots=True)
class Exchange:
    """One request that a fault has in its hands."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def answer(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """What the app would have said."""
        started: list[Message] = []
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(message)
            else:
                body.extend(message.get("body", b""))

        await self.app(self.scope, self.receive, collect)
        return started[0]["status"], list(started[0]["headers"]), bytes(body)

    async def reply(self, response: Response) -> None:
        await response(self.scope, self.receive, self.send)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def say(self, body: bytes, more: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


Options = dict[str, Any]


async def _too_many(exchange: Exchange, options: Options) -> None:
    headers = {"Retry-After": str(options.get("retry_after", 1))}
    await exchange.reply(
        JSONResponse({"ok": False, "error": "ratelimited", "errors": "Too many requests"}, 429, headers)
    )


async def _server_error(exchange: Exchange, options: Options) -> None:
    await exchange.reply(JSONResponse({"errors": "Internal Server Error"}, int(options.get("status", 503))))


async def _throttled(exchange: Exchange, options: Options) -> None:
    bucket = Bucket(int(options.get("restore_rate", 100)))
    bucket.available = 0.0
    await exchange.reply(JSONResponse(throttled(int(options.get("requested", 100)), bucket)))


async def _expired_token(exchange: Exchange, options: Options) -> None:
    await exchange.reply(JSONResponse(INVALID_TOKEN, 401))


async def _html(exchange: Exchange, options: Options) -> None:
    await exchange.reply(HTMLResponse("<!doctype html><title>Maintenance</title><h1>We'll be right back</h1>"))


async def _malformed(exchange: Exchange, options: Options) -> None:
    await exchange.reply(Response('{"data": {"orders": [,', media_type="application/json"))


async def _slow(exchange: Exchange, options: Options) -> None:
    """The body in ten pieces, over `seconds`."""
    status, headers, body = await exchange.answer()
    step = len(body) // 10 + 1
    await exchange.start(status, headers)
    for start in range(0, len(body), step):
        await asyncio.sleep(float(options.get("seconds", 1)) / 10)
        await exchange.say(body[start : start + step], more=start + step < len(body))


async def _cut(exchange: Exchange, options: Options) -> None:
    """The connection ends in the middle of the body: the server closes it when an app stops short of its length."""
    status, headers, body = await exchange.answer()
    await exchange.start(status, headers)
    await exchange.say(body[: len(body) // 2], more=True)


async def _truncated(exchange: Exchange, options: Options) -> None:
    """Half of the body, passed off as all of it."""
    status, headers, body = await exchange.answer()
    half = body[: len(body) // 2]
    await exchange.start(status, _with(headers, b"content-length", str(len(half)).encode()))
    await exchange.say(half)


async def _wrong_content_type(exchange: Exchange, options: Options) -> None:
    status, headers, body = await exchange.answer()
    content_type = str(options.get("content_type", "text/plain")).encode()
    await exchange.start(status, _with(headers, b"content-type", content_type))
    await exchange.say(body)


async def _merged(exchange: Exchange, options: Options) -> None:
    """The JSON answer with `options["merge"]` laid over it: new fields, other types, whatever a test needs."""
    status, headers, body = await exchange.answer()
    spoiled = json.dumps(_overlay(json.loads(body), options.get("merge", {}))).encode()
    await exchange.start(status, _with(headers, b"content-length", str(len(spoiled)).encode()))
    await exchange.say(spoiled)


def _overlay(value: Any, patch: Any) -> Any:
    if isinstance(value, dict) and isinstance(patch, dict):
        return {**value, **{key: _overlay(value.get(key), inner) for key, inner in patch.items()}}
    if isinstance(value, list) and isinstance(patch, dict):
        return [_overlay(item, patch[str(index)]) if str(index) in patch else item for index, item in enumerate(value)]
    return patch


def _with(headers: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, kept) for key, kept in headers if key.lower() != name] + [(name, value)]


FAULTS: dict[str, Callable[[Exchange, Options], Awaitable[None]]] = {
    "http_429": _too_many,
    "http_5xx": _server_error,
    "throttled": _throttled,
    "expired_token": _expired_token,
    "html": _html,
    "malformed": _malformed,
    "slow": _slow,
    "cut": _cut,
    "truncated": _truncated,
    "wrong_content_type": _wrong_content_type,
    "merged": _merged,
}
