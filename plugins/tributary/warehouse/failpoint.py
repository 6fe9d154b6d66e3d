"""Named places where a crash test stops the process, to kill it there, or what it talks to."""

from __future__ import annotations

import os
import signal


def failpoint(name: str) -> None:
    """Stop this process, until it is continued, when TRIBUTARY_FAILPOINT names this place, perhaps among others."""
    if name in os.environ.get("TRIBUTARY_FAILPOINT", "").split(","):
        signal.raise_signal(signal.SIGSTOP)
