"""Whom the sandbox's Google Ads lets in, and how it refuses: the same over REST and over gRPC."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from google.ads.googleads.v26.errors.types import ErrorCode

from sandbox.google_ads.refusals import SAYS, STATUSES
from tests.sandbox.conftest import NOW
from tests.sandbox.google_ads_reader import AURORA, MANAGER, NORDLICHT, Reader, google_ads

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "segments.date = '2026-11-14'"
REPORT = f"SELECT campaign.id, segments.date, metrics.clicks FROM campaign WHERE {DAY}"


@pytest.fixture(scope="module")
def world() -> Iterator[Reader]:
    with google_ads(seed=7, first_day=date(2026, 11, 13), frozen_at=NOW) as reader:
        yield reader


@pytest.fixture
def aurora(world: Reader) -> Iterator[Reader]:
    """A reader with a token of its own, in a world that is left as it was."""
    yield replace(world, token="")
    world.client.admin("POST", "/clock", {"freeze": NOW.isoformat()})
    world.client.admin("DELETE", "/google_ads/refuse")
    world.client.admin("POST", "/google_ads/quota", {"left": 15_000})
    world.client.admin("POST", "/google_ads/refresh_token/aurora/restore")
    world.client.admin("POST", f"/shops/aurora/ads/accounts/{AURORA}/enable")


def test_an_access_token_is_good_for_an_hour_of_the_sandboxs_clock(aurora: Reader) -> None:
    told = aurora.exchange().json()
    assert (told["expires_in"], told["token_type"]) == (3599, "Bearer")
    assert told["scope"] == "https://www.googleapis.com/auth/adwords"
    aurora.client.admin("POST", "/clock", {"advance_seconds": 3599})
    assert aurora.rest_rows(REPORT)
    aurora.client.admin("POST", "/clock", {"advance_seconds": 1})
    refused = aurora.refused(REPORT)
    assert (refused.status, refused.code) == ("UNAUTHENTICATED", "authenticationError.OAUTH_TOKEN_EXPIRED")
    again = replace(aurora, token="")
    assert again.rest_rows(REPORT)
    again.client.admin("POST", "/google_ads/tokens/expire")
    assert again.refused(REPORT).code == "authenticationError.OAUTH_TOKEN_EXPIRED"


def test_a_withdrawn_consent_ends_every_token(aurora: Reader) -> None:
    aurora.client.admin("POST", "/google_ads/refresh_token/aurora/revoke")
    assert aurora.refused(REPORT).code == "authenticationError.OAUTH_TOKEN_REVOKED"
    answer = aurora.exchange()
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_id": "somebody"}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"refresh_token": None}, 400, "invalid_request"),
        ({"refresh_token": "1//wrong"}, 400, "invalid_grant"),
        ({"refresh_token": "1//sandbox-nordlicht-refresh"}, 401, "unauthorized_client"),
    ],
)
def test_each_flaw_of_a_refresh_is_refused(
    world: Reader, changes: dict[str, str | None], status: int, error: str
) -> None:
    answer = world.exchange(**changes)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


DENIED = ("PERMISSION_DENIED", "authorizationError.USER_PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("customer", "login", "refusal"),
    [
        (AURORA, None, DENIED),
        (AURORA, AURORA, DENIED),
        (AURORA, NORDLICHT, DENIED),
        (NORDLICHT, None, DENIED),
        (NORDLICHT, MANAGER, DENIED),
        (AURORA, "111-000-0009", ("INVALID_ARGUMENT", "headerError.INVALID_LOGIN_CUSTOMER_ID")),
        ("111-000-0001", MANAGER, ("INVALID_ARGUMENT", "requestError.INVALID_CUSTOMER_ID")),
        ("9990000001", MANAGER, ("UNAUTHENTICATED", "authenticationError.CUSTOMER_NOT_FOUND")),
    ],
)
def test_an_account_is_reached_through_the_manager_that_the_user_logs_in_to(
    world: Reader, customer: str, login: str | None, refusal: tuple[str, str]
) -> None:
    told = replace(world, customer=customer, login=login).refused(REPORT)
    assert (told.status, told.code) == refusal


def test_a_token_must_be_there_and_known(world: Reader) -> None:
    unknown = replace(world, token="ya29.unknown").refused(REPORT)
    assert (unknown.status, unknown.code) == ("UNAUTHENTICATED", "authenticationError.OAUTH_TOKEN_INVALID")
    assert unknown.message.startswith("Request had invalid authentication credentials.")
    missing = replace(world, token=" ").refused(REPORT)
    assert missing.code == "authenticationError.OAUTH_TOKEN_HEADER_INVALID"
    assert missing.message.startswith("Request is missing required authentication credential.")


def test_a_developer_token_may_be_left_out_but_not_be_empty(world: Reader) -> None:
    assert replace(world, developer_token="any-that-was-once-good").rest_rows(REPORT) == world.rest_rows(REPORT)
    refused = replace(world, developer_token="").refused(REPORT)
    assert (refused.status, refused.code) == (
        "INVALID_ARGUMENT",
        "requestError.DEVELOPER_TOKEN_PARAMETER_MISSING",
    )


def test_a_disabled_account_is_refused_and_its_manager_still_lists_it(aurora: Reader) -> None:
    aurora.client.admin("POST", f"/shops/aurora/ads/accounts/{AURORA}/disable")
    assert aurora.refused(REPORT).code == "authorizationError.CUSTOMER_NOT_ENABLED"
    clients = "SELECT customer_client.status FROM customer_client WHERE customer_client.level = 1"
    [row] = replace(aurora, customer=MANAGER).rest_rows(clients)
    assert row["customerClient"]["status"] == "CANCELED"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "EXPECTED_SELECT"),
        ("SELECT campaign.id", "EXPECTED_FROM"),
        ("SELECT campaign.id WHERE campaign.id = 1", "EXPECTED_FROM"),
        ("SELECT campaign.id FROM", "UNEXPECTED_END_OF_QUERY"),
        ("SELECT campaign.id FROM campaigns", "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE"),
        ("SELECT campaign.start_date FROM campaign", "UNRECOGNIZED_FIELD"),
        ("SELECT campaign.id FROM campaign WHERE campaign.nothing = 1", "UNRECOGNIZED_FIELD"),
        ("SELECT campaign.id FROM customer", "PROHIBITED_RESOURCE_TYPE_IN_SELECT_CLAUSE"),
        ("SELECT customer.id FROM customer WHERE campaign.id = 1", "PROHIBITED_RESOURCE_TYPE_IN_WHERE_CLAUSE"),
        ("SELECT metrics.clicks FROM customer_client", "PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE"),
        ("SELECT segments.date FROM customer_client", "PROHIBITED_SEGMENT_IN_SELECT_OR_WHERE_CLAUSE"),
        ("SELECT campaign.id, segments.date FROM campaign", "EXPECTED_FILTERS_ON_DATE_RANGE"),
        (REPORT.replace("=", ">="), "EXPECTED_FILTERS_ON_DATE_RANGE"),
        (REPORT.replace("2026-11-14", "2026-11-31"), "INVALID_DATE_FORMAT"),
        (REPORT.replace("2026-11-14", "14.11.2026"), "INVALID_DATE_FORMAT"),
        (REPORT.replace(DAY, "segments.date BETWEEN '2026-11-1' AND 7"), "INVALID_VALUE_WITH_BETWEEN_OPERATOR"),
        (REPORT.replace(DAY, "segments.date BETWEEN '2026-11-02' AND '2026-11-01'"), "DATE_RANGE_TOO_NARROW"),
        (REPORT.replace(DAY, "segments.date BETWEEN '2026-11-02', '2026-11-03'"), "EXPECTED_AND"),
        (f"{REPORT} ORDER BY campaign.name", "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE"),
        (f"{REPORT} ORDER campaign.id", "EXPECTED_BY"),
        (f"{REPORT} LIMIT 0", "LIMIT_VALUE_TOO_LOW"),
        (f"{REPORT} LIMIT ten", "BAD_LIMIT_VALUE"),
        (f"{REPORT} LIMIT 1 OFFSET 2", "UNEXPECTED_INPUT"),
        (f"{REPORT} AND campaign.status = 'DELETED'", "BAD_ENUM_CONSTANT"),
        (f"{REPORT} AND campaign.status > 'PAUSED'", "OPERATOR_FIELD_MISMATCH"),
        (f"{REPORT} AND campaign.id = brand", "BAD_NUMBER"),
        (f"{REPORT} AND campaign.id IN ()", "PROHIBITED_EMPTY_LIST_IN_CONDITION"),
        (f"{REPORT} AND campaign.id IN 1", "EXPECTED_LIST"),
        (f"{REPORT} AND campaign.name = 'brand", "STRING_NOT_TERMINATED"),
    ],
)  # fmt: skip
def test_each_flaw_of_a_query_is_named(world: Reader, query: str, reason: str) -> None:
    refused = world.refused(query)
    assert (refused.status, refused.code) == ("INVALID_ARGUMENT", f"queryError.{reason}")
    assert refused.says


def test_a_manager_has_no_figures(world: Reader) -> None:
    refused = replace(world, customer=MANAGER, login=None).refused(REPORT)
    assert (refused.status, refused.code) == ("INVALID_ARGUMENT", "queryError.REQUESTED_METRICS_FOR_MANAGER")


def test_what_is_not_simulated_says_so(world: Reader) -> None:
    refused = world.refused(REPORT.replace(DAY, "segments.date DURING LAST_7_DAYS"))
    assert (refused.status, refused.message) == ("UNIMPLEMENTED", "The sandbox does not simulate DURING.")


def test_pages_have_one_size_and_unknown_fields_of_a_request_are_refused(world: Reader) -> None:
    sized = world.rest("search", {"query": REPORT, "pageSize": 100}).json()["error"]
    assert sized["details"][0]["errors"][0]["errorCode"] == {"requestError": "PAGE_SIZE_NOT_SUPPORTED"}
    for body in ({"query": REPORT, "limit": 1}, {"query": 7}, ["query"]):
        answer = world.rest("search", body)
        assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_the_days_operations_are_back_when_it_ends_in_los_angeles(aurora: Reader) -> None:
    aurora.client.admin("POST", "/google_ads/quota", {"left": 1})
    assert aurora.rest_rows(REPORT)
    refused = aurora.refused(REPORT)
    assert (refused.status, refused.code) == ("RESOURCE_EXHAUSTED", "quotaError.RESOURCE_EXHAUSTED")
    seconds = 20 * 3600  # it is four in the morning there
    assert refused.says == f"Too many requests. Retry in {seconds} seconds."
    assert refused.details["quotaErrorDetails"] == {
        "rateScope": "DEVELOPER", "rateName": "Number of operations for basic access", "retryDelay": f"{seconds}s",
    }  # fmt: skip
    aurora.client.admin("POST", "/clock", {"advance_seconds": seconds})
    assert replace(aurora, token="").rest_rows(REPORT)


@pytest.mark.parametrize("code", sorted([*SAYS, "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]))
def test_every_refusal_can_be_ordered_and_is_one_of_googles(aurora: Reader, code: str) -> None:
    aurora.client.admin("POST", "/google_ads/refuse", {"code": code, "times": 4})
    refused = aurora.refused(REPORT)
    assert refused.code == (code if "." in code else "")
    kind, _, name = code.partition(".")
    if name:
        assert refused.says
        of = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind)
        assert name in ErrorCode.meta.fields[of].enum.__members__
        assert STATUSES[kind] == refused.status or kind == "internalError"
    assert aurora.rest_rows(REPORT)


def test_an_ordered_refusal_chooses_what_it_strikes(aurora: Reader) -> None:
    order = {"code": "internalError.TRANSIENT_ERROR", "times": 1, "skip": 1, "customer_id": AURORA, "longer_than": 1}
    aurora.client.admin("POST", "/google_ads/refuse", order)
    long = REPORT.replace(DAY, "segments.date BETWEEN '2026-11-13' AND '2026-11-14'")
    asked = [REPORT, REPORT, "SELECT customer.id FROM customer", long, long, long]
    codes = [aurora.rest("search", {"query": query}).status_code for query in asked]
    assert codes == [200, 200, 200, 200, 503, 200]
    [told] = aurora.client.admin("GET", "/google_ads/refuse")
    assert (told["hits"], told["skip"]) == (1, 0)
    aurora.client.admin("POST", "/google_ads/refuse", {"code": "quotaError.NOTHING"}, status=400)
    waits = {"code": "quotaError.RESOURCE_TEMPORARILY_EXHAUSTED", "times": None, "retry_delay": 7}
    aurora.client.admin("POST", "/google_ads/refuse", waits)
    assert aurora.refused(REPORT).details["quotaErrorDetails"]["retryDelay"] == "7s"
