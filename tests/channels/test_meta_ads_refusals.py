"""What each refusal of Meta's is taken for, and what it tells whoever has to do something about it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.meta_ads_road import APP_SECRET, CANADA, STREAM, TODAY, TOKEN, US
from tributary.http import AuthError, BrokenResponse, HttpError, RequestRefused, VendorUnavailable

if TYPE_CHECKING:
    from tests.channels.meta_ads_road import Road

ACCOUNT = f"/v26.0/act_{US}"
INVALID = {
    458: "is no more: its user took the app away",
    460: "is no more: its user's password was changed",
    463: "has expired",
    467: "is no more: its user logged out",
}


@pytest.mark.parametrize("subcode", INVALID)
def test_a_token_that_ended_says_why_and_asks_for_another(subcode: int, meta_road: Road) -> None:
    meta_road.token(invalid=subcode)
    with pytest.raises(AuthError) as told:
        meta_road.sync()
    for part in (f"The access token {INVALID[subcode]}. Meta refuses with 190/{subcode}", "Create a new access token"):
        assert part in str(told.value)
    assert str(told.value) in meta_road.errors()[0]


def test_a_token_that_meta_does_not_know(meta_road: Road) -> None:
    with pytest.raises(
        AuthError, match=r"token is not accepted. Meta refuses with 190: Invalid OAuth.*Create a new access"
    ) as told:
        meta_road.sync(api=meta_road.api(token="EAA_of_somebody_else"))
    assert "EAA_of_somebody_else" not in str(told.value)


def test_a_token_without_the_permission(meta_road: Road) -> None:
    meta_road.token(scopes=["read_insights"])
    with pytest.raises(AuthError, match=r"294: \(#294\).*create the token with the permission ads_read"):
        meta_road.sync()


def test_an_account_that_is_another_business(meta_road: Road) -> None:
    with pytest.raises(AuthError, match=r"200: \(#200\) Ad account owner has NOT grant.*Give the token's user the ad"):
        meta_road.sync(api=meta_road.api(accounts=(US, "202000000000001")))


def test_an_account_that_meta_does_not_know(meta_road: Road) -> None:
    with pytest.raises(AuthError) as told:
        meta_road.sync(api=meta_road.api(accounts=("999",)))
    for part in ("Meta shows no ad account 999 to this token", "account_ids", "100/33"):
        assert part in str(told.value)


def test_a_disabled_account_names_itself_its_state_and_the_remedy(meta_road: Road) -> None:
    road = meta_road
    road.sync()
    before = road.raw(STREAM)
    road.happens(f"accounts/{CANADA}/disable")
    with pytest.raises(RequestRefused) as told:
        road.sync()
    for part in (
        f"Ad account {CANADA} (Aurora Canada) is disabled at Meta (account_status 2)",
        "Have it enabled in Meta Business Suite",
        "or take it out of the connection's field account_ids: what was read of it stays",
    ):
        assert part in str(told.value)
    # What was read stays when it is taken out.
    road.sync(api=road.api(accounts=(US,)))
    assert road.raw(STREAM) == before
    road.happens(f"accounts/{CANADA}/enable")


def test_a_proof_that_is_demanded_missing_or_wrong(meta_road: Road) -> None:
    meta_road.token(requires_proof=True)
    for secret in (None, "another app's"):
        with pytest.raises(AuthError, match="Put the secret of the app that the access token belongs to into"):
            meta_road.sync(api=meta_road.api(app_secret=secret))
    meta_road.sync(api=meta_road.api(app_secret=APP_SECRET))
    assert meta_road.held() == meta_road.truth()


REFUSED: dict[str, tuple[int, dict[str, Any], type[HttpError], str]] = {
    "a field that is no more": (
        400,
        {"code": 100, "message": "(#100) clicks is not valid for fields param"},
        RequestRefused,
        r"100: \(#100\) clicks is not valid.*update Tributary",
    ),
    "a version that is no more": (
        400,
        {"code": 2635, "message": "You are calling a deprecated version of the Ads API."},
        RequestRefused,
        r"2635: You are calling a deprecated version.*update Tributary",
    ),
    "Meta's own fault": (
        500,
        {"code": 2, "error_subcode": 1504043, "message": "Service temporarily unavailable"},
        VendorUnavailable,
        r"2/1504043: Service temporarily unavailable .*Given up after 6 attempts",
    ),
    "an unknown fault": (
        500,
        {"code": 1, "error_subcode": 99, "message": "An unknown error occurred", "fbtrace_id": "AbC"},
        VendorUnavailable,
        r"1/99: An unknown error occurred .*Meta's trace id AbC",
    ),
    "an internal number": (400, {"code": -3, "message": "x"}, VendorUnavailable, "-3: x"),
    "what passes by itself": (
        400,
        {"code": 2601, "message": "Error accessing adreport job.", "is_transient": True, "error_user_msg": "Sorry."},
        VendorUnavailable,
        "2601: Error accessing adreport job; Sorry",
    ),
    "the same with status 200": (200, {"code": 190, "message": "Expired"}, AuthError, "190: Expired"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_refusals(name: str, meta_road: Road) -> None:
    status, error, kind, told = REFUSED[name]
    meta_road.fault("http_5xx", times=None, status=status, body={"error": error})
    with pytest.raises(kind, match=told):
        meta_road.sync()
    assert meta_road.raw(STREAM) == {}


NO_ANSWER: dict[str, tuple[dict[str, Any], type[HttpError], str]] = {
    "html": ({}, BrokenResponse, "The answer is not whole JSON: <!doctype html>"),
    "malformed": ({}, BrokenResponse, "The answer is not whole JSON"),
    "cut": ({}, BrokenResponse, "broke off or is garbled"),
    "http_5xx": ({"status": 502, "body": "Bad gateway"}, VendorUnavailable, "HTTP 502"),
}


@pytest.mark.parametrize("kind", NO_ANSWER)
def test_what_is_no_answer_is_asked_for_again(kind: str, meta_road: Road) -> None:
    options, error, told = NO_ANSWER[kind]
    meta_road.fault(kind, ACCOUNT, times=None, **options)
    with pytest.raises(error, match=told):
        meta_road.sync()
    assert len(meta_road.slept) == 5
    meta_road.no_faults()
    meta_road.fault(kind, ACCOUNT, **options)
    assert meta_road.sync().position


def test_an_answer_of_somebody_else_names_the_field(meta_road: Road) -> None:
    meta_road.fault("http_5xx", ACCOUNT, status=200, body=["hello"])
    with pytest.raises(RequestRefused, match=r"The answer is not Meta's.*api_host"):
        meta_road.sync()


def test_a_time_zone_that_is_unknown_here(meta_road: Road) -> None:
    meta_road.fault("merged", ACCOUNT, merge={"timezone_name": "Mars/Olympus"})
    with pytest.raises(RequestRefused, match=r"Aurora US\) has a time zone .* know: 'Mars/Olympus'.*tzdata"):
        meta_road.sync()


def test_a_page_that_says_it_goes_on_but_not_where(meta_road: Road) -> None:
    meta_road.sync()
    meta_road.fault("missing_field", times=None, path="paging.cursors")
    with pytest.raises(BrokenResponse, match="the rows go on but not where"):
        meta_road.sync(api=meta_road.api(page_size=21))


def test_no_secret_is_in_what_is_told_or_kept(meta_road: Road, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    meta_road.sync(api=meta_road.api(app_secret=APP_SECRET))
    meta_road.fault("substituted", find='"impressions":"', put='"impressions":"x')
    meta_road.sync(api=meta_road.api(app_secret=APP_SECRET, page_size=21))
    proof = hmac.digest(APP_SECRET.encode(), TOKEN.encode(), "sha256").hex()
    echoed = {"error": {"code": 100, "message": f"Bad request: access_token={TOKEN}, {APP_SECRET} and {proof}"}}
    meta_road.fault("http_5xx", status=400, body=echoed)
    with pytest.raises(RequestRefused, match=r"100: Bad request") as told:
        meta_road.sync(api=meta_road.api(app_secret=APP_SECRET))
    assert [letter[0] for letter in meta_road.letters(STREAM)] == [f"{min(recent(meta_road))}"]
    kept = [meta_road.errors(), meta_road.letters(STREAM), meta_road.raw(STREAM)]
    for text in (caplog.text, str(told.value), str(kept)):
        assert "EAA_sandbox" not in text
        assert APP_SECRET not in text
        assert proof not in text


def recent(road: Road) -> list[str]:
    """The rows of the look-back."""
    return [key for key in road.raw(STREAM) if key.count("/") == 2 and key >= f"{TODAY.replace(month=10, day=23)}"]
