"""What an installation is set to: folders, ports, secrets, and the environment that everything in it runs with.

Ports and secrets are decided once and kept in `state.json`; the environment is derived from them and written to `env`,
which a shell can source. Whatever the file `.env` beside the Makefile holds, for example the token of a real shop,
replaces what is derived here.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import secrets
import shlex
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import psutil
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tributary.local import redis_server
from tributary.local.postgres import Server, data_directory
from tributary.local.problem import ProblemError
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PORTS = {"airflow": 8080, "sandbox": 8090, "sandbox_grpc": 8091, "postgres": 5433, "redis": 6379}
USERS = {"admin": "admin", "engineer": "op", "analyst": "user", "manager": "user", "viewer": "viewer"}
WAREHOUSE_USER = "tributary_pipeline"
WAREHOUSE_DATABASE = "tributary"
METADATA_USER = METADATA_DATABASE = "airflow"
# A worker process takes some 200 MB and a CPU while it starts: few are faster than many on a small machine.
SLOTS = 6
SLOTS_OF_A_WORKER = 3
MOST_WORKERS = 16
LOOPBACK = "127.0.0.1"
LOCAL_SETTINGS = ROOT / "include" / "airflow_home" / "airflow_local_settings.py"
MAIL_SERVER = [f"SMTP_{name}" for name in ("HOST", "PORT", "USER", "PASSWORD", "FROM", "DISABLE_SSL", "DISABLE_TLS")]
"""Empty: the sandbox has none, and nobody is written to."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One local installation: the folder that holds its data, secrets and logs."""

    local: Path

    @classmethod
    def of_environment(cls) -> Installation:
        """The one that TRIBUTARY_LOCAL names, or `.local` in the repository."""
        return cls((ROOT / (os.environ.get("TRIBUTARY_LOCAL") or ".local")).resolve())

    @property
    def env_file(self) -> Path:
        """What a shell can source."""
        return self.local / "env"

    @property
    def state_file(self) -> Path:
        """Ports and secrets, decided once."""
        return self.local / "state.json"

    @property
    def logs(self) -> Path:
        """Where every process and step writes."""
        return self.local / "logs"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own files."""
        return self.local / "airflow"

    def state(self) -> dict[str, Any]:
        """The decided ports and secrets; empty before the first start."""
        return json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    @property
    def workers(self) -> tuple[str, ...]:
        """The Celery workers by name; without any, the scheduler runs the tasks itself."""
        return tuple(f"worker.{number + 1}" for number in range(self.state().get("workers", 0)))

    def env(self) -> dict[str, str]:
        """The written environment; empty before the first start."""
        return parse_env(self.env_file.read_text()) if self.env_file.exists() else {}

    def server(self) -> Server:
        """The embedded PostgreSQL server of this installation."""
        state = self.state()
        data = data_directory(self.local / "postgres", state["installation_id"])
        return Server(data, state["ports"]["postgres"], state["secrets"]["postgres"])


def parse_env(text: str) -> dict[str, str]:
    """The variables of a file of shell assignments, with or without `export`."""
    words = (word for word in shlex.split(text, comments=True) if word != "export")
    return dict(word.split("=", 1) for word in words if "=" in word)


def render_env(env: Mapping[str, str]) -> str:
    """Shell assignments which `parse_env` and every POSIX shell read back as given."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(env.items()))


def dotenv() -> dict[str, str]:
    """What the user wrote to `.env` beside the Makefile, where the Astro CLI looks too."""
    file = ROOT / ".env"
    return parse_env(file.read_text()) if file.exists() else {}


def given() -> dict[str, str]:
    """The switches of this platform (TRIBUTARY_...): from the environment, else from `.env`."""
    return {**dotenv(), **os.environ}


def external_postgres() -> str | None:
    """The administrator's URL of an existing server to use instead of the embedded one."""
    return given().get("TRIBUTARY_POSTGRES_URL")


def prepare(installation: Installation, running: Collection[str] = ()) -> dict[str, str]:
    """Decide ports and secrets as far as they are not decided, write them, and return the environment.

    :param running: The names in PORTS whose process runs already, and therefore keeps its port.
    """
    for folder in (installation.local, installation.logs, installation.airflow_home):
        folder.mkdir(parents=True, exist_ok=True)
    before = installation.state()
    known = before.get("secrets", {})
    passwords = ("postgres", "metadata", "warehouse", "redis")
    state: dict[str, Any] = {
        "installation_id": before.get("installation_id") or secrets.token_hex(4),
        "ports": choose_ports(before.get("ports", {}), running),
        "workers": choose_workers(before.get("workers", 0), running),
        "secrets": {
            **{name: known.get(name) or secrets.token_urlsafe(18) for name in passwords},
            "fernet": known.get("fernet") or base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt": known.get("jwt") or secrets.token_urlsafe(64),
            "api": known.get("api") or secrets.token_urlsafe(32),
            "google_key": known.get("google_key") or new_private_key(),
            "users": {user: known.get("users", {}).get(user) or secrets.token_urlsafe(9) for user in USERS},
        },
    }
    write_private(installation.state_file, json.dumps(state, indent=2))
    write_private(installation.airflow_home / "passwords.json", json.dumps(state["secrets"]["users"]))
    # An empty file keeps Airflow from writing one with absolute paths, which would outlive a move of the repository.
    (installation.airflow_home / "airflow.cfg").write_text("# Everything is set by environment variables: see ../env\n")
    # Airflow imports this file from there alone.
    settings = installation.airflow_home / "config" / LOCAL_SETTINGS.name
    settings.parent.mkdir(exist_ok=True)
    settings.write_bytes(LOCAL_SETTINGS.read_bytes())
    own = {name: value for name, value in dotenv().items() if not name.startswith("TRIBUTARY_")}
    env = derive(installation, state) | own
    write_private(installation.env_file, render_env(env))
    return env


def derive(installation: Installation, state: Mapping[str, Any]) -> dict[str, str]:
    """The environment that follows from ports and secrets."""
    ports, known = state["ports"], state["secrets"]
    external = external_postgres()
    host, port = LOOPBACK, ports["postgres"]
    if external:
        server = urlsplit(external)
        host, port = server.hostname or LOOPBACK, server.port or 5432
    sandbox = f"http://{LOOPBACK}:{ports['sandbox']}"
    airflow = f"http://{LOOPBACK}:{ports['airflow']}"
    metadata = f"{METADATA_USER}:{quote(known['metadata'], safe='')}@{host}:{port}/{METADATA_DATABASE}"
    return {
        "TRIBUTARY_HOME": str(ROOT),
        "TRIBUTARY_ENVIRONMENT": given().get("TRIBUTARY_ENVIRONMENT") or "production",
        "SANDBOX_URL": sandbox,
        "WAREHOUSE_URL": f"postgresql://{WAREHOUSE_USER}:{quote(known['warehouse'], safe='')}"
        f"@{host}:{port}/{WAREHOUSE_DATABASE}",
        "WAREHOUSE_HOST": host,
        "WAREHOUSE_PORT": str(port),
        "WAREHOUSE_USER": WAREHOUSE_USER,
        "WAREHOUSE_PASSWORD": known["warehouse"],
        "WAREHOUSE_DATABASE": WAREHOUSE_DATABASE,
        **vendors(sandbox, f"http://{LOOPBACK}:{ports['sandbox_grpc']}", known["google_key"]),
        "AIRFLOW_HOME": str(installation.airflow_home),
        "AIRFLOW_URL": airflow,
        "AIRFLOW_USER": "admin",
        "AIRFLOW_PASSWORD": known["users"]["admin"],
        "AIRFLOW__API__BASE_URL": airflow,
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__INSTANCE_NAME": "Tributary",
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__API__SECRET_KEY": known["api"],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": known["jwt"],
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        # Every task reads its DAG's file anew; on a small machine under load that takes longer than Airflow's 30 s.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "tributary.local.executor.WarmLocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": known["fernet"],
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(SLOTS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(installation.airflow_home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__COSMOS__CACHE_DIR": str(installation.local / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        # A changed file is read at once; reading the others again and again would only take CPU from the tasks.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{metadata}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(installation.logs / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(installation.logs / "dag_processor"),
        # After a crash or `make down` in the middle of a task: how long until the task is tried again.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # One API server answers all tasks: a busy one must not fail them.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        # A task that has ended is noticed with its next heartbeat, if the news of it came too early.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
        "DO_NOT_TRACK": "1",
        "SODA_CORE_TELEMETRY_ENABLED": "false",
        **(celery(state, f"db+postgresql+psycopg2://{metadata}") if state["workers"] else {}),
    }


def celery(state: Mapping[str, Any], results: str) -> dict[str, str]:
    """What takes the tasks to Celery workers, as docker-compose.yaml does."""
    broker = f"redis://:{quote(state['secrets']['redis'], safe='')}@{LOOPBACK}:{state['ports']['redis']}/0"
    return {
        "AIRFLOW__CELERY__BROKER_URL": broker,
        # Imported once by each worker, and so by none of its tasks.
        "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": ["tributary.local.warm"]}),
        "AIRFLOW__CELERY__RESULT_BACKEND": results,
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS_OF_A_WORKER),
        # A message that nobody acknowledged is delivered again then: no task takes as long.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        # As many as the workers have slots: what has to wait waits in Airflow, by its priority, and not in Redis.
        "AIRFLOW__CORE__PARALLELISM": str(SLOTS_OF_A_WORKER * state["workers"]),
    }


def vendors(sandbox: str, sandbox_grpc: str, google_key: str) -> dict[str, str]:
    """The vendors' settings that make the sandbox be all of them."""
    return {
        **{
            f"SHOPIFY_{shop.upper()}_{name}": value
            for shop in ("aurora", "nordlicht")
            for name, value in {
                "HOST": f"{sandbox}/shopify/{shop}.myshopify.com",
                "TOKEN": f"shpat_sandbox_{shop}",
            }.items()
        },
        "TIKTOK_SHOP_AURORA_API_HOST": sandbox,
        "TIKTOK_SHOP_AURORA_AUTH_HOST": f"{sandbox}/tiktok_auth",
        "TIKTOK_SHOP_AURORA_APP_KEY": "sandbox_app",
        "TIKTOK_SHOP_AURORA_APP_SECRET": "sandbox_app_secret_aurora_0123456789",
        "TIKTOK_SHOP_AURORA_REFRESH_TOKEN": "TTP_refresh_aurora_0",
        "TIKTOK_SHOP_AURORA_SHOP_ID": "7495000000000000001",
        "TIKTOK_SHOP_AURORA_REQUESTS_PER_SECOND": "50",
        "TIKTOK_ORGANIC_AURORA_API_HOST": sandbox,
        "TIKTOK_ORGANIC_AURORA_CLIENT_ID": "sandbox_client",
        "TIKTOK_ORGANIC_AURORA_CLIENT_SECRET": "sandbox_client_secret_aurora_0123456789",
        "TIKTOK_ORGANIC_AURORA_BUSINESS_ID": "sandbox_business_aurora",
        "TIKTOK_ORGANIC_AURORA_REFRESH_TOKEN": "rft.sandbox_organic_aurora_0",
        "GA4_AURORA_KEYFILE": google_keyfile(google_key, f"{sandbox}/google/token"),
        "GA4_AURORA_PROPERTY_ID": "312345678",
        "GA4_AURORA_API_HOST": sandbox,
        "KLAVIYO_AURORA_API_HOST": f"{sandbox}/klaviyo",
        "KLAVIYO_AURORA_API_KEY": "pk_sandbox_aurora_0123456789abcdef",
        "KLAVIYO_AURORA_CONVERSION_METRIC_ID": "",
        **advertising(sandbox, sandbox_grpc),
        "FX_RATES_SOURCE": "include/sandbox/fx_rates.csv",
        "SLACK_BASE_URL": f"{sandbox}/slack/api/",
        "SLACK_TOKEN": "xoxb-sandbox",
        "PAGERDUTY_HOST": f"{sandbox}/pagerduty",
        "PAGERDUTY_ROUTING_KEY": "sandboxsandboxsandboxsandbox0001",
        **dict.fromkeys(MAIL_SERVER, ""),
    }


def advertising(sandbox: str, sandbox_grpc: str) -> dict[str, str]:
    """The sandbox's advertising accounts."""
    platforms: dict[str, dict[str, str]] = {
        "META_ADS_AURORA": {
            "API_HOST": sandbox,
            "ACCESS_TOKEN": "EAA_sandbox_aurora_0123456789abcdef",
            "APP_SECRET": "meta_secret_aurora",
            "ACCOUNT_IDS": "101000000000001, 101000000000002",
        },
        "META_ADS_NORDLICHT": {
            "API_HOST": sandbox,
            "ACCESS_TOKEN": "EAA_sandbox_nordlicht_0123456789abcdef",
            "APP_SECRET": "meta_secret_nordlicht",
            "ACCOUNT_IDS": "202000000000001",
        },
        **{
            f"GOOGLE_ADS_{merchant.upper()}": {
                "API_HOST": sandbox_grpc,
                "TOKEN_URI": f"{sandbox}/google_ads/token",
                "CLIENT_ID": f"sandbox-{merchant}.apps.googleusercontent.example",
                "CLIENT_SECRET": f"GOCSPX-sandbox-{merchant}-0123456789",
                "REFRESH_TOKEN": f"1//sandbox-{merchant}-refresh",
                "DEVELOPER_TOKEN": "sandbox-developer-token-0123",
                "CUSTOMER_IDS": customer,
                "LOGIN_CUSTOMER_ID": manager,
            }
            for merchant, customer, manager in (
                ("aurora", "111-000-0001", "111-000-0009"),
                ("nordlicht", "222-000-0001", ""),
            )
        },
        "TIKTOK_ADS_AURORA": {
            "API_HOST": sandbox,
            "ACCESS_TOKEN": "tta_sandbox_aurora_0123456789abcdef",
            "ADVERTISER_IDS": "7110000000000000001",
        },
    }
    return {f"{account}_{name}": value for account, values in platforms.items() for name, value in values.items()}


def new_private_key() -> str:
    """A key of its own for each installation, with which the sandbox's service account signs."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    formats = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *formats).decode()


def google_keyfile(private_key: str, token_uri: str) -> str:
    """The key file of a service account, in the form in which Google hands it out."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "sandbox",
            "private_key": private_key,
            "client_email": "tributary@sandbox.iam.example",
            "token_uri": token_uri,
        }
    )


def process_env(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the installation: ours over the user's, without the user's own Airflow."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTHONHOME"))}
    direct = ",".join(filter(None, (inherited.get("NO_PROXY") or inherited.get("no_proxy"), LOOPBACK, "localhost")))
    scripts = str(Path(sys.executable).parent)
    return {
        **inherited,
        **env,
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PATH": os.pathsep.join((scripts, inherited.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
    }


def choose_ports(before: Mapping[str, int], running: Collection[str]) -> dict[str, int]:
    """A port per server: the pinned one, else the one it had, else the usual one, else the next free one."""
    user = given()
    chosen: dict[str, int] = {}
    for name, usual in PORTS.items():
        variable = f"TRIBUTARY_PORT_{name.upper()}"
        pinned = user.get(variable)
        if pinned and not (pinned.isdecimal() and 0 < int(pinned) < 65536):
            raise ProblemError(f"{variable} is {pinned!r}, which is not a port.", "Give a number from 1 to 65535.")
        if name in running:
            if pinned and int(pinned) != before[name]:
                raise ProblemError(
                    f"{variable} is {pinned}, but {name} runs on port {before[name]} already.",
                    "Stop it first: make down.",
                )
            chosen[name] = before[name]
        elif pinned:
            if not is_free(int(pinned)):
                raise ProblemError(
                    f"Port {pinned} ({variable}) is taken by {who_listens(int(pinned))}.",
                    f"Stop that process, or set {variable} to another port or not at all.",
                )
            chosen[name] = int(pinned)
        else:
            candidates = (before.get(name, usual), *range(usual, usual + 200))
            chosen[name] = next(port for port in candidates if port not in chosen.values() and is_free(port))
    return chosen


def choose_workers(before: int, running: Collection[str]) -> int:
    """How many Celery workers run the tasks: what TRIBUTARY_WORKERS says, else as many as it had, at first none."""
    said = given().get("TRIBUTARY_WORKERS") or str(before)
    if not (said.isdecimal() and int(said) <= MOST_WORKERS):
        raise ProblemError(
            f"TRIBUTARY_WORKERS is {said!r}, which is not a number of workers.",
            f"Give a number from 0 (the scheduler runs the tasks itself) to {MOST_WORKERS}.",
        )
    workers = int(said)
    if workers != before and "airflow" in running:
        raise ProblemError(
            f"TRIBUTARY_WORKERS is {workers}, but Airflow runs with {before or 'no'} workers already.",
            "Stop it first: make down.",
        )
    if workers:
        redis_server.binary()
        if importlib.util.find_spec("celery") is None:
            raise ProblemError(
                f"TRIBUTARY_WORKERS is {workers}, but there is no Celery in this environment.",
                "Run `make celery`, which installs it, or set TRIBUTARY_WORKERS to 0.",
            )
    return workers


def is_free(port: int) -> bool:
    """Whether a server could listen on this port."""
    with socket.socket() as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def who_listens(port: int) -> str:
    """The process that listens on a port, as far as we may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process"


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.chmod(0o600)
    fresh.write_text(text)
    fresh.replace(path)
