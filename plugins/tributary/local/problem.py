"""What a step of the local platform raises when it cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class ProblemError(Exception):
    """Why a step failed, what to do about it, and where the log is; never holds a secret."""

    def __init__(self, why: str, remedy: str, log: Path | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.log = log

    def __str__(self) -> str:
        lines = [self.why, f"  what to do: {self.remedy}"]
        if self.log:
            lines.append(f"  log: {self.log}")
        return "\n".join(lines)
