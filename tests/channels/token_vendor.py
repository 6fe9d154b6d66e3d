"""A vendor that rotates its refresh tokens, and tasks that share one authorisation at it."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg
import requests
from cryptography.fernet import Fernet

from tests.http.serving import serving
from tributary.channels.vendor_tokens import StoredTokens, TokenPair
from tributary.http import AuthError, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 86_400.0
FIRST = "first-refresh-token/0+="


@dataclass(frozen=True)
class Key:
    """Airflow's cipher, without Airflow."""

    key: str

    is_encrypted = True

    def encrypt(self, msg: bytes) -> bytes:
        return Fernet(self.key).encrypt(msg)

    def decrypt(self, msg: bytes) -> bytes:
        return Fernet(self.key).decrypt(msg)


@dataclass
class Vendor:
    """Takes the newest refresh token only; counts, and waits before it answers as long as it is held."""

    access_seconds: float = 7 * DAY
    authorisation_seconds: float = 365 * DAY
    newest: str = FIRST
    asked: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    unheard: int = 0
    """So many of the first requests change nothing."""
    before_answer: Callable[[], object] = lambda: None
    url: str = ""

    def __post_init__(self) -> None:
        self.held.set()

    def refresh(self, refresh_token: str) -> tuple[int, dict[str, Any]]:
        """The answer to one refresh."""
        self.asked.append(refresh_token)
        n = len(self.asked)
        assert self.held.wait(60)
        if n <= self.unheard or refresh_token != self.newest:
            return 401, {"message": "refresh token is invalid"}
        self.newest = f"rotated-refresh-token/{n}"
        self.before_answer()
        return 200, {
            "access_token": f"access-token-{n}",
            "access_ends_at": time.time() + self.access_seconds,
            "refresh_token": self.newest,
            "authorisation_ends_at": time.time() + self.authorisation_seconds,
        }


@contextmanager
def open_vendor() -> Iterator[Vendor]:
    """A vendor on a free port."""
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            # A client that is killed is no news.
            with suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            (token,) = parse_qs(urlsplit(self.path).query)["refresh_token"]
            status, answer = vendor.refresh(token)
            body = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as vendor.url:
        try:
            yield vendor
        finally:
            vendor.held.set()


@dataclass(frozen=True)
class Task:
    """What a task knows: it can be sent to another process."""

    warehouse_url: str
    vendor_url: str
    first: str = FIRST
    connection_id: str = "shop_aurora"
    key: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def tokens(self, **options: Any) -> StoredTokens:
        """The authorisation as this task sees it, nothing read yet."""
        known: dict[str, Any] = {
            "connect": lambda: psycopg.connect(self.warehouse_url),
            "cipher": Key(self.key),
            "connection_id": self.connection_id,
            "app_key": "app",
            "first": self.first,
            "refresh": self.refresh,
            "redact": Redactor(),
        }
        return StoredTokens(**known | options)

    def refresh(self, refresh_token: str) -> TokenPair:
        """Asks the vendor as a channel does."""
        answer = requests.get(f"{self.vendor_url}?{urlencode({'refresh_token': refresh_token})}", timeout=60)
        told = answer.json()
        if answer.status_code != 200:
            raise AuthError(f"The vendor refuses: {told['message']}", where="GET the vendor")
        return TokenPair(
            told["access_token"],
            datetime.fromtimestamp(told["access_ends_at"], UTC),
            told["refresh_token"],
            datetime.fromtimestamp(told["authorisation_ends_at"], UTC),
        )

    def value(self) -> str:
        """The token that this task would send."""
        return self.tokens().value()

    def value_after(self, refused: str) -> str:
        """The token that this task would send after the vendor refused that one."""
        tokens = self.tokens()
        assert tokens.renew(refused)
        return tokens.value()
