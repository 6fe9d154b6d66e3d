"""Each injected fault as a client sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.faults import FAULTS

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
    "merged": lambda r: r.json()["data"]["orders"]["nodes"][0]["createdAt"] == 5,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "http_429": {"retry_after": 7},
    "http_5xx": {"status": 502},
    "merged": {"merge": {"data": {"orders": {"nodes": {"0": {"createdAt": 5}}}}}},
}


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


def test_every_kind_has_its_test() -> None:
    assert set(FAULTS) == {*SYMPTOMS, "cut", "slow"}


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
