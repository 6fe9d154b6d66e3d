"""Control totals: what TikTok Shop counts on each business day, whatever the length of the day."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import Sandbox
from tests.channels.tiktok_sandbox import ORDERS as SEARCH
from tests.channels.tiktok_sandbox import fault
from tributary.channels.tiktok_shop.streams import ORDERS, TIKTOK_SHOP
from tributary.http import BrokenResponse, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.channels.tiktok_sandbox import MakeTikTok
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import DayTotal

ZONE = "America/New_York"
FIRST_DAY = date(2026, 10, 29)
AFTERWARDS = datetime(2026, 11, 6, 12, tzinfo=UTC)
DAYS = [FIRST_DAY + timedelta(days=number) for number in range(8)]
"""Among them the one of 25 hours."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The days around the end of daylight saving time."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=AFTERWARDS))) as url:
        yield Sandbox(url)


@pytest.fixture
def api(make_tiktok: MakeTikTok) -> TikTokShopApi:
    return make_tiktok(now=lambda: AFTERWARDS, retry=RetryPolicy(attempts=1))


def ask(api: TikTokShopApi, days: Sequence[date] = DAYS) -> list[DayTotal]:
    assert TIKTOK_SHOP.totals is not None
    return list(TIKTOK_SHOP.totals(api, ZONE, days))


def test_the_shop_counts_what_a_sync_reads_of_each_day(api: TikTokShopApi) -> None:
    counts: Counter[date] = Counter()
    for page in ORDERS.changed(api, AFTERWARDS - timedelta(days=60), AFTERWARDS + timedelta(hours=1)):
        counts.update(record.event_at.astimezone(ZoneInfo(ZONE)).date() for record in page.records)
    assert {total.date_day: (total.orders, total.gross_sales) for total in ask(api)} == {
        day: (counts[day], None) for day in DAYS
    }
    assert min(counts[day] for day in DAYS) > 0


def test_days_in_any_number_and_order(api: TikTokShopApi) -> None:
    whole = ask(api)
    assert ask(api, [*reversed(DAYS), DAYS[2]]) == whole
    assert ask(api, []) == []
    [empty] = ask(api, [FIRST_DAY - timedelta(days=10)])
    assert empty.orders == 0


def test_no_count_is_no_total(sandbox: Sandbox, api: TikTokShopApi) -> None:
    fault(sandbox, "missing_field", SEARCH, path="data.total_count")
    with pytest.raises(BrokenResponse, match="did not count the orders of 2026-10-29"):
        ask(api)
