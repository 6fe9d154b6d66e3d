"""Faults on demand: what can go wrong between a vendor and a client, injected in front of any route but `/_admin`."""

from __future__ import annotations

import inspect
import uuid
from dataclasses import dataclass, field
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders

from sandbox.exchange import Exchange
from sandbox.fault_kinds import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

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
    memory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"there is no fault {self.kind!r}; there are {sorted(FAULTS)}")
        takes = inspect.signature(FAULTS[self.kind])
        try:
            takes.bind(None, **self.options)
        except TypeError as error:
            options = list(takes.parameters)[1:]
            raise ValueError(f"fault {self.kind!r}: {error}; its options are {options}") from None

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
    """ASGI middleware: gives every answer its request id and date, and lets the first fault that strikes have it."""

    def __init__(self, app: ASGIApp, faults: list[Fault], clock: Callable[[], datetime]) -> None:
        """`clock` tells the time that answers are dated with, also those that a fault makes up."""
        self._app = app
        self._faults = faults
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = str(uuid.uuid4())
                headers.setdefault("Date", format_datetime(self._clock(), usegmt=True))
            await send(message)

        path = scope["path"]
        fault = None if path.startswith("/_admin") else next((f for f in self._faults if f.strikes(path)), None)
        if fault is None:
            await self._app(scope, receive, send_on)
        else:
            exchange = Exchange(
                self._app, scope, receive, send_on, fault.memory, fault.hits == fault.times, self._clock
            )
            await FAULTS[fault.kind](exchange, **fault.options)
