"""Steps beside each other: the first failure counts, and Ctrl-C does not wait."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from tributary.local.progress import Progress, side_by_side

INTERRUPTED = """
import signal, threading
from tributary.local.progress import side_by_side
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it ignored
side_by_side(lambda: print("started", flush=True), threading.Event().wait)
"""


def test_all_tasks_end_before_the_first_failure_is_raised() -> None:
    failed, ended = threading.Event(), []

    def fail() -> None:
        failed.set()
        raise ValueError("first")

    def go_on() -> None:
        assert failed.wait(10)
        ended.append("second")

    with pytest.raises(ValueError, match="first"):
        side_by_side(fail, go_on)
    assert ended == ["second"]


def test_an_interrupt_does_not_wait_for_the_others() -> None:
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1].endswith(b"KeyboardInterrupt\n")


def test_a_step_writes_its_seconds_and_result_and_a_failed_one_is_remembered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress()
    with progress.step("First") as step:
        step.result = "done"
    with pytest.raises(RuntimeError), progress.step("Second"):
        raise RuntimeError
    assert capsys.readouterr().out == "   0.0 s  First: done\n"
    assert progress.failed == "Second"
