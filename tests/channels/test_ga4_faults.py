"""Whatever happens on the way, raw keeps what it had, and the message says what happened; never a secret."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.ga4_road import keyfile, trusted_key
from tributary.channels.ga4.streams import SESSIONS
from tributary.http import (
    AuthError,
    BrokenResponse,
    HttpError,
    RequestRefused,
    Timeouts,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from tests.channels.ga4_road import Road

TOKEN = "/google/token"


def refused(code: int, status: str, message: str, **more: Any) -> dict[str, Any]:
    return {"status": code, "body": {"error": {"code": code, "status": status, "message": message, **more}}}


DISABLED = "Google Analytics Data API has not been used in project 7 before or it is disabled."
FAULTS: dict[str, tuple[str, dict[str, Any], type[HttpError], str]] = {
    "5xx": ("http_5xx", {}, VendorUnavailable, "HTTP 503|UNAVAILABLE"),
    "500": ("http_5xx", refused(500, "INTERNAL", "An internal error"), VendorUnavailable, "An internal error"),
    "html of a gateway": ("http_5xx", {"status": 502, "body": "<html>"}, VendorUnavailable, "html"),
    "html": ("html", {}, BrokenResponse, "not what Google Analytics sends"),
    "malformed": ("malformed", {}, BrokenResponse, "not what Google Analytics sends"),
    "truncated": ("truncated", {}, BrokenResponse, "not what Google Analytics sends"),
    "cut": ("cut", {}, BrokenResponse, "broke off"),
    "stalled": ("stalled", {"seconds": 3600}, VendorUnavailable, "No answer in time"),
    "no utf-8": ("substituted", {"find": "(direct)", "put": "\xff"}, BrokenResponse, "UnicodeDecodeError"),
    "expired": ("expired_token", {}, AuthError, "Create a new key"),
    "denied": (
        "http_5xx",
        refused(403, "PERMISSION_DENIED", "no"),
        AuthError,
        "tributary@sandbox.iam.example the role",
    ),
    "disabled": (
        "http_5xx",
        refused(403, "PERMISSION_DENIED", DISABLED),
        AuthError,
        "Enable the Google Analytics Data",
    ),
    "incompatible": ("http_5xx", refused(400, "INVALID_ARGUMENT", "Remove x"), RequestRefused, "Remove x.*Press Test"),
    "another host": ("http_5xx", {"status": 404, "body": "nothing"}, RequestRefused, "api_host"),
}


def timeouts(name: str) -> Timeouts:
    """Short where an answer never comes; elsewhere a busy machine is not to be taken for a vendor that stalls."""
    return Timeouts(read=0.5) if name == "stalled" else Timeouts()


@pytest.mark.parametrize("name", FAULTS)
def test_what_lasts_fails_the_sync_and_leaves_raw_alone(name: str, ga4_road: Road) -> None:
    kind, options, error, told = FAULTS[name]
    ga4_road.sync("sessions")
    before = ga4_road.raw("sessions", "array[payload::text, sync_id::text]")
    ga4_road.fault(kind, times=None, skip=1, **options)
    # The second day fails, after the first was read.
    with pytest.raises(error, match=rf"(?s){told}.*") as raised:
        ga4_road.sync("sessions", ga4_road.api(timeouts=timeouts(name)))
    assert "2026-11-17" in str(raised.value)
    assert ga4_road.raw("sessions", "array[payload::text, sync_id::text]") == before
    assert str(raised.value) in ga4_road.errors()[-1]
    expected = 0 if error in (AuthError, RequestRefused) else 5
    assert len(ga4_road.slept) == expected
    ga4_road.no_faults()
    ga4_road.sync("sessions")
    assert ga4_road.held("sessions") == ga4_road.truth("sessions")


@pytest.mark.parametrize("name", ["5xx", "html", "malformed", "truncated", "cut", "stalled", "expired"])
def test_what_passes_is_not_noticed(name: str, ga4_road: Road) -> None:
    kind, options, _, _ = FAULTS[name]
    ga4_road.fault(kind, skip=2, **options)
    ga4_road.sync("sessions", ga4_road.api(timeouts=timeouts(name)))
    assert ga4_road.held("sessions") == ga4_road.truth("sessions")
    [fault] = ga4_road.sandbox.admin("/faults", method="GET")
    assert fault["hits"] == 1


def test_an_answer_that_drips_is_waited_for(ga4_road: Road) -> None:
    ga4_road.fault("slow", seconds=0.2)
    ga4_road.sync("days")
    assert ga4_road.slept == []


def test_a_token_that_expired_is_renewed(ga4_road: Road) -> None:
    api = ga4_road.api()
    api.now()
    assert ga4_road.sandbox.admin("/ga4/tokens/expire")["expired"] > 0
    ga4_road.sync(SESSIONS, api)
    assert ga4_road.held("sessions") == ga4_road.truth("sessions")


NO_TOKEN: dict[str, tuple[str, dict[str, Any], type[HttpError], str]] = {
    "revoked": (
        "expired_token",
        {"status": 400, "body": {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}},
        AuthError,
        "Create a new key for the service account",
    ),
    "clock": (
        "expired_token",
        {
            "status": 400,
            "body": {
                "error": "invalid_grant",
                "error_description": "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe.",
            },
        },
        AuthError,
        "clock",
    ),
    "html": ("html", {}, BrokenResponse, "holds no token.*token_uri"),
    "a list": ("substituted", {"find": "access_token", "put": "somewhere"}, BrokenResponse, "No access token"),
    "cut": ("cut", {}, VendorUnavailable, "token_uri and the network"),
    "stalled": ("stalled", {}, VendorUnavailable, "token_uri and the network"),
}


@pytest.mark.parametrize("name", NO_TOKEN)
def test_without_a_token_nothing_is_read_and_somebody_is_told_why(name: str, ga4_road: Road) -> None:
    kind, options, error, told = NO_TOKEN[name]
    ga4_road.fault(kind, TOKEN, times=None, **options)
    before = ga4_road.quota()
    with pytest.raises(error, match=f"(?s)Google gives no access token and says.*{told}"):
        ga4_road.sync("days", ga4_road.api(timeouts=timeouts(name)))
    assert ga4_road.quota() == before
    assert "Google gives no access token" in ga4_road.errors()[-1]


def test_a_host_that_does_not_answer(ga4_road: Road) -> None:
    with pytest.raises(VendorUnavailable, match=r"No connection: ConnectionError.*api_host"):
        ga4_road.sync("days", ga4_road.api(host="http://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("kind", "route"),
    [("html", "/v1beta/*"), ("expired_token", "/v1beta/*"), ("http_5xx", TOKEN), ("malformed", TOKEN)],
)
def test_no_secret_is_ever_told(kind: str, route: str, ga4_road: Road, caplog: pytest.LogCaptureFixture) -> None:
    key = json.loads(trusted_key())["private_key"]
    caplog.set_level(logging.DEBUG)
    api = ga4_road.api()
    api.now()
    token = api._token.token
    assert token
    body = {"error": "invalid_grant", "error_description": f"of {key} and {token}", "message": f"{key} {token}"}
    options = {"status": 401, "body": body} if kind in ("expired_token", "http_5xx") else {}
    ga4_road.fault(kind, route, times=None, **options)
    if route == TOKEN:
        ga4_road.sandbox.admin("/ga4/tokens/expire")
    with pytest.raises(HttpError) as raised:
        ga4_road.sync("days", api)
    everything = [str(raised.value), repr(raised.value), repr(api), repr(vars(api)), caplog.text, *ga4_road.errors()]
    for text in everything:
        assert token not in text
        assert key[60:90] not in text
        assert key[60:90] not in text.replace("\\n", "\n")
    assert keyfile(ga4_road.sandbox) not in "".join(everything)
