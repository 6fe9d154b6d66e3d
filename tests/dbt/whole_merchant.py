"""Aurora with all its channels, or another one, in the sandbox: read by the real clients, and published."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels import ga4_road, google_ads_road, meta_ads_road
from tests.channels.google_ads_road import GoogleAds
from tests.channels.klaviyo_client import KEY, klaviyo_clients
from tests.channels.shopify_sandbox import SCOPES
from tests.channels.tiktok_ads_road import tiktok_ads
from tests.channels.tiktok_sandbox import ACCESS_TOKEN, APP, SHOP_ID
from tests.e2e.independent_business import Business, read
from tests.e2e.independent_klaviyo import Account
from tests.e2e.independent_tiktok import TikTokShop
from tributary.channels import CHANNELS
from tributary.channels.fx.file import RatesFile
from tributary.channels.fx.streams import FX
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.shopify.api import ShopifyApi
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.shopify.token import StaticToken
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.channels.tiktok_shop import token as tiktok_token
from tributary.channels.tiktok_shop.api import TikTokShopApi
from tributary.channels.tiktok_shop.api import budgets as tiktok_budgets
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.http import Budget, HttpClient, Redactor
from tributary.local.environment import advertising
from tributary.paths import ROOT
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build
from tributary.warehouse.settings.files import load_all_settings
from tributary.warehouse.settings.tables import apply_settings
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from uuid import UUID

    from tests.dbt.conftest import Dbt
    from tributary.declaration import Channel

MERCHANT = "aurora"
FREE = Budget(rate=1e9, capacity=1e9)
A_MINUTE = timedelta(minutes=1)


@dataclass
class WholeMerchant:
    """What a test does with it: let things happen, read, build and publish."""

    sandbox: GoogleAds
    conn: psycopg.Connection
    url: str
    dbt: Dbt
    manifest: Path
    first: date
    now: datetime
    name: str = MERCHANT

    def sync(self, *channels: Channel, only: Collection[str] = ()) -> None:
        """Everything that these channels have, or only some of their streams."""
        for channel in channels:
            with self._api(channel) as api:
                for stream in channel.streams:
                    if only and stream.name not in only:
                        continue
                    # What happens while the clock stands still is of this very moment, which a sync leaves to the next.
                    sync_stream(self._connect, api, channel, stream, self.name, self.now + A_MINUTE, self._start())

    def build(self, *models: str) -> UUID:
        """These models, of what changed; the build's id."""
        apply_settings(self.conn, load_all_settings(ROOT / "include" / "config"))
        build = open_build(self.conn, "build", CHANNELS)
        assert build is not None
        result = self.dbt("run", "--select", *models)
        assert result.success, result.exception or [r.message for r in result.result if r.status != "success"]
        return build.build_id

    def publish(self) -> set[date]:
        """Build what changed and publish it; the days that were."""
        build_id = self.build("+path:models/marts")
        publish(self.conn, build_id, "build", self.name, self.manifest)
        days = self.conn.execute(
            "select date_day from ops.publications where build_id = %s and merchant_id = %s", [build_id, self.name]
        ).fetchall()
        return {day for (day,) in days}

    def environment(self) -> dict[str, str]:
        """Where the vendors answer, and what lets one in."""
        return {
            "SANDBOX_URL": self.sandbox.url,
            "SHOPIFY_AURORA_HOST": self.sandbox.shop(),
            "SHOPIFY_AURORA_TOKEN": "shpat_sandbox_aurora",
            "KLAVIYO_AURORA_API_HOST": f"{self.sandbox.url}/klaviyo",
            "KLAVIYO_AURORA_API_KEY": KEY,
            "GA4_AURORA_KEYFILE": ga4_road.keyfile(self.sandbox),
            "GA4_AURORA_PROPERTY_ID": ga4_road.PROPERTY,
            **advertising(self.sandbox.url, self.sandbox.host),
        }

    def second_opinion(self) -> Business:
        """All that the vendors tell now."""
        app = (APP.key, APP.secret, ACCESS_TOKEN, SHOP_ID)
        shop = TikTokShop(self.sandbox.url, *app, self.now.timestamp)
        return read(self.environment(), MERCHANT, self.first, self.now, shop)

    def profiles(self) -> dict[str, Any]:
        """Whom Klaviyo knows: by id what it tells of them."""
        account = Account(f"{self.sandbox.url}/klaviyo", KEY)
        return {one["id"]: one["attributes"] for one in account.all("profiles", **{"page[size]": "100"})}

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url)

    def _start(self) -> datetime:
        return datetime.combine(self.first, datetime.min.time(), UTC)

    def _client(self, budgets: Collection[str]) -> HttpClient:
        return HttpClient(
            redact=Redactor([]), budgets=dict.fromkeys(budgets, FREE), sleep=[].append, now=lambda: self.now
        )

    @contextmanager
    def _api(self, channel: Channel) -> Iterator[Any]:
        """A client as the hook makes it, that never waits."""
        if channel is KLAVIYO:
            with klaviyo_clients(f"{self.sandbox.url}/klaviyo", []) as make:
                yield make(now=lambda: self.now)
            return
        with closing(self._made(channel)) as api:
            yield api

    def _made(self, channel: Channel) -> Any:
        sandbox, now = self.sandbox, lambda: self.now
        if channel is SHOPIFY:
            shop = StaticToken(f"shpat_sandbox_{self.name}")
            api = ShopifyApi(self._client(["graphql"]), sandbox.shop(self.name), shop, "2026-10", now)
            api.scopes = SCOPES
            return api
        if channel is TIKTOK_SHOP:
            token = tiktok_token.StaticToken(ACCESS_TOKEN)
            return TikTokShopApi(self._client(tiktok_budgets(1)), sandbox.url, APP, token, SHOP_ID, now)
        if channel is TIKTOK_ADS:
            return tiktok_ads(sandbox.url, now=now)
        if channel is FX:
            return RatesFile(ROOT / "include" / "sandbox" / "fx_rates.csv", now)
        road: Any = ROADS[channel.name]
        return road(self.name, sandbox, self._connect).api()


ROADS = {road.channel.name: road for road in (ga4_road.Road, meta_ads_road.Road, google_ads_road.Road)}
ALL = (SHOPIFY, TIKTOK_SHOP, KLAVIYO, TIKTOK_ADS, FX, *(road.channel for road in ROADS.values()))


@contextmanager
def whole_merchant(url: str, dbt: Dbt, manifest: Path, first_day: date, now: datetime) -> Iterator[WholeMerchant]:
    """One whose vendors' clock stands still."""
    app = create_app(
        Settings(
            first_day=first_day,
            frozen_at=now,
            grpc_port=0,
            klaviyo_rate=1000,
            google_keyfile=ga4_road.trusted_key(),
        )
    )
    with serve(app) as address, psycopg.connect(url, autocommit=True) as conn:
        sandbox = GoogleAds(address, app.state.grpc_address)
        yield WholeMerchant(sandbox, conn, url, dbt, manifest, first_day - timedelta(days=1), now)
