"""Slack as its own clients see it: slack-sdk, and Airflow's hooks on top of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*nordlicht* was held back"}}]


def web(client: Client, token: str = "xoxb-sandbox") -> WebClient:
    return WebClient(token=token, base_url=f"{client.url}/slack/api/")


def said(client: Client) -> list[dict[str, Any]]:
    return list(client.admin("GET", "/slack/messages"))


def test_a_message_is_posted_updated_and_kept(fresh: Client) -> None:
    api = web(fresh)
    posted = api.chat_postMessage(channel="#data-alerts", text="held back", blocks=BLOCKS)
    api.chat_update(channel=posted["channel"], ts=posted["ts"], text="published")
    [message] = said(fresh)
    assert (message["channel"], message["text"], message["blocks"]) == ("data-alerts", "published", BLOCKS)
    assert message["edited"]


def test_the_workspace_introduces_itself(fresh: Client) -> None:
    api = web(fresh)
    assert api.auth_test()["team"] == "Sandbox"
    assert "data-alerts" in {channel["name"] for channel in api.conversations_list()["channels"]}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": "alerts"}, "no_text"),
    ],
)
def test_a_bad_message_is_refused_by_code(fresh: Client, arguments: dict[str, str], error: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        web(fresh).api_call("chat.postMessage", json=arguments)
    assert refused.value.response["error"] == error
    assert refused.value.response.status_code == 200
    assert not said(fresh)


def test_a_wrong_token_and_an_unknown_method(fresh: Client) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        web(fresh, "xoxb-wrong").auth_test()
    with pytest.raises(SlackApiError, match="unknown_method"):
        web(fresh).api_call("chat.shout")


def test_too_many_messages(fresh: Client) -> None:
    fresh.admin("POST", "/faults", {"route": "/slack/*", "kind": "http_429", "options": {"retry_after": 30}})
    with pytest.raises(SlackApiError, match="ratelimited") as refused:
        web(fresh).chat_postMessage(channel="alerts", text="x")
    assert refused.value.response.headers["Retry-After"] == "30"
    assert web(fresh).chat_postMessage(channel="alerts", text="x")["ok"]


def test_the_incoming_webhook(fresh: Client) -> None:
    url = f"{fresh.url}/slack/services/T1/B1/secret"
    answer = WebhookClient(url).send(text="held back", blocks=BLOCKS)
    assert (answer.status_code, answer.body) == (200, "ok")
    form = requests.post(url, data={"payload": json.dumps({"text": "by form"})}, timeout=10)
    assert form.text == "ok"
    assert [message["text"] for message in said(fresh)] == ["held back", "by form"]
    assert (WebhookClient(url).send(text="").status_code, WebhookClient(url).send(text="").body) == (400, "no_text")
    broken = requests.post(url, data="{", timeout=10)
    assert (broken.status_code, broken.text) == (400, "invalid_payload")


def test_airflows_hooks_reach_it(fresh: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.slack.hooks.slack import SlackHook
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    extra = {"base_url": f"{fresh.url}/slack/api/"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_SLACK", json.dumps({"conn_type": "slack", "password": "xoxb-sandbox", "extra": extra})
    )
    webhook = {"conn_type": "slackwebhook", "password": f"{fresh.url}/slack/services/T1/B1/secret"}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_WEBHOOK", json.dumps(webhook))
    hook = SlackHook(slack_conn_id="slack")
    assert hook.test_connection()[0]
    hook.call("chat.postMessage", json={"channel": "tributary", "text": "by hook"})
    SlackWebhookHook(slack_webhook_conn_id="slack_webhook").send(text="by webhook")
    assert [(message["via"], message["text"]) for message in said(fresh)] == [
        ("api", "by hook"),
        ("webhook", "by webhook"),
    ]
