"""One host of the stack: a real agent, a server that answers requests, a Celery worker; plain processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from waiting import eventually

ROOT = Path(__file__).parents[2]
TESTS = Path(__file__).parent


def free_port(address: str) -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def listens(address: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


@dataclass
class StackHost:
    """processes: "agent", "server" and "worker" by name, while they are wanted."""

    name: str
    address: str
    data: Path
    cores: float
    labels: Mapping[str, str]
    broker: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.port, self.tcp_port = free_port(self.address), free_port(self.address)

    @property
    def imports(self) -> Path:
        """Where a tree is put that is to become a shard."""
        return self.data / "shards/import"

    def shard(self, name: str) -> Path:
        """Where this host keeps the shard of this name."""
        return self.data / "shards/shards" / name

    def join(self, url: str, token: str, *more: str) -> None:
        """Start the agent for the first time. more: options."""
        labels = [word for key, value in self.labels.items() for word in ("--label", f"{key}={value}")]
        self._start(
            "agent",
            ["-m", "agents", "join", url, "--token", token, "--name", self.name, "--address", self.address,
             "--data", str(self.data), "--capacity", f"cpu={self.cores}", *labels, *more],
            **self._of_worker,
        )  # fmt: skip

    def start_agent(self) -> None:
        """Start the agent of a host that has joined: the same identity."""
        self._start("agent", ["-m", "agents", "run", "--data", str(self.data)], **self._of_worker)

    def start_server(self) -> None:
        """Start the server and wait until it listens."""
        self._start(
            "server",
            ["-m", "bench.rack.backend", "--address", self.address, "--port", str(self.port),
             "--tcp-port", str(self.tcp_port), "--name", self.name],
        )  # fmt: skip
        eventually(lambda: listens(self.address, self.tcp_port), what=f"the server of {self.name}")

    def start_worker(self, pool: str = "solo") -> None:
        """Start the worker; until_working() waits for it."""
        self._start(
            "worker",
            ["-m", "celery", "-A", "stack_tasks", "worker", "-P", pool, "-c", "1",
             "-Q", f"host.{self.name}",
             "-n", f"worker@{self.name}", "--without-gossip", "--without-mingle", "--without-heartbeat",
             "-l", "WARNING"],
            STEELYARD_AGENT_SOCKET=str(self.data / "worker.sock"), **self._of_worker,
        )  # fmt: skip

    def until_working(self) -> None:
        """Until the newest worker takes messages."""
        eventually(lambda: "ready" in self.log("worker").splitlines(), what=f"the worker of {self.name}")

    def log(self, name: str) -> str:
        """What the newest process of this name has written."""
        return (self.data / f"{name}.log").read_text(errors="replace")

    def running(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL one process and wait for its end."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def mend(self) -> None:
        """Start again what is not running; until_working() waits for its worker."""
        for name, start in (
            ("agent", self.start_agent),
            ("server", self.start_server),
            ("worker", self.start_worker),
        ):
            if not self.running(name):
                start()

    def close(self) -> None:
        """End everything."""
        for name in list(self.processes):
            self.kill(name)

    @property
    def _of_worker(self) -> dict[str, str]:
        """What a worker finds in its environment, or in its agent's."""
        imports = f"{ROOT}{os.pathsep}{TESTS}"
        return {"STACK_HOST": self.name, "STACK_BROKER": self.broker, "PYTHONPATH": imports}

    def _start(self, name: str, arguments: list[str], **environment: str) -> None:
        log = self.data / f"{name}.log"
        if log.exists():
            log.rename(log.with_suffix(".log.before"))
        with log.open("wb") as sink:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
