"""The first contact: whatever Python there is, and whatever index the user has configured for pip."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tributary.local import bootstrap

SCRIPT = Path(bootstrap.__file__)


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 6, 15), "too old"), ((3, 10, 1), "too old"), ((3, 14, 0), "too new")]
)
def test_other_pythons_are_told_what_to_do(version: tuple[int, int, int], verdict: str) -> None:
    pretend = f"import sys, runpy; sys.version_info = {version}; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", pretend, "run"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert verdict in result.stderr
    assert "PYTHON=" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_old_python_can_read_the_script_far_enough_to_say_so() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


def test_uv_gets_the_indexes_that_pip_has() -> None:
    listed = "\n".join(
        [
            ":env:.cert='/etc/ca.pem'",
            ":env:.index-url='https://user:p%40ss@mirror.example/simple'",
            "global.extra-index-url='\\nfile:///a\\nfile:///b'",
            "global.index-url='https://overruled.example/simple'",
            "install.find-links='/wheels'",
            "list.format='columns'",
        ]
    )
    assert bootstrap.uv_settings(listed) == {
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_DEFAULT_INDEX": "https://user:p%40ss@mirror.example/simple",
        "UV_INDEX": "file:///a file:///b",
        "UV_FIND_LINKS": "/wheels",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_changed_requirement_asks_for_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*(f"requirements{kind}.txt" for kind in ("", "-bootstrap", "-production", "-dev")), "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    run, dev = bootstrap.fingerprint("run"), bootstrap.fingerprint("dev")
    (tmp_path / "requirements-dev.txt").write_text("changed")
    assert bootstrap.fingerprint("run") == run
    assert bootstrap.fingerprint("dev") != dev
    (tmp_path / "requirements.txt").write_text("changed")
    assert bootstrap.fingerprint("run") != run
