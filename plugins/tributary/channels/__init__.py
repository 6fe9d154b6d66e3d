"""The one list of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.fx.streams import FX
from tributary.channels.ga4.streams import GA4
from tributary.channels.google_ads.streams import GOOGLE_ADS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.meta_ads.streams import META_ADS
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.channels.tiktok_organic.streams import TIKTOK_ORGANIC
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP

if TYPE_CHECKING:
    from tributary.declaration import Channel

CHANNELS: tuple[Channel, ...] = (
    SHOPIFY,
    TIKTOK_SHOP,
    TIKTOK_ORGANIC,
    GA4,
    KLAVIYO,
    META_ADS,
    GOOGLE_ADS,
    TIKTOK_ADS,
    FX,
)


def channel(name: str) -> Channel:
    """The channel of that name."""
    for candidate in CHANNELS:
        if candidate.name == name:
            return candidate
    raise LookupError(f"there is no channel {name!r}; there are {[c.name for c in CHANNELS]}")
