"""The processes that a supervisor keeps running."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import sys
from pathlib import Path

from console.engines.envoy.process import EnvoyProcess
from console.place import Place

STOP_S = 8.0
#: In the environment of every child: whose it is. A pid alone may be anybody's by the next start.
MARK = "STEELYARD_SUPERVISED"


class Child:
    """One process that is kept running. start() makes and returns it; its output goes to its log file."""

    def __init__(self, name: str, argv: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self._argv, self._env, self._log = name, argv, env, log
        self.process: asyncio.subprocess.Process | None = None
        self.restarts = 0

    async def spawn(self) -> None:
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._argv,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for the supervisor, which ends its children in order.
                start_new_session=True,
                # When the supervisor is killed outright, its children get SIGTERM from the kernel.
                preexec_fn=_die_with_parent,
            )

    async def wait(self) -> None:
        if self.process is not None:
            await self.process.wait()

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    @property
    def pid(self) -> int | None:
        alive = self.process is not None and self.process.returncode is None
        return self.process.pid if alive and self.process else None


class EnvoyChild:
    """Envoy, which knows best how it is started and stopped, as one of the supervisor's children."""

    name = "envoy"

    def __init__(self, place: Place) -> None:
        self._envoy = EnvoyProcess(place.envoy, socket.gethostname(), place.xds_socket)
        self.restarts = 0

    async def spawn(self) -> None:
        await self._envoy.start()

    async def wait(self) -> None:
        await self._envoy.wait()

    async def stop(self) -> None:
        await self._envoy.stop()

    @property
    def pid(self) -> int | None:
        return self._envoy.pid


def web_argv(address: str, port: int) -> list[str]:
    """The web process: pages, API and WebSockets."""
    return [
        sys.executable, "-m", "uvicorn", "console.asgi:application",
        "--host", address, "--port", str(port), "--lifespan", "on", "--no-access-log", "--no-server-header",
        # Only a configured proxy may say whom it speaks for; none is.
        "--no-proxy-headers",
        "--ws-max-size", "65536", "--ws-per-message-deflate", "false",
        "--timeout-graceful-shutdown", "3", "--log-level", "warning",
    ]  # fmt: skip


def controller_argv() -> list[str]:
    """The controller process."""
    return [sys.executable, "-m", "console.controller"]


def worker_argv() -> list[str]:
    """The control plane's own Celery worker."""
    return [
        sys.executable, "-m", "celery", "-A", "console.celery", "worker", "-n", "control@%h", "-Q", "steelyard",
        # Its tasks wait for the broker and the database: threads do, at a fraction of the memory of processes.
        "-P", "threads", "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING",
    ]  # fmt: skip


def runs_with(pid: int, data: Path) -> bool:
    """Whether pid is a process that some supervisor started with this data."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{MARK}={data}".encode() in environment


def _die_with_parent() -> None:
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
