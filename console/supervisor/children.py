"""The processes that a supervisor keeps running."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import signal
import sys
from pathlib import Path

from console.place import Place

STOP_S = 8.0
#: In the environment of every child: whose it is. A pid alone may be anybody's by the next start.
MARK = "STEELYARD_SUPERVISED"


class Child:
    """One process that is kept running; its output goes to its log file.

    orphaned: the signal that the kernel sends it when the supervisor is killed outright.
    """

    def __init__(
        self,
        name: str,
        argv: list[str],
        env: dict[str, str],
        log: Path,
        orphaned: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._orphaned = orphaned
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
                preexec_fn=functools.partial(_die_with_parent, self._orphaned),
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


def relay_argv(place: Place) -> list[str]:
    """This machine's Envoy and its relay."""
    return [
        sys.executable, "-m", "console.engines.envoy",
        "--controller", f"unix:{place.xds_socket}", "--data", str(place.envoy),
    ]  # fmt: skip


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


def _die_with_parent(number: signal.Signals) -> None:
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, number)
