"""What people hear while something happens: Slack's messages, told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.conftest import Road

Message = dict[str, Any]


def incidents(said: Iterable[Message]) -> list[Message]:
    """The messages of the channel of incidents that answer no other."""
    return _heads(said, "analytics-incidents")


def warnings(said: Iterable[Message]) -> list[Message]:
    """The same of the channel of warnings."""
    return _heads(said, "analytics-monitoring")


def answers(said: Iterable[Message]) -> list[Message]:
    """What was said in the threads of the channel of incidents."""
    return [one for one in said if one["channel"] == "analytics-incidents" and "thread_ts" in one]


def by_now(road: Road, message: Message) -> str:
    """What a message says by now: it is edited as its incidents go on."""
    return next(str(one["text"]) for one in road.slack() if one["ts"] == message["ts"])


def _heads(said: Iterable[Message], channel: str) -> list[Message]:
    return [one for one in said if one["channel"] == channel and "thread_ts" not in one]
