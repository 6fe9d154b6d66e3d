"""TikTok's Marketing API over real HTTP, answer by answer: refusals with their messages, ranges, pages, accounts."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.channels.shopify_sandbox import NOW
from tests.channels.tiktok_ads_road import ACCOUNT, TOKEN, advertiser, coded, page, row, said, tiktok_ads
from tests.http.scripted_vendor import answer, hang_up
from tributary.channels.tiktok_ads.reports import campaign_days, gmv_max_days
from tributary.channels.tiktok_ads.streams import CAMPAIGN_DAYS
from tributary.http import (
    AuthError,
    BrokenResponse,
    HttpError,
    RateLimited,
    RequestRefused,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http.scripted_vendor import Vendor
    from tributary.channels.tiktok_ads.api import TikTokAdsApi

TODAY = date(2026, 11, 20)
A_DAY = timedelta(days=1)


@pytest.fixture
def api(vendor: Vendor, slept: list[float]) -> Iterator[TikTokAdsApi]:
    made = tiktok_ads(vendor.url, slept)
    yield made
    made.close()


def refusal(code: int, message: str) -> Any:
    return answer(200, json.dumps(coded(code, message)).encode())


def asked(vendor: Vendor, path: str = "/report/integrated/get/") -> list[dict[str, str]]:
    """The parameters of each request to an address."""
    found = (urlsplit(address) for address, _, _ in vendor.requests)
    return [{name: value for name, [value] in parse_qs(one.query).items()} for one in found if one.path.endswith(path)]


def ranges(vendor: Vendor) -> list[tuple[str, str]]:
    return [(one["start_date"], one["end_date"]) for one in asked(vendor)]


def read(api: TikTokAdsApi, first: date, last: date = TODAY) -> list[str]:
    """The campaigns that the report shows."""
    [account] = api.accounts()
    payloads = [payload for rows in campaign_days(api, account, first, last) for payload in rows.payloads]
    return [json.loads(payload)["dimensions"]["campaign_id"] for payload in payloads]


REVOKED = "Access token is incorrect or has been revoked."
AUTHORISE = "Authorise the app for the ad accounts again and put the new access token into the connection's password."
GRANT = (
    "Authorise the app again with the permissions Ad Account Management, Campaign and Reporting for this ad "
    "account (GMV Max too, if it sells a TikTok Shop's products), or take the account out of the connection's "
    "field advertiser_ids."
)
REFUSALS = [
    (40105, REVOKED, AuthError, AUTHORISE),
    (40104, "Access token is empty.", AuthError, AUTHORISE),
    (40102, "Access token is expired.", AuthError, AUTHORISE),
    (
        40001,
        f"No permission to operate advertiser {ACCOUNT}",
        AuthError,
        GRANT,
    ),
    (
        40002,
        f"The advertiser {ACCOUNT} doesn't exist or has been deleted.",
        RequestRefused,
        "Correct the connection's field advertiser_ids.",
    ),
    (40002, "Invalid metric fields: ['spent']", RequestRefused, ""),
    (40006, "Something else", RequestRefused, ""),
]


@pytest.mark.parametrize(("code", "message", "kind", "remedy"), REFUSALS)
def test_a_refusal_says_what_where_and_what_to_do(
    code: int, message: str, kind: type[HttpError], remedy: str, api: TikTokAdsApi, vendor: Vendor, slept: list[float]
) -> None:
    vendor.will(advertiser(), refusal(code, message))
    with pytest.raises(kind) as raised:
        read(api, TODAY)
    assert str(raised.value) == (
        f"TikTok refuses with {code}: {message} (GET {vendor.url}/open_api/v1.3/report/integrated/get/?***, "
        f"TikTok's request id 20261120ABC). {remedy}".rstrip()
    )
    assert not slept


PASSING = [
    (40100, "App reaches the QPS limit.", RateLimited, "The quota refills by itself."),
    (40200, "Task error.", VendorUnavailable, ""),
    (40700, "Internal service validation error.", VendorUnavailable, ""),
    (50000, "System error", VendorUnavailable, ""),
    (50002, "Error processing request on TikTok side.", VendorUnavailable, ""),
]


@pytest.mark.parametrize(("code", "message", "kind", "remedy"), PASSING)
def test_what_passes_is_asked_again(
    code: int, message: str, kind: type[HttpError], remedy: str, api: TikTokAdsApi, vendor: Vendor, slept: list[float]
) -> None:
    vendor.will(advertiser(), refusal(code, message), page([row("7")]))
    assert read(api, TODAY) == ["7"]
    assert len(slept) == 1
    vendor.will(refusal(code, message))
    with pytest.raises(kind) as raised:
        read(api, TODAY)
    assert str(raised.value) == (
        f"TikTok refuses with {code}: {message} (GET {vendor.url}/open_api/v1.3/report/integrated/get/?***, "
        f"TikTok's request id 20261120ABC). {remedy}".rstrip()
        + " Given up after 6 attempts."
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (answer(200, b"<h1>Maintenance</h1>"), "The answer is not TikTok's: <h1>Maintenance</h1>"),
        (answer(502, b"Bad gateway"), "HTTP 502: Bad gateway"),
        (said({"rows": []}), "The answer does not fit the query: Object missing required field `page_info`"),
        (hang_up, "No connection: "),
    ],
    ids=["html", "502", "shape", "silence"],
)
def test_a_broken_answer_is_asked_for_again(bad: Any, message: str, vendor: Vendor) -> None:
    api = tiktok_ads(vendor.url, attempts=2)
    vendor.will(advertiser(), bad, bad)
    with pytest.raises((BrokenResponse, VendorUnavailable), match=r"^" + message.replace("(", r"\(")):
        read(api, TODAY)
    api.close()


@pytest.mark.parametrize(
    "message",
    [
        "max time span is 30 days when use stat_time_day",
        "The time range between start_date and end_date cannot exceed 30 days.",
    ],
)
def test_a_range_that_is_too_long_is_halved(
    message: str, api: TikTokAdsApi, vendor: Vendor, slept: list[float]
) -> None:
    too_long = refusal(40002, message)
    vendor.will(advertiser(), too_long, page([row("1")]), too_long, page([row("2")]), page([row("3")]))
    assert read(api, TODAY - 3 * A_DAY) == ["1", "2", "3"]
    assert ranges(vendor) == [
        ("2026-11-17", "2026-11-20"),
        ("2026-11-17", "2026-11-18"),
        ("2026-11-19", "2026-11-20"),
        ("2026-11-19", "2026-11-19"),
        ("2026-11-20", "2026-11-20"),
    ]
    assert not slept
    vendor.will(too_long)
    with pytest.raises(RequestRefused, match=f"TikTok refuses with 40002: {message}"):
        read(api, TODAY - 3 * A_DAY)


def test_what_is_too_heavy_for_tiktok_is_halved_after_it_was_asked_again(vendor: Vendor) -> None:
    api = tiktok_ads(vendor.url, attempts=2)
    heavy = refusal(50002, "Error processing request on TikTok side.")
    # The second page fails: what the first one brought does not count, the halves bring it again.
    vendor.will(advertiser(), page([row("1")], 1, 2, 2), heavy, heavy, page([row("1", "2026-11-19")]), page([row("1")]))
    assert read(api, TODAY - A_DAY) == ["1", "1"]
    assert ranges(vendor)[-2:] == [("2026-11-19", "2026-11-19"), ("2026-11-20", "2026-11-20")]
    api.close()


def test_pages_are_read_to_the_last(api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(), page([row("1"), row("2")], 1, 2, 3), page([row("3")], 2, 2, 3))
    assert read(api, TODAY) == ["1", "2", "3"]
    assert [(one["page"], one["page_size"]) for one in asked(vendor)] == [("1", "1000"), ("2", "1000")]


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ([page([row("1")], 1, 2, 2), page([row("2")], 2, 2, 3)], "Of 2 and 3 rows .* its 2 pages brought 2 "),
        ([page([row("1")], 1, 2, 3), page([row("2")], 2, 2, 3)], "Of 3 rows .* its 2 pages brought 2 "),
        ([page([row("1")], 1, 1, 9)], "Of 9 rows .* its 1 pages brought 1 "),
    ],
    ids=["another total", "rows missing", "cut"],
)
def test_pages_that_moved_while_they_were_read_are_noticed(
    pages: list[Any], told: str, api: TikTokAdsApi, vendor: Vendor
) -> None:
    vendor.will(advertiser(), *pages)
    with pytest.raises(BrokenResponse, match=f"^{told}.*Nothing of these days was kept; they are read again"):
        read(api, TODAY)


def test_a_campaign_that_comes_twice_is_noticed(api: TikTokAdsApi, vendor: Vendor) -> None:
    noon = NOW.replace(hour=12)
    vendor.will(advertiser(), page([row("1")], 1, 2, 2), page([row("1")], 2, 2, 2))
    with pytest.raises(BrokenResponse, match="shows a campaign's day twice between 2026-11-19 and 2026-11-19"):
        list(CAMPAIGN_DAYS.changed(api, noon - A_DAY, noon))


def test_an_empty_report_may_leave_out_its_list(api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(), said({"page_info": {"page": 1, "page_size": 1000, "total_number": 0, "total_page": 0}}))
    assert read(api, TODAY) == []


def test_a_list_that_tiktok_cut_is_no_list(api: TikTokAdsApi, vendor: Vendor) -> None:
    cut = "Number of ad ids is equal or more than 20k, only return the top 20k id's results"
    info = {"page": 1, "page_size": 1000, "total_number": 0, "total_page": 0}
    vendor.will(advertiser(), said({"list": [], "page_info": info}, X_Tt_Ads_Throttle=cut))
    with pytest.raises(RequestRefused, match=f"TikTok left something out: {cut}.*TikTok's support has to help"):
        read(api, TODAY)


@pytest.mark.parametrize(
    ("status", "word"), [("STATUS_DISABLE", "disabled"), ("STATUS_LIMIT", "suspended"), ("STATUS_CONFIRM_FAIL", "not")]
)
def test_an_account_that_is_closed_is_told_in_words(status: str, word: str, api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(status=status))
    with pytest.raises(RequestRefused) as raised:
        api.accounts()
    assert str(raised.value).startswith(f"The ad account Aurora TikTok ({ACCOUNT}) is {word}")
    assert f"({status})" in str(raised.value)
    assert str(raised.value).endswith(
        "Have it enabled again in TikTok Ads Manager, or take it out of the connection's field advertiser_ids; "
        "what was read of it stays."
    )


def test_accounts_are_asked_for_once_and_have_the_zone_with_a_name(api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(status="STATUS_PENDING_CONFIRM_MODIFY"), advertiser(name="another"))
    [account] = api.accounts()
    assert api.accounts()[0] is account
    assert (account.id, account.name, account.currency, account.time_zone) == (
        ACCOUNT,
        "Aurora TikTok",
        "USD",
        "America/New_York",
    )
    assert len(vendor.requests) == 1


def test_an_account_without_a_zone_name_has_its_offset(api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(display_timezone=None))
    assert [account.time_zone for account in api.accounts()] == ["Etc/GMT+5"]


def test_an_unknown_time_zone_is_named(api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(display_timezone="Mars/Base"))
    with pytest.raises(
        RequestRefused, match=f"Ad account {ACCOUNT} .Aurora TikTok. has a time zone that .* know: 'Mars/Base'"
    ):
        api.accounts()


def test_an_account_that_is_not_shown_is_named(vendor: Vendor) -> None:
    api = tiktok_ads(vendor.url, ids=[ACCOUNT, "42"])
    vendor.will(advertiser())
    with pytest.raises(AuthError, match="TikTok shows no ad account 42, which the connection's field advertiser_ids"):
        api.accounts()
    api.close()


def test_only_shops_that_are_available_are_asked_for(api: TikTokAdsApi, vendor: Vendor) -> None:
    shops = [
        {"store_id": "1", "is_gmv_max_available": True},
        {"store_id": "2", "is_gmv_max_available": False},
        {"store_id": "3"},
    ]
    vendor.will(advertiser(), said({"store_list": shops}), page([]))
    [account] = api.accounts()
    assert [rows.payloads for rows in gmv_max_days(api, account, TODAY, TODAY)] == [[], []]
    found = asked(vendor, "/gmv_max/report/get/")
    assert [json.loads(one["store_ids"]) for one in found] == [["1"], ["1"]]
    assert [json.loads(one["filtering"])["gmv_max_promotion_types"] for one in found] == [["PRODUCT"], ["LIVE"]]


def test_an_account_without_shops_has_no_gmv_max(api: TikTokAdsApi, vendor: Vendor) -> None:
    vendor.will(advertiser(), said({}))
    [account] = api.accounts()
    assert list(gmv_max_days(api, account, TODAY, TODAY)) == []
    assert not asked(vendor, "/gmv_max/report/get/")


def test_no_message_holds_the_token(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    api = tiktok_ads(vendor.url, attempts=2)
    vendor.will(answer(200, f"token {TOKEN} is odd".encode()))
    with caplog.at_level("DEBUG"), pytest.raises(BrokenResponse) as raised:
        api.accounts()
    vendor.will(refusal(50000, f"{TOKEN} is odd"))
    with caplog.at_level("DEBUG"), pytest.raises(VendorUnavailable) as refused:
        api.accounts()
    for text in (str(raised.value), str(refused.value), caplog.text):
        assert TOKEN not in text
        assert text
    assert all(TOKEN not in address for address, _, _ in vendor.requests)
    assert all(headers["Access-Token"] == TOKEN for _, headers, _ in vendor.requests)
    api.close()
