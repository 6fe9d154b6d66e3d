"""The shop's and its videos' performance by days of the shop's zone, up to the last day that is complete."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.money import decimal_text, rounded, share, split
from sandbox.business.tiktok_order import product_id
from sandbox.business.videos import DAILY, DAY
from sandbox.clock import iso
from sandbox.tiktok_shop.endpoint import Asked, Endpoint, Refused, page
from sandbox.tiktok_shop.filters import choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.business.videos import Video

Days = list[date]
SCOPE = "data.shop_analytics.public.read"
ACCOUNT_TYPES = ("ALL", "OFFICIAL_ACCOUNTS", "MARKETING_ACCOUNTS", "AFFILIATE_ACCOUNTS")
SORTED_BY: dict[str, Callable[[dict[str, Any]], float]] = {
    "gmv": lambda row: float(row["gmv"]["amount"]),
    "gpm": lambda row: float(row["gpm"]["amount"]),
    "avg_customers": lambda row: float(row["avg_customers"]),
    "sku_orders": lambda row: float(row["sku_orders"]),
    "items_sold": lambda row: float(row["items_sold"]),
    "views": lambda row: float(row["views"]),
    "click_through_rate": lambda row: float(row["click_through_rate"]),
}


def shop_performance(asked: Asked) -> dict[str, Any]:
    """The whole shop; what its videos sell is the part of it that the others follow from."""
    return _performance(asked, _days(asked), lambda days: _shop_interval(asked, days))


def video_list(asked: Asked) -> dict[str, Any]:
    """The videos that are still there, each with the sums of the asked days."""
    days = _days(asked)
    account_type = choice(asked.query, "account_type", ACCOUNT_TYPES, "ALL")
    field = str(choice(asked.query, "sort_field", SORTED_BY, "gmv"))
    order = choice(asked.query, "sort_order", ("ASC", "DESC"), "DESC")
    rows = [
        _listed(asked, video, days)
        for video in asked.shop.videos.shown(asked.now)
        if account_type in ("ALL", video.account_type) and days and video.posted_on <= days[-1]
    ]
    rows.sort(key=SORTED_BY[field], reverse=order == "DESC")
    videos, following, count = page(asked, rows, default=10, most=100)
    return {
        "latest_available_date": _latest(asked).isoformat(),
        "next_page_token": following,
        "total_count": count,
        "videos": videos,
    }


def video_details(asked: Asked) -> dict[str, Any]:
    """One video; likes, comments and shares are totals since its publication, at the end of each interval."""
    known = {str(video.id): video for video in asked.shop.videos.shown(asked.now)}
    video = known.get(asked.path["video_id"])
    if video is None:
        raise Refused(36009004, "Invalid video_id: there is no such video in this shop", 400)
    lived = [day for day in _days(asked) if day >= video.posted_on]
    return _performance(asked, lived, lambda days: _video_interval(asked, video, days))


def _latest(asked: Asked) -> date:
    return asked.shop.videos.today(asked.now) - DAY


def _days(asked: Asked) -> Days:
    """The asked days that are complete; the end is exclusive."""
    choice(asked.query, "currency", ("USD", "LOCAL"), "LOCAL")
    start, end = _date(asked, "start_date_ge"), _date(asked, "end_date_lt")
    if start >= end:
        raise Refused(36009004, f"Invalid start_date_ge {start}: it must be before end_date_lt {end}", 400)
    end = min(end, _latest(asked) + DAY)
    return [start + timedelta(days=number) for number in range((end - start).days)]


def _date(asked: Asked, name: str) -> date:
    text = asked.query.get(name)
    if text is None:
        raise Refused(36009004, f"Required parameter {name} is missing", 400)
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Refused(36009022, f"Invalid {name}: expected a date like 2026-11-15", 400)


def _performance(asked: Asked, days: Days, figures: Callable[[Days], dict[str, Any]]) -> dict[str, Any]:
    """One interval of all days, or one for each; none without days."""
    is_daily = choice(asked.query, "granularity", ("ALL", "1D"), "ALL") == "1D"
    parts = [[day] for day in days] if is_daily else [days] if days else []
    intervals = [
        {"start_date": part[0].isoformat(), "end_date": (part[-1] + DAY).isoformat(), **figures(part)} for part in parts
    ]
    return {"latest_available_date": _latest(asked).isoformat(), "performance": {"intervals": intervals}}


def _sums(asked: Asked, videos: Iterable[Video], days: Days) -> dict[str, int]:
    """What the videos' days brought together, as it looks today."""
    shop, today = asked.shop.videos, asked.shop.videos.today(asked.now)
    listed = list(videos)
    return {counter: sum(shop.day(video, counter, day, today) for video in listed for day in days) for counter in DAILY}


def _listed(asked: Asked, video: Video, days: Days) -> dict[str, Any]:
    sums = _sums(asked, [video], days)
    return {
        "avg_customers": rounded(sums["customers"], len(days)),
        "click_through_rate": _ratio(sums["product_clicks"], sums["views"]),
        "duration": video.duration,
        "gmv": _money(asked, sums["gmv"]),
        "gpm": _money(asked, share(1000 * sums["gmv"], 1, sums["views"])),
        "hash_tags": list(video.hash_tags),
        "id": str(video.id),
        "items_sold": sums["items_sold"],
        "products": [{"id": str(product_id(product)), "name": product.title} for product in video.products],
        "sku_orders": sums["sku_orders"],
        "title": video.title,
        "username": video.username,
        "video_post_time": iso(video.posted_at),
        "views": sums["views"],
    }


def _video_interval(asked: Asked, video: Video, days: Days) -> dict[str, Any]:
    videos, today = asked.shop.videos, asked.shop.videos.today(asked.now)
    sums = _sums(asked, [video], days)
    parts = [dict(sums) for _ in video.products]
    for name, value in sums.items():
        for part, amount in zip(parts, split(value, [3, 2][: len(parts)]), strict=True):
            part[name] = amount
    return {
        "traffic": {
            "views": sums["views"],
            "new_followers": sums["new_followers"],
            **{name: videos.total(video, name, days[-1], today) for name in ("likes", "comments", "shares")},
        },
        "sales": {
            "overall": _sales(asked, sums),
            "breakdowns": [
                {"product_id": str(product_id(product)), **_sales(asked, part)}
                for product, part in zip(video.products, parts, strict=True)
            ],
        },
    }


def _sales(asked: Asked, sums: dict[str, int]) -> dict[str, Any]:
    return {
        "ctr": _ratio(sums["product_clicks"], sums["product_impressions"]),
        "customers": sums["customers"],
        "gmv": _money(asked, sums["gmv"]),
        "gpm": _money(asked, share(1000 * sums["gmv"], 1, sums["views"])),
        "items_sold": sums["items_sold"],
        "product_clicks": sums["product_clicks"],
        "product_impressions": sums["product_impressions"],
    }


def _shop_interval(asked: Asked, days: Days) -> dict[str, Any]:
    sums = _sums(asked, asked.shop.videos.all, days)
    gmv = {"VIDEO": sums["gmv"], "LIVE": sums["gmv"] * 3 // 10, "PRODUCT_CARD": sums["gmv"] * 9 // 10}
    overall, customers, visitors = sum(gmv.values()), 2 * sums["customers"], 4 * sums["product_clicks"]
    return {
        "sales": {
            "avg_customers_count": rounded(customers, len(days)),
            "gmv": {
                "overall": _money(asked, overall),
                "breakdowns": [{"type": kind, "gmv": _money(asked, part)} for kind, part in gmv.items()],
            },
            "gross_revenue": {"overall": _money(asked, rounded(overall * 104, 100)), "breakdowns": []},
            "items_sold": 2 * sums["items_sold"],
            "orders_count": 2 * sums["sku_orders"],
            "refunds": _money(asked, overall // 20),
            "sku_orders_count": 2 * sums["sku_orders"],
        },
        "traffic": {
            "avg_conversation_rate": _ratio(customers, visitors),
            "avg_page_views": rounded(6 * sums["product_clicks"], len(days)),
            "avg_visitors": rounded(visitors, len(days)),
        },
    }


def _money(asked: Asked, cents: int) -> dict[str, str]:
    """In the shop's currency; the one shop that has sales has them in US dollars, whichever currency is asked for."""
    return {"amount": decimal_text(cents), "currency": asked.shop.merchant.currency}


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole if whole else 0:.4f}"


ENDPOINTS = (
    Endpoint("GET", "/analytics/202509/shop/performance", shop_performance, scope=SCOPE),
    Endpoint("GET", "/analytics/202509/shop_videos/performance", video_list, scope=SCOPE),
    Endpoint("GET", "/analytics/202509/shop_videos/{video_id}/performance", video_details, scope=SCOPE),
    # The newest versions of the first two, which other clients ask for: they only have more fields.
    Endpoint("GET", "/analytics/202609/shop/performance", shop_performance, scope=SCOPE),
    Endpoint("GET", "/analytics/202605/shop_videos/performance", video_list, scope=SCOPE),
)
