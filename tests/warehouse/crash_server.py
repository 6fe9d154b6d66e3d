"""A PostgreSQL server that may be restarted, and the warehouses in it."""

from __future__ import annotations

import subprocess
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tributary.local.postgres import binaries, temporary_server, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

# Commits are flushed as in production, and wait for a stand-by (which never comes) where a test asks for it.
_SETTINGS = """
alter role postgres set synchronous_commit = local;
alter role postgres set deadlock_timeout = '100ms';
alter system set synchronous_standby_names = 'nobody';
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server by its superuser's URL and its data directory."""

    url: str
    data: Path

    def restart(self, mode: str) -> None:
        """Restart it: "fast" rolls open transactions back, "immediate" recovers as after a crash."""
        self._control("restart", f"--mode={mode}")

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a database that is dropped afterwards; the server may have been restarted meanwhile."""
        name = f"crash_{uuid.uuid4().hex[:12]}"
        # The default strategy copies what sequences have reserved ahead, which a crash would then give out again.
        self._execute("create database {} template {} strategy file_copy", name, template)
        try:
            yield f"{self.url.rpartition('/')[0]}/{name}"
        finally:
            self._execute("drop database {} with (force)", name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _control(self, *command: str) -> None:
        log = self.data / "restarted.log"
        subprocess.run(
            [binaries() / "pg_ctl", *command, "--silent", "-D", self.data, "-l", log], check=True, **unprivileged()
        )


@contextmanager
def open_server() -> Iterator[Server]:
    """A server of its own, gone afterwards."""
    with temporary_server() as url:
        with psycopg.connect(url, autocommit=True) as conn:
            for statement in _SETTINGS.strip().splitlines():
                conn.execute(statement)
            ((data,),) = conn.execute("show data_directory").fetchall()
        server = Server(url, Path(data))
        server.restart("fast")
        try:
            yield server
        finally:
            server._control("stop", "--mode=fast")


class Watcher:
    """Looks at what the other sessions of a warehouse are doing."""

    def __init__(self, conn: psycopg.Connection) -> None:
        """The connection commits each statement."""
        self._conn = conn

    def until(self, condition: str, *values: Any) -> None:
        """Return when this holds; fail when it does not come true in half a minute."""
        (deadline,) = self._conn.execute("select clock_timestamp() + interval '30 seconds'").fetchone() or ()
        while True:
            held, late = self._conn.execute(
                f"select ({condition}), clock_timestamp() > %s", (*values, deadline)
            ).fetchone() or (False, True)
            if held:
                return
            assert not late, f"it never came true that {condition}"

    def until_waiting(self, event: str) -> None:
        """Return when a session waits for this event, or this kind of event."""
        self.until(
            "select count(*) > 0 from pg_stat_activity where datname = current_database() and state = 'active' "
            "and %s in (wait_event_type, wait_event)",
            event,
        )

    def until_alone(self) -> None:
        """Return when no session of a loader is left: PostgreSQL notices in a moment that a process was killed."""
        self.until(
            "select count(*) = 0 from pg_stat_activity where datname = current_database() "
            "and application_name = 'tributary sync'"
        )

    def until_nobody_else(self) -> None:
        """Return when no other session is left, whatever it was doing."""
        self.until(
            "select count(*) = 0 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and backend_type = 'client backend'"
        )
