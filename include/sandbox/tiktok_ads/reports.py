"""The two reports: of auction campaigns, and of GMV Max campaigns, which the first one knows nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.business.ads import Row
from sandbox.business.money import decimal_text, rounded
from sandbox.tiktok_ads import asking
from sandbox.tiktok_ads.access import Refused
from sandbox.tiktok_ads.stores import STORES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sandbox.business.ads import Ads, Campaign
    from sandbox.business.ads_plans import Account

MOST_DAYS, MOST_DAYS_IN_ONE = 30, 365
"""How many days a request may span, day by day and in one sum."""
LEVELS = {"AUCTION_CAMPAIGN": "campaign_id", "AUCTION_ADVERTISER": "advertiser_id"}
"""The data levels that the sandbox has -> whose figures they are."""
CLAIMS = ("complete_payment", "total_complete_payment_rate", "value_per_complete_payment", "complete_payment_roas")
ACCOUNT_METRICS = (
    "advertiser_name", "advertiser_id", "currency", "spend", "impressions", "clicks", "cpc", "cpm", "ctr", "conversion",
    *CLAIMS,
)  # fmt: skip
CAMPAIGN_METRICS = ("campaign_name", "campaign_id", "objective_type")
ATTRIBUTES = ("advertiser_name", "advertiser_id", "currency", *CAMPAIGN_METRICS)
"""Metrics that are no figures: nothing is sorted by them."""
GMV_MAX_FIGURES = ("cost", "net_cost", "orders", "cost_per_order", "gross_revenue", "roi")
GMV_MAX_METRICS = (*GMV_MAX_FIGURES, "campaign_id", "campaign_name", "operation_status")
STATUSES = {
    "STATUS_DELIVERY_OK": {"active"},
    "STATUS_DISABLE": {"paused"},
    "STATUS_NOT_DELIVERY": {"paused"},
    "STATUS_DELETE": {"deleted"},
    "STATUS_NOT_DELETE": {"active", "paused"},
    "STATUS_ALL": {"active", "paused", "deleted"},
}
"""The vendor's word -> the statuses that it stands for."""


def integrated(ads: Ads, account: Account, query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """GET /report/integrated/get/: the basic report of auction campaigns, or of the account."""
    asking.choice(query, "report_type", ("BASIC",))
    level = asking.choice(query, "data_level", LEVELS)
    identity = LEVELS[level]
    dimensions = asking.listed(query, "dimensions")
    asking.within(dimensions, (identity, "stat_time_day"), "dimension fields")
    if identity not in dimensions:
        raise Refused(40002, f"dimensions: {identity} is required with data_level {level}.")
    metrics = asking.texts(asking.loaded(query, "metrics", list), "metrics") or ["spend", "impressions"]
    campaign_level = identity == "campaign_id"
    asking.within(metrics, (*ACCOUNT_METRICS, *(CAMPAIGN_METRICS if campaign_level else ())), "metric fields")
    first, last = asking.days(query, MOST_DAYS if "stat_time_day" in dimensions else MOST_DAYS_IN_ONE)
    # At the level of the account its deleted campaigns count.
    statuses, campaign_ids = _filters(query, "STATUS_NOT_DELETE" if campaign_level else "STATUS_ALL")
    rows = [
        row
        for row in ads.rows(account, first, last, now)
        if row.campaign.kind == "standard"
        and row.campaign.status in statuses
        and (campaign_ids is None or row.campaign.campaign_id in campaign_ids)
    ]
    grouped = _grouped(rows, account, dimensions)
    if field := query.get("order_field"):
        asking.within([field], [metric for metric in metrics if metric not in ATTRIBUTES], "order_field")
        descending = asking.choice(query, "order_type", ("ASC", "DESC"), "DESC") == "DESC"
        figures = [(_metrics(account, row, [field])[field], row) for row in grouped]
        figures.sort(key=lambda one: 0.0 if one[0] == "-" else float(one[0]), reverse=descending)
        grouped = [row for _, row in figures]
    return asking.page(
        [
            {"dimensions": _told(account, row, dimensions), "metrics": _metrics(account, row, metrics)}
            for row in grouped
        ],
        query,
        1000,
    )


def gmv_max(ads: Ads, account: Account, query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """GET /gmv_max/report/get/: the campaigns of one shop; when there is nothing the vendor leaves out the list."""
    (store,) = asking.listed(query, "store_ids", most=1)
    if store not in STORES:
        raise Refused(40002, f"store_ids: The store {store} does not exist or you have no permission to it.")
    dimensions = asking.listed(query, "dimensions")
    asking.within(dimensions, ("campaign_id", "stat_time_day"), "dimension fields")
    if "campaign_id" not in dimensions:
        raise Refused(40002, "dimensions: the sandbox knows figures by campaign_id only.")
    metrics = asking.listed(query, "metrics", most=100)
    asking.within(metrics, GMV_MAX_METRICS, "metric fields")
    first, last = asking.days(query, MOST_DAYS if "stat_time_day" in dimensions else MOST_DAYS_IN_ONE)
    filtering = asking.loaded(query, "filtering", dict)
    promotions = asking.texts(filtering.get("gmv_max_promotion_types", []), "filtering.gmv_max_promotion_types")
    asking.within(promotions, ("PRODUCT", "LIVE"), "filtering.gmv_max_promotion_types")
    if len(promotions) != 1:
        raise Refused(40002, "filtering.gmv_max_promotion_types: must be one type when grouping by campaign_id.")
    named = asking.texts(filtering.get("campaign_statuses", ["STATUS_NOT_DELETE"]), "filtering.campaign_statuses", 4)
    asking.within(named, STATUSES, "filtering.campaign_statuses")
    statuses = set[str]().union(*(STATUSES[name] for name in named))
    wanted = asking.texts(filtering.get("campaign_ids", []), "filtering.campaign_ids", 100)
    rows = [
        row
        for row in ads.rows(account, first, last, now)
        if row.campaign.store_id == store
        and promotions == ["PRODUCT"]
        and row.campaign.status in statuses
        and (not wanted or row.campaign.campaign_id in wanted)
    ]
    grouped = _grouped(rows, account, dimensions)
    if "sort_field" in query:
        field = asking.choice(query, "sort_field", GMV_MAX_FIGURES)
        descending = asking.choice(query, "sort_type", ("ASC", "DESC"), "DESC") == "DESC"
        grouped.sort(key=lambda row: float(_gmv_max_metrics(row, [field])[field]), reverse=descending)
    answer = asking.page(
        [{"dimensions": _told(account, row, dimensions), "metrics": _gmv_max_metrics(row, metrics)} for row in grouped],
        query,
        1000,
    )
    return answer if answer["list"] else {"page_info": answer["page_info"]}


def _filters(query: Mapping[str, str], default: str) -> tuple[set[str], list[str] | None]:
    """The statuses and the campaigns asked for; without a filter deleted campaigns are left out."""
    statuses, campaign_ids = STATUSES[default], None
    for number, one in enumerate(asking.loaded(query, "filtering", list)):
        name = f"filtering[{number}]"
        if not isinstance(one, dict) or not all(
            isinstance(one.get(field), str) for field in ("field_name", "filter_type", "filter_value")
        ):
            raise Refused(40002, f"{name}: field_name, filter_type and filter_value are required.")
        asking.within([one["field_name"]], ("campaign_status", "campaign_ids"), "filter fields")
        asking.within([one["filter_type"]], ("IN",), f"filter_type of {one['field_name']}")
        values = asking.texts(asking.loaded(one, "filter_value", list), f"{name}.filter_value", 100)
        if one["field_name"] == "campaign_ids":
            campaign_ids = values
        else:
            asking.within(values, STATUSES, "campaign_status")
            statuses = set[str]().union(*(STATUSES[value] for value in values))
    return statuses, campaign_ids


def _grouped(rows: list[Row], account: Account, dimensions: list[str]) -> list[Row]:
    """The rows summed by the dimensions, the newest campaigns first: the vendor promises no order."""
    sums: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda one: (one.campaign.campaign_id, one.day), reverse=True):
        key = tuple(_told(account, row, dimensions).values())
        known = sums.get(key)
        sums[key] = row if known is None else _sum(known, row)
    return list(sums.values())


def _sum(one: Row, other: Row) -> Row:
    return Row(
        one.day,
        one.campaign,
        one.spend_micros + other.spend_micros,
        one.impressions + other.impressions,
        one.clicks + other.clicks,
        one.conversions_micros + other.conversions_micros,
        one.value_micros + other.value_micros,
    )


def _told(account: Account, row: Row, dimensions: list[str]) -> dict[str, str]:
    told = {
        "advertiser_id": account.account_id,
        "campaign_id": row.campaign.campaign_id,
        "stat_time_day": f"{row.day.isoformat()} 00:00:00",
    }
    return {dimension: told[dimension] for dimension in dimensions}


def _metrics(account: Account, row: Row, metrics: list[str]) -> dict[str, str]:
    """Everything is a string; what has no value is a dash."""
    spend, value = row.spend_micros // 10_000, row.value_micros // 10_000
    orders = row.conversions_micros // 1_000_000
    told = {
        "advertiser_name": account.name,
        "advertiser_id": account.account_id,
        "currency": account.currency,
        "campaign_name": row.campaign.name,
        "campaign_id": row.campaign.campaign_id,
        "objective_type": row.campaign.type,
        "spend": decimal_text(spend),
        "impressions": str(row.impressions),
        "clicks": str(row.clicks),
        "cpc": _ratio(spend, row.clicks),
        "cpm": _ratio(spend * 1000, row.impressions),
        "ctr": _ratio(row.clicks * 10_000, row.impressions),
        "conversion": str(orders),
        "complete_payment": str(orders),
        "total_complete_payment_rate": decimal_text(value),
        "value_per_complete_payment": _ratio(value, orders),
        "complete_payment_roas": _ratio(value * 100, spend),
    }
    if not orders and row.campaign.type == "TRAFFIC":  # nothing is measured for campaigns that sell nothing
        told |= dict.fromkeys(CLAIMS, "-")
    return {metric: told[metric] for metric in metrics}


def _gmv_max_metrics(row: Row, metrics: list[str]) -> dict[str, str]:
    cost, revenue = row.spend_micros // 10_000, row.value_micros // 10_000
    orders = row.conversions_micros // 1_000_000
    told = {
        "campaign_id": row.campaign.campaign_id,
        "campaign_name": row.campaign.name,
        "operation_status": operation_status(row.campaign),
        "cost": decimal_text(cost),
        "net_cost": decimal_text(cost),
        "orders": str(orders),
        "cost_per_order": _ratio(cost, orders),
        "gross_revenue": decimal_text(revenue),
        "roi": _ratio(revenue * 100, cost),
    }
    return {metric: told[metric] for metric in metrics}


def operation_status(campaign: Campaign) -> str:
    return "ENABLE" if campaign.status == "active" else "DISABLE"


def _ratio(hundredths: int, by: int) -> str:
    return decimal_text(rounded(hundredths, by) if by else 0)
