"""A client whose requests all tasks count together: what is sat out, what closes the quota, and who asks then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.scripted_vendor import FakeTime, MakeClient, Vendor, answer
from tributary.channels.vendor_quotas import SharedQuota, Window
from tributary.http import HttpClient, QuotaSpent, RateLimited, Request, Response, RetryPolicy, VendorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN = "Q7-private-key"


@pytest.fixture
def now(time: FakeTime) -> Callable[[], datetime]:
    return lambda: NOON + timedelta(seconds=time.now)


@pytest.fixture
def client(
    make_client: MakeClient, connect: Callable[[], psycopg.Connection], now: Callable[[], datetime]
) -> Callable[..., HttpClient]:
    """Clients as tasks on different machines would make them, with one quota of three requests a day."""

    def make(**options: Any) -> HttpClient:
        windows = [Window(3, timedelta(days=1), "a day")]
        quota = SharedQuota(connect=connect, account="vendor/1", quota="reports", windows=windows, now=now)
        return make_client(TOKEN, quota=quota, now=now, **options)

    return make


def get(client: HttpClient, vendor: Vendor) -> bytes:
    return client.send(Request("GET", f"{vendor.url}/reports"), lambda response: response.body, budget="any")


def test_a_short_wait_is_sat_out_by_everybody(
    vendor: Vendor, client: Callable[..., HttpClient], connect: Callable[[], psycopg.Connection], time: FakeTime
) -> None:
    vendor.will(answer(429, Retry_After="17"), answer(body=b"well"))
    assert get(client(), vendor) == b"well"
    assert 17 <= time.slept[0] <= 18
    assert len(vendor.requests) == 2
    with connect() as conn:
        (until,) = conn.execute("select closed_until from ops.vendor_quotas").fetchone() or ()
    assert until == NOON + timedelta(seconds=17)


def test_a_short_wait_that_another_task_was_told_is_sat_out_too(
    vendor: Vendor, client: Callable[..., HttpClient], time: FakeTime
) -> None:
    vendor.will(answer(429, Retry_After="60"))
    with pytest.raises(RateLimited) as refused:
        get(client(retry=RetryPolicy(attempts=1)), vendor)
    assert type(refused.value) is RateLimited

    vendor.will(answer(body=b"well"))
    assert get(client(), vendor) == b"well"
    assert 60 <= time.slept[0] <= 61
    assert len(vendor.requests) == 2


def test_a_long_wait_ends_at_once_and_nobody_asks_until_it_is_over(
    vendor: Vendor, client: Callable[..., HttpClient], time: FakeTime
) -> None:
    vendor.will(answer(429, f"no more reports for {TOKEN}".encode(), Retry_After="7200"), answer(body=b"well"))

    with pytest.raises(QuotaSpent) as first:
        get(client(), vendor)
    for task in (client(), client()):
        with pytest.raises(QuotaSpent) as second:
            get(task, vendor)

    assert len(vendor.requests) == 1
    assert time.slept == []
    goes_on = "A run after that goes on where this one stopped."
    assert str(first.value) == (
        f"HTTP 429: no more reports for *** (GET {vendor.url}/reports). "
        f"It asks to wait 7200 s, until 2026-11-20 14:00 UTC: longer than the 300 s that a task stays for it. {goes_on}"
    )
    assert str(second.value) == (
        f"The quota of reports is used up until 2026-11-20 14:00:00 UTC: HTTP 429: no more reports for ***. {goes_on}"
    )
    time.now = 7200
    assert get(client(), vendor) == b"well"


def test_without_a_word_on_when_it_is_asked_again_and_the_quota_stays_open(
    vendor: Vendor, client: Callable[..., HttpClient], time: FakeTime
) -> None:
    vendor.will(answer(429), answer(body=b"well"))
    assert get(client(), vendor) == b"well"
    assert len(time.slept) == 1
    assert get(client(), vendor) == b"well"


def test_every_request_is_counted_and_the_last_one_says_when_there_are_more(
    vendor: Vendor, client: Callable[..., HttpClient], time: FakeTime
) -> None:
    vendor.will(answer(503))
    with pytest.raises(QuotaSpent, match=r"until 2026-11-21 12:00:00 UTC: all 3 requests a day are used\. A run"):
        get(client(retry=RetryPolicy(base=0.0)), vendor)
    assert len(vendor.requests) == 3


def test_what_is_no_matter_of_quotas_closes_none(vendor: Vendor, client: Callable[..., HttpClient]) -> None:
    vendor.will(answer(503, Retry_After="7200"), answer(body=b"well"))
    with pytest.raises(VendorUnavailable):
        get(client(), vendor)
    assert get(client(), vendor) == b"well"


def test_a_refusal_in_the_body_closes_it_too(vendor: Vendor, client: Callable[..., HttpClient]) -> None:
    def read(response: Response) -> bytes:
        raise QuotaSpent(f"no tokens left for {TOKEN}", where=response.where, retry_after=3600)

    with pytest.raises(QuotaSpent):
        client().send(Request("GET", vendor.url), read, budget="any")
    with pytest.raises(QuotaSpent, match=r"until 2026-11-20 13:00:00 UTC: no tokens left for \*\*\*\. A run"):
        get(client(), vendor)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("asked", ["99999999999999999999", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_wait_is_a_long_one(vendor: Vendor, client: Callable[..., HttpClient], asked: str) -> None:
    vendor.will(answer(429, Retry_After=asked))
    with pytest.raises(QuotaSpent, match="until 2027-11-20"):
        get(client(), vendor)
