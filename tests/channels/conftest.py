"""A sandbox that stands still, and Shopify's API against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, MakeApi, Sandbox
from tributary.channels.shopify.api import ShopifyApi
from tributary.channels.shopify.refusals import STATUS_REMEDIES
from tributary.channels.shopify.token import StaticToken, TokenSource
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A week of business, frozen."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield Sandbox(url)


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").admin("/faults", method="DELETE")


@pytest.fixture
def slept() -> list[float]:
    """The waits that a client would have made."""
    return []


@pytest.fixture
def make_api(sandbox: Sandbox, slept: list[float]) -> Iterator[MakeApi]:
    """Clients of the sandbox's shops; back-off is noted instead of waited for."""
    made: list[ShopifyApi] = []

    def make(
        merchant: str = "aurora",
        *,
        token: TokenSource | None = None,
        version: str = "2026-10",
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        client: HttpClient | None = None,
    ) -> ShopifyApi:
        client = client or HttpClient(
            redact=Redactor([f"shpat_sandbox_{merchant}"]),
            budgets={"graphql": Budget(rate=100, capacity=2000, sleep=slept.append)},
            remedies=STATUS_REMEDIES,
            timeouts=timeouts,
            retry=retry,
            sleep=slept.append,
        )
        token = token or StaticToken(f"shpat_sandbox_{merchant}")
        made.append(ShopifyApi(client, sandbox.shop(merchant), token, version))
        return made[-1]

    yield make
    for api in made:
        api.close()
