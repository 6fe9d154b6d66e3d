"""Sandboxes over real HTTP: one that all tests read, and small ones that a test may change."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.app import create_app
from sandbox.clock import parse_instant
from sandbox.serve import serve
from sandbox.world import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = parse_instant("2026-11-15T12:00:00Z")
SHOPS = ("aurora", "nordlicht")


@dataclass
class Client:
    """A plain HTTP client of one sandbox."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def post(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        shop: str = "aurora",
        token: str | None = None,
        version: str = "2026-10",
    ) -> requests.Response:
        return self.session.post(
            f"{self.url}/shopify/{shop}.myshopify.com/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables or {}},
            headers={"X-Shopify-Access-Token": token or f"shpat_sandbox_{shop}"},
            timeout=20,
        )

    def ask(self, query: str, variables: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
        """The data of a query that must succeed."""
        answer = self.post(query, variables, **kwargs).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    def refused(self, query: str, variables: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
        """The first error of a query that must be refused with HTTP 200."""
        response = self.post(query, variables, **kwargs)
        assert response.status_code == 200
        return dict(response.json()["errors"][0])

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        response = self.session.request(method, f"{self.url}/_admin{path}", json=body, timeout=20)
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Client]:
    """A world of four weeks with both ends of summer time in it; nobody changes it."""
    with serve(create_app(Settings(seed=7, first_day=date(2026, 10, 19), frozen_at=NOW))) as url:
        yield Client(url)


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    """Starts a small world of one's own."""
    with ExitStack() as stack:

        def begin(**settings: Any) -> Client:
            chosen = {"seed": 7, "first_day": date(2026, 11, 12), "frozen_at": NOW, **settings}
            return Client(stack.enter_context(serve(create_app(Settings(**chosen)))))

        yield begin


@pytest.fixture
def fresh(start: Callable[..., Client]) -> Client:
    """A small world that the test may change."""
    return start()
