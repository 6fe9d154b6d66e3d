"""Whatever goes wrong between TikTok Shop and the warehouse: the sync ends, says what it was, and leaves what is right.

Every test runs the real client and the real loader against the sandbox, over HTTP, into a real warehouse.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.road import START, differing
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tests.channels.tiktok_road import Road, everything
from tests.channels.tiktok_sandbox import ACCESS_TOKEN, APP, REFRESH_TOKEN, fault
from tests.channels.tiktok_sandbox import ORDERS as SEARCH
from tributary.channels.tiktok_shop import orders
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.http import (
    AuthError,
    BrokenResponse,
    PagingError,
    RateLimited,
    RequestRefused,
    RetryPolicy,
    VendorUnavailable,
)
from tributary.warehouse.errors import TooManyDeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator

A_PAGE = 8
SLICE = timedelta(days=6, hours=18)
ORDERS = replace(TIKTOK_SHOP.stream("orders"), slice_length=SLICE)
LENIENT = replace(ORDERS, max_dead_letter_rate=0.2)
ROWS, CURSOR = "data.orders", {"cursor": "data.next_page_token"}


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "PAGE_SIZE", A_PAGE)


def pages(road: Road) -> list[list[dict[str, Any]]]:
    """The orders on each page of the first slice."""
    by_change = {"sort_field": "update_time", "sort_order": "ASC"}
    first = [
        order
        for order in everything(road.sandbox, "POST", SEARCH, "orders", by_change)
        if order["update_time"] < (START + SLICE).timestamp()
    ]
    found = [first[start : start + A_PAGE] for start in range(0, len(first), A_PAGE)]
    assert len(found) >= 3
    return found


def refusal(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": "20261120R", "data": None}


MESSAGE = '"buyer_message":"'
BUSY = refusal(36009002, "Too many requests")
HOURLY = refusal(36009037, "Hourly limit")
ODD = refusal(12345678, "Odd")
INTERNAL = refusal(36009003, "Internal error")
EXPIRED = refusal(105002, "Expired credentials")

PASSING: dict[str, tuple[str, int, dict[str, Any]]] = {
    "429 storm": ("http_429", 4, {"retry_after": 17, "body": BUSY}),
    "throttled on 200": ("throttled", 4, {"body": BUSY}),
    "5xx burst": ("http_5xx", 4, {"status": 502}),
    "internal error on 200": ("http_5xx", 4, {"status": 200, "body": INTERNAL}),
    "truncated": ("truncated", 2, {}),
    "HTML page": ("html", 2, {}),
    "duplicate page": ("repeated", 2, {"records": ROWS}),
    "cursor loop": ("cursor_loop", 2, CURSOR),
    "empty page": ("empty_page", 3, {"records": ROWS, **CURSOR}),
    "wrong content type": ("wrong_content_type", 3, {}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_leaves_no_trace(name: str, tiktok_road: Road) -> None:
    kind, times, options = PASSING[name]
    fault(tiktok_road.sandbox, kind, SEARCH, times=times, skip=1, **options)
    tiktok_road.sync(ORDERS)
    assert tiktok_road.struck() == [times]
    assert differing(tiktok_road.snapshot(ORDERS), tiktok_road.untouched(ORDERS)) == {}


LASTING: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "429 storm": ("http_429", {"retry_after": 3, "body": BUSY}, RateLimited, "36009002: Too many.*requests_per_second"),
    "429 for an hour": ("http_429", {"retry_after": 3600, "body": HOURLY}, RateLimited, "36009037: Hourly limit"),
    "5xx burst": ("http_5xx", {}, VendorUnavailable, "HTTP 503"),
    "internal error on 200": ("http_5xx", {"status": 200, "body": INTERNAL}, VendorUnavailable, "36009003: Internal"),
    "unknown code on 200": ("http_5xx", {"status": 200, "body": ODD}, RequestRefused, "12345678: Odd"),
    "permission": ("http_5xx", {"status": 403, "body": refusal(105005, "No scope")}, AuthError, "permission package"),
    "token": ("expired_token", {"body": EXPIRED}, AuthError, r"105002: Expired.*field refresh_token"),
    "truncated": ("truncated", {}, BrokenResponse, "not whole JSON"),
    "HTML page": ("html", {}, BrokenResponse, "not whole JSON: .*We'll be right back"),
    "duplicate page": ("repeated", {"records": ROWS}, PagingError, r"repeats itself: the same 8 records"),
    "cursor loop": ("cursor_loop", CURSOR, PagingError, "goes in circles"),
    "empty page": ("empty_page", {"records": ROWS, **CURSOR}, PagingError, "21 empty pages in a row"),
    "rows of another type": ("merged", {"merge": {"data": {"orders": 7}}}, BrokenResponse, r"Expected `array \| null`"),
}  # fmt: skip


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on(name: str, tiktok_road: Road) -> None:
    kind, options, error, words = LASTING[name]
    road, first = tiktok_road, pages(tiktok_road)
    fault(road.sandbox, kind, SEARCH, times=None, skip=len(first) + 1, **options)
    with pytest.raises(error, match=words) as caught:
        road.sync(ORDERS, road.make(retry=RetryPolicy(attempts=2)))
    message = str(caught.value)
    assert SEARCH in message
    assert "request id" in message
    assert not {secret for secret in (ACCESS_TOKEN, APP.secret, "TTP_") if secret in message}
    [(failure,)] = road.query("select error from ops.syncs where merchant_id = %(merchant)s and status = 'failed'")
    assert failure == f"{error.__name__}: {message}"
    assert road.position("orders") == START + SLICE
    assert set(road.raw("orders")) == {order["id"] for page in first for order in page}
    road.no_faults()
    road.sync(ORDERS)
    assert differing(road.snapshot(ORDERS), road.untouched(ORDERS)) == {}


class Renewing:
    """A token that is exchanged for a new one, by the plainest means."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._url = f"{sandbox.url}/tiktok_auth/api/v2/token/refresh"
        self._token = ACCESS_TOKEN
        self.renewals = 0

    def value(self) -> str:
        return self._token

    def renew(self, refused: str) -> bool:
        assert refused == self._token
        self.renewals += 1
        query = {
            "app_key": APP.key,
            "app_secret": APP.secret,
            "refresh_token": REFRESH_TOKEN,
            "grant_type": "refresh_token",
        }
        self._token = requests.get(self._url, params=query, timeout=30).json()["data"]["access_token"]
        return True


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """For what cannot be undone."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield Sandbox(url)


def test_a_token_that_expires_in_mid_sync_is_renewed_once(own_sandbox: Sandbox, tiktok_road: Road) -> None:
    road = replace(tiktok_road, sandbox=own_sandbox)
    token = Renewing(own_sandbox)
    fault(own_sandbox, "meanwhile", SEARCH, skip=2, path="/tiktok/authorisation/expire")
    road.sync(ORDERS, road.make(url=own_sandbox.url, token=token))
    assert token.renewals == 1
    # The other sandbox has the same shop.
    assert differing(road.snapshot(ORDERS), tiktok_road.untouched(ORDERS)) == {}


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_off_by_ten_minutes_loses_nothing_and_is_told(
    minutes: int, tiktok_road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    ours = NOW + timedelta(minutes=minutes)
    api = tiktok_road.make(now=lambda: ours)
    assert abs(api.now() - NOW) <= timedelta(seconds=1)
    tiktok_road.sync(ORDERS, api, now=NOW)
    [warning] = [record.getMessage() for record in caplog.records if "clock shows" in record.getMessage()]
    assert re.search(r"(5[89]\d|60\d) s apart", warning)
    assert differing(tiktok_road.snapshot(ORDERS), tiktok_road.untouched(ORDERS)) == {}


NEXT = {"UNPAID": "pay", "AWAITING_SHIPMENT": "cancel", "IN_TRANSIT": "deliver", "DELIVERED": "complete"}
"""What can happen to an order next."""


def test_pages_that_shift_while_they_are_read_lose_nothing(own_sandbox: Sandbox, tiktok_road: Road) -> None:
    def make(**more: Any) -> Any:
        return tiktok_road.make(**{"url": own_sandbox.url, **more})

    road = replace(tiktok_road, sandbox=own_sandbox, make=make)
    first, second, *_ = pages(road)
    # Before the third page is read, orders leave the first two: what stood behind them moves over the edge.
    leaving = [order for order in (*first[2:], *second) if order["status"] in NEXT]
    for order in leaving:
        path = f"/shops/aurora/tiktok/orders/{order['id']}/{NEXT[order['status']]}"
        fault(own_sandbox, "meanwhile", SEARCH, skip=2, path=path)
    road.sync(ORDERS)
    assert road.struck().count(1) > A_PAGE / 2
    assert set(road.raw("orders")) == {order["id"] for order in everything(own_sandbox, "POST", SEARCH, "orders")}
    end = NOW + timedelta(seconds=20)
    road.sync(ORDERS, now=end)
    assert differing(road.snapshot(ORDERS), road.undisturbed(ORDERS, end)).keys() <= {"changes"}


def row(index: int, **patch: Any) -> dict[str, Any]:
    return {"merge": {"data": {"orders": {str(index): patch}}}}


POISON: dict[str, tuple[str, dict[str, Any], str, str | None]] = {
    "another type": ("merged", row(3, create_time="7"), "Expected `int`, got `str` - at `$.create_time`", "{}"),
    "a list for an object": ("merged", row(3, payment=[]), "$.payment", "{}"),
    "milliseconds": ("merged", row(3, update_time=1795175700000), "$.update_time", "{}"),
    "missing id": ("missing_field", {"path": f"{ROWS}.3.id"}, "missing required field `id`", None),
    "a number for an id": ("merged", row(3, id=7), "Expected `str`, got `int` - at `$.id`", None),
    "an id with a slash": ("merged", row(3, id="1/2"), "$.id", "1/2"),
    "NUL": ("merged", row(3, buyer_message="nul \x00"), "NUL character", "{}"),
    "lone surrogate": ("substituted", {"find": MESSAGE, "put": MESSAGE + "\\ud83d"}, "surrogate", "{}"),
    "not UTF-8": ("substituted", {"find": MESSAGE, "put": MESSAGE + "\xff"}, "not UTF-8", "{}"),
    "amount of 1e15": (
        "merged",
        row(3, payment={"total_amount": "1000000000000000.00"}),
        "$.payment.total_amount",
        "{}",
    ),
    "amount in words": ("merged", row(3, payment={"tax": "none"}), "$.payment.tax", "{}"),
    "a paid order without its sub-total": (
        "merged",
        row(3, paid_time=1795175700, payment={"sub_total": ""}),
        "without its sub-total",
        "{}",
    ),
    "a paid order without its units": (
        "merged",
        row(3, paid_time=1795175700, line_items=None),
        "without its units",
        "{}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_an_unacceptable_record_is_a_dead_letter_until_it_comes_right(name: str, tiktok_road: Road) -> None:
    kind, options, reason, told_id = POISON[name]
    road = tiktok_road
    order = pages(road)[0][0 if kind == "substituted" else 3]["id"]
    fault(road.sandbox, kind, SEARCH, **options)
    report = road.sync(LENIENT)
    assert report.counts.rejected == 1
    [(record_id, told, payload)] = road.letters("orders")
    assert reason in told
    assert record_id == (told_id and told_id.format(order))
    assert b'"line_items"' in payload
    expected = road.untouched(ORDERS)
    differences = differing(road.snapshot(ORDERS), expected)
    assert differences.pop("dead letters")
    assert differences == {"raw": {order}, "changes": {order}}
    # The same order as it should be.
    again = replace(LENIENT, look_back=timedelta(days=30))
    road.sync(again)
    assert set(road.raw("orders")) == set(expected["raw"])
    # Without its id nobody can tell that it is the same order: that letter waits for a person.
    assert len(road.letters("orders")) == (0 if told_id == "{}" else 1)


def test_too_many_unacceptable_records_fail_the_sync_after_the_others_landed(tiktok_road: Road) -> None:
    road = tiktok_road
    page = {order["id"] for order in pages(road)[0]}
    fault(road.sandbox, "merged", SEARCH, merge={"data": {"orders": {"*": {"create_time": "soon"}}}})
    with pytest.raises(TooManyDeadLetters, match=r"8 of \d+ records of orders"):
        road.sync(ORDERS)
    assert road.position("orders") == START + SLICE
    assert {record_id for record_id, *_ in road.letters("orders")} == page
    assert not page & set(road.raw("orders"))


def test_ids_up_to_the_end_of_64_bits_and_beyond_land_as_they_are(tiktok_road: Road) -> None:
    huge = [str(2**63 - 1), str(2**63), str(2**64)]
    rows = {str(index): {"id": key, "number": int(key)} for index, key in enumerate(huge)}
    fault(tiktok_road.sandbox, "merged", SEARCH, merge={"data": {"orders": rows}})
    tiktok_road.sync(ORDERS)
    landed = """
        select record_id, payload ->> 'number' from raw.tiktok_shop_orders
        where merchant_id = %(merchant)s and payload ? 'number'
    """
    assert sorted(tiktok_road.query(landed)) == sorted((key, key) for key in huge)


def test_the_largest_amount_lands_to_the_cent(tiktok_road: Road) -> None:
    largest = "999999999999999.99"
    fault(tiktok_road.sandbox, "merged", SEARCH, **row(0, payment={"total_amount": largest}))
    tiktok_road.sync(ORDERS)
    landed = """
        select (payload #>> '{payment,total_amount}')::numeric::text from raw.tiktok_shop_orders
        where merchant_id = %(merchant)s and payload #>> '{payment,total_amount}' = %(largest)s
    """
    assert tiktok_road.query(landed, largest=largest) == [(largest,)]
