"""What stands beside any number of orders, day by day: reports of the website, of mails and ads, and rates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.marts.payloads import cents, report

if TYPE_CHECKING:
    from collections.abc import Iterator

MERCHANTS = ("north", "east", "south", "west")
FIRST, DAYS = date(2025, 9, 1), 365
ZONE = "UTC"
PLATFORMS = ("meta_ads", "google_ads", "tiktok_ads")
CAMPAIGNS = 5
SPEND = len(MERCHANTS) * DAYS * 4 * sum(1000 * campaign for campaign in range(1, CAMPAIGNS + 1))
"""Of all merchants, in cents of their currency: Google's account is billed in one that is worth twice as much."""

Body = tuple[str, str, datetime, dict[str, Any]]


def days() -> dict[str, Iterator[Body]]:
    """Each table's rows."""
    rows: dict[str, Iterator[Body]] = {name: _website(name) for name in ("ga4_days", "ga4_sessions")}
    rows |= {"ga4_transactions": _website("ga4_transactions"), "klaviyo_days": _mails()}
    rows |= {f"{platform}_campaign_days": _ads(platform) for platform in PLATFORMS}
    return rows | {"fx_rates": _rates()}


def _every_day() -> Iterator[tuple[str, str, datetime]]:
    for merchant_id in MERCHANTS:
        for number in range(DAYS):
            day = FIRST + timedelta(days=number)
            yield merchant_id, day.isoformat(), datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _website(table: str) -> Iterator[Body]:
    for merchant_id, day, noon in _every_day():
        yield merchant_id, day, noon, {"date": day.replace("-", ""), "report": report(ZONE)}
        for number in range(20 if table == "ga4_sessions" else 0):
            row = {
                "sessionSource": f"site{number}",
                "sessionMedium": "referral",
                "sessionCampaignName": "(referral)",
                "landingPage": f"/{number}",
                "sessions": "90",
                "engagedSessions": "40",
                "totalUsers": "80",
                "newUsers": "30",
                "keyEvents": "1",
                "ecommercePurchases": "1",
                "purchaseRevenue": "90.5",
            }
            yield merchant_id, f"{day}/{number}", noon, {"date": day.replace("-", ""), "row": row}
        if table == "ga4_days":
            row = {"sessions": "1800", "totalUsers": "900", "activeUsers": "800", "newUsers": "600"}
            yield merchant_id, f"{day}/total", noon, {"date": day.replace("-", ""), "row": row}


def _mails() -> Iterator[Body]:
    for merchant_id, day, noon in _every_day():
        told = {"conversion_metric_id": "M", "currency": "USD", "time_zone": ZONE, "count": 4.0, "sum_value": 80.5}
        yield merchant_id, day, noon, {"date": day, "unique": 3, **told}


def _ads(platform: str) -> Iterator[Body]:
    """Each campaign spends the same every day; one account is billed in euros."""
    account = {"id": "7", "name": "Shop", "currency": "EUR" if platform == "google_ads" else "USD", "time_zone": ZONE}
    for merchant_id, day, noon in _every_day():
        yield merchant_id, f"{day}/7", noon, {"account": account, "date": day}
        for campaign in range(1, CAMPAIGNS + 1):
            body = {"account": account, "row": _ADS[platform](day, str(campaign), campaign * 1000)}
            yield merchant_id, f"{day}/7/{campaign}", noon, body


def _meta(day: str, campaign: str, spent: int) -> dict[str, Any]:
    return {
        "campaign_id": campaign,
        "campaign_name": f"Campaign {campaign}",
        "objective": "OUTCOME_SALES",
        "spend": cents(spent),
        "impressions": "9000",
        "clicks": "90",
        "date_start": day,
        "actions": [{"action_type": "omni_purchase", "value": "3"}],
        "action_values": [{"action_type": "omni_purchase", "value": "310.5"}],
    }


def _google(day: str, campaign: str, spent: int) -> dict[str, Any]:
    return {
        "campaign": {"id": campaign, "name": f"Campaign {campaign}", "status": "ENABLED"},
        "segments": {"date": day},
        "metrics": {
            "costMicros": str(spent * 10_000),
            "impressions": "9000",
            "clicks": "90",
            "conversions": 3,
            "conversionsValue": 310.5,
        },
    }


def _tiktok(day: str, campaign: str, spent: int) -> dict[str, Any]:
    return {
        "dimensions": {"campaign_id": campaign, "stat_time_day": f"{day} 00:00:00"},
        "metrics": {
            "campaign_name": f"Campaign {campaign}",
            "spend": cents(spent),
            "impressions": "9000",
            "clicks": "90",
            "complete_payment": "3",
            "total_complete_payment_rate": "310.5",
        },
    }


_ADS = {"meta_ads": _meta, "google_ads": _google, "tiktok_ads": _tiktok}


def _rates() -> Iterator[Body]:
    for merchant_id, day, noon in _every_day():
        yield merchant_id, day, noon, {"date": day, "quoted_on": day, "base": "EUR", "rates": {"USD": "2"}}
