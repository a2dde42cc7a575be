"""The control plane under measurement: the real `steelyard up` in a temporary folder."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from clients.rest import Steelyard
from console.place import Place
from console.supervisor.ports import free_port

START_S, STOP_S = 90.0, 30.0
LOOPBACK = "127.0.0.1"


class NotStarted(RuntimeError):
    """A process that a benchmark needs did not come up; the text ends with its last words."""


class ControlPlane:
    """All processes of the console, on SQLite and the embedded broker, started and ended with the block.

    address: where hosts reach it. settings: more of its environment.
    """

    def __init__(self, address: str = LOOPBACK, **settings: str) -> None:
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
        self.place = Place(self._folder / "data")
        self.address, self.port = address, free_port(address)
        self.url = f"http://{address}:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("steelyard")), "up",
            env=clean_environment(
                STEELYARD_DATA=str(self.place.data),
                STEELYARD_LISTEN=f"{self.address}:{self.port}",
                **self._settings,
            ),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            await until_says(self._process, "Console:", START_S)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        if self._process is not None:
            await stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def token(self) -> str:
        """The local administrator's API token."""
        return str(self.place.cli_token.read_text()).strip()

    def pids(self) -> dict[str, int]:
        """Process by role: broker, web, controller, worker, relay, envoy, and the supervisor itself."""
        found: dict[str, int] = json.loads((self.place.run / "pids").read_text())
        found["envoy"] = int(self.place.envoy_pid.read_text())
        assert self._process is not None
        return {**found, "supervisor": self._process.pid}

    async def host_tokens(self, count: int) -> list[str]:
        """One-time tokens for so many agents."""

        def ask() -> list[str]:
            with Steelyard(self.url, self.token) as client:
                return [client.create_host_token()["token"] for _ in range(count)]

        return await asyncio.to_thread(ask)


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would change how the measured ones run, and with extra."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("STEELYARD_")}
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        kept.pop(name, None)
    return {**kept, **extra}


async def until_says(process: asyncio.subprocess.Process, word: str, seconds: float) -> str:
    """The first line of the process's output that begins with word. Raises NotStarted."""
    assert process.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while line := (await process.stdout.readline()).decode(errors="replace"):
                if line.startswith(word):
                    return line.strip()
                said.append(line)
    except TimeoutError:
        said.append(f"(silent for {seconds:g} s)")
    raise NotStarted(f"{word!r} never came; the last words were: {''.join(said[-8:])[-1500:]}")


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and end it if it does not."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.communicate()  # what it still says must be read, or it would wait for that
    except TimeoutError:
        process.kill()
        await process.wait()
