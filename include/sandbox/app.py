"""The sandbox as one ASGI app: `uvicorn --app-dir include sandbox.app:app`.

The environment says how it starts: SANDBOX_STATE, SANDBOX_SEED, SANDBOX_START, SANDBOX_NOW, SANDBOX_RESTORE_RATE,
SANDBOX_JOURNEY_DELAY (in seconds), GA4_AURORA_KEYFILE (the service account's key file that Google trusts),
SANDBOX_KLAVIYO_RATE (how many times the vendor's requests a minute).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from sandbox.admin import Admin
from sandbox.admin_email import EmailAdmin
from sandbox.admin_tiktok_account import TikTokAccountAdmin
from sandbox.admin_website import WebsiteAdmin
from sandbox.faults import Fault, Faults
from sandbox.ga4.routes import GA4
from sandbox.klaviyo.routes import Klaviyo
from sandbox.shopify.routes import Shopify
from sandbox.shopify.schema import admin_schema
from sandbox.slack import Slack
from sandbox.tiktok_organic.routes import TikTokOrganic
from sandbox.tiktok_shop.routes import TikTokShop
from sandbox.world import Settings, World

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def create_app(settings: Settings) -> Starlette:
    """A sandbox of its own; a process may hold several."""
    admin_schema()
    world = World(settings)
    shopify, slack = Shopify(world, settings), Slack(world)
    tiktok_shop, tiktok_organic = TikTokShop(world, settings), TikTokOrganic(world, settings)
    ga4 = GA4(world, settings)
    klaviyo = Klaviyo(world, settings)
    faults: list[Fault] = []
    admin = Admin(world, shopify, slack, faults)
    tiktok_account = TikTokAccountAdmin(world, tiktok_shop.access)
    routes = [
        *admin.routes(),
        *tiktok_account.routes(),
        *WebsiteAdmin(world, ga4.service).routes(),
        *EmailAdmin(world, klaviyo).routes(),
        *shopify.routes(),
        *slack.routes(),
        *tiktok_organic.routes(),
        *tiktok_shop.routes(),
        *ga4.routes(),
        *klaviyo.routes(),
    ]

    made = Starlette(routes=routes, middleware=[Middleware(Faults, faults=faults, clock=world.now)])
    made.state.ga4 = ga4.service
    return made


@cache
def _from_environment() -> Starlette:
    return create_app(Settings.from_environment())


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """What the server runs, made on first use so that importing `create_app` builds no world."""
    await _from_environment()(scope, receive, send)
