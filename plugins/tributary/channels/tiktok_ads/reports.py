"""The two reports of an ad account's days: of campaigns, and of GMV Max, which the first one leaves out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import Rows
from tributary.channels.tiktok_ads.api import KINDS
from tributary.channels.tiktok_ads.refusals import TooHeavy, TooLong
from tributary.channels.tiktok_ads.shapes import CAMPAIGN_METRICS, GMV_MAX_METRICS
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from tributary.channels.ad_days import AdAccount
    from tributary.channels.tiktok_ads.api import TikTokAdsApi

WIDTH = timedelta(days=30)
"""How many days a range may have when it is told day by day."""
PAGE_SIZE = 1000
DIMENSIONS = ("campaign_id", "stat_time_day")
_ALL = [{"field_name": "campaign_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}]


class _PageInfo(msgspec.Struct):
    total_number: int
    total_page: int


class _Report(msgspec.Struct):
    page_info: _PageInfo
    rows: list[msgspec.Raw] = msgspec.field(default_factory=list, name="list")


_REPORT = msgspec.json.Decoder(_Report)


def campaign_days(api: TikTokAdsApi, account: AdAccount, first: date, last: date) -> Iterator[Rows]:
    """The days of all campaigns but those of GMV Max, deleted ones included."""
    asked = {
        "advertiser_id": account.id,
        "report_type": "BASIC",
        "data_level": "AUCTION_CAMPAIGN",
        "dimensions": DIMENSIONS,
        "metrics": CAMPAIGN_METRICS,
        "filtering": _ALL,
        "order_field": "spend",
        "order_type": "DESC",
    }
    yield from _days(api, "/report/integrated/get/", asked, first, last)


def gmv_max_days(api: TikTokAdsApi, account: AdAccount, first: date, last: date) -> Iterator[Rows]:
    """The days of the GMV Max campaigns of every shop that the account runs some for, deleted ones included."""
    for store in api.stores(account):
        for kind in KINDS:
            asked = {
                "advertiser_id": account.id,
                "store_ids": [store],
                "dimensions": DIMENSIONS,
                "metrics": GMV_MAX_METRICS,
                "filtering": {"gmv_max_promotion_types": [kind], "campaign_statuses": ["STATUS_ALL"]},
                "sort_field": "cost",
                "sort_type": "DESC",
            }
            yield from _days(api, "/gmv_max/report/get/", asked, first, last)


def _days(api: TikTokAdsApi, path: str, asked: Mapping[str, object], first: date, last: date) -> Iterator[Rows]:
    """The pages of a range; one that is too much for TikTok is read in halves."""
    try:
        # Whole before any of it counts: halves begin anew.
        pages = _pages(api, path, {**asked, "start_date": str(first), "end_date": str(last)})
    except (TooLong, TooHeavy):
        if first == last:
            raise
        middle = first + (last - first) // 2
        yield from _days(api, path, asked, first, middle)
        yield from _days(api, path, asked, middle + timedelta(days=1), last)
    else:
        yield from pages


def _pages(api: TikTokAdsApi, path: str, asked: Mapping[str, object]) -> list[Rows]:
    pages: list[Rows] = []
    totals: set[int] = set()
    while True:
        answer = api.get(path, {**asked, "page": len(pages) + 1, "page_size": PAGE_SIZE})
        found = answer.read(_REPORT)
        pages.append(Rows(list(answer.slices(found.rows)), answer.flaw is None))
        totals.add(found.page_info.total_number)
        if len(pages) >= found.page_info.total_page:
            break
    read = sum(len(page.payloads) for page in pages)
    if totals != {read}:
        told = " and ".join(str(total) for total in sorted(totals))
        raise BrokenResponse(
            f"Of {told} rows that the report is said to have, its {len(pages)} pages brought {read}",
            where=answer.where,
            remedy="Its pages moved while they were read. Nothing of these days was kept; they are read again.",
        )
    return pages
