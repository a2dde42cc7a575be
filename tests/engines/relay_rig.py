"""A relay as a process of its own, as the supervisor starts it, and the questions tests ask of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from console.engines.envoy.process import EnvoyProcess

ROOT = Path(__file__).parents[2]


class RelayRig:
    """One relay, with its Envoy, in folder/NAME; its log beside."""

    def __init__(self, folder: Path, name: str, controller: str, *options: str) -> None:
        self.name = name
        self.data = folder / name
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.log = folder / f"{name}.log"
        self.admin_socket = self.data / "admin.sock"
        self.cache = self.data / "accepted.cache"
        self._controller, self._options = controller, options
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; Envoy may take a moment more."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "console.engines.envoy", "--controller", self._controller,
                "--data", str(self.data), "--name", self.name, *self._options,
                cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the relay and wait for it; its exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)

    async def close(self) -> None:
        """End relay and Envoy, whatever state they are in."""
        if self.process is not None and self.process.returncode is None:
            await self.end(signal.SIGKILL)
        orphan = EnvoyProcess(self.data, self.name, self.data / "xds.sock")
        await orphan.end_predecessor()

    def envoy_pid(self) -> int | None:
        """Of the Envoy that was started last, if it runs."""
        try:
            pid = int((self.data / "envoy.pid").read_text())
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        return pid

    def kill_envoy(self) -> None:
        """As a crash does."""
        pid = self.envoy_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
