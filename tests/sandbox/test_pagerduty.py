"""PagerDuty as its own clients see it: the pagerduty library, and Airflow's hook on top of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pagerduty
import pytest
import requests

from sandbox.app import create_app
from sandbox.pagerduty import ROUTING_KEY
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import NOW, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOAD = {"summary": "nordlicht is held back", "source": "tributary", "severity": "critical"}


@pytest.fixture(scope="module")
def served() -> Iterator[Client]:
    with serve(create_app(Settings(seed=7, first_day=NOW.date(), frozen_at=NOW))) as url:
        yield Client(url)


@pytest.fixture
def account(served: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """An empty account, which the library takes for PagerDuty's; it would refuse an address without TLS."""
    for what in ("faults", "pagerduty/alerts", "slack/messages"):
        served.admin("DELETE", f"/{what}")
    url = property(lambda client: f"{served.url}/pagerduty", lambda client, address: None)
    monkeypatch.setattr(pagerduty.EventsApiV2Client, "url", url)
    return served


def alerts(account: Client) -> list[tuple[str, str]]:
    return [(alert["dedup_key"], alert["status"]) for alert in account.admin("GET", "/pagerduty/alerts")]


def test_an_alert_lives_by_its_key(account: Client) -> None:
    with pagerduty.EventsApiV2Client(ROUTING_KEY) as client:
        assert client.trigger("held back", "tributary", "orders") == "orders"
        client.trigger("held back still", "tributary", "orders")
        assert alerts(account) == [("orders", "triggered")], "a second event of the key is the same alert"
        client.acknowledge("orders")
        assert alerts(account) == [("orders", "acknowledged")]
        client.resolve("orders")
        client.trigger("held back again", "tributary", "orders")
        assert alerts(account) == [("orders", "resolved"), ("orders", "triggered")]
        assert len(client.trigger("without a key", "tributary")) == 32
    assert [entry["event_action"] for entry in account.admin("GET", "/pagerduty/alerts")[0]["log"]] == [
        "trigger",
        "trigger",
        "acknowledge",
        "resolve",
    ]


def test_an_end_of_nothing_is_dropped_without_a_word(account: Client) -> None:
    with pagerduty.EventsApiV2Client(ROUTING_KEY) as client, pagerduty.EventsApiV2Client("x" * 32) as other:
        assert client.resolve("unknown") == "unknown"
        client.trigger("held back", "tributary", "orders")
        other.resolve("orders")
    assert alerts(account) == [("orders", "triggered")]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect"),
        ({"event_action": "shout"}, "'event_action' must be one of"),
        ({"event_action": "resolve"}, "'dedup_key' is missing"),
        ({"dedup_key": "k" * 256}, "'dedup_key' is not a string of at most 255"),
        ({"payload": None}, "'payload' is missing"),
        ({"payload": {**PAYLOAD, "source": ""}}, "'payload.source' is missing"),
        ({"payload": {**PAYLOAD, "severity": "dreadful"}}, "'payload.severity' is invalid"),
        ({"payload": {**PAYLOAD, "summary": "s" * 1025}}, "'payload.summary' is longer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_event_is_refused_in_words(account: Client, change: dict[str, Any], error: str) -> None:
    event = {"routing_key": ROUTING_KEY, "event_action": "trigger", "payload": PAYLOAD, **change}
    answer = requests.post(f"{account.url}/pagerduty/v2/enqueue", json=event, timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")
    assert any(said.startswith(error) for said in answer.json()["errors"]), answer.json()
    assert not alerts(account)


def test_what_is_no_json_is_refused(account: Client) -> None:
    for body in ("{", "[]"):
        answer = requests.post(f"{account.url}/pagerduty/v2/enqueue", data=body, timeout=10)
        assert (answer.status_code, answer.json()["errors"]) == (400, ["JSON is invalid"])


def test_an_alert_may_be_opened_without_an_answer(account: Client) -> None:
    account.admin("POST", "/faults", {"route": "/pagerduty/*", "kind": "cut"})
    with pagerduty.EventsApiV2Client(ROUTING_KEY) as client:
        client.max_network_attempts = 0
        with pytest.raises(pagerduty.Error):
            client.trigger("held back", "tributary", "orders")
        assert client.trigger("held back", "tributary", "orders")
    assert alerts(account) == [("orders", "triggered")]


def test_airflows_hook_reaches_it(account: Client) -> None:
    from airflow.providers.pagerduty.hooks.pagerduty_events import PagerdutyEventsHook

    hook = PagerdutyEventsHook(integration_key=ROUTING_KEY)
    assert hook.test_connection()[0]
    assert not alerts(account)


def test_the_page_shows_the_alerts(account: Client) -> None:
    with pagerduty.EventsApiV2Client(ROUTING_KEY) as client:
        client.trigger("<b>held</b> back", "tributary", "orders")
    page = requests.get(f"{account.url}/slack", timeout=10).text
    assert "triggered" in page
    assert "&lt;b&gt;held&lt;/b&gt; back" in page
    assert ROUTING_KEY not in page
