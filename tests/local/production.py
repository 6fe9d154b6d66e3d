"""The services of docker-compose.yaml as processes here: same commands, same environment, other addresses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from tests.local.compose import IMAGE, image_entrypoint, image_environment, read
from tributary.local import redis_server
from tributary.local.airflow_api import AirflowApi
from tributary.local.environment import LOCAL_SETTINGS
from tributary.local.postgres import binaries, free_port
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 300
"""For how many seconds something may take that takes a few when nothing else runs."""


@dataclass
class Production:
    """One installation in a folder of its own; what containers keep apart by name is kept apart by port here."""

    folder: Path
    variables: Mapping[str, str]
    postgres_url: str
    dags: str
    running: dict[str, psutil.Popen] = field(default_factory=dict)
    healthy: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = read(self.variables)["services"]
        self.postgres_port = str(urlsplit(self.postgres_url).port)
        wanted = ("redis", "airflow", "scheduler", "triggerer", "sandbox", "grpc", "worker-1", "worker-2")
        self.ports = {name: str(free_port()) for name in wanted}
        home = self.folder / "airflow"
        (home / "config").mkdir(parents=True)
        (home / "config" / LOCAL_SETTINGS.name).write_bytes(LOCAL_SETTINGS.read_bytes())
        (self.folder / "dags").mkdir()
        (self.folder / "dags" / "here.py").write_text(self.dags)
        (self.folder / "sandbox").mkdir()
        self.configs = self.folder / "redis.conf"
        self.configs.write_text(read(self.variables)["configs"]["redis"]["content"])
        # From container's address or path to this machine's; the longer one first.
        self._elsewhere = {
            "/opt/tributary/dags": str(self.folder / "dags"),
            "/opt/tributary": str(ROOT),
            "/opt/airflow": str(home),
            "/opt/sandbox": str(self.folder / "sandbox"),
            "/etc/redis.conf": str(self.configs),
            "postgres:5432": f"127.0.0.1:{self.postgres_port}",
            "redis:6379": f"127.0.0.1:{self.ports['redis']}",
            "api-server:8080": f"127.0.0.1:{self.ports['airflow']}",
            "localhost:8080": f"127.0.0.1:{self.ports['airflow']}",
            "localhost:8974": f"127.0.0.1:{self.ports['scheduler']}",
            "localhost:8090": f"127.0.0.1:{self.ports['sandbox']}",
            "sandbox:8090": f"127.0.0.1:{self.ports['sandbox']}",
            "sandbox:8091": f"127.0.0.1:{self.ports['grpc']}",
            "redis-cli ping": f"redis-cli -p {self.ports['redis']} ping",
        }
        self._alone = {
            "postgres": "127.0.0.1",
            "5432": self.postgres_port,
            "8090": self.ports["sandbox"],
            "8091": self.ports["grpc"],
            "0.0.0.0": "127.0.0.1",
        }

    def here(self, text: str) -> str:
        """A container's word on this machine."""
        for there, here in self._elsewhere.items():
            text = text.replace(there, here)
        return self._alone.get(text, text)

    def environment(self, name: str) -> dict[str, str]:
        """What the container's processes would see, nothing of ours, and the ports that containers need not share."""
        service = self.services[name]
        image = image_environment() if service["image"] == IMAGE else {}
        given = {key: self.here(value) for key, value in {**image, **service.get("environment", {})}.items()}
        programs = (Path(sys.executable).parent, binaries(), Path(redis_server.binary()).parent)
        return {
            "PATH": os.pathsep.join((*map(str, programs), os.defpath)),
            "HOME": str(self.folder),
            "PGPORT": self.postgres_port,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": self.ports["airflow"],
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": self.ports["scheduler"],
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": self.ports["triggerer"],
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": self.ports.get(name, "0"),
            **given,
        }

    def command(self, name: str) -> list[str]:
        """What the container would run."""
        service = self.services[name]
        entrypoint = service.get("entrypoint", image_entrypoint() if service["image"] == IMAGE else [])
        command = [self.here(word) for word in (*entrypoint, *service["command"])]
        return [*command, "--port", self.ports["redis"]] if name == "redis" else command

    def log(self, name: str) -> Path:
        """What a service writes."""
        return self.folder / f"{name}.log"

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a service's command to its end, or another one in its place, as `docker compose run` does."""
        ran = subprocess.run(
            command or self.command(name),
            env=self.environment(name),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        with self.log(name).open("a") as log:
            log.write(ran.stdout)
        return ran

    def start(self, name: str) -> None:
        """Start a service; its first process gets the signals, as in a container."""
        with self.log(name).open("ab") as log:
            self.running[name] = psutil.Popen(
                self.command(name),
                env=self.environment(name),
                cwd=self.folder if name == "redis" else ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_healthy(self, name: str) -> bool:
        """What the service's own health check says."""
        kind, *test = self.services[name]["healthcheck"]["test"]
        words = [self.here(word) for word in test]
        command = ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words
        return subprocess.run(command, env=self.environment(name), capture_output=True, check=False).returncode == 0

    def wait_until_healthy(self, name: str) -> None:
        """Ask until the health check passes; whoever has ended will not."""
        until = time.monotonic() + PATIENCE
        while not self.is_healthy(name):
            process = self.running.get(name)
            assert process is None or process.poll() is None, f"{name} ended:\n{self.log(name).read_text()[-3000:]}"
            assert time.monotonic() < until, f"{name} is not healthy:\n{self.log(name).read_text()[-3000:]}"
            time.sleep(0.2)
        self.healthy.add(name)

    def api(self, user: str, password: str) -> AirflowApi:
        """Airflow's API as this person sees it."""
        url = f"http://127.0.0.1:{self.ports['airflow']}"
        return AirflowApi({"AIRFLOW_URL": url, "AIRFLOW_USER": user, "AIRFLOW_PASSWORD": password})

    def stop(self, name: str) -> int:
        """Ask the first process to end, as `docker compose stop` does, and return its exit code."""
        process = self.running.pop(name)
        process.terminate()
        return int(process.wait(PATIENCE))

    def kill(self) -> None:
        """End whatever still runs of it, and what that has started."""
        first = [process for process in self.running.values() if process.is_running()]
        others = [child for process in first for child in process.children(recursive=True)]
        for process in first:
            process.terminate()
        psutil.wait_procs(first, timeout=20)
        for left in (*first, *others):
            if left.is_running():
                left.kill()
        psutil.wait_procs((*first, *others), timeout=20)
