"""Orders read in bulk over HTTP: the same records as by pages, whatever becomes of the operation on the way."""

from __future__ import annotations

import itertools
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.shopify_sandbox import NOW
from tributary.channels.shopify import jsonl, nested
from tributary.channels.shopify.bulk import Patience
from tributary.channels.shopify.history import orders_in_bulk
from tributary.channels.shopify.streams import ORDERS
from tributary.channels.shopify.token import StaticToken
from tributary.http import AuthError, BrokenResponse, RequestRefused, RetryPolicy, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shopify_sandbox import MakeApi, Sandbox

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page, Record

END = NOW + timedelta(minutes=1)
SOON = datetime(2026, 11, 16, tzinfo=UTC)
"""Some dozen orders are enough to follow an operation."""
FILES = "/storage/*"

_minutes = itertools.count()


@pytest.fixture
def start() -> datetime:
    """The start of a window that holds everything and that no other test has asked for in bulk."""
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=next(_minutes))


@pytest.fixture
def patience(slept: list[float]) -> Patience:
    """Waits are noted instead of waited for."""
    return Patience(sleep=slept.append)


@pytest.fixture(autouse=True)
def _bulk_as_usual(sandbox: Sandbox) -> Iterator[None]:
    yield
    for merchant in ("aurora", "nordlicht"):
        sandbox.admin(f"/shops/{merchant}/bulk", method="DELETE")
    while any(one["status"] in ("CREATED", "RUNNING", "CANCELING") for one in operations(sandbox)):
        sandbox.query("{ bulkOperations(first: 1) { nodes { id } } }")


def operations(sandbox: Sandbox, start: datetime | None = None) -> list[dict[str, Any]]:
    """The operations that aurora has seen, or those for the window that begins then."""
    told: list[dict[str, Any]] = sandbox.admin("/shops/aurora/bulk", method="GET")["operations"]
    return [one for one in told if start is None or f"{start:%Y-%m-%dT%H:%M}" in one["query"]]


def plan(sandbox: Sandbox, **how: Any) -> None:
    sandbox.admin("/shops/aurora/bulk", how)


def started_by_someone_else(sandbox: Sandbox, **how: Any) -> str:
    """Another program of the same app runs a bulk query of its own."""
    plan(sandbox, **how)
    query = 'mutation { bulkOperationRunQuery(query: "{ orders { edges { node { id } } } }") { bulkOperation { id } } }'
    return str(sandbox.query(query)["bulkOperationRunQuery"]["bulkOperation"]["id"])


def everything(pages: Iterable[Page]) -> dict[str, Record]:
    """All records and children by their ids."""
    found: dict[str, Record] = {}
    for page in pages:
        assert not page.rejects
        assert not page.gone
        for record in itertools.chain(page.records, *page.children.values()):
            assert record.record_id not in found
            found[record.record_id] = record
    return found


def in_bulk(api: ShopifyApi, start: datetime, patience: Patience, end: datetime = SOON) -> dict[str, Record]:
    return everything(orders_in_bulk(api, start, end, patience))


@pytest.fixture(scope="module")
def _unusual_orders(sandbox: Sandbox) -> None:
    """Orders of which a page shows only a piece."""
    lines = [{"price": f"{number}.00", "quantity": 2} for number in range(1, 131)]
    order = sandbox.admin("/shops/aurora/orders", {"lines": lines, "shipping": "4.00"})
    back = [{"line": number, "quantity": 1} for number in range(60)]
    sandbox.admin(f"/shops/aurora/orders/{order['id']}/refunds", {"lines": back})
    order = sandbox.admin("/shops/aurora/orders", {"lines": lines[:70], "discount": "5.00"})
    order = sandbox.admin("/shops/aurora/orders", {"price": "3.00", "quantity": 70})
    for _ in range(nested.REFUNDS_IN_ORDER + 2):
        sandbox.admin(f"/shops/aurora/orders/{order['id']}/refunds", {"lines": [{"line": 0, "quantity": 1}]})


@pytest.mark.usefixtures("_unusual_orders")
@pytest.mark.parametrize("part", [8 * 1024 * 1024, 50_000])
def test_bulk_brings_byte_for_byte_what_pages_bring(
    part: int, make_api: MakeApi, start: datetime, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "PART_BYTES", part)
    paged = everything(ORDERS.changed(make_api(), start, END))
    assert in_bulk(make_api(), start, patience, END) == paged
    orders = [json.loads(record.payload) for record in paged.values() if "/" not in record.record_id]
    assert len(orders) > 250
    assert max(len(order["lineItems"]["nodes"]) for order in orders) == 130
    assert max(len(order["refunds"]) for order in orders) == nested.REFUNDS_IN_ORDER + 2
    journeys = [order["customerJourneySummary"] for order in orders]
    assert None in journeys
    assert max(len(journey["moments"]["nodes"]) for journey in journeys if journey) > 1
    assert any(order["discountApplications"]["nodes"] for order in orders)


@pytest.mark.usefixtures("_unusual_orders")
def test_an_order_with_more_parts_than_bulk_is_trusted_with_is_read_again(
    make_api: MakeApi, start: datetime, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _lines_without_the_last(make_api(), monkeypatch, keep=jsonl.NESTED_WHOLE)
    found = in_bulk(read, start, patience, END)
    most = max(len(json.loads(r.payload)["lineItems"]["nodes"]) for r in found.values() if "/" not in r.record_id)
    assert most == 130


def _lines_without_the_last(api: ShopifyApi, monkeypatch: pytest.MonkeyPatch, keep: int) -> ShopifyApi:
    """An API whose bulk files end each order's lines after so many, as some clients have seen."""
    gathered = jsonl._gathered

    def cut(part: Any) -> Any:
        found = gathered(part)
        for family in found:
            lines = [key for key in family.children if "LineItem" in str(key)]
            for key in lines[keep:]:
                del family.children[key]
        return found

    monkeypatch.setattr(jsonl, "_gathered", cut)
    return api


def test_no_orders_are_no_file(make_api: MakeApi, patience: Patience) -> None:
    long_ago = datetime(2019, 1, 1, tzinfo=UTC)
    assert everything(orders_in_bulk(make_api(), long_ago, long_ago + timedelta(days=9), patience)) == {}


def test_a_run_that_was_interrupted_is_taken_over(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience, slept: list[float]
) -> None:
    plan(sandbox, polls=4)

    def killed(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_bulk(make_api(), start, Patience(sleep=killed))
    assert [one["status"] for one in operations(sandbox, start)] == ["CREATED"]
    assert in_bulk(make_api(), start, patience)
    assert in_bulk(make_api(), start, patience), "and once more when it is done"
    assert [one["status"] for one in operations(sandbox, start)] == ["COMPLETED"]


def test_what_ran_too_long_ago_is_not_taken_over(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    in_bulk(make_api(), start, patience)
    api = make_api()
    api.now = lambda: NOW + timedelta(hours=25)
    in_bulk(api, start, patience)
    assert len(operations(sandbox, start)) == 2


def test_it_waits_longer_and_longer_but_not_for_ever(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, slept: list[float]
) -> None:
    plan(sandbox, polls=30)
    with pytest.raises(Transient, match=r"BulkOperation/\d+ .*RUNNING.* did not end within 600 s.* takes it over"):
        in_bulk(make_api(), start, Patience(sleep=slept.append, run=600))
    assert slept == sorted(slept)
    assert 600 <= sum(slept) <= 660
    assert in_bulk(make_api(), start, Patience(sleep=slept.append))
    assert len(operations(sandbox, start)) == 1


@pytest.mark.parametrize(("limit", "code"), [(1, "OPERATION_IN_PROGRESS"), (2, "LIMIT_REACHED")])
def test_it_waits_for_a_place(
    limit: int,
    code: str,
    sandbox: Sandbox,
    make_api: MakeApi,
    start: datetime,
    patience: Patience,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(limit):
        started_by_someone_else(sandbox, polls=3, limit=limit)
    with caplog.at_level(logging.INFO):
        assert in_bulk(make_api(), start, patience)
    assert code in caplog.text


def test_no_place_for_long_names_what_is_in_the_way(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, slept: list[float]
) -> None:
    other = started_by_someone_else(sandbox, polls=60, limit=1)
    sandbox.admin("/shops/aurora/bulk", {"limit": 1})
    with pytest.raises(Transient, match="No place for a bulk operation within 300 s") as caught:
        in_bulk(make_api(), start, Patience(sleep=slept.append, busy=300))
    assert other in str(caught.value)
    assert "bulkOperationCancel" in str(caught.value)
    sandbox.query(f'mutation {{ bulkOperationCancel(id: "{other}") {{ bulkOperation {{ id }} }} }}')


@pytest.mark.parametrize(
    "ending", [{"outcome": "FAILED"}, {"outcome": "FAILED", "error_code": "TIMEOUT"}, {"outcome": "EXPIRED"}]
)
def test_an_operation_that_fails_is_started_once_more(
    ending: dict[str, str], sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    plan(sandbox, **ending)
    assert in_bulk(make_api(), start, patience)
    assert [one["status"] for one in operations(sandbox, start)] == [ending["outcome"], "COMPLETED"]


def test_failing_twice_is_an_error_that_says_so(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    for _ in range(2):
        plan(sandbox, outcome="FAILED", error_code="TIMEOUT", partial=10)
    with pytest.raises(Transient, match=r"FAILED, TIMEOUT.* came to nothing"):
        in_bulk(make_api(), start, patience)
    assert len(operations(sandbox, start)) == 2


def test_a_cancelled_operation_is_left_cancelled(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    plan(sandbox, outcome="CANCELED")
    with pytest.raises(Transient, match="CANCELED"):
        in_bulk(make_api(), start, patience)
    assert len(operations(sandbox, start)) == 1


def test_a_missing_scope_is_for_a_person_to_grant(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    plan(sandbox, outcome="FAILED", error_code="ACCESS_DENIED")
    with pytest.raises(AuthError, match=r"ACCESS_DENIED.* Grant the app"):
        in_bulk(make_api(), start, patience)
    assert len(operations(sandbox, start)) == 1


def test_a_refused_query_is_not_asked_again(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tributary.channels.shopify.bulk_query.bulk_query", lambda _: "{ shop { name } }")
    with pytest.raises(RequestRefused, match="INVALID: Bulk queries must contain at least one connection"):
        in_bulk(make_api(), start, patience)


def test_a_window_before_the_horizon_is_refused(sandbox: Sandbox, make_api: MakeApi, patience: Patience) -> None:
    token = sandbox.admin("/shops/aurora/tokens", {"scopes": ["read_orders"]})["access_token"]
    with pytest.raises(AuthError, match="read_all_orders"):
        in_bulk(make_api(token=StaticToken(token)), NOW - timedelta(days=61), patience)


def test_a_file_that_is_gone_is_made_anew(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience, caplog: pytest.LogCaptureFixture
) -> None:
    whole = in_bulk(make_api(), start, patience)
    file_fault(sandbox, "expired_token", status=403)
    assert in_bulk(make_api(), start, patience) == whole
    assert [one["status"] for one in operations(sandbox, start)] == ["COMPLETED", "COMPLETED"]
    assert "is gone: HTTP 403" in caplog.text
    assert "Signature=" not in caplog.text


def file_fault(sandbox: Sandbox, kind: str, times: int = 1, **options: Any) -> None:
    sandbox.fault(kind, times, route=FILES, **options)


@pytest.mark.parametrize("kind", ["cut", "http_5xx", "http_429"])
def test_a_download_that_breaks_off_goes_on(
    kind: str, sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    whole = in_bulk(make_api(), start, patience)
    file_fault(sandbox, kind, times=2)
    assert in_bulk(make_api(), start, patience) == whole
    assert len(operations(sandbox, start)) == 1


@pytest.mark.parametrize(
    ("kind", "words"), [("truncated", r"has \d+ bytes instead of \d+"), ("html", "bytes instead of")]
)
def test_a_file_of_another_size_is_not_read(
    kind: str, words: str, sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    file_fault(sandbox, kind)
    with pytest.raises(BrokenResponse, match=words):
        in_bulk(make_api(), start, patience)
    assert in_bulk(make_api(), start, patience)
    assert len(operations(sandbox, start)) == 1


def test_a_lasting_fault_of_the_storage_ends_in_an_error_without_the_signature(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    file_fault(sandbox, "http_5xx", times=100)
    with pytest.raises(Transient, match="HTTP 503") as caught:
        in_bulk(make_api(retry=RetryPolicy(attempts=3)), start, patience)
    assert "Signature" not in str(caught.value)


@pytest.mark.parametrize(
    ("find", "put", "reason"),
    [
        ('"landingPage":"https:', r'"landingPage":"\ud83d', "surrogate"),
        ('"sourceName":"web"', '"sourceName":"w\xffb"', "not UTF-8"),
        ('"test":false', '"test":12345', "$.test"),
        ('"refunds":[]', '"refunds":{}', "$.refunds"),
    ],
)
def test_a_poisoned_order_is_a_dead_letter_and_its_neighbours_land(
    find: str, put: str, reason: str, sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    whole = in_bulk(make_api(), start, patience)
    file_fault(sandbox, "substituted", find=find, put=put)
    pages = list(orders_in_bulk(make_api(), start, SOON, patience))
    (letter,) = [letter for page in pages for letter in page.rejects]
    assert reason in letter.reason
    assert put.encode("latin-1") in letter.payload
    landed = {record.record_id for page in pages for record in page.records}
    assert landed == {key for key in whole if "/" not in key} - {letter.record_id}


def test_refunds_that_vanished_since_are_no_dead_letter(
    sandbox: Sandbox, make_api: MakeApi, start: datetime, patience: Patience
) -> None:
    whole = in_bulk(make_api(), start, patience, END)
    orders = [json.loads(record.payload) for key, record in whole.items() if "/" not in key]
    number = next(order["refunds"][0]["legacyResourceId"] for order in orders if order["refunds"])
    file_fault(sandbox, "substituted", find=f"Refund/{number}", put="Refund/" + "9" * len(number))
    assert in_bulk(make_api(), start, patience, END) == whole


def test_the_disk_is_left_as_it_was(
    make_api: MakeApi, start: datetime, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pages = orders_in_bulk(make_api(), start, SOON, patience)
    assert next(pages).records
    assert not list(tmp_path.iterdir()), "the files have no names, so that even a killed process leaves none"
