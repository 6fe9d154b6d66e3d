"""The client over real HTTP: what is asked again, what never, and that nothing outlasts its time-out."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.scripted_vendor import FakeTime, MakeClient, Vendor, answer, cut, hang_up
from tributary.http import (
    AuthError,
    BrokenResponse,
    Budget,
    HttpClient,
    HttpError,
    RateLimited,
    Request,
    RequestRefused,
    Response,
    RetryPolicy,
    Timeouts,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler


def as_json(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except json.JSONDecodeError:
        raise BrokenResponse("not whole JSON", where=response.where) from None


def get(client: HttpClient, vendor: Vendor, path: str = "/orders") -> Any:
    return client.send(Request("GET", vendor.url + path), as_json, budget="any")


def test_sends_what_it_is_told_and_reads_the_answer(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(answer(body=b'{"orders": 3}'))
    request = Request("POST", f"{vendor.url}/graphql", {"X-Token": "t"}, b'{"query": "q"}')
    assert make_client().send(request, as_json, budget="any") == {"orders": 3}
    path, headers, body = vendor.requests[0]
    assert (path, headers["X-Token"], body) == ("/graphql", "t", b'{"query": "q"}')


def test_one_connection_serves_many_requests(vendor: Vendor, make_client: MakeClient) -> None:
    client = make_client()
    for _ in range(5):
        get(client, vendor)
    assert len(vendor.requests) == 5
    assert len(vendor.connections) == 1


def test_a_compressed_answer_is_unpacked(vendor: Vendor, make_client: MakeClient) -> None:
    whole = json.dumps(list(range(50_000))).encode()
    vendor.will(answer(body=gzip.compress(whole), Content_Encoding="gzip"))
    assert get(make_client(), vendor) == list(range(50_000))
    vendor.will(answer(body=gzip.compress(whole[:70_000]) + gzip.compress(whole[70_000:]), Content_Encoding="gzip"))
    assert get(make_client(), vendor) == list(range(50_000))
    vendor.will(answer(body=b"", Content_Encoding="gzip"))
    assert make_client().send(Request("GET", vendor.url), lambda response: response.body, budget="any") == b""


def test_a_compressed_answer_that_ends_early_is_noticed(vendor: Vendor, make_client: MakeClient) -> None:
    half = gzip.compress(b"1,2,3\n" * 10_000)[:50]
    vendor.will(answer(body=half, Content_Encoding="gzip"))
    client = make_client(retry=RetryPolicy(attempts=1))
    with pytest.raises(BrokenResponse, match=r"cannot be unpacked: it ends early \(GET"):
        client.send(Request("GET", vendor.url), lambda response: response.body, budget="any")


@pytest.mark.parametrize(
    "fault",
    [
        answer(429),
        answer(500),
        answer(503),
        answer(408),
        hang_up,
        cut(b'{"orders"', 100),
        answer(body=b'{"orders": [1, 2'),
        answer(body=b"<html>Please wait</html>", Content_Type="text/html"),
        answer(body=b"no gzip", Content_Encoding="gzip"),
    ],
    ids=["429", "500", "503", "408", "hang-up", "cut", "truncated", "html", "garbled"],
)
def test_what_may_pass_is_asked_again(fault: Any, vendor: Vendor, make_client: MakeClient, time: FakeTime) -> None:
    vendor.will(fault, fault, answer(body=b'"well"'))
    assert get(make_client(), vendor) == "well"
    assert len(vendor.requests) == 3
    assert len(time.slept) == 2


def test_a_body_cut_within_a_chunk_is_asked_again(vendor: Vendor, make_client: MakeClient) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b'5\r\n{"a":\r\n')
        handler.close_connection = True

    vendor.will(chunked, answer(body=b'"well"'))
    assert get(make_client(), vendor) == "well"


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthError), (403, AuthError), (400, RequestRefused), (404, RequestRefused), (422, RequestRefused)],
)
def test_what_a_person_must_change_is_asked_once(
    status: int, error: type[HttpError], vendor: Vendor, make_client: MakeClient, time: FakeTime
) -> None:
    vendor.will(answer(status, b'{"error": "no such field"}', X_Request_Id="abc-123"))
    with pytest.raises(error) as caught:
        get(make_client(remedies={status: "Do this."}), vendor)
    assert len(vendor.requests) == 1
    assert time.slept == []
    message = str(caught.value)
    for part in (
        f"HTTP {status}",
        "no such field",
        "GET http://127.0.0.1",
        "/orders",
        "request id abc-123",
        "Do this.",
    ):
        assert part in message


def test_it_gives_up_and_says_after_how_many_attempts(vendor: Vendor, make_client: MakeClient, time: FakeTime) -> None:
    vendor.will(answer(502, b"bad gateway"))
    with pytest.raises(VendorUnavailable, match=r"HTTP 502: bad gateway .* Given up after 4 attempts\."):
        get(make_client(retry=RetryPolicy(attempts=4)), vendor)
    assert len(vendor.requests) == 4
    assert len(time.slept) == 3


def test_retry_after_is_honoured(vendor: Vendor, make_client: MakeClient, time: FakeTime) -> None:
    vendor.will(answer(429, Retry_After="17"), answer(503, Retry_After="40"), answer())
    get(make_client(), vendor)
    assert 17 <= time.slept[0] <= 18
    assert 40 <= time.slept[1] <= 41


def test_a_wait_that_is_too_long_fails_at_once_and_says_so(
    vendor: Vendor, make_client: MakeClient, time: FakeTime
) -> None:
    vendor.will(answer(429, b"daily quota", Retry_After="7200"))
    with pytest.raises(
        RateLimited, match=r"daily quota .* asks to wait 7200 s, until .* UTC: longer than the 300 s"
    ) as caught:
        get(make_client(), vendor)
    assert caught.value.retry_after == 7200
    assert time.slept == []


def test_back_off_grows_and_has_full_jitter(vendor: Vendor, make_client: MakeClient, time: FakeTime) -> None:
    vendor.will(answer(500))
    client = make_client(retry=RetryPolicy(attempts=8, base=2.0, longest_back_off=20.0))
    rounds = []
    for _ in range(30):
        time.slept.clear()
        with pytest.raises(VendorUnavailable):
            get(client, vendor)
        rounds.append(list(time.slept))
    for waits, ceiling in zip(zip(*rounds, strict=True), (2, 4, 8, 16, 20, 20, 20), strict=True):
        assert all(0 <= wait <= ceiling for wait in waits)
        assert min(waits) < ceiling / 3, "full jitter reaches down to nothing"
        assert max(waits) > ceiling * 2 / 3


def test_a_slow_drip_does_not_outlast_the_total(vendor: Vendor, make_client: MakeClient) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        vendor.released.wait(10)

    ticks = itertools.count(step=100)
    limits = Timeouts(connect=5, read=10, total=50)
    client = make_client(timeouts=limits, retry=RetryPolicy(attempts=1), clock=lambda: next(ticks))
    vendor.will(drip)
    with pytest.raises(VendorUnavailable, match="not complete after 50 s"):
        get(client, vendor)


def test_a_slow_drip_of_a_compressed_answer_does_not_either(vendor: Vendor, make_client: MakeClient) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        # The beginning of gzip's header, which unpacks to nothing yet.
        handler.wfile.write(gzip.compress(b"whatever")[:4])
        handler.wfile.flush()
        vendor.released.wait(10)

    ticks = itertools.count(step=100)
    limits = Timeouts(connect=5, read=10, total=50)
    client = make_client(timeouts=limits, retry=RetryPolicy(attempts=1), clock=lambda: next(ticks))
    vendor.will(drip)
    with pytest.raises(VendorUnavailable, match="not complete after 50 s"):
        get(client, vendor)


def test_silence_ends_at_the_read_time_out(vendor: Vendor, make_client: MakeClient) -> None:
    def nothing(_: BaseHTTPRequestHandler) -> None:
        vendor.released.wait(10)

    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"12345")
        handler.wfile.flush()
        vendor.released.wait(10)

    client = make_client(timeouts=Timeouts(connect=5, read=0.05, total=5), retry=RetryPolicy(attempts=1))
    vendor.will(nothing, half)
    with pytest.raises(VendorUnavailable, match=r"No answer within 0.05 s"):
        get(client, vendor)
    with pytest.raises(VendorUnavailable, match=r"stalled for 0.05 s"):
        get(client, vendor)


def test_no_one_there_names_the_reason_and_the_remedy(make_client: MakeClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    client = make_client(retry=RetryPolicy(attempts=1))
    with pytest.raises(VendorUnavailable, match=r"No connection: .*refused.*Check the host name") as caught:
        client.send(Request("GET", f"http://127.0.0.1:{port}/orders"), as_json, budget="any")
    assert str(port) in str(caught.value)


def test_a_redirect_is_not_followed_with_the_token(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(answer(302, Location="http://elsewhere.test/login?state=s"))
    with pytest.raises(RequestRefused, match=r"redirects to http://elsewhere.test/login\?\*\*\*"):
        get(make_client(), vendor)
    assert len(vendor.requests) == 1


def test_an_address_that_cannot_be_is_refused(make_client: MakeClient) -> None:
    with pytest.raises(RequestRefused, match="cannot be sent"):
        make_client().send(Request("GET", "my-shop"), as_json, budget="any")


NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dated", "seconds"),
    [
        ("Fri, 20 Nov 2026 12:10:00 GMT", 600),
        ("Fri, 20 Nov 2026 11:50:00 GMT", -599),
        ("Fri, 20 Nov 2026 12:00:00 GMT", 0),
        ("Fri, 20 Nov 2026 11:59:59 GMT", 0),
        ("soon", 0),
    ],
)
def test_the_vendors_clock_is_compared_with_this_one(
    dated: str, seconds: int, vendor: Vendor, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(now=lambda: NOON)
    vendor.will(answer(Date=dated))
    for _ in range(3):
        get(client, vendor)
    assert client.skew == timedelta(seconds=seconds)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == (1 if seconds else 0), "once, however many answers say so"
    for warning in warnings:
        shown = "2026-11-20 12:10:00" if seconds > 0 else "2026-11-20 11:50:00"
        assert f"shows {shown} UTC when this machine's shows 2026-11-20 12:00:00 UTC" in warning
        assert "/orders" in warning


def test_a_long_wait_for_an_answer_is_no_wrong_clock(vendor: Vendor, make_client: MakeClient) -> None:
    for dated in ("Fri, 20 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 12:05:00 GMT"):
        moments = iter([NOON, NOON + timedelta(minutes=5)])
        client = make_client(now=lambda moments=moments: next(moments))
        vendor.will(answer(Date=dated))
        get(client, vendor)
        assert client.skew == timedelta()


def test_refusals_show_the_clock_too(vendor: Vendor, make_client: MakeClient) -> None:
    client = make_client(now=lambda: NOON)
    vendor.will(answer(401, Date="Fri, 20 Nov 2026 12:10:00 GMT"))
    with pytest.raises(AuthError):
        get(client, vendor)
    assert client.skew == timedelta(minutes=10)


def test_every_attempt_draws_from_the_budget(vendor: Vendor, make_client: MakeClient, time: FakeTime) -> None:
    budget = Budget(rate=1, capacity=1, clock=time.clock, sleep=time.sleep)
    vendor.will(answer(429, Retry_After="0"), answer())
    client = make_client(budget=budget, retry=RetryPolicy(base=0.0))
    get(client, vendor)
    assert sum(time.slept) == pytest.approx(1.0)


def test_a_signed_request_is_made_anew_for_each_attempt(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(answer(503), answer(503), answer(body=b'"well"'))
    seconds = itertools.count(1)
    client = make_client()
    signed = client.send(lambda: Request("GET", f"{vendor.url}/orders?t={next(seconds)}"), as_json, budget="any")
    assert signed == "well"
    assert [path for path, _, _ in vendor.requests] == ["/orders?t=1", "/orders?t=2", "/orders?t=3"]


def test_a_vendor_with_codes_of_its_own_explains_its_refusals(vendor: Vendor, make_client: MakeClient) -> None:
    def explain(response: Response, wait: float | None) -> HttpError | None:
        code = json.loads(response.body)["code"]
        if code == 7:
            return RateLimited(f"code {code}", where=response.where, retry_after=wait)
        return RequestRefused(f"code {code}", where=response.where, remedy="Ask otherwise.") if code else None

    client = make_client(explain=explain)
    vendor.will(answer(400, b'{"code": 7}', Retry_After="3"), answer(body=b'"well"'))
    assert get(client, vendor) == "well"
    vendor.will(answer(401, b'{"code": 8}'))
    with pytest.raises(RequestRefused, match=r"^code 8 \(GET .*/orders\)\. Ask otherwise\.$"):
        get(client, vendor)
    vendor.will(answer(401, b'{"code": 0}'))
    with pytest.raises(AuthError, match="HTTP 401"):
        get(client, vendor)


def test_a_vendor_may_say_how_much_chance_its_back_off_wants(
    vendor: Vendor, make_client: MakeClient, time: FakeTime
) -> None:
    vendor.will(answer(503))
    client = make_client(retry=RetryPolicy(attempts=5, base=1, longest_back_off=3, jitter=0.5))
    with pytest.raises(VendorUnavailable, match="after 5 attempts"):
        get(client, vendor)
    waits = [1, 2, 3, 3]
    assert [wait <= slept <= wait + 0.5 for wait, slept in zip(waits, time.slept, strict=True)] == [True] * 4
