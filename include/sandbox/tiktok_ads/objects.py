"""Accounts and campaigns as the vendor lists them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from sandbox.tiktok_ads import asking
from sandbox.tiktok_ads.access import Refused
from sandbox.tiktok_ads.reports import STATUSES, operation_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.business.ads import Ads, Campaign
    from sandbox.business.ads_plans import Account

SECONDARY = {
    "CAMPAIGN_STATUS_ENABLE": {"active"},
    "CAMPAIGN_STATUS_DISABLE": {"paused"},
    "CAMPAIGN_STATUS_DELETE": {"deleted"},
    "CAMPAIGN_STATUS_NOT_DELETE": {"active", "paused"},
    "CAMPAIGN_STATUS_ALL": {"active", "paused", "deleted"},
}
FILTERS = ("campaign_ids", "campaign_name", "primary_status", "secondary_status")
GMV_MAX_FILTERS = ("gmv_max_promotion_types", "store_ids", "campaign_ids", "campaign_name", "primary_status")
GMV_MAX_STATUSES = ("STATUS_DELIVERY_OK", "STATUS_DISABLE", "STATUS_DELETE")


def advertisers(accounts: list[Account], query: Mapping[str, str]) -> dict[str, Any]:
    """GET /advertiser/info/: accounts, with the fields asked for."""
    return {"list": _chosen([_advertiser(account) for account in accounts], query)}


def campaigns(ads: Ads, account: Account, query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """GET /campaign/get/: auction campaigns; deleted ones only when a status asks for them."""
    filtering = asking.loaded(query, "filtering", dict)
    asking.within(filtering, FILTERS, "filtering fields")
    statuses = STATUSES["STATUS_NOT_DELETE"]
    for name, words in (("primary_status", STATUSES), ("secondary_status", SECONDARY)):
        if name in filtering:
            statuses = words[asking.choice(filtering, name, words)]
    found = [
        one
        for one in ads.campaigns(account, now)
        if one.kind == "standard" and one.status in statuses and _named(one, filtering)
    ]
    return _listed(account, found, query, 1000)


def gmv_max_campaigns(ads: Ads, account: Account, query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """GET /gmv_max/campaign/get/: the campaigns that the other route does not have; their type must be named."""
    filtering = asking.loaded(query, "filtering", dict)
    asking.within(filtering, GMV_MAX_FILTERS, "filtering fields")
    promotions = asking.texts(filtering.get("gmv_max_promotion_types"), "filtering.gmv_max_promotion_types")
    if not promotions:
        raise Refused(40002, f"filtering.gmv_max_promotion_types: {asking.MISSING}")
    asking.within(promotions, ("PRODUCT_GMV_MAX", "LIVE_GMV_MAX"), "filtering.gmv_max_promotion_types")
    statuses = STATUSES["STATUS_NOT_DELETE"]
    if "primary_status" in filtering:
        statuses = STATUSES[asking.choice(filtering, "primary_status", GMV_MAX_STATUSES)]
    stores = asking.texts(filtering.get("store_ids", []), "filtering.store_ids", 10)
    found = [
        one
        for one in ads.campaigns(account, now)
        if one.kind == "gmv_max"
        and "PRODUCT_GMV_MAX" in promotions
        and one.status in statuses
        and (not stores or one.store_id in stores)
        and _named(one, filtering)
    ]
    return _listed(account, found, query, 100)


def _named(campaign: Campaign, filtering: dict[str, Any]) -> bool:
    ids = asking.texts(filtering.get("campaign_ids", []), "filtering.campaign_ids", 100)
    name = str(filtering.get("campaign_name", ""))
    return (not ids or campaign.campaign_id in ids) and name.lower() in campaign.name.lower()


def _listed(account: Account, found: list[Campaign], query: Mapping[str, str], most: int) -> dict[str, Any]:
    """The newest first."""
    found = sorted(found, key=lambda campaign: campaign.campaign_id, reverse=True)
    answer = asking.page([_campaign(account, campaign) for campaign in found], query, most)
    return {**answer, "list": _chosen(answer["list"], query)}


def _chosen(told: list[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    """The fields asked for, or all."""
    fields = asking.texts(asking.loaded(query, "fields", list), "fields")
    if not fields or not told:
        return told
    asking.within(fields, told[0], "fields")
    return [{field: one[field] for field in fields} for one in told]


def _advertiser(account: Account) -> dict[str, Any]:
    """Two names of the time zone: the first is an offset without summer time, the second is the real one."""
    winter = datetime(2026, 1, 1, tzinfo=account.zone).utcoffset()
    assert winter is not None
    hours = -int(winter.total_seconds()) // 3600
    return {
        "advertiser_id": account.account_id,
        "name": account.name,
        "currency": account.currency,
        "timezone": f"Etc/GMT{hours:+d}",
        "display_timezone": account.zone.key,
        "status": "STATUS_ENABLE" if account.status == "active" else "STATUS_DISABLE",
        "country": "US",
        "role": "ROLE_ADVERTISER",
        "company": account.name,
    }


def _campaign(account: Account, campaign: Campaign) -> dict[str, Any]:
    created = datetime.combine(campaign.created_on, time(), account.zone).astimezone(UTC)
    status = {"active": "ENABLE", "paused": "DISABLE", "deleted": "DELETE"}[campaign.status]
    return {
        "advertiser_id": account.account_id,
        "campaign_id": campaign.campaign_id,
        "campaign_name": campaign.name,
        "objective_type": campaign.type,
        "operation_status": operation_status(campaign),
        "secondary_status": f"CAMPAIGN_STATUS_{status}",
        "create_time": created.strftime("%Y-%m-%d %H:%M:%S"),
        "modify_time": created.strftime("%Y-%m-%d %H:%M:%S"),
    }
