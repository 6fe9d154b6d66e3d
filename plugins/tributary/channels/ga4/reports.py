"""The reports that are asked for, as data: each of one day, each a stream."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_SIZE = 10_000
"""Google's default; it allows 250,000, all of which would be in memory at once."""
AMOUNTS = frozenset({"keyEvents", "purchaseRevenue", "advertiserAdCost"})
"""Metrics that may have a fraction; every other one counts."""

_SOURCE = ("sessionSource", "sessionMedium", "sessionCampaignName")


@dataclass(frozen=True)
class Report:
    """What one request asks for."""

    name: str
    dimensions: tuple[str, ...]
    """What a row is of, apart from its date, which every report has as its first dimension."""
    metrics: tuple[str, ...]
    only_events: tuple[str, ...] = ()
    """Restricts the dimension `eventName` to these."""


# Few fields, because Google Analytics counts people anew for every combination: the fewer, the truer.
DAYS = Report("days", (), ("sessions", "totalUsers", "activeUsers", "newUsers"))
SESSIONS = Report(
    "sessions",
    (*_SOURCE, "landingPage"),
    (
        "sessions",
        "engagedSessions",
        "totalUsers",
        "newUsers",
        "keyEvents",
        "ecommercePurchases",
        "purchaseRevenue",
    ),
)
FUNNEL_EVENTS = Report(
    "funnel_events",
    ("eventName", *_SOURCE),
    ("eventCount", "totalUsers"),
    only_events=("view_item", "add_to_cart", "begin_checkout", "purchase"),
)
TRANSACTIONS = Report("transactions", ("transactionId", *_SOURCE), ("ecommercePurchases", "purchaseRevenue"))
AD_COST = Report("ad_cost", _SOURCE, ("advertiserAdCost", "advertiserAdClicks", "advertiserAdImpressions"))

REPORTS = (DAYS, SESSIONS, FUNNEL_EVENTS, TRANSACTIONS, AD_COST)
