"""The ad accounts of both merchants, and which campaigns each of them runs when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import date, datetime

PLATFORMS = ("meta", "google", "tiktok")
RESTATED_DAYS = {"meta": 28, "google": 30, "tiktok": 28}
"""How many days after a day its figures may still change."""
UNIT = {"meta": 10_000, "google": 1, "tiktok": 10_000}
"""The smallest amount that the platform tells, in millionths: a cent, or a millionth itself."""


@dataclass(slots=True)
class Account:
    """Who pays, in which money, and by which clock."""

    platform: str
    account_id: str
    name: str
    currency: str
    zone: ZoneInfo
    manager_id: str | None = None
    status: str = "active"

    def today(self, now: datetime) -> date:
        """The date where the account is."""
        return now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign as it was planned; days count from the first one of the simulation."""

    campaign_id: str
    name: str
    type: str
    clicks: int
    """About how many a day."""
    claims: bool = True
    """Whether the platform claims orders for it."""
    starts: int = -30
    paused: int | None = None
    deleted: int | None = None
    store_id: str | None = None
    """Of a GMV Max campaign."""


ACCOUNTS: dict[str, tuple[tuple[Account, tuple[Plan, ...]], ...]] = {
    "aurora": (
        (
            Account("meta", "101000000000001", "Aurora US", "USD", ZoneInfo("America/New_York")),
            (
                Plan("120210000000000101", "fall_prospecting", "OUTCOME_SALES", 60),
                Plan("120210000000000102", "Retargeting | 30 d, carts & views", "OUTCOME_SALES", 24),
                Plan("120210000000000103", "Trail notes", "OUTCOME_TRAFFIC", 18, claims=False, paused=12),
                Plan("120210000000000104", "Catalogue sales", "OUTCOME_SALES", 30, starts=8),
                Plan("120210000000000105", "Summer clearance", "OUTCOME_SALES", 20, deleted=2),
            ),
        ),
        (
            Account("meta", "101000000000002", "Aurora Canada", "CAD", ZoneInfo("America/Vancouver")),
            (
                Plan("120210000000000201", "Prospecting Canada", "OUTCOME_SALES", 26),
                Plan("120210000000000202", "Québec, plein air", "OUTCOME_SALES", 10),
                Plan("120210000000000203", "Reach west coast", "OUTCOME_AWARENESS", 5, claims=False),
            ),
        ),
        (
            Account("google", "1110000001", "Aurora Search", "USD", ZoneInfo("America/New_York"), "1110000009"),
            (
                Plan("20110000101", "brand_us", "SEARCH", 90),
                Plan("20110000102", "Performance Max: all products", "PERFORMANCE_MAX", 70),
                Plan("20110000103", "Shopping tents", "SHOPPING", 40, starts=5),
                Plan("20110000104", "Remarketing display", "DISPLAY", 25, claims=False),
                Plan("20110000105", "Brand (old)", "SEARCH", 15, deleted=2),
            ),
        ),
        (
            Account("tiktok", "7110000000000000001", "Aurora TikTok", "USD", ZoneInfo("America/New_York")),
            (
                Plan("1810000000000101", "spark_fall", "WEB_CONVERSIONS", 45),
                Plan("1810000000000102", "Creators ⛺ always on", "TRAFFIC", 30, claims=False),
                Plan("1810000000000103", "Camp stove launch", "WEB_CONVERSIONS", 25, starts=6),
                Plan("1810000000000104", "Back to school", "WEB_CONVERSIONS", 20, deleted=2),
                Plan("1810000000000105", "GMV Max Aurora", "PRODUCT_SALES", 80, store_id="7495000000000000001"),
            ),
        ),
    ),
    "nordlicht": (
        (
            Account("meta", "202000000000001", "Nordlicht", "USD", ZoneInfo("America/Los_Angeles")),
            (
                Plan("120220000000000101", "herbst neu", "OUTCOME_SALES", 50),
                Plan("120220000000000102", "Wohnzimmer: Kissen & Decken", "OUTCOME_SALES", 22),
                Plan("120220000000000103", "Reichweite", "OUTCOME_AWARENESS", 6, claims=False, paused=10),
                Plan("120220000000000104", "Sommer", "OUTCOME_SALES", 12, deleted=2),
            ),
        ),
        (
            Account("google", "2220000001", "Nordlicht Suche", "EUR", ZoneInfo("Europe/Berlin")),
            (
                Plan("20220000101", "pmax_de", "PERFORMANCE_MAX", 95),
                Plan("20220000102", "Lampen Suche", "SEARCH", 45),
                Plan("20220000103", "Marke", "SEARCH", 30),
                Plan("20220000104", "Shopping Teppiche", "SHOPPING", 25, starts=7),
            ),
        ),
    ),
}
"""The merchant -> its accounts with their campaigns."""
