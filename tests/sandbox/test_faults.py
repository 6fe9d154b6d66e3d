"""Each injected fault as a client sees it."""

from __future__ import annotations

import inspect
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.faults import FAULTS
from tests.sandbox.conftest import NOW
from tests.sandbox.fault_table import FAULTS_PAGE, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Client

QUERY = "{orders(first: 20){nodes{id createdAt updatedAt}}}"


def code(response: requests.Response) -> str:
    return str(response.json()["errors"][0]["extensions"]["code"])


SYMPTOMS: dict[str, Callable[[requests.Response], bool]] = {
    "http_429": lambda r: r.status_code == 429 and r.headers["Retry-After"] == "7",
    "http_5xx": lambda r: r.status_code == 502,
    "throttled": lambda r: r.status_code == 200 and code(r) == "THROTTLED",
    "expired_token": lambda r: r.status_code == 401 and "access token" in r.json()["errors"],
    "html": lambda r: r.status_code == 200 and r.headers["Content-Type"].startswith("text/html"),
    "malformed": lambda r: r.headers["Content-Type"] == "application/json" and r.text.endswith("[,"),
    "truncated": lambda r: r.text.startswith('{"data"') and not r.text.endswith("}"),
    "wrong_content_type": lambda r: r.headers["Content-Type"] == "text/plain" and "data" in r.json(),
    "merged": lambda r: {node["createdAt"] for node in r.json()["data"]["orders"]["nodes"]} == {5},
    "missing_field": lambda r: "createdAt" not in r.json()["data"]["orders"]["nodes"][3],
    "substituted": lambda r: b'"createdAt":"\\ud83d\xff' in r.content,
    "clock_off": lambda r: (parsedate_to_datetime(r.headers["Date"]) - NOW).total_seconds() == 600,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "http_429": {"retry_after": 7},
    "http_5xx": {"status": 502},
    "merged": {"merge": {"data": {"orders": {"nodes": {"*": {"createdAt": 5}}}}}},
    "missing_field": {"path": "data.orders.nodes.3.createdAt"},
    "substituted": {"find": '"createdAt":"', "put": '"createdAt":"\\ud83d\xff'},
    "clock_off": {"seconds": 600},
}
PAGES = "query Pages($after: String) {orders(first: 5, after: $after) {nodes {id} pageInfo {endCursor hasNextPage}}}"
CURSOR = {"cursor": "data.orders.pageInfo.endCursor", "more": "data.orders.pageInfo.hasNextPage"}


def inject(client: Client, kind: str, **fault: Any) -> None:
    client.admin("POST", "/faults", {"route": "*/graphql.json", "kind": kind, **fault})


@pytest.mark.parametrize("kind", SYMPTOMS)
def test_a_fault_strikes_once_and_is_gone(fresh: Client, kind: str) -> None:
    inject(fresh, kind, options=OPTIONS.get(kind, {}))
    assert SYMPTOMS[kind](fresh.post(QUERY))
    assert len(fresh.ask(QUERY)["orders"]["nodes"]) == 20


def test_a_cut_connection_breaks_the_read(fresh: Client) -> None:
    inject(fresh, "cut")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        fresh.post(QUERY)
    assert fresh.ask(QUERY)


def test_a_slow_body_takes_its_time_and_is_whole(fresh: Client) -> None:
    inject(fresh, "slow", options={"seconds": 0.4})
    began = time.monotonic()
    assert len(fresh.ask(QUERY)["orders"]["nodes"]) == 20
    assert time.monotonic() - began >= 0.35


def test_a_stalled_body_waits_for_no_client_that_has_hung_up(fresh: Client) -> None:
    url = f"{fresh.url}/shopify/aurora.myshopify.com/admin/api/2026-10/graphql.json"
    headers = {"X-Shopify-Access-Token": "shpat_sandbox_aurora"}
    inject(fresh, "stalled", times=2)
    with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
        requests.post(url, json={"query": QUERY}, headers=headers, timeout=0.2)
    with requests.post(url, json={"query": QUERY}, headers=headers, timeout=20, stream=True) as answer:
        assert answer.raw.read(8) == b'{"data":'
    # The end of the fixture waits for the server, which waits an hour for whoever stays.


def pages(client: Client, *, most: int = 8) -> list[tuple[list[str], str | None]]:
    """The pages that following the cursor brings, each with its next cursor."""
    found: list[tuple[list[str], str | None]] = []
    after = None
    while len(found) < most:
        orders = client.ask(PAGES, {"after": after})["orders"]
        after = orders["pageInfo"]["endCursor"] if orders["pageInfo"]["hasNextPage"] else None
        found.append(([node["id"] for node in orders["nodes"]], after))
        if after is None:
            break
    return found


def test_a_repeated_answer_is_the_first_one_again(fresh: Client) -> None:
    first, second, third, *_ = pages(fresh)
    inject(fresh, "repeated", times=3)
    assert pages(fresh, most=5) == [first, first, first, second, third]


def test_a_cursor_loop_leads_back_with_new_records(fresh: Client) -> None:
    first, second, *_ = pages(fresh)
    inject(fresh, "cursor_loop", times=3, options=CURSOR)
    assert pages(fresh, most=3) == [first, (second[0], first[1]), (second[0], first[1])]


def test_an_empty_page_leads_to_the_real_one(fresh: Client) -> None:
    first, second, third, *_ = pages(fresh)
    inject(fresh, "empty_page", times=3, skip=1, options={"records": "data.orders.nodes", **CURSOR})
    assert pages(fresh, most=5) == [first, ([], "empty-page-1"), ([], "empty-page-2"), second, third]


def test_an_empty_page_that_is_not_followed_leads_nowhere(fresh: Client) -> None:
    first, second, *_ = pages(fresh)
    inject(fresh, "empty_page", times=2, options={"records": "data.orders.nodes", **CURSOR})
    assert pages(fresh, most=1) == [([], "empty-page-1")]
    after = {"after": first[1]}
    assert [node["id"] for node in fresh.ask(PAGES, after)["orders"]["nodes"]] == second[0]


def test_something_happens_at_the_shop_between_two_answers(fresh: Client) -> None:
    made = fresh.admin("POST", "/shops/aurora/orders", {})
    inject(
        fresh, "meanwhile", options={"path": f"/shops/aurora/orders/{made['id']}/cancel", "body": {"reason": "OTHER"}}
    )
    query = f'{{order(id: "{made["gid"]}") {{cancelledAt}}}}'
    assert fresh.admin("GET", f"/shops/aurora/orders/{made['id']}")["cancelled"] is False
    assert fresh.ask(query)["order"]["cancelledAt"] is not None


def test_what_cannot_happen_is_an_error_of_the_sandbox(fresh: Client) -> None:
    inject(fresh, "meanwhile", options={"path": "/shops/aurora/orders/1/cancel"})
    assert fresh.post(QUERY).status_code == 500


def test_untouched_records_keep_their_bytes(fresh: Client) -> None:
    whole = fresh.post(QUERY).content
    inject(fresh, "merged", options={"merge": {"data": {"orders": {"nodes": {"0": {"name": "J\u00f6rg \x00"}}}}}})
    spoiled = fresh.post(QUERY).content
    start = whole.index(b"},{")
    assert spoiled.count(whole[start : whole.index(b'"extensions"')]) == 1


def test_any_vendors_words_can_be_put_in(fresh: Client) -> None:
    words = {"code": 36009002, "message": "Too many requests"}
    for kind, status in (("http_429", 429), ("http_5xx", 503), ("throttled", 200), ("expired_token", 401)):
        inject(fresh, kind, options={"body": words})
        answer = fresh.post(QUERY)
        assert (answer.status_code, answer.json()) == (status, words)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("no_such", {}, "there is no fault 'no_such'"),
        ("slow", {"minutes": 1}, "unexpected keyword argument 'minutes'; its options are ['seconds']"),
        ("cursor_loop", {}, "missing a required argument: 'cursor'"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(fresh: Client, kind: str, options: dict[str, Any], words: str) -> None:
    refused = fresh.admin("POST", "/faults", {"route": "*", "kind": kind, "options": options}, status=400)
    assert words in refused["error"]
    assert fresh.admin("GET", "/faults") == []


def test_every_kind_has_its_test() -> None:
    others = {"cut", "slow", "stalled", "repeated", "cursor_loop", "empty_page", "meanwhile"}
    assert set(FAULTS) == {*SYMPTOMS} | others


def test_every_kind_is_documented_with_its_options() -> None:
    def options(kind: Callable[..., Any]) -> list[str]:
        return list(inspect.signature(kind).parameters)[1:]

    documented = {row[0]: row[1:] for row in table(FAULTS_PAGE.read_text(), "kind")}
    assert documented == {
        f"`{name}`": [kind.__doc__, ", ".join(f"`{option}`" for option in options(kind))]
        for name, kind in FAULTS.items()
    }


def test_skip_times_and_routes(fresh: Client) -> None:
    fresh.admin("POST", "/faults", {"route": "/shopify/nordlicht*", "kind": "http_5xx", "skip": 1, "times": 2})
    statuses = [fresh.post("{shop{name}}", shop="nordlicht").status_code for _ in range(5)]
    assert statuses == [200, 503, 503, 200, 200]
    assert fresh.post("{shop{name}}").status_code == 200
    [fault] = fresh.admin("GET", "/faults")
    assert (fault["hits"], fault["skip"]) == (2, 0)


def test_faults_can_be_lifted_and_never_strike_the_admin_routes(fresh: Client) -> None:
    fresh.admin("POST", "/faults", {"route": "*", "kind": "http_5xx", "times": None})
    assert fresh.post("{shop{name}}").status_code == 503
    assert fresh.admin("DELETE", "/faults") == []
    assert fresh.post("{shop{name}}").status_code == 200


def test_every_answer_has_its_own_request_id(fresh: Client) -> None:
    inject(fresh, "http_5xx")
    ids = {fresh.post("{shop{name}}").headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
