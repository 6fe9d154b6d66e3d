"""The sandbox as one ASGI app: `uvicorn --app-dir include sandbox.app:app`.

The environment says how it starts: SANDBOX_STATE, SANDBOX_SEED, SANDBOX_START, SANDBOX_NOW, SANDBOX_RESTORE_RATE,
SANDBOX_JOURNEY_DELAY (in seconds), GA4_AURORA_KEYFILE (the service account's key file that Google trusts),
SANDBOX_KLAVIYO_RATE (how many times the vendor's requests a minute), SANDBOX_GRPC_PORT (where Google Ads answers over
gRPC; without one it does over REST only) and SANDBOX_GRPC_HOST (on which address; loopback).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from sandbox.admin import Admin
from sandbox.admin_ads import AdsAdmin
from sandbox.admin_email import EmailAdmin
from sandbox.admin_fx import FxAdmin
from sandbox.admin_tiktok_account import TikTokAccountAdmin
from sandbox.admin_website import WebsiteAdmin
from sandbox.faults import Fault, Faults
from sandbox.fx.routes import Ecb
from sandbox.ga4.routes import GA4
from sandbox.google_ads.admin import GoogleAdsAdmin
from sandbox.google_ads.routes import GoogleAds
from sandbox.klaviyo.routes import Klaviyo
from sandbox.meta_ads.admin import MetaAdsAdmin
from sandbox.meta_ads.routes import MetaAds
from sandbox.pagerduty import PagerDuty
from sandbox.shopify.routes import Shopify
from sandbox.shopify.schema import admin_schema
from sandbox.slack import Slack
from sandbox.slack_page import SlackPage
from sandbox.tiktok_ads.routes import TikTokAds
from sandbox.tiktok_organic.routes import TikTokOrganic
from sandbox.tiktok_shop.routes import TikTokShop
from sandbox.world import Settings, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send


def create_app(settings: Settings) -> Starlette:
    """A sandbox of its own; a process may hold several."""
    admin_schema()
    world = World(settings)
    shopify, slack, pagerduty = Shopify(world, settings), Slack(world), PagerDuty()
    tiktok_shop, tiktok_organic = TikTokShop(world, settings), TikTokOrganic(world, settings)
    ga4 = GA4(world, settings)
    klaviyo = Klaviyo(world, settings)
    google_ads = GoogleAds(world)
    meta_ads = MetaAds(world)
    ecb = Ecb(world)
    faults: list[Fault] = []
    admin = Admin(world, shopify, slack, pagerduty, faults)
    tiktok_account = TikTokAccountAdmin(world, tiktok_shop.access)
    routes = [
        *admin.routes(),
        *tiktok_account.routes(),
        *AdsAdmin(world).routes(),
        *WebsiteAdmin(world, ga4.service).routes(),
        *EmailAdmin(world, klaviyo).routes(),
        *FxAdmin(ecb).routes(),
        *shopify.routes(),
        *slack.routes(),
        *SlackPage(slack, pagerduty).routes(),
        *pagerduty.routes(),
        *tiktok_organic.routes(),
        *meta_ads.routes(),  # before TikTok Shop, whose paths are any area with a number below it
        *tiktok_shop.routes(),
        *TikTokAds(world).routes(),
        *ga4.routes(),
        *GoogleAdsAdmin(google_ads.service).routes(),
        *google_ads.routes(),
        *MetaAdsAdmin(meta_ads.service).routes(),
        *klaviyo.routes(),
        *ecb.routes(),
    ]

    @asynccontextmanager
    async def lifespan(made: Starlette) -> AsyncIterator[None]:
        """While the app runs, its gRPC server does too; `made.state.grpc_address` says where."""
        if settings.grpc_port is None:
            yield
            return
        from sandbox.google_ads.grpc_service import serving  # here, because Google's messages take a second to load

        async with serving(google_ads.service, settings.grpc_port, settings.grpc_host) as made.state.grpc_address:
            yield

    middleware = [Middleware(Faults, faults=faults, clock=world.now)]
    made = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    made.state.ga4 = ga4.service
    return made


@cache
def _from_environment() -> Starlette:
    return create_app(Settings.from_environment())


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """What the server runs, made on first use so that importing `create_app` builds no world."""
    await _from_environment()(scope, receive, send)
