"""The kinds of faults: each answers one request in the app's stead, usually by spoiling the answer that the app gave.

A kind's docstring is its description in docs/faults.md; its keyword arguments are the options that `/_admin/faults`
takes. Paths are those of `json_paths`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from sandbox.exchange import Exchange, called, replaced, said
from sandbox.json_paths import MISSING, at, changed, encoded, overlaid
from sandbox.shopify.api import throttled as shopify_throttled
from sandbox.shopify.cost import Bucket
from sandbox.shopify.routes import INVALID_TOKEN

TOO_MANY = {"ok": False, "error": "ratelimited", "errors": "Too many requests"}
SERVER_ERROR = {"errors": "Internal Server Error"}

Kind = Callable[..., Awaitable[None]]


async def http_429(exchange: Exchange, *, retry_after: float = 1, body: Any = TOO_MANY) -> None:
    """Too many requests, says the vendor, and when to come back."""
    await exchange.reply(JSONResponse(body, 429, {"Retry-After": str(retry_after)}))


async def http_5xx(exchange: Exchange, *, status: int = 503, body: Any = SERVER_ERROR) -> None:
    """The vendor itself has failed."""
    await exchange.reply(JSONResponse(body, status))


async def throttled(exchange: Exchange, *, requested: int = 100, restore_rate: int = 100, body: Any = None) -> None:
    """HTTP 200 whose body says that the quota is used up, in Shopify's words or in those of `body`."""
    bucket = Bucket(restore_rate)
    bucket.available = 0.0
    await exchange.reply(JSONResponse(body or shopify_throttled(requested, bucket)))


async def expired_token(exchange: Exchange, *, status: int = 401, body: Any = INVALID_TOKEN) -> None:
    """The vendor does not know the token (any more)."""
    await exchange.reply(JSONResponse(body, status))


async def html(exchange: Exchange) -> None:
    """An HTML page with status 200, as load balancers send during maintenance."""
    await exchange.reply(HTMLResponse("<!doctype html><title>Maintenance</title><h1>We'll be right back</h1>"))


async def malformed(exchange: Exchange) -> None:
    """Something that calls itself JSON and is not."""
    await exchange.reply(Response('{"data": {"orders": [,', media_type="application/json"))


async def wrong_content_type(exchange: Exchange, *, content_type: str = "text/plain") -> None:
    """The right answer under a wrong content type."""
    status, headers, body = await exchange.answer()
    await exchange.whole(status, replaced(headers, b"content-type", content_type.encode()), body)


async def clock_off(exchange: Exchange, *, seconds: float) -> None:
    """The answer's `Date` is wrong by so many `seconds`: ahead, or behind when negative."""
    status, headers, body = await exchange.answer()
    date = format_datetime(exchange.clock() + timedelta(seconds=seconds), usegmt=True)
    await exchange.whole(status, replaced(headers, b"date", date.encode()), body)


async def slow(exchange: Exchange, *, seconds: float = 1) -> None:
    """The body drips in ten pieces, over `seconds`."""
    status, headers, body = await exchange.answer()
    step = len(body) // 10 + 1
    await exchange.start(status, headers)
    for start in range(0, len(body), step):
        await exchange.pause(seconds / 9 if start else 0)
        await exchange.say(body[start : start + step], more=start + step < len(body))


async def stalled(exchange: Exchange, *, seconds: float = 3600) -> None:
    """Half of the body, then silence for `seconds`, then the rest."""
    status, headers, body = await exchange.answer()
    await exchange.start(status, headers)
    await exchange.say(body[: len(body) // 2], more=True)
    await exchange.pause(seconds)
    await exchange.say(body[len(body) // 2 :])


async def cut(exchange: Exchange) -> None:
    """The connection ends in the middle of the body."""
    status, headers, body = await exchange.answer()
    await exchange.start(status, headers)
    # The server closes the connection when an app stops short of its length.
    await exchange.say(body[: len(body) // 2], more=True)


async def truncated(exchange: Exchange) -> None:
    """Half of the body, passed off as all of it."""
    status, headers, body = await exchange.answer()
    await exchange.whole(status, headers, body[: len(body) // 2])


async def repeated(exchange: Exchange, *, records: str = "") -> None:
    """The first page struck is right; every later one is that page again, or with the option only its `records`."""
    answer = await exchange.answer()
    first = exchange.memory.setdefault("answer", answer)
    if records:
        again = at(json.loads(first[2]), records)
        answer = (*answer[:2], encoded(changed(json.loads(answer[2]), records, again)))
    else:
        answer = first
    await exchange.whole(*answer)


async def cursor_loop(exchange: Exchange, *, cursor: str, more: str = "") -> None:
    """The first page struck is right; every later one names that page's next cursor again, at JSON path `cursor`."""

    def looped(answer: Any) -> Any:
        first = exchange.memory.setdefault("cursor", at(answer, cursor))
        return changed(changed(answer, cursor, first), more, True)

    await exchange.spoil(looped)


async def empty_page(exchange: Exchange, *, records: str, cursor: str, more: str = "") -> None:
    """A page without `records` whose `cursor` leads to the real page; the last strike gives that one, whole."""
    scope, body = await exchange.take_request()
    made_up = exchange.memory.get("cursor")
    if made_up is None or made_up not in scope["query_string"] + body:
        exchange.memory["request"] = scope, body
    exchange.hand_back(*exchange.memory["request"])
    if exchange.is_last:
        await exchange.pass_on()
        return
    number = exchange.memory["pages"] = exchange.memory.get("pages", 0) + 1
    following = f"empty-page-{number}"
    exchange.memory["cursor"] = following.encode()
    await exchange.spoil(lambda answer: changed(changed(changed(answer, records, []), cursor, following), more, True))


async def merged(exchange: Exchange, *, merge: Any) -> None:
    """The JSON answer with `merge` laid over it: new fields, other types, other values; `*` is every item of a list."""
    await exchange.spoil(lambda answer: overlaid(answer, merge))


async def missing_field(exchange: Exchange, *, path: str) -> None:
    """The JSON answer without the field at `path`."""
    await exchange.spoil(lambda answer: changed(answer, path, MISSING))


async def substituted(exchange: Exchange, *, find: str, put: str) -> None:
    """The answer's first `find` is replaced by `put`, byte for byte: what no JSON encoder would write."""
    status, headers, body = await exchange.answer()
    await exchange.whole(status, headers, body.replace(find.encode(), put.encode("latin-1"), 1))


async def meanwhile(exchange: Exchange, *, path: str, body: Any = None) -> None:
    """Just before the answer something happens at the vendor: a POST of `body` to `/_admin` + `path`."""
    where = "/_admin" + path
    scope = {**exchange.scope, "method": "POST", "path": where, "raw_path": where.encode(), "query_string": b""}
    status, _, answer = await called(exchange.app, scope, said(json.dumps(body or {}).encode(), exchange.receive))
    if status != 200:
        raise RuntimeError(f"POST {where} answered {status}: {answer.decode()}")
    await exchange.pass_on()


FAULTS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        http_429,
        http_5xx,
        throttled,
        expired_token,
        html,
        malformed,
        wrong_content_type,
        clock_off,
        slow,
        stalled,
        cut,
        truncated,
        repeated,
        cursor_loop,
        empty_page,
        merged,
        missing_field,
        substituted,
        meanwhile,
    )
}
