"""Days of ad accounts as their readers keep them, and exchange rates: the parts that matter to a test are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.dbt.tiktok import noon
from tributary.channels.ad_days import AdAccount

if TYPE_CHECKING:
    from tests.dbt.tiktok import Payload, Row

NEW_YORK = "America/New_York"


def account(account_id: str, currency: str = "USD", zone: str = NEW_YORK, name: str = "Shop") -> AdAccount:
    """An ad account of any platform."""
    return AdAccount(account_id, name, currency, zone)


def read(table: str, day: str, of: AdAccount) -> Row:
    """A day of an account that was read, whatever ran on it."""
    return table, f"{day}/{of.id}", noon(day), {"account": _told(of), "date": day}


def meta(
    day: str,
    of: AdAccount,
    campaign_id: str,
    spend: str,
    *,
    name: str = "Spring",
    objective: str = "OUTCOME_SALES",
    purchases: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
) -> Row:
    """A campaign's day; `purchases` and `values` by the names of Meta's actions."""
    row: Payload = {
        "campaign_id": campaign_id,
        "campaign_name": name,
        "objective": objective,
        "account_currency": of.currency,
        "spend": spend,
        "impressions": "100",
        "clicks": "3",
        "date_start": day,
        "date_stop": day,
    }
    for field, told in (("actions", purchases), ("action_values", values)):
        if told is not None:
            row[field] = [{"action_type": kind, "value": value} for kind, value in {"link_click": "3", **told}.items()]
    return _row("meta_ads_campaign_days", day, of, campaign_id, row)


def google(
    day: str,
    of: AdAccount,
    campaign_id: str,
    micros: int,
    *,
    name: str = "Search",
    conversions: float = 0,
    value: float = 0,
) -> Row:
    """A campaign's day, in millionths of the account's currency."""
    row = {
        "campaign": {"id": campaign_id, "name": name, "status": "ENABLED", "advertisingChannelType": "SEARCH"},
        "customer": {"id": of.id, "currencyCode": of.currency, "timeZone": of.time_zone},
        "segments": {"date": day},
        "metrics": {
            "costMicros": str(micros),
            "impressions": "100",
            "clicks": "3",
            "conversions": conversions,
            "conversionsValue": value,
        },
    }
    return _row("google_ads_campaign_days", day, of, campaign_id, row)


def tiktok(
    day: str, of: AdAccount, campaign_id: str, spend: str, *, name: str = "Reels", orders: str = "0", value: str = "0"
) -> Row:
    """A campaign's day; "-" stands for nothing."""
    metrics = {
        "campaign_name": name,
        "spend": spend,
        "impressions": "100",
        "clicks": "3",
        "complete_payment": orders,
        "total_complete_payment_rate": value,
    }
    return _row("tiktok_ads_campaign_days", day, of, campaign_id, _reported(day, campaign_id, metrics))


def gmv_max(
    day: str, of: AdAccount, campaign_id: str, cost: str, *, name: str = "All", orders: str = "0", value: str = "0"
) -> Row:
    """A GMV Max campaign's day."""
    metrics = {"campaign_name": name, "cost": cost, "orders": orders, "gross_revenue": value}
    return _row("tiktok_ads_gmv_max_days", day, of, campaign_id, _reported(day, campaign_id, metrics))


def rates(day: str, quoted_on: str | None = None, **quoted: str) -> Row:
    """A day's exchange rates: units of each currency for one euro."""
    body = {"date": day, "quoted_on": quoted_on or day, "base": "EUR", "rates": quoted}
    return "fx_rates", day, noon(day), body


def _reported(day: str, campaign_id: str, metrics: dict[str, str]) -> Payload:
    return {"dimensions": {"campaign_id": campaign_id, "stat_time_day": f"{day} 00:00:00"}, "metrics": metrics}


def _row(table: str, day: str, of: AdAccount, campaign_id: str, row: Payload) -> Row:
    return table, f"{day}/{of.id}/{campaign_id}", noon(day), {"account": _told(of), "row": row}


def _told(of: AdAccount) -> dict[str, Any]:
    return {"id": of.id, "name": of.name, "currency": of.currency, "time_zone": of.time_zone}
