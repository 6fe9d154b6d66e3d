"""What a person sees of the steps: one line each, with its seconds, and which one failed."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Step:
    """A step that is going on: `say` what it does now, `result` is what its line says at the end."""

    def __init__(self, name: str, show: Callable[[str], None]) -> None:
        self.name = name
        self.result = ""
        self._show = show

    def say(self, text: str) -> None:
        """Show where a long step stands."""
        self._show(f"{self.name}: {text}")


class Progress:
    """Writes a line when a step ends; on a terminal, also where the one that is going on stands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._terminal = sys.stdout.isatty()
        self._started = time.monotonic()
        self.failed: str | None = None

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step, write its line, and remember the first one that fails."""
        step, started = Step(name, self._transient), time.monotonic()
        self._transient(f"{name} ...")
        try:
            yield step
        except BaseException:
            self.failed = self.failed or name
            raise
        self._line(f"{time.monotonic() - started:6.1f} s  {f'{name}: {step.result}' if step.result else name}")

    @property
    def seconds(self) -> float:
        """Since the first step began."""
        return time.monotonic() - self._started

    def clear(self) -> None:
        """Take the unfinished line off the terminal."""
        self._transient("")

    def _line(self, text: str) -> None:
        with self._lock:
            sys.stdout.write(("\r\x1b[K" if self._terminal else "") + text + "\n")
            sys.stdout.flush()

    def _transient(self, text: str) -> None:
        if self._terminal:
            with self._lock:
                sys.stdout.write(f"\r\x1b[K{text[:110]}")
                sys.stdout.flush()


def side_by_side(*tasks: Callable[[], None]) -> None:
    """Run tasks beside each other; all of them end before the first failure is raised, but Ctrl-C waits for none."""
    failures: list[BaseException] = []

    def attempt(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=attempt, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
