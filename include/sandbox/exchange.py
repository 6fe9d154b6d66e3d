"""One request in the hands of a fault, between the server and the app."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.json_paths import encoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Exchange:
    """One request that a fault has in its hands."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    memory: dict[str, Any]
    """What the fault keeps from one strike to the next."""
    is_last: bool
    """Whether the fault strikes no more after this."""
    clock: Callable[[], datetime]
    """The time that the answer is dated with."""

    async def pass_on(self) -> None:
        """Let the app answer, as if nothing were wrong."""
        await self.app(self.scope, self.receive, self.send)

    async def answer(self) -> tuple[int, Headers, bytes]:
        """What the app would have said."""
        return await called(self.app, self.scope, self.receive)

    async def take_request(self) -> tuple[Scope, bytes]:
        """The request with its body; it must be handed back before the app can answer."""
        body, more = b"", True
        while more:
            message = await self.receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        return self.scope, body

    def hand_back(self, scope: Scope, body: bytes) -> None:
        """Put a request in front of the app: the one that was taken, or another."""
        self.scope, self.receive = scope, said(body, self.receive)

    async def reply(self, response: Response) -> None:
        await response(self.scope, self.receive, self.send)

    async def start(self, status: int, headers: Headers) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def say(self, body: bytes, more: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """An answer whose length fits."""
        await self.start(status, replaced(headers, b"content-length", str(len(body)).encode()))
        await self.say(body)

    async def pause(self, seconds: float) -> None:
        """Let time pass, but not for a client that has hung up: a server that stops waits for its requests."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    pass

    async def spoil(self, change: Callable[[Any], Any]) -> None:
        """The app's JSON answer after a change."""
        status, headers, body = await self.answer()
        await self.whole(status, headers, encoded(change(json.loads(body))))


def replaced(headers: Headers, name: bytes, value: bytes) -> Headers:
    """The headers with one of them set."""
    return [(key, kept) for key, kept in headers if key.lower() != name] + [(name, value)]


def said(body: bytes, then: Receive) -> Receive:
    """A request whose body is known, for an app to receive; `then` goes on behind it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await then()

    return receive


async def called(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an app's answer."""
    started: list[Message] = []
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    return started[0]["status"], list(started[0]["headers"]), bytes(body)
