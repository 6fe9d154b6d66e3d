"""TikTok Shop's protocol: what a request must bring, how tokens live, and how a video's figures come to be final."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.business.videos import COUNTERS, LIFETIME
from sandbox.tiktok_shop.signing import decoded, is_signed
from tests.sandbox.conftest import NOW
from tests.sandbox.tiktok_seller import (
    BOREALIS,
    BRITISH,
    FIRST_REFRESH,
    ORDERS_PATH,
    PRODUCTS_PATH,
    SHOP_PATH,
    SHOPS_PATH,
    VIDEOS_PATH,
    Seller,
    Signed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Client

WEEK = {"start_date_ge": "2026-11-08", "end_date_lt": "2026-11-15"}
DAY = timedelta(days=1)


@pytest.fixture
def seller(sandbox: Client) -> Seller:
    """Reads the world that nobody changes."""
    return Seller(sandbox.url)


@pytest.fixture
def own(fresh: Client) -> Seller:
    """In a world that the test may change."""
    return Seller(fresh.url)


def authorisation(client: Client, verb: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    path = f"/tiktok/authorisation{verb and '/'}{verb}"
    return dict(client.admin("POST" if verb else "GET", path, body))


def test_the_official_signature_is_accepted_and_the_wrong_one_of_its_page_is_not() -> None:
    secret, path = "e59af819cc", b"/authorization/202309/shops"
    query = b"app_key=29a39d&timestamp=1623812664&sign="
    right = b"b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"
    assert is_signed(secret, path, decoded(query + right), "application/json", b"")
    assert is_signed(secret, path, decoded(query + right + b"&access_token=x"), "application/json", b"")
    assert not is_signed(secret, path, decoded(query + right.upper()), "application/json", b"")
    assert not is_signed(secret, path, decoded(query + b"bc721f0e" + right[8:]), "application/json", b"")


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@st.composite
def mutation(draw: st.DrawFn) -> tuple[str, Callable[[Signed], None]]:
    """One thing that is other than what was signed."""
    what = draw(st.sampled_from(("path", "name", "value", "body", "added", "dropped")))
    place, letter, change = draw(st.integers(0, 10_000)), draw(st.sampled_from(LETTERS)), draw(st.integers(1, 255))

    def other(text: str) -> str:
        index = place % len(text)
        return text[:index] + (letter if text[index] != letter else "_") + text[index + 1 :]

    def apply(request: Signed) -> None:
        number = place % len(request.query)
        name, value = request.query[number]
        if what == "path":
            request.path = "/" + other(request.path[1:])
        elif what == "name":
            request.query[number] = other(name), value
        elif what == "value":
            request.query[number] = name, other(value)
        elif what == "body":
            index = place % len(request.body)
            request.body = request.body[:index] + bytes([request.body[index] ^ change]) + request.body[index + 1 :]
        elif what == "added":
            request.query.append((letter, ""))
        else:
            del request.query[number]

    return what, apply


@given(mutated=mutation())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_signed_request_with_any_one_change_is_refused(
    sandbox: Client, mutated: tuple[str, Callable[[Signed], None]]
) -> None:
    request = Seller(sandbox.url).signed(ORDERS_PATH, {"page_size": 10}, {"create_time_ge": 1_760_000_000})
    what, change = mutated
    change(request)
    answer = request.send(sandbox.url)
    if what == "path":
        assert answer.status_code == 404
    elif what == "body":
        assert (answer.status_code, answer.json()["code"]) == (401, 106001)
    else:  # without app_key or sign there is nothing to compare
        assert answer.json()["code"] in (106001, 36009004)
        assert answer.status_code in (401, 400)


def test_the_secret_is_part_of_the_signature(seller: Seller) -> None:
    assert seller.code(SHOPS_PATH) == 0
    assert seller.code(SHOPS_PATH, secret="sandbox_app_secret_aurora_012345678") == 106001


@pytest.mark.parametrize(("seconds", "code"), [(-301, 36009004), (-300, 0), (30, 0), (31, 36009004)])
def test_a_timestamp_may_be_five_minutes_old_and_half_a_minute_ahead(seller: Seller, seconds: int, code: int) -> None:
    answer = seller.signed(SHOPS_PATH, timestamp=seller.now + seconds).send(seller.url)
    assert answer.json()["code"] == code
    assert ("timestamp" in answer.json()["message"]) == (code != 0)
    assert parsedate_to_datetime(answer.headers["Date"]) == NOW, (
        "the vendor tells its time, so a client can mend its own"
    )


def test_a_shop_is_named_by_its_cipher_where_it_is_needed_and_nowhere_else(seller: Seller) -> None:
    assert seller.code(VIDEOS_PATH, WEEK) == 0
    assert seller.code(VIDEOS_PATH, WEEK, cipher=None) == 106013
    assert seller.code(VIDEOS_PATH, WEEK, cipher=BOREALIS) == 101000, "another seller's"
    assert seller.code(VIDEOS_PATH, WEEK, cipher="TTP_cipher_nobody") == 36009004
    assert seller.code(SHOPS_PATH, {"shop_cipher": BRITISH}) == 36009004
    assert seller.data(VIDEOS_PATH, WEEK, cipher=BRITISH)["videos"] == []
    assert seller.data(ORDERS_PATH, {"page_size": 10}, {}, cipher=BRITISH)["total_count"] == 0


def test_the_authorised_shops_are_told_with_their_ciphers(seller: Seller) -> None:
    shops = seller.data(SHOPS_PATH)["shops"]
    assert {shop["region"]: shop["id"] for shop in shops} == {"US": "7495000000000000001", "GB": "7495000000000000002"}


def test_every_refusal_has_its_code_status_and_an_id_of_its_own(seller: Seller) -> None:
    unsigned = seller.signed(SHOPS_PATH)
    unsigned.query = [pair for pair in unsigned.query if pair[0] != "sign"]
    other_app = seller.signed(SHOPS_PATH, {"app_key": "another"})
    asked = {
        (36009004, 400): [
            unsigned,
            other_app,
            *(Seller(seller.url, token=t).signed(SHOPS_PATH) for t in (None, "x y")),
        ],
        (36009009, 404): [seller.signed("/order/209901/orders/search")],
        (36009010, 405): [seller.signed(ORDERS_PATH, method="GET"), seller.signed(SHOPS_PATH, method="PUT")],
        (36009023, 400): [seller.signed(ORDERS_PATH, {"page_size": 10}, [1])],
        (105002, 401): [Seller(seller.url, token="TTP_access_nobody").signed(SHOPS_PATH)],
    }
    ids = set()
    for (code, status), several in asked.items():
        for request in several:
            response = request.send(seller.url)
            answer = response.json()
            assert (answer["code"], response.status_code, answer["data"]) == (code, status, None), answer
            ids.add(answer["request_id"])
    assert len(ids) == sum(map(len, asked.values()))


def test_neither_host_answers_for_the_other(seller: Seller) -> None:
    grant = {"app_key": "sandbox_app", "refresh_token": FIRST_REFRESH, "grant_type": "refresh_token"}
    assert requests.get(f"{seller.url}/api/v2/token/refresh", grant, timeout=20).status_code == 404
    request = seller.signed(SHOPS_PATH)
    request.path = f"/tiktok_auth{SHOPS_PATH}"
    assert request.send(seller.url).status_code == 404


def test_an_access_token_ends_after_seven_days_and_is_refreshed(own: Seller, fresh: Client) -> None:
    fresh.admin("POST", "/clock", {"advance_seconds": 7 * 86_400 - 1})
    assert own.at("2026-11-22T11:59:59Z").code(SHOPS_PATH) == 0
    fresh.admin("POST", "/clock", {"advance_seconds": 1})
    later = own.at("2026-11-22T12:00:00Z")
    assert later.code(SHOPS_PATH) == 105002
    pair = own.auth("refresh", refresh_token=FIRST_REFRESH)["data"]
    assert pair["access_token_expire_in"] == later.now + 7 * 86_400, "an absolute time, whatever its name says"
    assert pair["refresh_token_expire_in"] == int(NOW.timestamp()) + 365 * 86_400, "refreshing does not prolong it"
    later.token = pair["access_token"]
    assert later.code(SHOPS_PATH) == 0


def test_a_refresh_token_works_once_and_every_call_is_counted(own: Seller, fresh: Client) -> None:
    second = own.auth("refresh", refresh_token=FIRST_REFRESH)["data"]["refresh_token"]
    stale = own.auth("refresh", refresh_token=FIRST_REFRESH)
    assert (stale["code"], stale["data"]) == (36004004, None)
    assert own.auth("refresh", refresh_token=second)["code"] == 0
    state = authorisation(fresh)
    assert (state["refresh_calls"], state["refreshed"]) == (3, 2)


@pytest.mark.parametrize(
    "wrong", [{"app_secret": "x"}, {"app_key": "x"}, {"grant_type": "authorized_code"}, {"refresh_token": "x"}]
)
def test_a_refresh_needs_every_credential(own: Seller, fresh: Client, wrong: dict[str, str]) -> None:
    assert own.auth("refresh", **{"refresh_token": FIRST_REFRESH, **wrong})["code"] == 36004004
    assert authorisation(fresh)["refresh_token"] == FIRST_REFRESH


def test_what_the_seller_takes_back_is_refused_until_it_is_given_again(own: Seller, fresh: Client) -> None:
    authorisation(fresh, "expire")
    assert own.code(SHOPS_PATH) == 105002
    own.token = own.auth("refresh", refresh_token=FIRST_REFRESH)["data"]["access_token"]

    authorisation(fresh, "scopes", {"scopes": ["seller.authorization.info"]})
    assert (own.code(SHOPS_PATH), own.code(VIDEOS_PATH, WEEK)) == (0, 105005)

    authorisation(fresh, "revoke")
    assert own.code(SHOPS_PATH) == 105002
    assert own.auth("refresh", refresh_token="TTP_refresh_aurora_1")["code"] == 36004004

    code = authorisation(fresh, "code")["auth_code"]
    own.token = own.auth("get", auth_code=code)["data"]["access_token"]
    assert own.code(VIDEOS_PATH, WEEK) == 0
    assert own.auth("get", auth_code=code)["code"] == 36004004, "a code works once"


def test_at_the_end_of_the_authorisation_nothing_refreshes(own: Seller, fresh: Client) -> None:
    end = authorisation(fresh, "end", {"at": "2026-11-16T12:00:00Z"})["ends_at"]
    pair = own.auth("refresh", refresh_token=FIRST_REFRESH)["data"]
    assert pair["access_token_expire_in"] == pair["refresh_token_expire_in"] == end
    fresh.admin("POST", "/clock", {"advance_seconds": 86_400})
    assert own.auth("refresh", refresh_token=pair["refresh_token"])["code"] == 36004004


def test_tokens_survive_a_restart_of_the_sandbox(start: Callable[..., Client], tmp_path: Path) -> None:
    second = Seller(start(state=tmp_path).url).auth("refresh", refresh_token=FIRST_REFRESH)["data"]
    again = Seller(start(state=tmp_path).url, token=second["access_token"])
    assert again.code(SHOPS_PATH) == 0
    assert again.auth("refresh", refresh_token=FIRST_REFRESH)["code"] == 36004004


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        (VIDEOS_PATH, {**WEEK, "page_size": 101}, None),
        (VIDEOS_PATH, {**WEEK, "page_size": 0}, None),
        (VIDEOS_PATH, {**WEEK, "page_token": "x"}, None),
        (VIDEOS_PATH, {**WEEK, "sort_field": "likes"}, None),
        (VIDEOS_PATH, {**WEEK, "account_type": "LINKED_ACCOUNTS"}, None),
        (PRODUCTS_PATH, {}, {}),
        (PRODUCTS_PATH, {"page_size": 101}, {}),
        (SHOP_PATH, {**WEEK, "granularity": "1H"}, None),
        (SHOP_PATH, {**WEEK, "currency": "EUR"}, None),
        (SHOP_PATH, {"start_date_ge": "2026-11-08"}, None),
        (SHOP_PATH, {**WEEK, "end_date_lt": "2026-11-08"}, None),
        (SHOP_PATH, {**WEEK, "end_date_lt": "20261115"}, None),
        (f"{VIDEOS_PATH.replace('performance', '1/performance')}", WEEK, None),
    ],
)
def test_what_is_out_of_bounds_is_refused(seller: Seller, path: str, query: dict[str, Any], body: Any) -> None:
    assert seller.code(path, query, body) in (36009004, 36009022)


def test_pages_hold_every_video_once_in_the_asked_order(seller: Seller) -> None:
    query, token, found = {**WEEK, "page_size": 4, "sort_field": "views", "sort_order": "ASC"}, "", []
    while token or not found:
        page = seller.data(VIDEOS_PATH, {**query, "page_token": token})
        found += page["videos"]
        token = page["next_page_token"]
    views = [video["views"] for video in found]
    assert views == sorted(views)
    assert len({video["id"] for video in found}) == len(found) == page["total_count"] > 8
    types = ("OFFICIAL_ACCOUNTS", "MARKETING_ACCOUNTS", "AFFILIATE_ACCOUNTS")
    counts = [seller.data(VIDEOS_PATH, {**WEEK, "account_type": kind})["total_count"] for kind in types]
    assert min(counts) > 0
    assert sum(counts) == len(found)


def test_nothing_is_shown_beyond_the_last_complete_day(start: Callable[..., Client]) -> None:
    client = start(frozen_at=datetime(2026, 11, 15, 4, 59, 59, tzinfo=UTC))  # one second before midnight in New York
    query = {"start_date_ge": "2026-11-12", "end_date_lt": "2026-11-20", "granularity": "1D"}
    seen = []
    for instant in ("2026-11-15T04:59:59Z", "2026-11-15T05:00:00Z"):
        client.admin("POST", "/clock", {"freeze": instant})
        data = Seller(client.url).at(instant).data(SHOP_PATH, query)
        days = [interval["start_date"] for interval in data["performance"]["intervals"]]
        assert days[-1] == data["latest_available_date"]
        seen.append((days[0], data["latest_available_date"]))
    assert seen == [("2026-11-12", "2026-11-13"), ("2026-11-12", "2026-11-14")]
    ahead = {"start_date_ge": "2026-11-15", "end_date_lt": "2026-11-16"}
    late = Seller(client.url).at("2026-11-15T05:00:00Z")
    assert late.data(SHOP_PATH, ahead) == {"latest_available_date": "2026-11-14", "performance": {"intervals": []}}
    assert late.data(VIDEOS_PATH, ahead)["videos"] == []


def interval_counters(interval: dict[str, Any]) -> dict[str, int]:
    """The counters of one interval, in the truth's words."""
    overall, traffic = interval["sales"]["overall"], interval["traffic"]
    names = ("product_clicks", "product_impressions", "items_sold", "customers")
    return {**traffic, **{name: overall[name] for name in names}, "gmv": round(float(overall["gmv"]["amount"]) * 100)}


def details(seller: Seller, video: str, start: date, end: date) -> dict[str, dict[str, int]]:
    """What the API shows of a video, by day."""
    query = {"start_date_ge": start.isoformat(), "end_date_lt": end.isoformat(), "granularity": "1D"}
    path = VIDEOS_PATH.replace("performance", f"{video}/performance")
    intervals = seller.data(path, query)["performance"]["intervals"]
    return {interval["start_date"]: interval_counters(interval) for interval in intervals}


def test_every_video_shows_the_truth_of_every_day(seller: Seller, sandbox: Client) -> None:
    listed = {video["id"] for video in seller.data(VIDEOS_PATH, {**WEEK, "page_size": 100})["videos"]}
    videos = sandbox.admin("GET", "/shops/aurora/tiktok/videos/truth")
    falls = 0
    for video in videos:
        if video["id"] not in listed:
            assert video["deleted_at"] or not video["days"]
            continue
        shown = details(seller, video["id"], date(2026, 9, 1), date(2026, 11, 20))
        assert shown == {day: {name: counters[name] for name in shown[day]} for day, counters in video["days"].items()}
        totals = [counters["likes"] for counters in shown.values()]
        falls += sum(after < before for before, after in pairwise(totals))
    assert falls > 5, "likes are taken back, too"
    day = {"start_date_ge": "2026-11-10", "end_date_lt": "2026-11-11", "page_size": 100}
    true = {video["id"]: video["days"]["2026-11-10"] for video in videos if "2026-11-10" in video["days"]}
    for row in seller.data(VIDEOS_PATH, day)["videos"]:
        assert [row[name] for name in ("views", "sku_orders", "items_sold")] == [
            true[row["id"]][name] for name in ("views", "sku_orders", "items_sold")
        ]


def test_a_day_is_restated_on_three_days_and_then_final(start: Callable[..., Client]) -> None:
    client = start(first_day=date(2026, 11, 10))
    videos = [one for one in client.admin("GET", "/shops/aurora/tiktok/videos/truth") if not one["deleted_at"]]
    busiest = max(videos, key=lambda one: one["days"]["2026-11-14"]["views"])["id"]
    seen = []
    for number in range(6):
        instant = (NOW + number * DAY).isoformat()
        client.admin("POST", "/clock", {"freeze": instant})
        days = details(Seller(client.url).at(instant), busiest, date(2026, 11, 14), date(2026, 11, 15))
        seen.append(days["2026-11-14"])
    for name in ("views", "likes", "product_clicks"):
        first = [counters[name] for counters in seen]
        assert len(set(first[:4])) == 4, "no two of the first four looks are alike"
        assert first[3] == first[4] == first[5]
    then = client.admin("GET", "/shops/aurora/tiktok/videos/truth?seen_on=2026-11-15")
    true = next(one for one in then if one["id"] == busiest)["days"]["2026-11-14"]
    assert {name: true[name] for name in seen[0]} == seen[0], "the truth still knows what was shown at first"


def test_a_late_adjustment_moves_a_day_and_every_total_after_it(own: Seller, fresh: Client) -> None:
    video = fresh.admin("GET", "/shops/aurora/tiktok/videos/truth")[0]["id"]
    window = video, date(2026, 11, 1), date(2026, 11, 15)
    before = details(own, *window)
    path = f"/shops/aurora/tiktok/videos/{video}"
    fresh.admin("POST", f"{path}/adjust", {"day": "2026-11-05", "counter": "likes", "by": -40})
    fresh.admin("POST", f"{path}/adjust", {"day": "2026-11-05", "counter": "views", "by": 7})
    for _ in ("at once", "after the world was played again"):
        after = details(own, *window)
        moved = {
            day: {name: after[day][name] - value for name, value in counters.items() if after[day][name] != value}
            for day, counters in before.items()
        }
        assert moved.pop("2026-11-05") == {"likes": -40, "views": 7}
        assert all(change == ({"likes": -40} if day > "2026-11-05" else {}) for day, change in moved.items())
        fresh.admin("POST", "/clock", {"freeze": "2026-11-15T11:00:00Z"})
        fresh.admin("POST", "/clock", {"freeze": "2026-11-15T12:00:00Z"})
    fresh.admin("POST", f"{path}/adjust", {"day": "2026-11-15", "counter": "likes", "by": 1}, status=400)
    fresh.admin("POST", f"{path}/adjust", {"day": "2026-11-05", "counter": "saves", "by": 1}, status=400)
    fresh.admin("POST", "/shops/aurora/tiktok/videos/1/adjust", {}, status=404)


def test_a_deleted_video_leaves_the_api_and_keeps_its_truth(own: Seller, fresh: Client) -> None:
    video = own.data(VIDEOS_PATH, WEEK)["videos"][0]["id"]
    truth = next(one for one in fresh.admin("GET", "/shops/aurora/tiktok/videos/truth") if one["id"] == video)
    fresh.admin("DELETE", f"/shops/aurora/tiktok/videos/{video}")
    assert video not in {one["id"] for one in own.data(VIDEOS_PATH, WEEK)["videos"]}
    assert own.code(VIDEOS_PATH.replace("performance", f"{video}/performance"), WEEK) == 36009004
    fresh.admin("POST", "/clock", {"advance_seconds": 10 * 86_400})
    kept = next(one for one in fresh.admin("GET", "/shops/aurora/tiktok/videos/truth") if one["id"] == video)
    assert max(kept["days"]) == "2026-11-15", "the day on which it was deleted is its last"
    assert kept["days"].keys() > truth["days"].keys()
    assert all(set(counters) == set(COUNTERS) for counters in kept["days"].values())
    final = "2026-11-10"
    assert kept["days"][final] == truth["days"][final]
    assert all(kept["days"]["2026-11-15"][name] > 0 for name in LIFETIME)


def test_products_are_found_by_time_status_and_sku(own: Seller, fresh: Client) -> None:
    everything = own.data(PRODUCTS_PATH, {"page_size": 100}, {})["products"]
    assert len(everything) == 12
    made = fresh.admin("POST", "/shops/aurora/products", {"title": "Rain Fly", "price": "19.00", "variants": 2})
    found = own.data(PRODUCTS_PATH, {"page_size": 100}, {"create_time_ge": own.now})["products"]
    assert [(one["title"], [sku["seller_sku"] for sku in one["skus"]]) for one in found] == [
        ("Rain Fly", [variant["sku"] for variant in made["variants"]])
    ]
    assert own.data(PRODUCTS_PATH, {"page_size": 100}, {"update_time_le": own.now - 1})["total_count"] == 12
    fresh.admin("POST", f"/shops/aurora/products/{made['id']}", {"status": "ARCHIVED"})
    body = {"status": "SELLER_DEACTIVATED", "seller_skus": [made["variants"][0]["sku"]]}
    assert own.data(PRODUCTS_PATH, {"page_size": 100}, body)["products"][0]["id"] == found[0]["id"]


def test_faults_strike_these_routes_and_what_they_spoil_stays_signed(own: Seller, fresh: Client) -> None:
    refusal = {"code": 36009003, "message": "Internal error", "data": None, "request_id": "x"}
    fresh.admin("POST", "/faults", {"route": "/analytics/*", "kind": "throttled", "options": {"body": refusal}})
    answer = own.signed(VIDEOS_PATH, WEEK).send(own.url)
    assert (answer.status_code, answer.json()) == (200, refusal)
    options = {"records": "data.videos", "cursor": "data.next_page_token"}
    fresh.admin("POST", "/faults", {"route": "/analytics/*", "kind": "empty_page", "times": 2, "options": options})
    empty = own.data(VIDEOS_PATH, WEEK)
    assert empty["videos"] == []
    assert own.data(VIDEOS_PATH, {**WEEK, "page_token": empty["next_page_token"]})["videos"]
    fresh.admin("POST", "/faults", {"route": "/authorization/*", "kind": "clock_off", "options": {"seconds": -400}})
    told = own.signed(SHOPS_PATH).send(own.url).headers["Date"]
    assert parsedate_to_datetime(told) == NOW - timedelta(seconds=400)
