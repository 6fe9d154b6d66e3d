"""A sandbox that stands still, and the vendors' APIs against it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.ga4_road import Road as Ga4Road
from tests.channels.ga4_road import website
from tests.channels.klaviyo_moving import Moving, moving
from tests.channels.meta_ads_road import Road as MetaAdsRoad
from tests.channels.meta_ads_road import advertising
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, SCOPES, MakeApi, Sandbox
from tests.channels.tiktok_road import Road as TikTokRoad
from tests.channels.tiktok_sandbox import ACCESS_TOKEN, APP, SHOP_ID, MakeTikTok
from tests.conftest import new_database
from tests.http.scripted_vendor import Vendor, scripted_vendor
from tributary.channels.shopify.api import ShopifyApi
from tributary.channels.shopify.refusals import STATUS_REMEDIES
from tributary.channels.shopify.token import StaticToken, TokenSource
from tributary.channels.tiktok_shop import token as tiktok_token
from tributary.channels.tiktok_shop.api import OFFICIAL_RETRY, TikTokShopApi
from tributary.channels.tiktok_shop.api import TokenSource as TikTokTokens
from tributary.channels.tiktok_shop.api import budgets as tiktok_budgets
from tributary.channels.tiktok_shop.refusals import explain
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


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


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendor]:
    with scripted_vendor() as vendor:
        yield vendor


@pytest.fixture
def vendor(vendors: Vendor) -> Vendor:
    """A vendor whose answers a test writes down, and that nobody has asked yet."""
    vendors.requests.clear()
    return vendors


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
        now: datetime = NOW,
    ) -> ShopifyApi:
        own = f"shpat_sandbox_{merchant}"
        client = client or HttpClient(
            redact=Redactor([own]),
            budgets={"graphql": Budget(rate=100, capacity=2000, sleep=slept.append)},
            remedies=STATUS_REMEDIES,
            timeouts=timeouts,
            retry=retry,
            sleep=slept.append,
            now=lambda: now,
        )
        url = shop or sandbox.shop(merchant)
        made.append(ShopifyApi(client, url, token or StaticToken(own), version, lambda: now))
        if token is None:
            # Known, so that the first request is the one that a test is about.
            made[-1].scopes = SCOPES
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture
def make_tiktok(request: pytest.FixtureRequest, slept: list[float]) -> Iterator[MakeTikTok]:
    """Clients of aurora's TikTok shop, or of another address; back-off is noted instead of waited for."""
    made: list[TikTokShopApi] = []

    def make(
        *,
        url: str | None = None,
        token: TikTokTokens | None = None,
        shop_id: str | None = SHOP_ID,
        now: Callable[[], datetime] = lambda: NOW,
        retry: RetryPolicy = OFFICIAL_RETRY,
        timeouts: Timeouts | None = None,
    ) -> TikTokShopApi:
        client = HttpClient(
            redact=Redactor([APP.secret]),
            budgets={group: Budget(rate=1e9, capacity=1e9) for group in tiktok_budgets(1)},
            explain=explain,
            timeouts=timeouts,
            retry=retry,
            sleep=slept.append,
            now=now,
        )
        url = url or request.getfixturevalue("sandbox").url
        made.append(TikTokShopApi(client, url, APP, token or tiktok_token.StaticToken(ACCESS_TOKEN), shop_id, now))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture(scope="module")
def shared_warehouse(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """One warehouse for all tests of a module, each with a merchant of its own."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture
def tiktok_road(
    request: pytest.FixtureRequest, sandbox: Sandbox, make_tiktok: MakeTikTok, shared_warehouse: str
) -> TikTokRoad:
    """Aurora's TikTok Shop and a warehouse that it is read into."""
    return TikTokRoad(request.node.name, sandbox, lambda: psycopg.connect(shared_warehouse), make_tiktok)


@pytest.fixture(scope="module")
def google() -> Iterator[Sandbox]:
    """Aurora's website of a week, which no test of a module may change."""
    with website() as sandbox:
        yield sandbox


@pytest.fixture
def ga4_road(
    request: pytest.FixtureRequest, google: Sandbox, shared_warehouse: str, slept: list[float]
) -> Iterator[Ga4Road]:
    """The website and a warehouse that it is read into; faults and quotas are as before afterwards."""
    road = Ga4Road(request.node.name, google, lambda: psycopg.connect(shared_warehouse), slept)
    before = road.quota()
    yield road
    for api in road.made:
        api.close()
    road.no_faults()
    road.quota(**{name: before[name] for name in ("hour", "project_hour", "day", "concurrent", "retry_after")})


@pytest.fixture
def moving_ga4(ga4_road: Ga4Road) -> Iterator[Ga4Road]:
    """The same with a sandbox of the test's own, whose clock is moved and whose figures change."""
    with website() as sandbox:
        ga4_road.sandbox, before = sandbox, ga4_road.sandbox
        yield ga4_road
        ga4_road.sandbox = before


@pytest.fixture(scope="module")
def still_klaviyo(shared_warehouse: str) -> Iterator[Moving]:
    """Aurora's Klaviyo account in a world that no test of a module moves."""
    with moving("still", lambda: psycopg.connect(shared_warehouse)) as world:
        yield world


@pytest.fixture
def world(request: pytest.FixtureRequest, still_klaviyo: Moving) -> Iterator[Moving]:
    """Aurora's Klaviyo account, read by a merchant of the test's own."""
    yield replace(still_klaviyo, road=replace(still_klaviyo.road, merchant=request.node.name))
    still_klaviyo.road.no_faults()


@pytest.fixture
def onward(request: pytest.FixtureRequest, shared_warehouse: str) -> Iterator[Moving]:
    """The Klaviyo account in a world of the test's own, whose time goes on."""
    with moving(request.node.name, lambda: psycopg.connect(shared_warehouse)) as world:
        yield world


@pytest.fixture(scope="module")
def meta() -> Iterator[Sandbox]:
    """Aurora's ad accounts at Meta; tests of a module change other campaigns each, and leave its clock alone."""
    with advertising() as sandbox:
        yield sandbox


@pytest.fixture
def meta_road(
    request: pytest.FixtureRequest, meta: Sandbox, shared_warehouse: str, slept: list[float]
) -> Iterator[MetaAdsRoad]:
    """The ad accounts and a warehouse that they are read into; limits and tokens are as before afterwards."""
    road = MetaAdsRoad(request.node.name, meta, lambda: psycopg.connect(shared_warehouse), slept)
    yield road
    for api in road.made:
        api.close()
    road.restore()


@pytest.fixture
def moving_meta(meta_road: MetaAdsRoad) -> Iterator[MetaAdsRoad]:
    """The same with a sandbox of the test's own, whose clock is moved."""
    with advertising() as sandbox:
        meta_road.sandbox, before = sandbox, meta_road.sandbox
        yield meta_road
        meta_road.sandbox = before
