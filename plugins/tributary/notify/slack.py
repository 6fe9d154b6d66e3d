"""Slack's Web API, as far as alerting needs it: post, edit, and find what an unanswered call may have posted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tributary.notify.service import NotSentError, Reach, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

LONGEST = 3_900
"""Characters of a text: chat.update refuses more than 4,000 (msg_too_long), though chat.postMessage takes more."""
LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Refusals of an edit that no later attempt mends: somebody deleted the message, or the workspace forbids it."""

_EVENT = "tributary_message"
_CLOCKS_APART = timedelta(minutes=5)
"""How far Slack's clock, which names messages, may be behind the warehouse's."""

_NEW_TOKEN = "put the app's current bot token into the Slack connection"  # noqa: S105 (a remedy)
_TOKEN_ERRORS = ("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired")
_REFUSALS: dict[str, tuple[Reach, str]] = {
    "ratelimited": ("channel", "sent in a later pass"),
    "channel_not_found": ("channel", "create the channel, and invite the app if it is private"),
    "not_in_channel": ("channel", "invite the app to the channel: /invite @<app>"),
    "is_archived": ("channel", "unarchive the channel"),
    "restricted_action": ("channel", "allow the app to post there"),
    "missing_scope": ("service", "add the scope to the app and install it anew"),
    **dict.fromkeys(_TOKEN_ERRORS, ("service", _NEW_TOKEN)),
}
_NOT_NOW = frozenset({"ratelimited", *_TOKEN_ERRORS})
"""Refusals that say nothing of what the app may read."""
_MAYBE_DONE = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
"""Slack's own failures, after which some of a call may have been done."""


class UnreadableError(Exception):
    """What is in the channel may not be read."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message as Slack knows it."""

    channel_id: str
    ts: str


class Slack:
    """One workspace, through a client that somebody else has made."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        # A client that repeats a call by itself posts twice what was posted and not answered.
        client.retry_handlers = []

    def post(self, channel: str, text: str, key: str, thread_ts: str | None, is_broadcast: bool) -> Posted:
        """Post to the channel, or into a thread; `key` lets `find` know the message again."""
        thread = {"thread_ts": thread_ts, "reply_broadcast": is_broadcast} if thread_ts else {}
        try:
            answer = _ask(
                self._client.chat_postMessage,
                channel=channel,
                text=text,
                metadata=_metadata(key, text),
                unfurl_links=False,
                unfurl_media=False,
                **thread,
            )
        except NotSentError as error:
            if thread_ts is None or error.code != "thread_not_found":
                raise
            # Somebody deleted the head; what there is to say is said all the same.
            return self.post(channel, text, key, None, False)
        if not (answer["channel"] and answer["ts"]):
            raise unanswered("no ts")
        return Posted(answer["channel"], answer["ts"])

    def update(self, posted: Posted, text: str, key: str) -> None:
        """Let a message say something else."""
        _ask(
            self._client.chat_update,
            channel=posted.channel_id,
            ts=posted.ts,
            text=text,
            metadata=_metadata(key, text),
        )

    def find(
        self, channel: str, channel_id: str | None, text: str, key: str, since: datetime, thread_ts: str | None
    ) -> Posted | None:
        """The message of that key, when it is in the channel (or in the thread); it says `text` afterwards.

        It takes the scopes channels:history and channels:read (groups:... for a private channel), and the app must be
        a member of the channel; UnreadableError says what is missing.
        """
        oldest = f"{(since - _CLOCKS_APART).timestamp():.6f}"
        try:
            channel_id = channel_id or self._channel_id(channel)
            for message in self._messages(channel_id, oldest, thread_ts):
                known = message.get("metadata", {}).get("event_payload", {})
                if known.get("key") == key:
                    posted = Posted(channel_id, message["ts"])
                    if known.get("text") != _digest(text):
                        self.update(posted, text, key)
                    return posted
        except NotSentError as error:
            if error.code == "thread_not_found":
                return self.find(channel, channel_id, text, key, since, None)
            if not error.is_clear or error.code in _NOT_NOW:
                raise
            raise UnreadableError(str(error)) from None
        return None

    def _channel_id(self, channel: str) -> str:
        """History is read by a channel's id; only posting takes a name."""
        found = self._pages(
            self._client.users_conversations, "channels", types="public_channel,private_channel", exclude_archived=True
        )
        for known in found:
            if channel in (known["id"], f"#{known['name']}"):
                return str(known["id"])
        raise NotSentError("not_in_channel", _REFUSALS["not_in_channel"][1], "channel")

    def _messages(self, channel_id: str, oldest: str, thread_ts: str | None) -> Iterator[Mapping[str, Any]]:
        asked = {"channel": channel_id, "oldest": oldest, "include_all_metadata": True}
        if thread_ts is None:
            return self._pages(self._client.conversations_history, "messages", **asked)
        return self._pages(self._client.conversations_replies, "messages", ts=thread_ts, **asked)

    def _pages(self, method: Callable[..., SlackResponse], name: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        while True:
            answer = _ask(method, limit=200, **arguments, **({"cursor": cursor} if cursor else {}))
            yield from answer[name]
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return


def _metadata(key: str, text: str) -> dict[str, Any]:
    return {"event_type": _EVENT, "event_payload": {"key": key, "text": _digest(text)}}


def _digest(text: str) -> str:
    """By which a text is known again: Slack gives texts back in another writing."""
    return sha256(text.encode()).hexdigest()[:16]


def _ask(method: Callable[..., SlackResponse], **arguments: Any) -> SlackResponse:
    """Slack's answer, or why there is none in words without the token."""
    # Slack's client takes half a second to import; by now whoever made it has done so.
    from slack_sdk.errors import SlackApiError

    try:
        return method(**arguments)
    except SlackApiError as error:
        raise _refusal(error.response) from None
    except Exception as error:
        raise unanswered(type(error).__name__) from None


def _refusal(answer: SlackResponse) -> NotSentError:
    code = str(answer.get("error"))
    if answer.status_code not in (200, 429) or not re.fullmatch(r"\w{1,80}", code):
        # A page of a proxy, half an answer, or a failed server: nothing of it is Slack's word.
        return unanswered(f"HTTP {answer.status_code}")
    if code in _MAYBE_DONE:
        return unanswered(code)
    reach, remedy = _REFUSALS.get(code, ("message", "Slack does not take this message; see the code in its docs"))
    if code == "missing_scope":
        code = f"missing_scope {answer.get('needed')}"
    return NotSentError(code, remedy, reach)
