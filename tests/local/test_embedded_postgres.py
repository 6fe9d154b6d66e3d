"""The embedded server: started, refused, stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from tributary.local import postgres
from tributary.local.environment import prepare
from tributary.local.postgres import Server, free_port, wait_until_ready
from tributary.local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.local.environment import Installation


@pytest.fixture
def server() -> Iterator[Server]:
    """A created server that does not run yet, in a folder with a space and a quote in its name."""
    with tempfile.TemporaryDirectory(prefix="it's a test ", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        made = Server(Path(folder) / "data", free_port(), "pass'word \\ @:/%", ("unix_socket_directories=",))
        made.create()
        yield made
        made.stop()


def start(server: Server) -> subprocess.Popen[bytes]:
    process = server.start(subprocess.DEVNULL)  # type: ignore[arg-type]
    wait_until_ready(server.url, alive=lambda: process.poll() is None)
    return process


def test_it_speaks_utf_8_and_asks_for_the_password(postgres_server_url: str) -> None:
    with psycopg.connect(postgres_server_url) as conn:
        assert conn.execute("select lower('ÄÉ'), current_setting('server_encoding')").fetchone() == ("äé", "UTF8")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server_url, password="wrong")


def test_it_never_runs_as_root(postgres_server_url: str) -> None:
    with psycopg.connect(postgres_server_url) as conn:
        backend = psutil.Process(conn.info.backend_pid)
        assert backend.uids().effective != 0
        assert backend.uids().effective == (os.geteuid() or backend.uids().effective)


def test_committed_rows_survive_a_kill_and_a_stale_pid_file(server: Server) -> None:
    process = start(server)
    with psycopg.connect(server.url) as conn:
        conn.execute("create table kept as select 1 as value")
    process.kill()
    process.wait()
    # After a reboot the pid in the file may belong to any process: here it is this one.
    lock = server.data / "postmaster.pid"
    lock.write_text(lock.read_text().replace(str(process.pid), str(os.getpid()), 1))
    assert server.pid is None
    start(server)
    with psycopg.connect(server.url) as conn:
        assert conn.execute("select value from kept").fetchone() == (1,)


def test_stop_does_not_wait_for_open_transactions(server: Server) -> None:
    process = start(server)
    with closing(psycopg.connect(server.url)) as conn:
        conn.execute("select 1")
        server.stop(patience=30)
        assert process.wait(1) == 0
    assert server.pid is None


def test_creating_twice_keeps_the_data(server: Server) -> None:
    identity = (server.data / "PG_VERSION").stat().st_ino
    server.create()
    assert (server.data / "PG_VERSION").stat().st_ino == identity


def test_data_of_another_version_is_not_touched(server: Server) -> None:
    (server.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(ProblemError, match="written by PostgreSQL 15"):
        server.create()


def test_the_process_managers_sigterm_is_a_fast_shutdown(installation: Installation) -> None:
    prepare(installation)
    server = installation.server()
    server.create()
    env = {**os.environ, "TRIBUTARY_LOCAL": str(installation.local)}
    command = [sys.executable, "-m", "tributary.local.serve_postgres"]
    manager = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    wait_until_ready(server.url, alive=lambda: manager.poll() is None)
    with closing(psycopg.connect(server.url)) as conn:
        conn.execute("select 1")
        manager.send_signal(signal.SIGTERM)
        assert manager.wait(30) == 0
    assert server.pid is None


def test_roots_data_moves_to_where_the_servers_account_can_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    if os.geteuid() != 0:  # Nobody else can pretend to be two accounts; the rest is the same for all.
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(postgres, "_can", lambda *_: False)
    with tempfile.TemporaryDirectory() as shared:
        monkeypatch.setattr(postgres, "SHARED", Path(shared))
        data = postgres.data_directory(tmp_path / "postgres", "first")
        assert data.parent == Path(shared)
        data.mkdir()
        # The folder was deleted and made again: the old data's password is lost, so the old data goes too.
        again = postgres.data_directory(tmp_path / "postgres", "second")
        assert again != data
        assert not data.exists()
