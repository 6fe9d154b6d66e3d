"""A sandbox that stands still, and Shopify's API against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, SCOPES, MakeApi, Sandbox
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
        shop: str | None = None,
        token: TokenSource | None = None,
        version: str = "2026-10",
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        client: HttpClient | None = None,
    ) -> ShopifyApi:
        own = f"shpat_sandbox_{merchant}"
        client = client or HttpClient(
            redact=Redactor([own]),
            budgets={"graphql": Budget(rate=100, capacity=2000, sleep=slept.append)},
            remedies=STATUS_REMEDIES,
            timeouts=timeouts,
            retry=retry,
            sleep=slept.append,
        )
        url = shop or sandbox.shop(merchant)
        made.append(ShopifyApi(client, url, token or StaticToken(own), version, lambda: NOW))
        if token is None:
            # Known, so that the first request is the one that a test is about.
            made[-1].scopes = SCOPES
        return made[-1]

    yield make
    for api in made:
        api.close()
