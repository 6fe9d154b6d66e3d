"""Named places where a crash test kills the process."""

from __future__ import annotations

import os
import signal


def failpoint(name: str) -> None:
    """Kill this process when TRIBUTARY_FAILPOINT names this place; nothing otherwise."""
    if os.environ.get("TRIBUTARY_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
