"""PostgreSQL in the foreground, for a process manager: its SIGTERM becomes PostgreSQL's fast shutdown.

By hand it is the server alone, empty if there was none, which is what a backup is restored into.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from tributary.local.environment import Installation

if TYPE_CHECKING:
    from types import FrameType

    from tributary.local.postgres import Server


def run(server: Server) -> int:
    """Run the server until it ends, and return its exit code."""
    server.create()
    process = server.start()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        process.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return process.wait()


if __name__ == "__main__":
    sys.exit(run(Installation.of_environment().server()))
