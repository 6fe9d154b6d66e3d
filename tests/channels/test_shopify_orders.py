"""Orders read from the sandbox over HTTP: all of them, by both times, whole, whatever goes wrong on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.shopify_sandbox import FIRST_DAY, NOW
from tributary.channels.shopify import reading
from tributary.channels.shopify.streams import ORDERS, SHOPIFY
from tributary.http import AuthError, BrokenResponse, PagingError, RateLimited, RetryPolicy, Timeouts, VendorUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shopify_sandbox import MakeApi, Sandbox

    from tributary.declaration import Page, Record

START = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=2)
END = NOW + timedelta(hours=1)


def by_id(pages: Iterable[Page]) -> dict[str, Record]:
    records = {}
    for page in pages:
        assert not page.rejects
        records |= {record.record_id: record for record in page.records}
    return records


@pytest.fixture(scope="module")
def truth(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Every order by plain paging, with no window and nothing of the project."""
    found: dict[str, dict[str, Any]] = {}
    after = "null"
    while True:
        page = sandbox.query(
            f"{{ orders(first: 250, after: {after}, sortKey: ID) {{ pageInfo {{ hasNextPage endCursor }} nodes {{"
            " legacyResourceId processedAt updatedAt totalPriceSet { shopMoney { amount } }"
            " refunds { legacyResourceId processedAt totalRefundedSet { shopMoney { amount } } }"
            " customerJourneySummary { moments(first: 50) { nodes { ... on CustomerVisit {"
            " id occurredAt landingPage } } } } } } }"
        )["orders"]
        found |= {order["legacyResourceId"]: order for order in page["nodes"]}
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = json.dumps(page["pageInfo"]["endCursor"])


def journey(order: dict[str, Any]) -> list[dict[str, Any]]:
    summary = order["customerJourneySummary"]
    return summary["moments"]["nodes"] if summary else []


def as_told(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_every_order_refund_and_visit_arrives_with_its_times(
    truth: dict[str, dict[str, Any]], make_api: MakeApi
) -> None:
    pages = list(ORDERS.changed(make_api(), START, END))
    records = by_id(pages)
    assert set(records) == set(truth)
    assert len(truth) > 250
    for key, record in records.items():
        assert record.event_at == as_told(truth[key]["processedAt"])
        assert record.updated_at == as_told(truth[key]["updatedAt"])
        assert json.loads(record.payload)["totalPriceSet"] == truth[key]["totalPriceSet"]
    refunds = {record.record_id: record for page in pages for record in page.children["refunds"]}
    told = {f"{key}/{r['legacyResourceId']}": r for key, order in truth.items() for r in order["refunds"]}
    assert set(refunds) == set(told)
    assert told
    for key, refund in refunds.items():
        assert refund.event_at == as_told(told[key]["processedAt"])
        assert json.loads(refund.payload)["totalRefundedSet"] == told[key]["totalRefundedSet"]
    visits = {record.record_id: record for page in pages for record in page.children["visits"]}
    told = {
        f"{key}/{visit['id'].rsplit('/', 1)[-1]}": visit for key, order in truth.items() for visit in journey(order)
    }
    assert set(visits) == set(told)
    assert len(told) > len(truth) / 2
    for key, visit in visits.items():
        assert visit.event_at == as_told(told[key]["occurredAt"])
        assert visit.updated_at == records[key.split("/")[0]].updated_at
        assert json.loads(visit.payload).items() >= told[key].items()


def test_children_are_cut_from_their_parents_bytes_and_come_with_them(make_api: MakeApi) -> None:
    for page in ORDERS.changed(make_api(), START, END):
        payloads = {record.record_id: record.payload for record in page.records}
        for name in ORDERS.children:
            records = page.children[name]
            assert len({record.record_id for record in records}) == len(records)
            for record in records:
                parent, _, own = record.record_id.partition("/")
                assert record.payload in payloads[parent]
                assert json.loads(record.payload)["id"].endswith(f"/{own}")


def test_money_and_discounts_come_along(truth: dict[str, dict[str, Any]], make_api: MakeApi) -> None:
    orders = [json.loads(r.payload) for r in by_id(ORDERS.changed(make_api(), START, END)).values()]
    paid = [order for order in orders if order["displayFinancialStatus"] == "PAID"]
    for order in paid:
        received = [t for t in order["transactions"] if t["status"] == "SUCCESS" and t["kind"] in ("SALE", "CAPTURE")]
        total = sum(float(t["amountSet"]["shopMoney"]["amount"]) for t in received)
        assert total == pytest.approx(float(order["totalReceivedSet"]["shopMoney"]["amount"]))
    assert any(fee["amount"]["amount"] for order in paid for t in order["transactions"] for fee in t["fees"])
    discounts = [discount for order in orders for discount in order["discountApplications"]["nodes"]]
    assert {discount["__typename"] for discount in discounts} >= {"DiscountCodeApplication"}
    assert all(discount["value"] for discount in discounts)


def test_consecutive_windows_miss_nothing(truth: dict[str, dict[str, Any]], make_api: MakeApi) -> None:
    api = make_api()
    seen: set[str] = set()
    start = START
    while start < END:
        end = start + timedelta(hours=31, minutes=7, microseconds=5)
        for record in by_id(ORDERS.changed(api, start, end)).values():
            assert start.replace(microsecond=0) <= record.updated_at < end + timedelta(seconds=1)
            seen.add(record.record_id)
        start = end
    assert seen == set(truth)


def test_happened_reads_by_business_time(truth: dict[str, dict[str, Any]], make_api: MakeApi) -> None:
    start, end = NOW - timedelta(days=4), NOW - timedelta(days=3)
    expected = {key for key, order in truth.items() if start <= as_told(order["processedAt"]) < end}
    assert expected
    assert set(by_id(ORDERS.happened(make_api(), start, end))) == expected


def test_every_payload_is_a_slice_of_the_vendors_answer(make_api: MakeApi) -> None:
    api = make_api()
    bodies: list[bytes] = []
    read = api._read

    def keep(operation: str, response: Any) -> Any:
        bodies.append(response.body)
        return read(operation, response)

    api._read = keep  # type: ignore[method-assign]
    for page in ORDERS.changed(api, NOW - timedelta(days=1), END):
        for record in (*page.records, *page.children["refunds"], *page.children["visits"]):
            assert record.payload in bodies[-1]


def test_a_query_that_reaches_the_paging_cap_goes_on_from_the_last_time(
    truth: dict[str, dict[str, Any]], make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_SIZE", 20)
    monkeypatch.setattr(reading, "PAGINATION_CAP", 100)
    queries: set[str] = set()
    api = make_api()
    execute = api.execute

    def note(operation: str, variables: dict[str, Any]) -> Any:
        queries.add(variables["query"])
        return execute(operation, variables)

    api.execute = note  # type: ignore[assignment,method-assign]
    assert set(by_id(ORDERS.changed(api, START, END))) == set(truth)
    assert len(queries) > len(truth) // 100


def test_more_changes_in_one_second_than_can_be_paged_is_an_error_not_a_loop(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_SIZE", 2)
    monkeypatch.setattr(reading, "PAGINATION_CAP", 3)
    monkeypatch.setattr(reading.Axis, "of", lambda *_: START)
    with pytest.raises(PagingError, match="have the same updated_at"):
        list(ORDERS.changed(make_api(), START, END))


def test_a_window_that_just_fits_the_cap_is_read_once(
    truth: dict[str, dict[str, Any]], make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGINATION_CAP", 500)
    pages = list(ORDERS.changed(make_api(), START, END))
    assert sum(len(page.records) for page in pages) == len(truth)
    assert 250 < len(truth) <= 500


@pytest.mark.parametrize("kind", ["http_429", "http_5xx", "throttled", "cut", "truncated", "malformed", "html"])
def test_a_passing_fault_changes_nothing(
    kind: str,
    sandbox: Sandbox,
    make_api: MakeApi,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "PAGE_SIZE", 20)
    window = (NOW - timedelta(days=1), END)
    undisturbed = by_id(ORDERS.changed(make_api(), *window))
    assert len(undisturbed) > 20
    sandbox.fault(kind, times=2, skip=1)
    assert by_id(ORDERS.changed(make_api(), *window)) == undisturbed
    assert len(slept) >= 2


def test_a_wrong_content_type_on_a_right_answer_does_not_matter(sandbox: Sandbox, make_api: MakeApi) -> None:
    sandbox.fault("wrong_content_type")
    assert by_id(ORDERS.changed(make_api(), NOW - timedelta(days=1), END))


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("http_429", RateLimited, "HTTP 429"),
        ("http_5xx", VendorUnavailable, "HTTP 503"),
        ("throttled", RateLimited, "THROTTLED"),
        ("truncated", BrokenResponse, "not whole JSON"),
        ("cut", BrokenResponse, "broke off"),
        ("html", BrokenResponse, "Maintenance"),
        ("expired_token", AuthError, "Admin API access token"),
    ],
)
def test_a_lasting_fault_ends_in_a_clear_error(
    kind: str, error: type[Exception], words: str, sandbox: Sandbox, make_api: MakeApi
) -> None:
    sandbox.fault(kind, times=100)
    with pytest.raises(error, match=words) as caught:
        list(ORDERS.changed(make_api(retry=RetryPolicy(attempts=3)), NOW - timedelta(hours=2), END))
    message = str(caught.value)
    assert "graphql.json" in message
    assert "request id" in message
    assert "shpat_" not in message


def test_a_slow_answer_ends_at_the_total_time_out(sandbox: Sandbox, make_api: MakeApi) -> None:
    sandbox.fault("slow", seconds=5)
    api = make_api(timeouts=Timeouts(connect=5, read=5, total=0.6), retry=RetryPolicy(attempts=1))
    with pytest.raises(VendorUnavailable, match=r"not complete after 0.6 s"):
        list(ORDERS.changed(api, NOW - timedelta(hours=1), END))


def test_throttling_is_waited_out_for_as_long_as_the_cost_needs(
    sandbox: Sandbox, make_api: MakeApi, slept: list[float]
) -> None:
    sandbox.fault("throttled", requested=900, restore_rate=50)
    list(ORDERS.changed(make_api(), NOW - timedelta(hours=1), END))
    assert 900 / 50 <= slept[0] <= 900 / 50 + 1


def spoil(sandbox: Sandbox, index: int, **patch: Any) -> None:
    sandbox.fault("merged", merge={"data": {"orders": {"nodes": {str(index): patch}}}})


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ({"name": "nul \x00"}, "NUL"),
        ({"legacyResourceId": None}, "$.legacyResourceId"),
        ({"totalPriceSet": {"shopMoney": {"amount": "a lot"}}}, "$.totalPriceSet.shopMoney.amount"),
        ({"totalPriceSet": {"shopMoney": {"amount": "1e15"}}}, "$.totalPriceSet.shopMoney.amount"),
        ({"processedAt": 7}, "$.processedAt"),
    ],
)
def test_a_poisoned_record_is_a_dead_letter_and_its_neighbours_land(
    patch: dict[str, Any], reason: str, sandbox: Sandbox, make_api: MakeApi
) -> None:
    window = (NOW - timedelta(days=1), END)
    whole = by_id(ORDERS.changed(make_api(), *window))
    spoil(sandbox, 3, **patch)
    first, *others = ORDERS.changed(make_api(), *window)
    (letter,) = first.rejects
    assert reason in letter.reason
    assert all(
        json.loads(letter.payload)[name] == value
        for name, value in patch.items()
        if value != {} and name != "totalPriceSet"
    )
    landed = {record.record_id for page in (first, *others) for record in page.records}
    assert len(landed) == len(whole) - 1
    assert landed < set(whole)
    if "legacyResourceId" not in patch:
        assert letter.record_id in set(whole) - landed


@pytest.mark.parametrize(("poison", "reason"), [(rb"half \ud83d", "surrogate"), (b"\xff", "not UTF-8")])
def test_bytes_that_no_parser_likes_cost_one_order_and_not_the_page(
    poison: bytes, reason: str, make_api: MakeApi
) -> None:
    api = make_api()
    read = api._read
    api._read = lambda operation, response: read(  # type: ignore[method-assign]
        operation, replace(response, body=response.body.replace(b'"name":"', b'"name":"' + poison, 1))
    )
    page = next(iter(ORDERS.changed(api, NOW - timedelta(days=1), END)))
    (letter,) = page.rejects
    assert poison in letter.payload
    assert reason in letter.reason
    assert letter.record_id is not None
    assert len(page.records) > 1


def test_a_new_field_is_kept(sandbox: Sandbox, make_api: MakeApi) -> None:
    spoil(sandbox, 0, loyaltyPoints={"earned": 7})
    page = next(iter(ORDERS.changed(make_api(), NOW - timedelta(days=1), END)))
    assert json.loads(page.records[0].payload)["loyaltyPoints"] == {"earned": 7}


def test_a_cursor_loop_ends_in_an_error(sandbox: Sandbox, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_SIZE", 10)
    api = make_api()
    page = api.execute("Orders", {"query": "", "sortKey": "UPDATED_AT", "first": 10, "after": None})
    cursor = json.loads(page.body)["data"]["orders"]["pageInfo"]["endCursor"]
    loop = {"data": {"orders": {"pageInfo": {"hasNextPage": True, "endCursor": cursor}}}}
    sandbox.fault("merged", times=1000, merge=loop)
    with pytest.raises(PagingError, match=r"circles|repeats"):
        list(ORDERS.changed(api, START, END))


def test_more_pages_without_a_cursor_is_an_error(sandbox: Sandbox, make_api: MakeApi) -> None:
    sandbox.fault("merged", merge={"data": {"orders": {"pageInfo": {"hasNextPage": True, "endCursor": None}}}})
    with pytest.raises(BrokenResponse, match="not where"):
        list(ORDERS.changed(make_api(), NOW - timedelta(hours=1), END))


def test_the_declaration_is_whole() -> None:
    assert [stream.name for stream in SHOPIFY.streams] == ["orders", "customers", "products"]
    assert SHOPIFY.stream("orders") is ORDERS
    assert ORDERS.children == ("refunds", "visits")
    assert set(ORDERS.identities) == {"customer", "email"}
    assert set(ORDERS.links) == {"transaction", "tiktok_order"}
    with pytest.raises(LookupError, match="no stream 'visits'"):
        SHOPIFY.stream("visits")
