"""Every refusal of Google Ads: what it says, whether it is asked again, and that raw keeps what it had."""

from __future__ import annotations

import logging
from datetime import date
from threading import Event
from typing import TYPE_CHECKING, Any

import grpc
import psycopg
import pytest
from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure

from tests.channels.google_ads_road import AURORA, DEVELOPER_TOKEN, MANAGER, STREAM, Road, advertising, secrets
from tests.channels.google_ads_vendor import Answer, page, vendor
from tributary.http import (
    AuthError,
    BrokenResponse,
    HttpError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    RetryPolicy,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsRequest

    from tests.channels.google_ads_road import GoogleAds

TOKEN = "/google_ads/token"
DAY = date(2026, 11, 19)


@pytest.fixture(scope="module")
def still() -> Iterator[GoogleAds]:
    with advertising() as sandbox:
        yield sandbox


@pytest.fixture
def road(request: pytest.FixtureRequest, still: GoogleAds, shared_warehouse: str) -> Iterator[Road]:
    made = Road(request.node.name, still, lambda: psycopg.connect(shared_warehouse))
    yield made
    for api in made.made:
        api.close()
    still.admin("/google_ads/refuse", method="DELETE")
    still.admin("/google_ads/refresh_token/aurora/restore")
    still.admin("/google_ads/quota", {"left": 15_000})
    made.no_faults()


REFUSALS: dict[str, tuple[type[HttpError], str]] = {
    "quotaError.RESOURCE_TEMPORARILY_EXHAUSTED": (RateLimited, "Too many requests in a short amount of time"),
    "authenticationError.OAUTH_TOKEN_EXPIRED": (AuthError, "A new access token was refused too.*refresh_token"),
    "authenticationError.OAUTH_TOKEN_REVOKED": (AuthError, "Authorise the app again.*field refresh_token"),
    "authenticationError.NOT_ADS_USER": (AuthError, "has no Google Ads account.*login_customer_id"),
    "authenticationError.CUSTOMER_NOT_FOUND": (AuthError, f"account {AURORA}.*field customer_ids"),
    "authorizationError.USER_PERMISSION_DENIED": (AuthError, "manager's id into the.*login_customer_id"),
    "authorizationError.INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION": (
        AuthError,
        "field login_customer_id: it is the manager",
    ),
    "headerError.INVALID_LOGIN_CUSTOMER_ID": (AuthError, "field login_customer_id: it is the manager"),
    "authorizationError.CUSTOMER_NOT_ENABLED": (
        AuthError,
        "cancelled or is not set up yet.*customer_ids; what was",
    ),
    "authorizationError.DEVELOPER_TOKEN_NOT_APPROVED": (AuthError, "ended developer tokens.*developer_token empty"),
    "authorizationError.CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": (AuthError, "apply for Explorer access"),
    "queryError.REQUESTED_METRICS_FOR_MANAGER": (RequestRefused, "It is a manager account.*customer_ids"),
    "requestError.DEVELOPER_TOKEN_PARAMETER_MISSING": (RequestRefused, "put it into the.*developer_token"),
    "requestError.EXPIRED_PAGE_TOKEN": (BrokenResponse, "Nothing of these days was kept"),
    "internalError.INTERNAL_ERROR": (VendorUnavailable, "An internal error has occurred"),
    "INTERNAL": (VendorUnavailable, "INTERNAL: Internal error encountered"),
    "UNAVAILABLE": (VendorUnavailable, "is not there: The service is currently unavailable.*api_host"),
    "UNIMPLEMENTED": (RequestRefused, "UNIMPLEMENTED.*api_host"),
    "INVALID_ARGUMENT": (RequestRefused, "written for v26 of the API"),
    "PERMISSION_DENIED": (AuthError, "customer_ids and login_customer_id"),
    "RESOURCE_EXHAUSTED": (RateLimited, "Resource has been exhausted"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_lasts_fails_the_sync_and_leaves_raw_alone(code: str, road: Road) -> None:
    error, told = REFUSALS[code]
    road.merchant = "one that was read before"
    before = road.raw(STREAM, "array[payload::text, sync_id::text]")
    if not before:
        road.sync()
        before = road.raw(STREAM, "array[payload::text, sync_id::text]")
    road.refuse(code, times=None, longer_than=2)
    with pytest.raises(error, match=told) as raised:
        road.sync()
    assert f"of account {AURORA}, request id " in str(raised.value)
    assert code in str(raised.value) or code == "UNAVAILABLE"
    assert road.raw(STREAM, "array[payload::text, sync_id::text]") == before
    assert len(road.slept) == (0 if error in (AuthError, RequestRefused) else 5)
    assert road.errors()[-1] == f"{error.__name__}: {raised.value}"


def test_a_quota_that_comes_back_later_is_left_alone_until_then(road: Road) -> None:
    """Nobody asks again before: a refusal would be an operation too."""
    road.sandbox.admin("/google_ads/quota", {"left": 0})
    with pytest.raises(QuotaSpent, match=r"RESOURCE_EXHAUSTED.*It asks to wait 72000 s, until 2026-11-21 08:00 UTC"):
        road.sync()
    road.sandbox.admin("/google_ads/quota", {"left": 15_000})
    with pytest.raises(QuotaSpent, match="quota of operations is used up until 2026-11-21 08:00:00 UTC"):
        road.sync()
    assert road.slept == []


def test_a_short_wait_is_sat_out(road: Road, caplog: pytest.LogCaptureFixture) -> None:
    """By everybody: the sandbox's clock stands still, so what is closed for 30 s stays closed."""
    road.refuse("quotaError.RESOURCE_EXHAUSTED", retry_delay=30, longer_than=2)
    with pytest.raises(RateLimited, match="used up until 2026-11-20 12:00:30"):
        road.sync()
    assert r"Too many requests. Retry in 30 seconds (quota: Number of operations for basic access)" in caplog.text
    assert "It asks to wait 30 s." in caplog.text
    assert (len(road.slept), min(road.slept) >= 30) == (5, True)


def test_an_account_of_a_connection_that_is_closed_is_told(road: Road) -> None:
    road.happens(f"accounts/{AURORA}/disable")
    try:
        with pytest.raises(AuthError, match=r"CUSTOMER_NOT_ENABLED.*reactivate it.*what was read of it stays"):
            road.sync()
    finally:
        road.happens(f"accounts/{AURORA}/enable")


def test_a_manager_names_its_accounts(road: Road) -> None:
    told = rf"Account {MANAGER} \(Aurora Manager\) holds no campaigns.*They are {AURORA} \(Aurora Search\)"
    with pytest.raises(RequestRefused, match=told):
        road.sync(api=road.api(customer_ids=[MANAGER]))


def test_without_the_manager_nothing_is_read(road: Road) -> None:
    with pytest.raises(AuthError, match=r"USER_PERMISSION_DENIED.*field login_customer_id"):
        road.sync(api=road.api(login_customer_id=""))


def test_a_token_that_ended_is_renewed(road: Road) -> None:
    api = road.api()
    api.accounts()
    assert road.sandbox.admin("/google_ads/tokens/expire")["expired"] > 0
    road.sync(api=api)
    assert road.held() == road.truth()


def test_a_consent_that_was_revoked(road: Road) -> None:
    road.sandbox.admin("/google_ads/refresh_token/aurora/revoke")
    with pytest.raises(AuthError, match=r"'invalid_grant': Token has been expired or revoked.*field refresh_token"):
        road.sync()


NO_TOKEN: dict[str, tuple[str, dict[str, Any], type[HttpError], str]] = {
    "5xx": ("http_5xx", {}, VendorUnavailable, "HTTP 503"),
    "html": ("html", {}, BrokenResponse, "holds no access token.*token_uri"),
    "cut": ("cut", {}, BrokenResponse, "broke off"),
    "no token": (
        "http_5xx",
        {"status": 200, "body": {"access_token": "", "expires_in": 1}},
        BrokenResponse,
        "is empty",
    ),
    "not found": ("http_5xx", {"status": 404, "body": "nothing"}, RequestRefused, "HTTP 404.*token_uri"),
    "scope": (
        "http_5xx",
        {"status": 400, "body": {"error": "unauthorized_client", "error_description": "Unauthorized"}},
        AuthError,
        "'unauthorized_client': Unauthorized.*connection's login",
    ),
}


@pytest.mark.parametrize("name", NO_TOKEN)
def test_what_becomes_of_no_token(name: str, road: Road) -> None:
    kind, options, error, told = NO_TOKEN[name]
    road.sandbox.fault(kind, None, route=TOKEN, **options)
    with pytest.raises(error, match=told):
        road.sync()
    assert len(road.slept) == (0 if error in (AuthError, RequestRefused) else 5)


def test_a_wrong_secret(road: Road) -> None:
    with pytest.raises(AuthError, match=r"'invalid_client'.*its secret into the password"):
        road.sync(api=road.api(secrets=secrets(client_secret="other")))


def test_a_host_that_does_not_answer(road: Road) -> None:
    with pytest.raises(VendorUnavailable, match=r"Google Ads is not there.*api_host.*after 6 attempts"):
        road.sync(api=road.api(host="http://127.0.0.1:9"))


def test_a_day_that_takes_too_long_is_told_in_the_end(road: Road) -> None:
    road.refuse("DEADLINE_EXCEEDED", times=None, longer_than=0)
    api = road.api()
    with pytest.raises(VendorUnavailable, match=r"did not answer in time.*account 1110000001.*after 6 attempts"):
        api.accounts()


def test_an_answer_that_never_comes(road: Road) -> None:
    over = Event()

    def answer(request: SearchGoogleAdsRequest, _: dict[str, str]) -> Answer:
        over.wait()
        return page(request.query, ROW)

    with vendor(answer) as host:
        waiting = road.api(host=host, retry=RetryPolicy(attempts=1))
        waiting._timeout = 0.05
        with pytest.raises(VendorUnavailable, match="did not answer in time"):
            waiting.accounts()
        over.set()


ROW = {
    "customer": {"id": int(AURORA), "currency_code": "USD", "time_zone": "America/New_York"},
    "campaign": {"id": 5, "name": "five"},
    "segments": {"date": f"{DAY}"},
    "metrics": {"cost_micros": 1, "impressions": 1, "clicks": 0, "conversions": 0.0, "conversions_value": 0.0},
}
ODD: dict[str, tuple[dict[str, Any], str]] = {
    "another account": ({"customer": {"id": 7}}, "a row of account 7"),
    "another day": ({"segments": {"date": "2026-11-01"}}, "of the day '2026-11-01'"),
    "no day": ({"segments": {"date": ""}}, "of the day ''"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_row_that_was_not_asked_for(name: str, road: Road) -> None:
    other, told = ODD[name]

    def answer(request: SearchGoogleAdsRequest, _: dict[str, str]) -> Answer:
        return page(request.query, ROW if " FROM customer" in request.query else ROW | other)

    with vendor(answer) as host, pytest.raises(BrokenResponse, match=told):
        road.sync(api=road.api(host=host))
    assert road.raw(STREAM) == {}


def test_an_empty_message_is_no_answer(road: Road) -> None:
    road.sync()
    before = road.held()

    def answer(request: SearchGoogleAdsRequest, _: dict[str, str]) -> Answer:
        return page(request.query, ROW) if " FROM customer" in request.query else page("SELECT x FROM y")

    with vendor(answer) as host, pytest.raises(BrokenResponse, match="of other fields than were asked for"):
        road.sync(api=road.api(host=host))
    assert road.held() == before


def test_a_later_page_is_asked_for_again_not_halved(road: Road) -> None:
    """What came on pages before has been given away."""
    asked: list[str] = []

    def answer(request: SearchGoogleAdsRequest, _: dict[str, str]) -> Answer:
        if " FROM customer" in request.query:
            return page(request.query, ROW)
        asked.append(request.page_token)
        if not request.page_token:
            return page(request.query, ROW, next_page_token="second")
        if asked.count("second") == 1:
            return (grpc.StatusCode.DEADLINE_EXCEEDED, "late", None)
        return page(request.query, ROW | {"campaign": {"id": 6, "name": "six"}})

    with vendor(answer) as host:
        road.sync(api=road.api(host=host))
    assert asked == ["", "second", "second"]
    assert {campaign for _, campaign in road.held()} == {"5", "6"}


def test_the_days_are_not_read_with_a_time_zone_that_is_none(road: Road) -> None:
    def answer(request: SearchGoogleAdsRequest, _: dict[str, str]) -> Answer:
        return page(request.query, ROW | {"customer": {"id": int(AURORA), "time_zone": "Mars/Base"}})

    with (
        vendor(answer) as host,
        pytest.raises(RequestRefused, match="time zone that this machine does not know: 'Mars/Base'"),
    ):
        road.sync(api=road.api(host=host))


def test_a_quota_of_the_account_alone_closes_nothing_for_others(road: Road) -> None:
    details = {"quota_error_details": {"rate_scope": "ACCOUNT", "rate_name": "per account", "retry_delay": "900s"}}
    failure = GoogleAdsFailure(
        errors=[{"error_code": {"quota_error": "RESOURCE_EXHAUSTED"}, "message": "Too many", "details": details}]
    )
    with (
        vendor(lambda *_: (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota", failure)) as host,
        pytest.raises(QuotaSpent, match=r"\(quota: per account\).*wait 900 s"),
    ):
        road.sync(api=road.api(host=host))
    road.sync()


@pytest.mark.parametrize(
    ("status", "is_failure"), [("UNAUTHENTICATED", True), ("INVALID_ARGUMENT", False), ("UNAVAILABLE", False)]
)
def test_no_secret_shows_anywhere(status: str, is_failure: bool, road: Road, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when Google repeats all of them in its refusal, and everything is logged."""
    caplog.set_level(logging.DEBUG)
    google = logging.getLogger("google")
    google.addHandler(caplog.handler)
    tokens: set[str] = set()

    def answer(_: SearchGoogleAdsRequest, metadata: dict[str, str]) -> Answer:
        assert (metadata["developer-token"], metadata["login-customer-id"]) == (DEVELOPER_TOKEN, MANAGER)
        tokens.add(metadata["authorization"].removeprefix("Bearer "))
        known = secrets()
        text = f"you sent {sorted(tokens)} {DEVELOPER_TOKEN} {known.client_secret} {known.refresh_token}"
        failure = GoogleAdsFailure(errors=[{"message": text}], request_id="REQ-1") if is_failure else None
        return (grpc.StatusCode[status], text, failure)

    try:
        with vendor(answer) as host:
            api = road.api(host=host)
            with pytest.raises(HttpError, match="REQ-1") as raised:
                road.sync(api=api)
    finally:
        google.removeHandler(caplog.handler)
    logged = [str(vars(record)) for record in caplog.records]
    everything = [str(raised.value), repr(raised.value), repr(api), caplog.text, *logged, *road.errors()]
    hidden = {*tokens, DEVELOPER_TOKEN, secrets().client_secret, secrets().refresh_token}
    assert len(hidden) >= 4
    for secret in hidden:
        assert [text for text in everything if secret in text] == []


def test_rows_and_tokens_are_not_logged(road: Road, caplog: pytest.LogCaptureFixture) -> None:
    """Google's client would write them down at debug level."""
    google = logging.getLogger("google")
    google.addHandler(caplog.handler)
    caplog.set_level(logging.DEBUG)
    try:
        road.sync()
    finally:
        google.removeHandler(caplog.handler)
    assert road.held()
    logged = "".join(str(vars(record)) for record in caplog.records)
    for hidden in ("brand_us", "costMicros", "ya29.", DEVELOPER_TOKEN, "1//sandbox"):
        assert hidden not in logged
