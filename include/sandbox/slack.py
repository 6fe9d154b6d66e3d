"""Slack: an incoming webhook and the Web API methods that alerting needs; what was said can be read back."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.clock import iso
from sandbox.slack_history import SlackError, history, replies

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from sandbox.world import World

TOKEN = "xoxb-sandbox"  # noqa: S105 (a token that opens nothing but this sandbox)
CHANNELS = {
    "C0000000001": "general",
    "C0000000002": "alerts",
    "C0000000003": "data-alerts",
    "C0000000004": "tributary",
    "C0000000005": "analytics-incidents",
    "C0000000006": "analytics-monitoring",
    "C0000000007": "analytics-audit",
    "C0000000008": "analytics-builds",
}
CONTENT = ("text", "blocks", "attachments")
STRUCTURED = ("blocks", "attachments", "metadata")
LONGEST_POST, LONGEST_EDIT = 40_000, 4_000
"""Characters of a text: an edit takes fewer than a new message."""

Arguments = dict[str, Any]


class Slack:
    """One workspace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self._methods: dict[str, Callable[[Arguments], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "conversations.list": self._conversations,
            "users.conversations": self._conversations,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
        }

    def routes(self) -> list[Route]:
        return [
            Route("/slack/services/{hook:path}", self.webhook, methods=["POST"]),
            Route("/slack/api/{method}", self.call, methods=["GET", "POST"]),
        ]

    async def webhook(self, request: Request) -> Response:
        """Incoming webhook: the answers are plain text, `ok` when posted."""
        body = await request.body()
        try:
            message = json.loads((await request.form())["payload"] if body.startswith(b"payload=") else body)  # type: ignore[arg-type]
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(message, dict):
            return PlainTextResponse("invalid_payload", 400)
        if not any(message.get(field) for field in CONTENT):
            return PlainTextResponse("no_text", 400)
        self._keep("webhook", "general", message)
        return PlainTextResponse("ok")

    async def call(self, request: Request) -> Response:
        """A Web API method: errors come as `ok: false` with HTTP 200."""
        arguments: Arguments = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("application/json"):
            arguments |= json.loads(await request.body() or b"{}")
        else:
            arguments |= {key: str(value) for key, value in (await request.form()).items()}
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or arguments.get("token", "")
        method = self._methods.get(request.path_params["method"])
        try:
            if not token:
                raise SlackError("not_authed")
            if token != TOKEN:
                raise SlackError("invalid_auth")
            if method is None:
                raise SlackError("unknown_method")
            return JSONResponse({"ok": True, **method(arguments)})
        except SlackError as error:
            return JSONResponse({"ok": False, "error": str(error)})

    def _auth_test(self, arguments: Arguments) -> dict[str, Any]:
        return {
            "url": "https://sandbox.slack.com/",
            "team": "Sandbox",
            "user": "tributary",
            "team_id": "T0000000001",
            "user_id": "U0000000001",
            "bot_id": "B0000000001",
        }

    def _conversations(self, arguments: Arguments) -> dict[str, Any]:
        """The bot is a member of every channel, so that the list of all is that of its own, too."""
        channels = [
            {"id": number, "name": name, "is_channel": True, "is_member": True} for number, name in CHANNELS.items()
        ]
        return {"channels": channels, "response_metadata": {"next_cursor": ""}}

    def _history(self, arguments: Arguments) -> dict[str, Any]:
        return history(self._in_channel(_channel_by_id(arguments)), arguments)

    def _replies(self, arguments: Arguments) -> dict[str, Any]:
        return replies(self._in_channel(_channel_by_id(arguments)), arguments)

    def _in_channel(self, channel: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["channel"] == CHANNELS[channel]]

    def _post_message(self, arguments: Arguments) -> dict[str, Any]:
        """Names a channel by id or by name, as no other method does."""
        channel, content = _channel(arguments), _content(arguments, LONGEST_POST)
        if thread_ts := arguments.get("thread_ts"):
            heads = {message["ts"] for message in self._in_channel(channel) if "thread_ts" not in message}
            if thread_ts not in heads:
                raise SlackError("thread_not_found")
            content["thread_ts"] = thread_ts
            if str(arguments.get("reply_broadcast", "")).lower() in ("1", "true"):
                content["reply_broadcast"] = True
        message = self._keep("api", CHANNELS[channel], content)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _update(self, arguments: Arguments) -> dict[str, Any]:
        channel, content = _channel_by_id(arguments), _content(arguments, LONGEST_EDIT)
        for message in self._in_channel(channel):
            if message["ts"] == arguments.get("ts"):
                message |= {**content, "edited": True}
                return {"channel": channel, "ts": message["ts"], "text": message.get("text", ""), "message": message}
        raise SlackError("message_not_found")

    def _keep(self, via: str, channel: str, content: dict[str, Any]) -> dict[str, Any]:
        # Slack does not live in the shops' time, which may stand still: it is as late there as at who posts.
        ts = f"{int(time.time())}.{next(self._numbers):06d}"
        message = {**content, "via": via, "channel": channel, "ts": ts, "posted_at": iso(self._world.now())}
        self.messages.append(message)
        return message


def _channel(arguments: Arguments) -> str:
    wanted = str(arguments.get("channel", "")).removeprefix("#")
    for number, name in CHANNELS.items():
        if wanted in (number, name):
            return number
    raise SlackError("channel_not_found")


def _channel_by_id(arguments: Arguments) -> str:
    channel = str(arguments.get("channel", ""))
    if channel not in CHANNELS:
        raise SlackError("channel_not_found")
    return channel


def _content(arguments: Arguments, longest: int) -> dict[str, Any]:
    """Text, blocks, attachments and metadata; a form carries the structured ones as JSON."""
    content: dict[str, Any] = {}
    for name in (*CONTENT, "metadata", "username"):
        value = arguments.get(name)
        if isinstance(value, str) and name in STRUCTURED:
            try:
                value = json.loads(value)
            except ValueError:
                raise SlackError(f"invalid_{name}") from None
        if value:
            content[name] = value
    if not any(content.get(name) for name in CONTENT):
        raise SlackError("no_text")
    if len(content.get("text", "")) > longest:
        raise SlackError("msg_too_long")
    if "metadata" in content and not _is_metadata(content["metadata"]):
        raise SlackError("invalid_metadata_format")
    return content


def _is_metadata(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("event_type"), str)
        and isinstance(value.get("event_payload"), dict)
    )
