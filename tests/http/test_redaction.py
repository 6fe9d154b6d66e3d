"""A secret never reaches a log or an exception, whichever way it tries."""

from __future__ import annotations

import json
import logging
import string
import traceback
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.scripted_vendor import MakeClient, Vendor, answer, cut, hang_up
from tributary.http import HttpError, RateLimited, Redactor, Request, Response, RetryPolicy
from tributary.http.redaction import BODY_EXCERPT

secrets = st.text(string.ascii_letters + string.digits + '-_/+=. "\\é', min_size=8, max_size=60).map(
    lambda middle: f"s{middle}s"
)
prose = st.text(max_size=80)


@given(secrets, prose, prose)
def test_a_known_secret_is_masked_in_every_spelling(secret: str, before: str, after: str) -> None:
    redact = Redactor([secret])
    for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert secret not in redact(f"{before}{spelling}{after}")
        assert spelling not in redact(f"{before}{spelling}{after}")
        assert spelling not in redact.body(f"{before}{spelling}{after}".encode())


# No word that stands around it holds a 7.
@given(st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map(lambda rest: f"7{rest}"))
def test_an_unknown_secret_is_masked_by_where_it_stands(secret: str) -> None:
    redact = Redactor()
    for text in (
        f"GET https://api.test/token?app_key=1&sign={secret}",
        f"https://user:{secret}@api.test/",
        f"Authorization: Bearer {secret}",
        f"authorization: {secret}",
        f"X-Shopify-Access-Token: {secret}",
        f'{{"access_token": "{secret}", "scope": "read"}}',
        f"client_secret={secret}&grant_type=x",
        f"'api_key': {secret}",
    ):
        assert secret not in redact(text), text


def test_what_is_no_secret_stays_readable() -> None:
    text = "HTTP 422: no such field (GET https://api.test/orders/1, request id a-b). Put the token into the password."
    assert Redactor(["hunter2hunter2"])(text) == text


def test_masking_comes_before_cutting() -> None:
    redact = Redactor(["topsecrettopsecret"])
    shown = redact.body(b"x" * (BODY_EXCERPT - 5) + b"topsecrettopsecret" + b"y" * 1000)
    assert "tops" not in shown
    assert len(shown) < BODY_EXCERPT + 10


def test_masking_stays_quick_on_hostile_text() -> None:
    Redactor(["topsecret"]).body(b"?" * 100_000 + b"//" * 100_000 + b"token" * 50_000 + b"bearer " * 30_000)


FAULTS = {
    "401": lambda leak: answer(401, leak),
    "403": lambda leak: answer(403, leak),
    "422": lambda leak: answer(422, leak),
    "302": lambda leak: answer(302, leak, Location="http://elsewhere.test/?token=" + quote(leak, safe="")),
    "429": lambda leak: answer(429, leak, Retry_After="1"),
    "500": lambda leak: answer(500, leak),
    "cut": lambda leak: cut(leak, 10_000),
    "hang-up": lambda _: hang_up,
    "throttled": lambda leak: answer(200, leak),
}


@pytest.mark.parametrize("fault", FAULTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(secret=st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map("zQ7".__add__))
def test_no_error_and_no_log_shows_the_secret(
    fault: str, secret: str, vendor: Vendor, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    def throttled(response: Response) -> Any:
        raise RateLimited(f"THROTTLED: {response.body.decode()}", where=response.where)

    caplog.set_level(logging.DEBUG)
    caplog.clear()
    vendor.will(FAULTS[fault](f"you sent {secret}".encode()))
    client = make_client(secret, retry=RetryPolicy(attempts=2))
    request = Request("POST", f"{vendor.url}/orders?sign={secret}", {"X-Token": secret}, f"secret={secret}".encode())
    with pytest.raises(HttpError) as caught:
        client.send(request, throttled, budget="any")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(request)
    assert secret not in shown
    assert secret not in caplog.text
    assert "/orders" in str(caught.value), "what is left still says where"


def test_urllib3s_debug_log_has_no_query_strings(
    vendor: Vendor, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    # Other libraries turn that logger down where they are used.
    caplog.set_level(logging.DEBUG, logger="urllib3")
    make_client().send(Request("GET", f"{vendor.url}/orders?sign=unknown-to-anyone"), lambda _: None, budget="any")
    assert "GET /orders?***" in caplog.text
    assert "unknown-to-anyone" not in caplog.text
