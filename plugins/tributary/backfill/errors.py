"""Why a backfill does not go on, in words that a person can act on."""

from __future__ import annotations

# ruff: noqa: N818 (an error that names what happened needs no suffix)


class Refused(ValueError):
    """It is not begun: the message names the rule or the field, the value and the remedy."""

    def __init__(self, rule: str, why: str, remedy: str) -> None:
        super().__init__(f"Refused ({rule}): {why}. {remedy}")
        self.rule = rule

    @classmethod
    def again(cls, message: str) -> Refused:
        """The refusal that was recorded with this message."""
        error = cls(message, "", "")
        error.args = (message,)
        return error


class LeaseLost(RuntimeError):
    """Its lease expired and was taken over or released: it must not publish any more."""


class Overtaken(RuntimeError):
    """Days of it were published by somebody else since people saw the difference."""


class NotEqual(RuntimeError):
    """What was swapped in is not what was built; nothing was published."""
