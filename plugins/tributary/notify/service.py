"""What the services that messages go to have in common: how long they may take, and how they refuse."""

from __future__ import annotations

from typing import Literal

TIMEOUT = 10
"""Seconds that a service has for an answer, so that one that is down delays a run by no more."""

Reach = Literal["message", "channel", "service"]


class NotSentError(Exception):
    """A service did not take a message, or did not say whether it has."""

    def __init__(self, code: str, remedy: str, reach: Reach, is_clear: bool = True) -> None:
        super().__init__(f"{code}: {remedy}")
        self.code = code
        self.reach = reach
        """What else is not worth a try in this pass."""
        self.is_clear = is_clear
        """Whether the service certainly does not have the message."""


def unanswered(code: str) -> NotSentError:
    """The service may have the message, or not."""
    return NotSentError(code, "no clear answer; it is looked for, then sent, in the next pass", "service", False)
