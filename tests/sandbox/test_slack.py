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
    for channels in (api.conversations_list()["channels"], api.users_conversations()["channels"]):
        assert {"data-alerts", "analytics-incidents"} <= {channel["name"] for channel in channels}


METADATA = {"event_type": "told", "event_payload": {"key": "1"}}


def test_a_channels_past_is_read_by_its_id(fresh: Client) -> None:
    api = web(fresh)
    posted = [api.chat_postMessage(channel="#alerts", text=f"{n}", metadata=METADATA) for n in range(5)]
    channel = posted[0]["channel"]
    api.chat_postMessage(channel="#tributary", text="elsewhere")
    pages = [[m["text"] for m in answer["messages"]] for answer in api.conversations_history(channel=channel, limit=2)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    second, fourth = posted[1]["ts"], posted[3]["ts"]
    between = api.conversations_history(channel=channel, oldest=second, latest=fourth)
    assert [message["text"] for message in between["messages"]] == ["2"]
    within = api.conversations_history(channel=channel, oldest=second, latest=fourth, inclusive=True)
    assert [message["text"] for message in within["messages"]] == ["3", "2", "1"]
    assert within["messages"][0]["metadata"] == {"event_type": "told"}, "the rest is told to who asks for it"
    everything = api.conversations_history(channel=channel, include_all_metadata=True)
    assert everything["messages"][0]["metadata"] == METADATA
    with pytest.raises(SlackApiError, match="channel_not_found"):
        api.conversations_history(channel="#alerts")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        api.chat_update(channel="#alerts", ts=second, text="x")
    with pytest.raises(SlackApiError, match="invalid_cursor"):
        api.conversations_history(channel=channel, cursor="nonsense")


def test_a_thread_stays_out_of_the_channel_unless_it_is_broadcast(fresh: Client) -> None:
    api = web(fresh)
    head = api.chat_postMessage(channel="#alerts", text="head")
    thread = {"channel": head["channel"], "thread_ts": head["ts"]}
    first = api.chat_postMessage(text="first", **thread)
    api.chat_postMessage(text="second", reply_broadcast=True, **thread)
    history = api.conversations_history(channel=head["channel"])["messages"]
    assert [(message["text"], message.get("subtype")) for message in history] == [
        ("second", "thread_broadcast"),
        ("head", None),
    ]
    assert history[1]["reply_count"] == 2
    replies = api.conversations_replies(channel=head["channel"], ts=head["ts"], oldest=first["ts"])["messages"]
    assert [message["text"] for message in replies] == ["head", "second"]
    for refused in ({"thread_ts": "1.000001"}, {"thread_ts": first["ts"]}):
        with pytest.raises(SlackApiError, match="thread_not_found"):
            api.chat_postMessage(text="lost", channel=head["channel"], **refused)
    with pytest.raises(SlackApiError, match="thread_not_found"):
        api.conversations_replies(channel=head["channel"], ts="1.000001")


def test_an_edit_takes_less_text_than_a_message(fresh: Client) -> None:
    api = web(fresh)
    posted = api.chat_postMessage(channel="#alerts", text="x" * 40_000, metadata=METADATA)
    with pytest.raises(SlackApiError, match="msg_too_long"):
        api.chat_postMessage(channel="#alerts", text="x" * 40_001)
    edit = {"channel": posted["channel"], "ts": posted["ts"]}
    with pytest.raises(SlackApiError, match="msg_too_long"):
        api.chat_update(text="y" * 4_001, **edit)
    api.chat_update(text="y" * 4_000, **edit)
    assert said(fresh)[0]["metadata"] == METADATA, "an edit that does not name it leaves it"
    with pytest.raises(SlackApiError, match="invalid_metadata_format"):
        api.chat_postMessage(channel="#alerts", text="x", metadata={"event_type": "told"})


def test_a_message_may_be_there_without_an_answer(fresh: Client) -> None:
    fresh.admin("POST", "/faults", {"route": "/slack/*", "kind": "cut", "times": 1})
    with pytest.raises(Exception, match="IncompleteRead"):
        web(fresh).chat_postMessage(channel="#alerts", text="held back")
    assert [message["text"] for message in said(fresh)] == ["held back"]


def test_a_person_sees_the_workspace(fresh: Client) -> None:
    api = web(fresh)
    text = (
        ":warning: *1 < 2 &amp; <script>alert(1)</script>* <https://x.example/?a=1&amp;b=2|the *run*> <!channel>\n"
        "• _italic_ `a*b*c_d_` snake_case_name <javascript:alert(1)|x>"
    )
    head = api.chat_postMessage(channel="#analytics-incidents", text=text)
    thread = {"channel": head["channel"], "thread_ts": head["ts"]}
    api.chat_postMessage(text="only here", **thread)
    api.chat_postMessage(text="here and there", reply_broadcast=True, **thread)
    api.chat_update(channel=head["channel"], ts=head["ts"], text=text)
    answer = requests.get(f"{fresh.url}/slack", timeout=10)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    page = answer.text
    assert "# analytics-incidents" in page
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert "⚠️ <b>1 &lt; 2 &amp; &lt;script&gt;alert(1)&lt;/script&gt;</b>" in page
    assert '<a href="https://x.example/?a=1&amp;b=2">the *run*</a>' in page
    assert '<span class="mention">@channel</span>' in page
    assert "• <i>italic</i> <code>a*b*c_d_</code> snake_case_name" in page
    assert (page.count("(edited)"), page.count("only here"), page.count("here and there")) == (1, 1, 2)


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
