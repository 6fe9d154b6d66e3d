"""Makes `.venv` from the pinned requirements, and does nothing when it is current; likewise what `make bench` needs.

This one runs on whatever Python the user has, before anything is installed: standard library only, and no syntax newer
than Python 3.6, so that an old one gets to say what is wrong.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 13)
if not OLDEST <= sys.version_info[:2] <= NEWEST:
    sys.exit(
        "Python {}.{} ({}) is too {}. Install Python 3.11 to 3.13, or name one: make demo PYTHON=python3.12".format(
            sys.version_info[0], sys.version_info[1], sys.executable, "old" if sys.version_info[:2] < OLDEST else "new"
        )
    )

import ast  # noqa: E402
import fcntl  # noqa: E402
import hashlib  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
import venv  # noqa: E402
from pathlib import Path  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv"
# The pins of what `make bench` compares with may contradict ours.
PEERS_VENV = ROOT / ".local" / "bench-venv"
TOOLS = ROOT / "requirements-bootstrap.txt"
# What each kind of use installs, besides the tools: `make demo` runs; `make test`, `make lint` and `make celery` are
# for who develops; `make ui` drives a browser.
REQUIREMENTS = {
    "run": ["requirements.txt"],
    "dev": ["requirements.txt", "requirements-production.txt", "requirements-dev.txt"],
    "ui": ["requirements.txt", "requirements-production.txt", "requirements-dev.txt", "requirements-ui.txt"],
    "peers": ["requirements-bench.txt"],
}
ROOM = 3_000_000_000
# Where uv reads what pip's configuration calls so; pip's own environment variables are part of that configuration.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def main() -> int:
    """Bring the environment to what the requirements say, for `run`, `dev`, `ui` or `peers`."""
    use = sys.argv[1]
    folder = environment(use)
    # Locking a file that is there anyway keeps two commands from installing at the same time.
    with TOOLS.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / f"tributary-{use}"
        if python(folder).exists() and stamp.exists() and stamp.read_text() == fingerprint(use):
            return 0
        started = time.monotonic()
        say(f"Installing {', '.join(REQUIREMENTS[use])} into {folder.relative_to(ROOT)} ...")
        try:
            install(use)
        except subprocess.CalledProcessError as error:
            say(f"FAILED at the Python environment: `{shown(error.cmd)}` ended with {error.returncode}.")
            say("  what to do: read the lines above; is the package index reachable (pip config list)? Then try again.")
            return 1
        except OSError as error:
            say(f"FAILED at the Python environment: {error}")
            return 1
        for included in [use] if use == "peers" else [name for name in ("run", "dev", "ui") if covers(use, name)]:
            (folder / f"tributary-{included}").write_text(fingerprint(included))
        say(f"{time.monotonic() - started:6.1f} s  Python environment: {folder.relative_to(ROOT)}")
    return 0


def covers(use: str, other: str) -> bool:
    """Whether who has installed for one use has all that the other needs."""
    return set(REQUIREMENTS[other]) <= set(REQUIREMENTS[use])


def environment(use: str) -> Path:
    """The folder of the environment for this use."""
    return PEERS_VENV if use == "peers" else VENV


def python(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def fingerprint(use: str) -> str:
    """What the environment depends on: the requirements, the project's metadata, the interpreter and the place."""
    digest = hashlib.sha256(os.fsencode(environment(use)) + repr((sys.version_info[:2], sys.base_prefix)).encode())
    for name in [TOOLS.name, "pyproject.toml", *REQUIREMENTS[use]]:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install(use: str) -> None:
    """Create the environment when it is missing, broken, moved or of another Python; install what is not there yet."""
    free = shutil.disk_usage(ROOT).free
    if free < ROOM:
        raise OSError(f"{ROOT} has {free / 1e9:.1f} GB left, {ROOM / 1e9:.0f} GB are needed. Make room.")
    folder = environment(use)
    origin = f"{folder} {sys.version_info[0]}.{sys.version_info[1]} {sys.base_prefix}"
    marker = folder / "tributary-origin"
    if not python(folder).exists() or not marker.exists() or marker.read_text() != origin:
        venv.create(str(folder), clear=True, with_pip=True)
        marker.write_text(origin)
    pip = [str(python(folder)), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--require-hashes", "-r", str(TOOLS)])
    arguments = ["install", "--require-hashes"]
    for name in REQUIREMENTS[use]:
        arguments += ["-r", str(ROOT / name)]
    try:
        uv = [str(python(folder)), "-m", "uv", "pip"]
        run([*uv, *arguments, "--quiet", "--python", str(python(folder))], uv_environment(pip))
    except subprocess.CalledProcessError:
        say("uv could not install it; trying pip, which is slower ...")
        run([*pip, *arguments, "--quiet"])
    if use == "peers":
        return
    # Without dependencies and build isolation: everything it needs is there, with the hashes checked.
    run([*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT)])


def uv_environment(pip: "list[str]") -> "dict[str, str]":
    """The environment for uv with what pip is configured to: a user's index, certificates and proxies hold for both."""
    listed = subprocess.run([*pip, "config", "list"], stdout=subprocess.PIPE, check=True, text=True)
    return {**uv_settings(listed.stdout), **os.environ}


def uv_settings(listed: str) -> "dict[str, str]":
    """The output of `pip config list` as variables for uv; `install` is stronger than `global`, `:env:` than both."""
    found = {}
    for section in ("global", "install", ":env:"):
        for match in re.finditer(rf"^{re.escape(section)}\.\.?([a-z-]+)=(.*)$", listed, re.MULTILINE):
            found[match.group(1)] = " ".join(str(ast.literal_eval(match.group(2))).split())
    settings = {UV_NAMES[name]: value for name, value in found.items() if name in UV_NAMES}
    # pip takes the best version of all indexes; the hashes say which files are acceptable.
    settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return settings


def run(command: "list[str]", env: "dict[str, str] | None" = None) -> None:
    """Run an installer, its output on the terminal."""
    subprocess.run(command, env=env, cwd=str(ROOT), check=True)


def shown(command: "list[str]") -> str:
    """A command as a person would type it."""
    return " ".join(Path(part).name if part.startswith("/") else part for part in command)


def say(text: str) -> None:
    """Tell a person, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
