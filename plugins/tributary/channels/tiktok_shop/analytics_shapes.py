"""The fields of the shop's and its videos' days that staging casts, and the days as records."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
from msgspec import UNSET, UnsetType

from tributary.channels.records import noon
from tributary.channels.tiktok_shop.shapes import Amount, Count, Day, Id, Money, day, moment
from tributary.declaration import Record

ONE_DAY = timedelta(days=1)


class _Share(msgspec.Struct, gc=False):
    type: str | None = None
    gmv: Money | None = None


class _Divided(msgspec.Struct, gc=False):
    overall: Money | None = None
    breakdowns: list[_Share] | None = None


class _ShopSales(msgspec.Struct, gc=False):
    gmv: _Divided | None = None
    gross_revenue: _Divided | None = None
    refunds: Money | None = None
    items_sold: Count = None
    orders_count: Count = None
    sku_orders_count: Count = None
    avg_customers_count: Count = None


class _ShopTraffic(msgspec.Struct, gc=False):
    avg_page_views: Count = None
    avg_visitors: Count = None
    avg_conversation_rate: str | None = None
    """Spelt so."""


class ShopDay(msgspec.Struct, gc=False):
    """One day of the shop."""

    start_date: Day
    end_date: Day
    sales: _ShopSales | None = None
    traffic: _ShopTraffic | None = None

    def record(self, payload: bytes) -> Record:
        """The day as a record. TikTok names no time of change, so the later reading replaces the earlier."""
        return _day_record("shop", _one_day(self.start_date, self.end_date), payload)


class Video(msgspec.Struct, gc=False):
    """A video on a list, with what it did in the window that was asked for."""

    id: Id
    title: str | None = None
    username: str | None = None
    video_post_time: str | None = None
    duration: Count = None
    views: Count = None
    sku_orders: Count = None
    items_sold: Count = None
    avg_customers: Count = None
    click_through_rate: Amount = None
    gmv: Money | None = None
    gpm: Money | None = None


class VideoOnDay(msgspec.Struct, gc=False):
    """A row of a list with what it does not say itself: the one day that was asked for."""

    date: Day
    video: msgspec.Raw

    def record(self, payload: bytes) -> Record:
        """The video's day as a record; the payload is the vendor's alone."""
        video = _VIDEO.decode(self.video)
        if video.video_post_time:
            moment("video_post_time", video.video_post_time)
        return _day_record(video.id, day("date", self.date), bytes(self.video))


class _VideoTraffic(msgspec.Struct, gc=False):
    views: Count = None
    likes: Count = None
    comments: Count = None
    shares: Count = None
    new_followers: Count = None


class _VideoSales(msgspec.Struct, gc=False):
    gmv: Money | None = None
    gpm: Money | None = None
    items_sold: Count = None
    customers: Count = None
    product_clicks: Count = None
    product_impressions: Count = None
    ctr: Amount = None


class _SalesOfVideo(msgspec.Struct, gc=False):
    # Absent or an object: staging unpacks it.
    overall: _VideoSales | UnsetType = UNSET


class VideoDay(msgspec.Struct, gc=False):
    """One day of a video: its own views and clicks; likes, comments and shares are lifetime totals at its end."""

    start_date: Day
    end_date: Day
    traffic: _VideoTraffic | None = None
    sales: _SalesOfVideo | None = None


class DayOfVideo(msgspec.Struct, gc=False):
    """A day of a video with what it does not say itself: the video."""

    video_id: Id
    interval: msgspec.Raw

    def record(self, payload: bytes) -> Record:
        """The day as a record; the payload is the vendor's alone."""
        interval = _VIDEO_DAY.decode(self.interval)
        return _day_record(self.video_id, _one_day(interval.start_date, interval.end_date), bytes(self.interval))


_VIDEO = msgspec.json.Decoder(Video)
_VIDEO_DAY = msgspec.json.Decoder(VideoDay)


def _day_record(subject: str, on: date, payload: bytes) -> Record:
    return Record(f"{subject}/{on}", noon(on), noon(on), payload)


def _one_day(start: str, end: str) -> date:
    """The date of an interval; the figures of a longer one would pass for a day's."""
    first = day("start_date", start)
    if day("end_date", end) - first != ONE_DAY:
        raise ValueError(f"Expected one day, got {start} to {end} - at `$.end_date`")
    return first
