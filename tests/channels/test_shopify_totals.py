"""Control totals: what the shop counts on each of its days, whatever the length of the day."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import SCOPES, Sandbox
from tributary.channels.shopify import totals
from tributary.channels.shopify.streams import ORDERS, SHOPIFY
from tributary.channels.shopify.token import StaticToken
from tributary.http import BrokenResponse, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shopify_sandbox import MakeApi

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import DayTotal

ZONE = "America/New_York"
FIRST_DAY = date(2026, 10, 29)
CLOCKS_GO_BACK = date(2026, 11, 1)
AFTERWARDS = datetime(2026, 11, 6, 12, tzinfo=UTC)
DAYS = [FIRST_DAY + timedelta(days=number) for number in range(8)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The days around the end of daylight saving time, and an order in the hour that is there twice."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=AFTERWARDS))) as url:
        sandbox = Sandbox(url)
        for minute in (3 * 60 + 59, 4 * 60 + 1, 28 * 60 + 59, 29 * 60 - 1, 29 * 60 + 1):
            at = f"2026-11-0{1 + minute // 1440}T{minute // 60 % 24:02}:{minute % 60:02}:00Z"
            sandbox.admin("/shops/aurora/orders", {"price": "10.00", "processed_at": at})
        sandbox.admin("/shops/aurora/orders", {"price": "99.00", "test": True, "processed_at": "2026-11-02T15:00:00Z"})
        yield sandbox


def ask(api: ShopifyApi, days: Sequence[date] = DAYS) -> list[DayTotal]:
    assert SHOPIFY.totals is not None
    return list(SHOPIFY.totals(api, ZONE, days))


def test_the_shop_counts_what_a_sync_reads_of_each_day(make_api: MakeApi) -> None:
    counts: Counter[date] = Counter()
    gross: defaultdict[date, Decimal] = defaultdict(Decimal)
    for page in ORDERS.changed(make_api(), AFTERWARDS - timedelta(days=60), AFTERWARDS + timedelta(hours=1)):
        for record in page.records:
            day = record.event_at.astimezone(ZoneInfo(ZONE)).date()
            order = json.loads(record.payload)
            counts[day] += 1
            if not order["test"]:
                for line in order["lineItems"]["nodes"]:
                    price = Decimal(line["originalUnitPriceSet"]["shopMoney"]["amount"])
                    gross[day] += price * line["quantity"]
    found = ask(make_api())
    assert [total.date_day for total in found] == DAYS
    assert {total.date_day: total.orders for total in found} == {day: counts[day] for day in DAYS}
    assert min(counts[day] for day in DAYS) > 0
    # Edits take units out of gross sales, so a plain sum over the lines is an upper bound that most days reach.
    assert all(total.gross_sales is not None and 0 < total.gross_sales <= gross[total.date_day] for total in found)
    assert sum(total.gross_sales == gross[total.date_day] for total in found) >= 2


def test_a_day_of_25_hours_is_counted_whole(make_api: MakeApi) -> None:
    document = totals.counting(ZoneInfo(ZONE), [CLOCKS_GO_BACK])
    assert "processed_at:>='2026-11-01T04:00:00Z' AND processed_at:<'2026-11-02T05:00:00Z'" in document
    spring = totals.counting(ZoneInfo(ZONE), [date(2026, 3, 8)])
    assert "processed_at:>='2026-03-08T05:00:00Z' AND processed_at:<'2026-03-09T04:00:00Z'" in spring


def test_days_in_any_number_and_order(make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask(make_api())
    monkeypatch.setattr(totals, "DAYS_AT_ONCE", 3)
    assert ask(make_api(), [*reversed(DAYS), DAYS[2]]) == whole
    assert ask(make_api(), [DAYS[0], DAYS[6]]) == [whole[0], whole[6]]
    assert ask(make_api(), []) == []


def test_a_day_without_orders_has_totals_too(make_api: MakeApi) -> None:
    (total,) = ask(make_api(), [FIRST_DAY - timedelta(days=10)])
    assert (total.orders, total.gross_sales) == (0, 0)


def limited(sandbox: Sandbox, make_api: MakeApi, *missing: str) -> ShopifyApi:
    body = {"scopes": sorted(SCOPES - set(missing))}
    token = StaticToken(sandbox.admin("/shops/aurora/tokens", body)["access_token"])
    return make_api(token=token, now=AFTERWARDS)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_without_the_reports_scope_only_orders_are_counted_and_that_is_said_once(
    sandbox: Sandbox, make_api: MakeApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "DAYS_AT_ONCE", 3)
    expected = [replace(total, gross_sales=None) for total in ask(make_api(now=AFTERWARDS))]
    assert ask(limited(sandbox, make_api, "read_reports")) == expected
    (message,) = warnings(caplog)
    assert "read_reports" in message


def test_days_before_the_horizon_are_left_out_and_that_is_said(
    sandbox: Sandbox, make_api: MakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    days = [date(2026, 9, 6), date(2026, 9, 8), date(2026, 9, 9), DAYS[0]]
    found = ask(limited(sandbox, make_api, "read_all_orders"), days)
    assert [total.date_day for total in found] == days[2:]
    (message,) = warnings(caplog)
    assert "before 2026-09-09" in message
    assert "read_all_orders" in message
    assert [total.date_day for total in ask(make_api(), days)] == days


def answering(api: ShopifyApi, path: str, value: Any) -> ShopifyApi:
    """The API with one thing in its answers replaced."""
    read = api._read

    def changed(operation: str, response: Any) -> Any:
        body = json.loads(response.body)
        for one in body["data"].values():
            if path in one:
                one[path] = value
        return read(operation, replace(response, body=json.dumps(body).encode()))

    api._read = changed  # type: ignore[method-assign]
    return api


def test_a_count_that_is_not_exact_is_no_total(make_api: MakeApi) -> None:
    with pytest.raises(BrokenResponse, match=r"2026-10-29 as AT_LEAST \d+, which is no total"):
        ask(answering(make_api(), "precision", "AT_LEAST"))


def test_shopifyql_that_is_not_understood_is_a_clear_error(make_api: MakeApi) -> None:
    with pytest.raises(RequestRefused, match=r"does not understand the ShopifyQL: Line 1: no such column"):
        ask(answering(make_api(), "parseErrors", ["Line 1: no such column"]))
