"""Programs in processes of their own that stop at a failpoint, to be killed there or to go on.

Python and what it imports take a second to start, so one warm process forks the workers: `python -m` of this module.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

CRASH_SHOP = "tests.warehouse.crash_shop"
STOPPED = "stopped at the failpoint"
DONE = "done"
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Worker:
    """A running program."""

    pid: int
    _ask: Callable[..., Any]

    def wait(self) -> str:
        """Until it stops or ends: STOPPED, DONE, the error that ended it, or the name of the signal that killed it."""
        return str(self._ask("wait", self.pid))

    def send(self, *signals: signal.Signals) -> None:
        """Send it signals; one that is stopped sees them (but for SIGKILL) when it is continued."""
        for sign in signals:
            os.kill(self.pid, sign)

    def go_on(self) -> str:
        """Continue it, and wait until it stops again or ends."""
        self.send(signal.SIGCONT)
        return self.wait()

    def kill(self) -> None:
        """Kill it where it stands, as `kill -9` does."""
        self.send(signal.SIGKILL)
        assert self.wait() == "SIGKILL"

    def finish(self) -> str:
        """Continue it however often it stops, until it ends."""
        outcome = STOPPED
        while outcome == STOPPED:
            outcome = self.go_on()
        return outcome


class Workshop:
    """Starts workers."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def start(self, operation: str, url: str, failpoint: str = "") -> Worker:
        """Begin an operation of the workshop's on this warehouse."""
        return Worker(self._ask("start", operation, url, failpoint), self._ask)

    def start_stopped(self, operation: str, url: str, failpoint: str, occurrence: int = 1) -> Worker:
        """Begin an operation and let it reach a failpoint for the n-th time."""
        worker = self.start(operation, url, failpoint)
        assert worker.wait() == STOPPED
        for _ in range(occurrence - 1):
            assert worker.go_on() == STOPPED
        return worker

    def run(self, operation: str, url: str) -> str:
        """An operation from its beginning to its end."""
        return self.start(operation, url).wait()


@contextmanager
def open_workshop(operations: str = CRASH_SHOP) -> Iterator[Workshop]:
    """The warm process; whatever it forked and still stands somewhere is killed at the end.

    What it can do are the OPERATIONS of the module that is named.
    """
    command = [sys.executable, "-m", __name__, operations]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(*request: Any) -> Any:
            print(json.dumps(request), file=requests, flush=True)
            return json.loads(answers.readline())

        yield Workshop(ask)


def _serve() -> None:
    results: dict[int, int] = {}
    for line in sys.stdin:
        request, *arguments = json.loads(line)
        print(json.dumps({"start": _start, "wait": _wait}[request](results, *arguments)), flush=True)
    for pid in results:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _start(results: dict[int, int], *arguments: str) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _work(writer, *arguments)
    os.close(writer)
    results[pid] = reader
    return pid


def _wait(results: dict[int, int], pid: int) -> str:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return STOPPED
    with os.fdopen(results.pop(pid)) as result:
        return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else result.read()


def _work(writer: int, operation: str, url: str, failpoint: str) -> NoReturn:
    # One that hangs is killed, so that its test fails and does not hang too.
    signal.alarm(_PATIENCE_SECONDS)
    signal.signal(signal.SIGTERM, _terminate)
    os.environ["TRIBUTARY_FAILPOINT"] = failpoint
    outcome = DONE
    try:
        importlib.import_module(sys.argv[1]).OPERATIONS[operation](url)
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    os.write(writer, outcome.encode())
    os._exit(0)


class Terminated(BaseException):
    """As Airflow ends a task that took too long: out of a signal, and no Exception."""


def _terminate(*_: object) -> None:
    raise Terminated


if __name__ == "__main__":
    importlib.import_module(sys.argv[1])  # warm before the first fork
    _serve()
