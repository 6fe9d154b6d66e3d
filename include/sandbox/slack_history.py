"""What Slack tells of a channel's past: pages of its messages, newest first, or of one thread, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Message = dict[str, Any]


class SlackError(Exception):
    """An error code of the Web API."""


def history(messages: Sequence[Message], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The heads of a channel, and the replies that were broadcast to it; `messages` is what the channel holds."""
    heads = [message for message in messages if "thread_ts" not in message or message.get("reply_broadcast")]
    return _page(messages, _within(heads, arguments)[::-1], arguments, default=100, most=999)


def replies(messages: Sequence[Message], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A thread: its head, whatever the limits of time, then its replies."""
    ts = arguments.get("ts")
    head = [message for message in messages if message["ts"] == ts]
    if not head:
        raise SlackError("thread_not_found")
    answers = [message for message in messages if message.get("thread_ts") == ts]
    return _page(messages, [*head, *_within(answers, arguments)], arguments, default=1_000, most=1_000)


def _within(messages: Sequence[Message], arguments: Mapping[str, Any]) -> list[Message]:
    """Those after `oldest` and before `latest`; with `inclusive` the limits, too."""
    try:
        oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
    except ValueError:
        raise SlackError("invalid_ts_oldest") from None
    limits = {oldest, latest} if _flag(arguments, "inclusive") else set()
    return [m for m in messages if oldest < float(m["ts"]) < latest or float(m["ts"]) in limits]


def _page(
    channel: Sequence[Message], messages: Sequence[Message], arguments: Mapping[str, Any], default: int, most: int
) -> dict[str, Any]:
    """`limit` messages from the cursor on, which names the message that a page begins with."""
    limit = int(arguments.get("limit") or default)
    if not 0 < limit <= most:
        raise SlackError("invalid_limit")
    start, cursor = 0, arguments.get("cursor")
    if cursor:
        start = next((n for n, message in enumerate(messages) if f"next_ts:{message['ts']}" == cursor), -1)
        if start < 0:
            raise SlackError("invalid_cursor")
    following = messages[start + limit : start + limit + 1]
    return {
        "messages": [_shown(channel, message, arguments) for message in messages[start : start + limit]],
        "has_more": bool(following),
        "response_metadata": {"next_cursor": f"next_ts:{following[0]['ts']}" if following else ""},
    }


def _shown(channel: Sequence[Message], message: Message, arguments: Mapping[str, Any]) -> Message:
    """A message in Slack's form; of its metadata only the type is told unless all is asked for."""
    shown = {"type": "message", "user": "U0000000001", "bot_id": "B0000000001", "ts": message["ts"]}
    shown |= {name: message[name] for name in ("text", "blocks", "attachments", "thread_ts") if name in message}
    if message.get("reply_broadcast"):
        shown["subtype"] = "thread_broadcast"
    if message.get("edited"):
        shown["edited"] = {"user": "B0000000001", "ts": message["ts"]}
    if answers := sum(other.get("thread_ts") == message["ts"] for other in channel):
        shown |= {"thread_ts": message["ts"], "reply_count": answers}
    if metadata := message.get("metadata"):
        is_all = _flag(arguments, "include_all_metadata")
        shown["metadata"] = metadata if is_all else {"event_type": metadata["event_type"]}
    return shown


def _flag(arguments: Mapping[str, Any], name: str) -> bool:
    return str(arguments.get(name, "")).lower() in ("1", "true")
