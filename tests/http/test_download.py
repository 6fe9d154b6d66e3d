"""A file over real HTTP: whole, or an error; never a piece, never twice the same piece."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import pytest

from tests.http.scripted_vendor import Act, FakeTime, MakeClient, Vendor, answer, cut, hang_up
from tributary.http import BrokenResponse, HttpClient, Request, RequestRefused, RetryPolicy, Timeouts, VendorUnavailable

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

WHOLE = bytes(range(256)) * 4000


def part(start: int) -> Act:
    """The rest of the file, as a server that knows ranges gives it."""
    return answer(206, WHOLE[start:], Content_Range=f"bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}")


def downloaded(client: HttpClient, vendor: Vendor) -> bytes:
    with TemporaryFile() as file:
        client.download(Request("GET", f"{vendor.url}/file?Signature=s3cret"), file)
        assert file.tell() == file.seek(0, 2), "it stands at its end"
        file.seek(0)
        return file.read()


def test_a_file_arrives_without_being_compressed(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(answer(body=WHOLE))
    assert downloaded(make_client(), vendor) == WHOLE
    (request,) = vendor.requests
    assert request[1]["Accept-Encoding"] == "identity"
    assert "Range" not in request[1]


def test_after_a_break_it_goes_on_where_it_broke_off(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(cut(WHOLE[:300_000], len(WHOLE)), answer(503), hang_up, part(300_000))
    assert downloaded(make_client(), vendor) == WHOLE
    assert [headers.get("Range") for _, headers, _ in vendor.requests] == [None, *["bytes=300000-"] * 3]


def test_a_server_without_ranges_gives_it_anew(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(cut(WHOLE[:300_000], len(WHOLE)), answer(body=WHOLE))
    assert downloaded(make_client(), vendor) == WHOLE


def test_what_was_there_of_another_answer_is_gone(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(cut(WHOLE[:300_000], len(WHOLE)), answer(body=b"shorter"))
    assert downloaded(make_client(), vendor) == b"shorter"


def test_breaking_off_for_good_is_an_error(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(cut(WHOLE[:300_000], len(WHOLE)), cut(b"", 1000))
    with pytest.raises(BrokenResponse, match=r"broke off.*Given up after 3 attempts") as caught:
        downloaded(make_client("s3cret", retry=RetryPolicy(attempts=3)), vendor)
    assert "s3cret" not in str(caught.value)


def test_a_refusal_is_no_content(vendor: Vendor, make_client: MakeClient) -> None:
    vendor.will(answer(404, b"NoSuchKey"))
    with TemporaryFile() as file:
        with pytest.raises(RequestRefused, match="HTTP 404: NoSuchKey"):
            make_client().download(Request("GET", vendor.url), file)
        assert file.tell() == 0
    assert len(vendor.requests) == 1


def test_a_drip_ends_at_the_total_time_out(vendor: Vendor, make_client: MakeClient, time: FakeTime) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"x")
        vendor.released.wait(30)

    def clock() -> float:
        time.now += 4
        return time.now

    vendor.will(drip)
    client = make_client(timeouts=Timeouts(connect=5, read=5, total=3), retry=RetryPolicy(attempts=1), clock=clock)
    with pytest.raises(VendorUnavailable, match="not complete after 3 s"):
        downloaded(client, vendor)
