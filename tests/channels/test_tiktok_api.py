"""TikTok Shop's client: what it sends, what it makes of answers, and what it never shows."""

from __future__ import annotations

import itertools
import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from tiktok_shop_api.signing import Signer

from tests.channels.shopify_sandbox import NOW
from tests.channels.tiktok_sandbox import ACCESS_TOKEN, APP, ORDERS, SHOP_ID, SHOPS
from tests.http.scripted_vendor import Act, Vendor, answer, cut
from tributary.channels.tiktok_shop.api import budgets
from tributary.channels.tiktok_shop.refusals import TOKEN_EXPIRED
from tributary.http import (
    AuthError,
    BrokenResponse,
    Fatal,
    HttpError,
    RateLimited,
    RequestRefused,
    RetryPolicy,
    Transient,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from tests.channels.shopify_sandbox import Sandbox
    from tests.channels.tiktok_sandbox import MakeTikTok
    from tributary.channels.tiktok_shop.api import TikTokShopApi

CIPHER = "TTP_cipher+/="
REQUEST_ID = "20261120120000ABCDEF"
ONCE = RetryPolicy(attempts=1)
STATEMENTS = "/finance/202309/statements"
ANYTHING = msgspec.json.Decoder()


def says(data: Any = None, code: int = 0, message: str = "Success", status: int = 200, **headers: str) -> Act:
    """An envelope."""
    body = {"code": code, "message": message, "request_id": REQUEST_ID, "data": data}
    return answer(status, json.dumps(body).encode(), **headers)


def authorised(*shops: tuple[str, str, str]) -> Act:
    return says({"shops": [{"id": i, "cipher": CIPHER, "name": name, "region": region} for i, name, region in shops]})


ONE_SHOP = authorised((SHOP_ID, "Aurora Outdoor", "US"))


@pytest.fixture
def api(vendor: Vendor, make_tiktok: MakeTikTok) -> TikTokShopApi:
    """A client that knows its shop."""
    vendor.will(ONE_SHOP)
    api = make_tiktok(url=vendor.url)
    assert api.shop.cipher == CIPHER
    vendor.requests.clear()
    return api


def statements(api: TikTokShopApi, **query: str) -> Any:
    return api.get(STATEMENTS, {"sort_field": "statement_time"} | query, budget="finance").read(ANYTHING)


def sent(vendor: Vendor, index: int = -1) -> tuple[str, dict[str, str], dict[str, str], bytes]:
    """A request that came in: path, query, headers, body."""
    address, headers, body = vendor.requests[index]
    path, _, query = address.partition("?")
    return path, dict(parse_qsl(query, strict_parsing=True)), {k.lower(): v for k, v in headers.items()}, body


def is_signed(vendor: Vendor, index: int = -1) -> bool:
    """Whether an independent implementation would have signed the request so."""
    path, query, headers, body = sent(vendor, index)
    theirs = Signer.sign(
        path=path,
        query=list(query.items()),
        content_type=headers["content-type"],
        body=body or None,
        app_secret=APP.secret,
    )
    return query["sign"] == theirs


# What is sent


def test_a_read_carries_the_app_the_moment_the_cipher_and_the_token(api: TikTokShopApi, vendor: Vendor) -> None:
    vendor.will(says({"statements": []}))
    assert statements(api) == {"statements": []}
    path, query, headers, body = sent(vendor)
    assert path == STATEMENTS
    assert query.pop("sign")
    assert query == {
        "app_key": APP.key,
        "timestamp": str(int(NOW.timestamp())),
        "shop_cipher": CIPHER,
        "sort_field": "statement_time",
    }
    assert headers["x-tts-access-token"] == ACCESS_TOKEN
    assert headers["content-type"] == "application/json"
    assert body == b""
    assert is_signed(vendor)


def test_odd_values_are_sent_encoded_and_signed_decoded(api: TikTokShopApi, vendor: Vendor) -> None:
    vendor.will(says({}))
    token = "b2Zm+/c2V0==&sign=x y\u00e9%2B"
    statements(api, page_token=token)
    assert sent(vendor)[1]["page_token"] == token
    assert is_signed(vendor)


def test_the_body_that_is_signed_is_the_one_that_is_sent(api: TikTokShopApi, vendor: Vendor) -> None:
    vendor.will(says({"orders": []}))
    api.post(ORDERS, {"page_size": "1"}, {"update_time_ge": 1, "name": "\u00e9/\u4e2d"}, budget="orders")
    assert json.loads(sent(vendor)[3]) == {"update_time_ge": 1, "name": "\u00e9/\u4e2d"}
    assert is_signed(vendor)


def test_each_attempt_is_signed_anew(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    ticks = itertools.count()
    api = make_tiktok(url=vendor.url, now=lambda: NOW + timedelta(seconds=next(ticks)))
    vendor.will(says(code=36009003, message="Internal error", status=500), ONE_SHOP)
    assert api.shop.id == SHOP_ID
    first, second = sent(vendor, 0)[1], sent(vendor, 1)[1]
    assert int(first["timestamp"]) < int(second["timestamp"])
    assert is_signed(vendor, 0)
    assert is_signed(vendor, 1)


def test_the_sandbox_accepts_both_kinds_of_requests(sandbox: Sandbox, make_tiktok: MakeTikTok) -> None:
    api = make_tiktok()
    assert statements(api, page_size="1")["statements"] is not None
    found = api.post(ORDERS, {"page_size": "1"}, {"create_time_ge": 1}, budget="orders").read(ANYTHING)
    assert len(found["orders"]) == 1


# The clock


@pytest.mark.parametrize("off", [timedelta(minutes=10), timedelta(minutes=-10), timedelta(seconds=45)])
def test_a_wrong_clock_is_corrected_after_the_first_answer(
    off: timedelta, sandbox: Sandbox, make_tiktok: MakeTikTok, slept: list[float]
) -> None:
    api = make_tiktok(now=lambda: NOW + off)
    assert statements(api)
    assert len(slept) == 1
    assert slept[0] <= 1
    assert abs(api.now() - NOW) <= timedelta(seconds=1)
    assert abs(timedelta(seconds=api.skew_seconds) + off) <= timedelta(seconds=1)


def test_a_clock_that_cannot_be_corrected_is_told_at_once(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    vendor.will(says(code=36009004, message="Invalid timestamp: it is more than 5 minutes old", status=400))
    with pytest.raises(RequestRefused, match=r"36009004: Invalid timestamp.*set this machine's clock"):
        _ = make_tiktok(url=vendor.url).shop
    assert len(vendor.requests) == 1


def test_a_clock_that_stays_wrong_ends(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    vendor.will(says(code=36009004, message="Invalid timestamp", status=400, Date="Fri, 20 Nov 2026 12:00:00 GMT"))
    with pytest.raises(Transient, match=r"Invalid timestamp.*set this machine's clock.*Given up after 5 attempts"):
        _ = make_tiktok(url=vendor.url).shop


def test_the_vendors_time_is_asked_for_once(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    body = json.dumps({"code": 0, "data": {"shops": [{"id": SHOP_ID, "cipher": CIPHER}]}}).encode()
    vendor.will(answer(200, body, Date="Fri, 20 Nov 2026 13:00:00 GMT"))
    api = make_tiktok(url=vendor.url)
    assert api.now() == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert api.now() == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert len(vendor.requests) == 1


# Refusals

REFUSALS = [
    (36009002, "Too many requests", 429, RateLimited, "requests_per_second"),
    (36009002, "Too many requests", 200, RateLimited, "requests_per_second"),
    (36009037, "Sandbox hourly limit reached", 429, RateLimited, "in the next one"),
    (36009003, "Internal error", 500, VendorUnavailable, ""),
    (36009007, "Timeout", 200, VendorUnavailable, ""),
    (106001, "Invalid sign", 401, AuthError, "password has to be the secret of the app"),
    (105002, "Expired credentials", 401, AuthError, "authorise the app again"),
    (101000, "Token does not match the shop", 200, AuthError, "not that of this shop's seller"),
    (105005, "Access denied", 403, AuthError, "permission package of this address"),
    (105005, "Access denied", 200, AuthError, "has authorised the app again"),
    (66009315, "No permission", 200, AuthError, "Seller Center"),
    (106013, "shop_cipher is missing", 400, RequestRefused, "update Tributary"),
    (36004004, "Invalid refresh token", 200, AuthError, "authorise the app again"),
    (36009009, "Invalid path", 404, RequestRefused, "update Tributary"),
    (36009010, "Invalid method", 405, RequestRefused, "update Tributary"),
    (36009014, "Invalid version", 400, RequestRefused, "update Tributary"),
    (36009022, "Not an integer", 400, RequestRefused, "update Tributary"),
    (36009023, "Not JSON", 400, RequestRefused, "update Tributary"),
    (36009033, "IP not allowed", 403, AuthError, "IP allow list"),
    (36009043, "Inactive shop", 401, AuthError, "shop is closed"),
    (36009044, "Inactive seller", 401, AuthError, "seller is suspended"),
    (12052180, "More than 10000 results", 200, RequestRefused, "narrow its window"),
    # One code, many faults.
    (36009004, "Required parameter sign is missing", 400, RequestRefused, "came without its signature"),
    (36009004, "Malformed header x-tts-access-token", 400, AuthError, "access token is not one of"),
    (36009004, "Invalid app_key", 400, AuthError, "connection's login"),
    (36009004, "timestamp is more than 30 seconds ahead", 400, RequestRefused, "clock"),
    (36009004, "Unexpected shop_cipher: it is not required", 400, RequestRefused, "takes no shop cipher"),
    (36009004, "Invalid shop_cipher", 400, AuthError, "cipher is not one of this authorisation's"),
    (36009004, "shop_id invalid", 400, AuthError, "field shop_id"),
    (36009004, "Invalid API version", 400, RequestRefused, "update Tributary"),
    (36009004, "Invalid page_size 500", 400, RequestRefused, "first page again"),
    (36009004, "Invalid page_token", 400, RequestRefused, "first page again"),
    (36009004, "Something new", 400, RequestRefused, "support"),
    # Codes that nobody has heard of.
    (99999999, "Something new", 200, RequestRefused, "support"),
    (99999999, "Something new", 400, RequestRefused, "support"),
    (99999999, "Something new", 401, AuthError, "Partner Center"),
    (99999999, "Something new", 429, RateLimited, ""),
    (99999999, "Something new", 503, VendorUnavailable, ""),
]


@pytest.mark.parametrize(("code", "message", "status", "error", "remedy"), REFUSALS)
def test_refusals_are_told_apart_by_code_and_message(
    code: int,
    message: str,
    status: int,
    error: type[HttpError],
    remedy: str,
    vendor: Vendor,
    make_tiktok: MakeTikTok,
) -> None:
    vendor.will(says(code=code, message=message, status=status))
    with pytest.raises(HttpError) as caught:
        _ = make_tiktok(url=vendor.url, retry=ONCE).shop
    assert type(caught.value) is error
    for words in (f"{code}: {message}", SHOPS, REQUEST_ID, remedy):
        assert words in str(caught.value)


def test_what_cannot_get_better_is_asked_once(api: TikTokShopApi, vendor: Vendor, slept: list[float]) -> None:
    vendor.will(says(code=105005, message="Access denied", status=403))
    with pytest.raises(Fatal):
        statements(api)
    assert len(vendor.requests) == 1
    assert slept == []


def test_too_many_requests_wait_as_long_as_asked(api: TikTokShopApi, vendor: Vendor, slept: list[float]) -> None:
    storm = says(code=36009002, message="Too many requests", status=429, Retry_After="7")
    vendor.will(storm, storm, storm, says({"statements": [1]}))
    assert statements(api) == {"statements": [1]}
    assert len(slept) == 3
    assert all(7 <= seconds <= 8 for seconds in slept)


def test_without_a_wish_the_official_back_off_holds(api: TikTokShopApi, vendor: Vendor, slept: list[float]) -> None:
    vendor.will(says(code=36009002, message="Too many requests", status=429))
    with pytest.raises(RateLimited, match=r"36009002.*Given up after 5 attempts"):
        statements(api)
    assert len(slept) == 4
    for seconds, base in zip(slept, (1, 2, 4, 8), strict=True):
        assert base <= seconds <= base + 0.5


def test_a_test_shops_hour_is_not_waited_for(api: TikTokShopApi, vendor: Vendor, slept: list[float]) -> None:
    vendor.will(says(code=36009037, message="Sandbox limit", status=429))
    with pytest.raises(RateLimited):
        statements(api)
    assert slept == []


# Answers that are none


@pytest.mark.parametrize(
    ("odd", "error", "words"),
    [
        (answer(200, b"<html>Maintenance</html>"), BrokenResponse, "not whole JSON: <html>Maintenance</html>"),
        (answer(200, b'{"request_id":"R1","code":0,"data":{"sh'), BrokenResponse, "TikTok's request id R1"),
        (answer(200, b'{"request_id":"R1","code":0,"data":nul'), BrokenResponse, "not whole JSON"),
        (answer(200, b'{"request_id":"R1","code":0,"data":null}'), BrokenResponse, "holds no data (GET"),
        (answer(200, b'{"request_id":"R1","code":0}'), BrokenResponse, "TikTok's request id R1"),
        (answer(200, b'{"request_id":"R1","code":0,"data":{"shops":7}}'), BrokenResponse, "TikTok's request id R1"),
        (answer(200, b"[]"), RequestRefused, "field api_host"),
        (answer(200, b'{"ok":true}'), RequestRefused, "field api_host"),
        (answer(404, b"<html>Not here</html>"), RequestRefused, "HTTP 404: <html>Not here</html>"),
        (answer(502, b"<html>Bad gateway</html>"), VendorUnavailable, "HTTP 502"),
        (answer(500, b'{"code":0,"data":{}}'), VendorUnavailable, "HTTP 500"),
        (cut(b'{"code":0', 900), BrokenResponse, "broke off"),
    ],
)
def test_odd_answers(
    odd: Act, error: type[HttpError], words: str, vendor: Vendor, make_tiktok: MakeTikTok, slept: list[float]
) -> None:
    vendor.will(odd)
    with pytest.raises(error) as caught:
        _ = make_tiktok(url=vendor.url, retry=RetryPolicy(attempts=2)).shop
    assert type(caught.value) is error
    assert words in str(caught.value)


def test_a_broken_answer_is_asked_for_again(api: TikTokShopApi, vendor: Vendor, slept: list[float]) -> None:
    vendor.will(answer(200, b"<html>"), cut(b'{"code":0', 900), says({"statements": [1]}))
    assert statements(api) == {"statements": [1]}
    assert len(slept) == 2


def test_what_jsonb_refuses_is_neutralised_beside_the_vendors_bytes(api: TikTokShopApi, vendor: Vendor) -> None:
    vendor.will(answer(200, b'{"code":0,"data":{"name":"a\\u0000b"}}'))
    found = api.get(STATEMENTS, {}, budget="finance")
    assert "NUL" in (found.flaw or "")
    assert found.read(ANYTHING) == {"name": "a\ufffdb"}
    assert list(found.slices([found.data])) == [b'{"name":"a\\u0000b"}']


# The token


class Tokens:
    """A source with some tokens in it."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.refused: list[str] = []

    def value(self) -> str:
        return self.left[0]

    def renew(self, refused: str) -> bool:
        self.refused.append(refused)
        if len(self.left) == 1:
            return False
        del self.left[0]
        return True


EXPIRED = says(code=TOKEN_EXPIRED, message="Expired credentials", status=401)


def test_an_expired_token_is_renewed_and_the_request_repeated(
    vendor: Vendor, make_tiktok: MakeTikTok, slept: list[float]
) -> None:
    tokens = Tokens("TTP_old", "TTP_new")
    vendor.will(EXPIRED, ONE_SHOP)
    assert make_tiktok(url=vendor.url, token=tokens).shop.id == SHOP_ID
    assert tokens.refused == ["TTP_old"]
    assert [sent(vendor, index)[2]["x-tts-access-token"] for index in (0, 1)] == ["TTP_old", "TTP_new"]
    assert slept == []


def test_a_token_is_renewed_once_only(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    tokens = Tokens("TTP_old", "TTP_new", "TTP_newest")
    vendor.will(EXPIRED)
    with pytest.raises(AuthError, match="105002: Expired credentials"):
        _ = make_tiktok(url=vendor.url, token=tokens).shop
    assert tokens.refused == ["TTP_old"]


def test_a_token_that_cannot_be_renewed_is_told(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    vendor.will(EXPIRED)
    with pytest.raises(AuthError, match=r"105002.*put the new refresh token into the connection"):
        _ = make_tiktok(url=vendor.url, token=Tokens("TTP_only")).shop
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("code", [105005, 106001, 101000])
def test_other_faults_cost_no_refresh(code: int, vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    tokens = Tokens("TTP_old", "TTP_new")
    vendor.will(says(code=code, message="No", status=401))
    with pytest.raises(AuthError):
        _ = make_tiktok(url=vendor.url, token=tokens).shop
    assert tokens.refused == []


# The shop


def test_the_named_shop_is_chosen(sandbox: Sandbox, make_tiktok: MakeTikTok) -> None:
    shop = make_tiktok(shop_id="7495000000000000002").shop
    assert (shop.id, shop.region) == ("7495000000000000002", "GB")


def test_the_only_shop_needs_no_name(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    vendor.will(ONE_SHOP)
    assert make_tiktok(url=vendor.url, shop_id=None).shop.id == SHOP_ID


@pytest.mark.parametrize(
    ("shop_id", "words"),
    [(None, "covers 2 shops, and the connection names none"), ("123", "does not cover the shop 123")],
)
def test_without_a_choice_all_shops_are_listed(
    shop_id: str | None, words: str, sandbox: Sandbox, make_tiktok: MakeTikTok
) -> None:
    with pytest.raises(AuthError) as caught:
        _ = make_tiktok(shop_id=shop_id).shop
    for part in (
        words,
        "field shop_id",
        "7495000000000000001 (Aurora Outdoor, US)",
        "7495000000000000002 (Aurora Outdoor UK, GB)",
        "TikTok's request id",
    ):
        assert part in str(caught.value)
    assert "TTP_cipher" not in str(caught.value)


def test_an_authorisation_without_a_shop(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    vendor.will(authorised())
    with pytest.raises(AuthError, match="covers no shop"):
        _ = make_tiktok(url=vendor.url).shop


def test_the_cipher_goes_only_where_it_is_wanted(vendor: Vendor, make_tiktok: MakeTikTok) -> None:
    vendor.will(ONE_SHOP, says({}))
    api = make_tiktok(url=vendor.url)
    statements(api)
    statements(api)
    api.get("/seller/202309/shops", {}, budget="authorization", cipher=False)
    asked = [(path, query.get("shop_cipher")) for path, query, _, _ in (sent(vendor, index) for index in range(4))]
    assert asked == [(SHOPS, None), (STATEMENTS, CIPHER), (STATEMENTS, CIPHER), ("/seller/202309/shops", None)]


# What never shows


def test_no_secret_shows_however_much_the_vendor_talks(
    api: TikTokShopApi, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planted = [APP.secret, ACCESS_TOKEN, CIPHER]
    told = f"you sent {' and '.join(planted)}"
    vendor.will(
        says(code=36009003, message=told, status=500),
        answer(200, f'{{"code": 0, "data": {{"said": "{told}"'.encode()),
        answer(503, told.encode()),
        answer(200, f'{{"told": "{told}"}}'.encode()),
    )
    with pytest.raises(RequestRefused) as caught:
        statements(api)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    sign = sent(vendor)[1]["sign"]
    assert len(vendor.requests) == 4
    assert "Attempt 3 of 5" in caplog.text
    for secret in (*planted, sign):
        assert secret not in shown


def test_what_holds_for_a_whole_sync_is_said_once(make_tiktok: MakeTikTok, caplog: pytest.LogCaptureFixture) -> None:
    api = make_tiktok(url="http://127.0.0.1:1")
    for _ in range(2):
        api.warn_once("Half of it is missing")
    assert [record.getMessage() for record in caplog.records] == ["Half of it is missing"]


def test_analytics_are_asked_for_as_slowly_as_the_connection_says() -> None:
    rates = {group: budget.rate for group, budget in budgets(0.5).items()}
    assert rates.pop("analytics") == 0.5
    assert set(rates) == {"orders", "returns", "finance", "products", "authorization"}
    assert min(rates.values()) > 1
