"""Klaviyo's client: what it sends, what it makes of answers, how much it asks, and what it never shows."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.channels.klaviyo_client import KEY, klaviyo_clients
from tests.channels.shopify_sandbox import NOW
from tests.http.scripted_vendor import Act, FakeTime, Vendor, answer, cut
from tributary.channels.klaviyo.api import REVISION
from tributary.channels.klaviyo.limits import RATES, REPORTS
from tributary.channels.klaviyo.refusals import NotThere, ScopeMissing
from tributary.http import (
    AuthError,
    BrokenResponse,
    Fatal,
    HttpError,
    PagingError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    RetryPolicy,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.klaviyo_client import MakeKlaviyo
    from tributary.channels.klaviyo.api import KlaviyoApi

ONCE = RetryPolicy(attempts=1)
REPORT = "/api/campaign-values-reports"


@pytest.fixture
def make(vendor: Vendor, slept: list[float]) -> Iterator[MakeKlaviyo]:
    with klaviyo_clients(vendor.url, slept) as clients:
        yield clients


@pytest.fixture
def api(make: MakeKlaviyo) -> KlaviyoApi:
    return make()


def says(document: Any, status: int = 200, **headers: str) -> Act:
    return answer(status, json.dumps(document).encode(), **headers)


def page(*ids: str, following: str | None = None) -> Act:
    items = [{"type": "flow", "id": one, "attributes": {}} for one in ids]
    return says({"data": items, "links": {"self": "x", "next": following}})


def refuses(status: int, detail: str, *, source: dict[str, str] | None = None, **headers: str) -> Act:
    error = {"id": "e-1", "code": "some_code", "title": "A title.", "detail": detail, "source": source or {}}
    return says({"errors": [error]}, status, **headers)


def account(zone: str = "America/New_York") -> Act:
    attributes = {
        "timezone": zone,
        "preferred_currency": "USD",
        "contact_information": {"organization_name": "Aurora Outdoor"},
    }
    return says({"data": [{"type": "account", "id": "AbC123", "attributes": attributes}]})


def metrics(*known: tuple[str, str, str | None]) -> Act:
    """The account's metrics by id, name and integration."""
    items = [
        {"type": "metric", "id": i, "attributes": {"name": name, "integration": source and {"name": source}}}
        for i, name, source in known
    ]
    return says({"data": items, "links": {}})


def ids(api: KlaviyoApi) -> list[str]:
    return [
        json.loads(item)["id"]
        for rows in api.pages("/api/flows", {"sort": "id"}, budget="flows")
        for item in rows.payloads
    ]


def test_every_request_names_the_revision_and_the_key(api: KlaviyoApi, vendor: Vendor) -> None:
    vendor.will(says({"data": []}), says({"data": {}}))
    api.get("/api/flows", {"filter": "equals(name,'a&b')", "page[size]": "50"}, budget="flows")
    api.post(REPORT, {"data": {"type": "x"}}, budget=REPORTS, params={"page_cursor": "c"})
    (asked, sent, body), (report, sent_too, posted) = vendor.requests
    assert dict(parse_qsl(urlsplit(asked).query)) == {"filter": "equals(name,'a&b')", "page[size]": "50"}
    assert report == f"{REPORT}?page_cursor=c"
    for headers in (sent, sent_too):
        assert headers["Authorization"] == f"Klaviyo-API-Key {KEY}"
        assert headers["revision"] == REVISION
        assert headers["Accept"] == "application/vnd.api+json"
    assert body == b""
    assert json.loads(posted) == {"data": {"type": "x"}}
    assert sent_too["Content-Type"] == "application/vnd.api+json"


def test_items_are_the_vendors_own_bytes(api: KlaviyoApi, vendor: Vendor) -> None:
    strange = b'{"id" : "1",  "\\u00e4":1.50}'
    vendor.will(answer(body=b'{"links":{},"data":[' + strange + b', {"id":"2","x":"\\u0000"}]}'))
    [rows] = api.pages("/api/flows", {}, budget="flows")
    assert rows.payloads == [strange, b'{"id":"2","x":"\\u0000"}']
    assert not rows.sound


@pytest.mark.parametrize("relative", [False, True])
def test_pages_are_followed_to_the_last(api: KlaviyoApi, vendor: Vendor, relative: bool) -> None:
    here = "" if relative else vendor.url
    vendor.will(
        page("1", "2", following=f"{here}/api/flows?page%5Bcursor%5D=b"),
        page(following=f"{here}/api/flows?c"),
        page("3"),
    )
    assert ids(api) == ["1", "2", "3"]
    assert [path for path, _, _ in vendor.requests] == [
        "/api/flows?sort=id",
        "/api/flows?page%5Bcursor%5D=b",
        "/api/flows?c",
    ]


def test_the_key_goes_to_no_other_host(api: KlaviyoApi, vendor: Vendor) -> None:
    vendor.will(page("1", following="https://elsewhere.example/api/flows?page%5Bcursor%5D=b"))
    with pytest.raises(PagingError, match=r"elsewhere.example, another host.*api_host"):
        ids(api)
    assert len(vendor.requests) == 1


def test_circles_and_repeated_pages_are_noticed(api: KlaviyoApi, vendor: Vendor) -> None:
    vendor.will(page("1", following="/api/flows?b"), page("2", following="/api/flows?b"))
    with pytest.raises(PagingError, match="in circles"):
        ids(api)
    vendor.will(page("1", following="/api/flows?b"), page("1", following="/api/flows?c"))
    with pytest.raises(PagingError, match="repeats itself"):
        ids(api)


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (
            refuses(400, "'x' is not valid.", source={"pointer": "/data/attributes/statistics/0"}),
            RequestRefused,
            "'x' is not valid \\(at /data/attributes/statistics/0\\).*Klaviyo's error id e-1.*update Tributary",
        ),
        (
            refuses(400, "Bad filter", source={"parameter": "filter"}),
            RequestRefused,
            "Bad filter \\(at filter\\).*update",
        ),
        (
            refuses(400, "No such metric", source={"pointer": "/data/attributes/conversion_metric_id"}),
            RequestRefused,
            "conversion_metric_id, or empty it",
        ),
        (refuses(400, "Invalid API key."), RequestRefused, "private key of the account"),
        (
            refuses(401, "Incorrect authentication credentials."),
            AuthError,
            "refuses with 401: Incorrect.*private key.*password",
        ),
        (refuses(403, "You do not have permission."), ScopeMissing, "lacks the scope flows:read.*create a new one"),
        (refuses(404, "Not there"), NotThere, "refuses with 404"),
        (refuses(410, "This revision is retired"), RequestRefused, "update Tributary"),
        (refuses(500, "Sorry"), VendorUnavailable, "refuses with 500: Sorry"),
        (answer(503, b"<html>busy"), VendorUnavailable, "HTTP 503"),
        (answer(403, b"<html>no"), AuthError, "HTTP 403"),
        (answer(200, b"<html>"), BrokenResponse, "not whole JSON: <html>"),
        (answer(200, b'{"data":[{}'), BrokenResponse, "not whole JSON"),
        (answer(200, b'{"ok":true}'), RequestRefused, "not Klaviyo's.*api_host"),
        (answer(200, b'{"data":{}}'), BrokenResponse, "does not fit the query"),
        (answer(302, Location="https://elsewhere.example"), RequestRefused, "elsewhere.example"),
        (cut(b'{"data":[', 100), BrokenResponse, "broke off"),
    ],
)
def test_refusals_are_told(make: MakeKlaviyo, vendor: Vendor, act: Act, kind: type[HttpError], words: str) -> None:
    vendor.will(act)
    with pytest.raises(kind, match=words):
        ids(make(retry=ONCE))


def test_a_refusal_of_half_an_error_is_told(make: MakeKlaviyo, vendor: Vendor) -> None:
    vendor.will(says({"errors": [{"title": "Odd."}]}, 400))
    with pytest.raises(RequestRefused, match="400: Odd"):
        ids(make())
    vendor.will(says({"errors": []}, 400))
    with pytest.raises(RequestRefused, match="HTTP 400"):
        ids(make())


def test_what_may_help_is_asked_again(api: KlaviyoApi, vendor: Vendor, slept: list[float]) -> None:
    vendor.will(answer(503), cut(b"{", 9), refuses(429, "Throttled", Retry_After="7"), page("1"))
    assert ids(api) == ["1"]
    assert 7 <= slept[-1] <= 8


def test_without_a_time_to_wait_it_is_the_minute(api: KlaviyoApi, vendor: Vendor, slept: list[float]) -> None:
    for throttled in (refuses(429, "Throttled"), answer(429, b"")):
        slept.clear()
        vendor.will(throttled, throttled, page("1"))
        assert ids(api) == ["1"]
        assert [60 <= wait <= 61 for wait in slept] == [True, True]


class Noted:
    """A quota that lets all pass, and takes down what it is told."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed: list[tuple[float, str]] = []

    def take(self) -> None:
        self.taken += 1

    def close(self, seconds: float, reason: str) -> None:
        self.closed.append((seconds, reason))


def test_reports_refused_again_after_the_minute_are_left_alone_for_an_hour(
    make: MakeKlaviyo, vendor: Vendor, slept: list[float]
) -> None:
    quota = Noted()
    api = make(quotas={REPORTS: quota})
    vendor.will(refuses(429, "Throttled"))
    with pytest.raises(QuotaSpent, match=r"Throttled.*It asks to wait 3600 s, until 2026-11-20 13:00 UTC"):
        api.post(REPORT, {}, budget=REPORTS)
    assert len(vendor.requests) == quota.taken == 2
    assert [seconds for seconds, _ in quota.closed] == [60, 3600]
    assert len(slept) == 1
    vendor.will(says({"data": {}}), refuses(429, "Throttled"), says({"data": {}}))
    api.post(REPORT, {}, budget=REPORTS)
    api.post(REPORT, {}, budget=REPORTS)
    assert [seconds for seconds, _ in quota.closed] == [60, 3600, 60]


def test_a_wait_that_is_too_long_ends_the_task_and_closes_the_quota(make: MakeKlaviyo, vendor: Vendor) -> None:
    quota = Noted()
    vendor.will(refuses(429, "The daily limit is reached", Retry_After="40000"))
    with pytest.raises(QuotaSpent, match=r"daily limit.*until 2026-11-20 23:06 UTC.*goes on where"):
        make(quotas={REPORTS: quota}).post(REPORT, {}, budget=REPORTS)
    assert len(vendor.requests) == 1
    assert [seconds for seconds, _ in quota.closed] == [40000]


def test_a_day_that_is_used_up_is_known_before_the_next_report(make: MakeKlaviyo, vendor: Vendor) -> None:
    quota = Noted()
    vendor.will(says({"data": {}}, RateLimit_Limit="225", RateLimit_Remaining="0", RateLimit_Reset="40000"))
    make(quotas={REPORTS: quota}).post(REPORT, {}, budget=REPORTS)
    assert quota.closed == [(40000, "Klaviyo says that none is left")]


def test_the_vendors_own_count_corrects_the_budget(make: MakeKlaviyo, vendor: Vendor) -> None:
    time = FakeTime()
    budgets = {group: rate.budget(clock=time.clock, sleep=time.sleep) for group, rate in RATES.items()}
    api = make(budgets=budgets)
    vendor.will(says({"data": []}, RateLimit_Limit="60", RateLimit_Remaining="0", RateLimit_Reset="40"))
    api.get("/api/flows", {}, budget="flows")
    assert time.slept == []
    vendor.will(
        says({"data": []}, RateLimit_Remaining="2", RateLimit_Reset="40"), says({"data": []}, RateLimit_Remaining="50")
    )
    api.get("/api/flows", {}, budget="flows")
    assert time.now == pytest.approx(40)
    for _ in range(2):
        api.get("/api/flows", {}, budget="flows")
    assert time.now == pytest.approx(40)
    api.get("/api/flows", {}, budget="flows")
    assert time.now > 40.9


@pytest.mark.parametrize("group", [group for group in RATES if group != REPORTS])
def test_budgets_keep_to_burst_and_steady_rates(group: str) -> None:
    time, rate = FakeTime(), RATES[group]
    budget = rate.budget(clock=time.clock, sleep=time.sleep)
    spent: list[float] = []
    while time.now < 180:
        budget.take()
        spent.append(time.now)
    assert len(spent) > 2.5 * (rate.steady - rate.burst)
    for start in range(0, len(spent), 7):
        assert sum(1 for at in spent if spent[start] <= at < spent[start] + 60 - 1e-6) <= rate.steady + 1


def test_the_clock_is_klaviyos_even_when_it_refuses(make: MakeKlaviyo, vendor: Vendor) -> None:
    ahead = "Fri, 20 Nov 2026 12:10:00 GMT"
    for act in (says({"data": []}, Date=ahead), refuses(403, "no", Date=ahead)):
        vendor.requests.clear()
        vendor.will(act)
        api = make()
        assert api.now() - NOW == pytest.approx(timedelta(minutes=10), abs=timedelta(seconds=1))
        assert api.now() - NOW == pytest.approx(timedelta(minutes=10), abs=timedelta(seconds=1))
        assert len(vendor.requests) == 1


def test_the_account_is_asked_once(api: KlaviyoApi, vendor: Vendor) -> None:
    vendor.will(account())
    assert (api.account().time_zone.key, api.account().currency) == ("America/New_York", "USD")
    assert (api.account().name, api.account().id) == ("Aurora Outdoor", "AbC123")
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("zone", ["Atlantis/Capital", "", "../etc/passwd"])
def test_an_unknown_time_zone_is_told(api: KlaviyoApi, vendor: Vendor, zone: str) -> None:
    vendor.will(account(zone))
    with pytest.raises(RequestRefused, match=r"time zone is.*account settings"):
        api.account()


def test_a_key_of_no_account_is_told(api: KlaviyoApi, vendor: Vendor) -> None:
    vendor.will(says({"data": []}))
    with pytest.raises(RequestRefused, match="no account for this key"):
        api.account()


SHOPIFYS = ("A1", "Placed Order", "Shopify")
OTHERS = ("B2", "Placed Order", "WooCommerce")
OPENED = ("C3", "Opened Email", "Klaviyo")


@pytest.mark.parametrize(
    ("known", "wanted", "found"),
    [
        ((SHOPIFYS, OPENED), None, "A1"),
        ((OTHERS, OPENED), None, "B2"),
        ((OTHERS, SHOPIFYS), None, "A1"),
        ((OTHERS, SHOPIFYS, OPENED), "C3", "C3"),
        (((*SHOPIFYS[:2], None),), None, "A1"),
    ],
)
def test_the_conversion_metric_is_found(
    make: MakeKlaviyo, vendor: Vendor, known: tuple[Any, ...], wanted: str | None, found: str
) -> None:
    vendor.will(metrics(*known))
    api = make(conversion_metric_id=wanted)
    assert api.conversion_metric() == api.conversion_metric() == found
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("known", "wanted", "words"),
    [
        (
            (OTHERS, ("D4", "Placed Order", "Magento")),
            None,
            "2 metrics 'Placed Order'.*conversion_metric_id.*B2, WooCommerce.*D4, Magento",
        ),
        ((SHOPIFYS, ("A9", "Placed Order", "Shopify")), None, "2 metrics.*A1.*A9"),
        ((OPENED,), None, "no metric 'Placed Order'.*Opened Email \\(C3, Klaviyo\\)"),
        ((), None, "there are: none yet"),
        ((SHOPIFYS,), "Zz", "no metric Zz, which the connection names.*Placed Order \\(A1, Shopify\\)"),
        (
            tuple((f"M{n:02}", f"Metric {n:02}", None) for n in range(25)),
            None,
            "Metric 19 \\(M19, no integration\\) and 5 more",
        ),
    ],
)
def test_an_unclear_conversion_metric_is_told_with_the_choices(
    make: MakeKlaviyo, vendor: Vendor, known: tuple[Any, ...], wanted: str | None, words: str
) -> None:
    vendor.will(metrics(*known))
    with pytest.raises(Fatal, match=words):
        make(conversion_metric_id=wanted).conversion_metric()


def test_metrics_of_one_name_are_all_known(api: KlaviyoApi, vendor: Vendor) -> None:
    vendor.will(metrics(SHOPIFYS, OTHERS, OPENED))
    assert dict(api.metric_ids()) == {"Placed Order": ["A1", "B2"], "Opened Email": ["C3"]}
    assert api.metric_ids().get("Clicked Email") is None


def test_a_metric_that_cannot_be_read_is_told(make: MakeKlaviyo, vendor: Vendor) -> None:
    vendor.will(says({"data": [{"id": 5, "attributes": {}}]}))
    with pytest.raises(BrokenResponse, match="A metric does not fit"):
        make(retry=ONCE).metric_ids()


def test_nothing_shows_the_key(make: MakeKlaviyo, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    for act in (
        refuses(401, f"The key {KEY} is wrong"),
        answer(500, KEY.encode()),
        answer(200, f'"{KEY}'.encode()),
        page("1", following=f"https://elsewhere.example/{KEY}"),
        refuses(429, f"{KEY} asks too much"),
    ):
        vendor.will(act)
        api = make(retry=RetryPolicy(attempts=2))
        with pytest.raises(HttpError) as raised:
            ids(api)
        shown.append("".join(traceback.format_exception(raised.value)))
    shown += [caplog.text, repr(api), repr(api.__dict__["_client"])]
    assert not [text for text in shown if KEY in text or "0123456789abcdef" in text]


def test_what_holds_for_a_sync_is_said_once(api: KlaviyoApi, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        api.warn_once("No metric is called so")
    assert [record.getMessage() for record in caplog.records] == ["No metric is called so"]


def test_a_quota_that_is_used_up_asks_nothing(make: MakeKlaviyo, vendor: Vendor) -> None:
    class Spent(Noted):
        def take(self) -> None:
            raise QuotaSpent("all are used", retry_after=9000)

    with pytest.raises(RateLimited, match="all are used"):
        make(quotas={REPORTS: Spent()}).post(REPORT, {}, budget=REPORTS)
    assert vendor.requests == []
