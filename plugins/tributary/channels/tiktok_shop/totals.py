"""Control totals: how many orders TikTok Shop counts on each business day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from tributary.channels.tiktok_shop.orders import search
from tributary.declaration import DayTotal
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.tiktok_shop.api import TikTokShopApi


class _Counted(msgspec.Struct):
    total_count: int | None = None


_COUNTED = msgspec.json.Decoder(_Counted)


def control_totals(api: TikTokShopApi, time_zone: str, days: Sequence[date]) -> Iterator[DayTotal]:
    """The number of orders created on each day; TikTok sums no money over orders."""
    zone = ZoneInfo(time_zone)
    for day in sorted(set(days)):
        start, end = _begin(zone, day), _begin(zone, day + timedelta(days=1))
        answer = search(api, "create_time", start, end, {"page_size": "1"})
        count = answer.read(_COUNTED).total_count
        if count is None:
            raise BrokenResponse(f"TikTok Shop did not count the orders of {day}", where=answer.where)
        yield DayTotal(day, count, None)


def _begin(zone: ZoneInfo, day: date) -> datetime:
    """The day's first moment there: it may be 23 or 25 hours before the next."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
