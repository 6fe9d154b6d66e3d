"""The commands behind the Makefile: demo, up, down, status and logs."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path

from tributary.local.demo import demo, where
from tributary.local.environment import Installation
from tributary.local.lifecycle import down, only_one, up
from tributary.local.problem import ProblemError
from tributary.local.processes import GROUPS
from tributary.local.progress import Progress
from tributary.local.status import status


def main() -> int:
    """Run one command; a problem is told in words, and only the unexpected leaves a traceback, in a log."""
    parser = argparse.ArgumentParser(prog="python -m tributary.local", description=__doc__)
    parser.add_argument("command", choices=("demo", "up", "down", "status", "logs"))
    parser.add_argument(
        "--local-dir", type=Path, help="the installation's folder (default: $TRIBUTARY_LOCAL or .local)"
    )
    arguments = parser.parse_args()
    if arguments.local_dir:
        os.environ["TRIBUTARY_LOCAL"] = str(arguments.local_dir.resolve())
    installation, progress = Installation.of_environment(), Progress()
    try:
        return run(arguments.command, installation, progress)
    except ProblemError as problem:
        failure = str(problem)
    except KeyboardInterrupt:
        progress.clear()
        sys.stdout.write(
            "\nInterrupted. What was started goes on running: `make demo` continues, `make down` stops it.\n"
        )
        return 130
    except Exception as error:
        log = installation.logs / "unexpected.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(traceback.format_exc())
        failure = str(
            ProblemError(f"{type(error).__name__}: {error}", "Read the log, then run this command again.", log)
        )
    progress.clear()
    sys.stderr.write(f"FAILED{f' at {progress.failed}' if progress.failed else ''}: {failure}\n")
    return 1


def run(command: str, installation: Installation, progress: Progress) -> int:
    """One command of this installation."""
    if command == "status":
        report, healthy = status(installation)
        sys.stdout.write(report + "\n")
        return 0 if healthy else 3
    if command == "logs":
        logs = [str(log) for group in GROUPS if (log := installation.logs / f"{group}.log").exists()]
        if not logs:
            raise ProblemError("Nothing was started here yet.", "Start it: make demo.")
        os.execvp("tail", ["tail", "-n", "40", "-F", *logs])
    with only_one(installation):
        if command == "demo":
            sys.stdout.write(demo(installation, progress) + "\n")
        elif command == "up":
            sys.stdout.write(where(installation, up(installation, progress)) + "\n")
        else:
            with progress.step("Stopped"):
                down(installation)
    return 0


if __name__ == "__main__":
    sys.exit(main())
