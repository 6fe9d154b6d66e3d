"""A vendor played over real HTTP, whose every answer a test writes down, and time that only moves when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.http.serving import serving
from tributary.http import HttpClient

MakeClient = Callable[..., HttpClient]
Act = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Act:
    """A whole answer; header names are written with underscores."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def cut(body: bytes, promised: int) -> Act:
    """Fewer bytes than promised, then the connection ends."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(promised))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return act


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """No answer at all."""
    handler.close_connection = True


@dataclass
class Vendor:
    """Plays the written answers in order; the last one stays."""

    answers: list[Act] = field(default_factory=lambda: [answer()])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def will(self, *answers: Act) -> None:
        """Writes down what comes next."""
        self.answers = list(answers)

    def play(self, handler: BaseHTTPRequestHandler) -> None:
        """Takes the request down and answers it."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.requests.append((handler.path, dict(handler.headers), body))
        self.connections.add(handler.client_address)
        act = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        act(handler)


@contextmanager
def scripted_vendor() -> Iterator[Vendor]:
    """A vendor on a free port."""
    stage = Vendor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            stage.play(self)

        do_GET = do_POST  # noqa: N815

    with serving(Handler) as stage.url:
        try:
            yield stage
        finally:
            stage.released.set()


class FakeTime:
    """A clock that moves by being slept on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
