"""The Celery worker of this host, where its operator gave the agent one: started, watched, started again when it ends.

Theory of operation. What the operator said is completed so that the worker takes the messages of this host and no
others, and finds this agent's socket. It runs in a session of its own and outlives the agent, for its bodies must: the
next agent finds it by its pid and the moment of its start, and goes on watching. One that ends soon is started again
after a pause that grows.

Rules:
1. What runs is what the host's operator said (`join --worker`), never what the control plane says.
2. There is one. Where something else is wanted than what runs, or nothing, that is asked to end (SIGTERM): it lets its
   bodies come to their end first, however long that takes.
3. It writes where the agent writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from agents.backoff import Backoff
from agents.exits import ended
from agents.identity import write_private
from agents.wire import Worker

#: One that ran so long had not failed to start: when it ends the next one is started at once.
CALM_S = 30.0
#: argv[0] is the directory that the worker works in.
_THERE = 'cd "$0" && exec "$@"'
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TICKS_S = 1 / os.sysconf("SC_CLK_TCK")

log = logging.getLogger("steelyard.agent")


class Started(msgspec.Struct):
    """A worker as the next agent finds it. boot, ticks: since when it runs, in the kernel's own count from a boot on,
    which no setting of clocks changes."""

    pid: int
    boot: str
    ticks: int
    argv: list[str]
    directory: str

    @property
    def lives(self) -> bool:
        """Whether that pid is still its own."""
        try:
            state, ticks = _stat(self.pid)
        except OSError:
            return False
        return self.boot == _BOOT.read_text() and ticks == self.ticks and state != "Z"

    @property
    def runs_s(self) -> float:
        """For how long it has, if it lives."""
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - self.ticks * _TICKS_S, 0.0)

    def terminate(self) -> None:
        """Ask it to end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


class HostWorker:
    """Of one agent. command: the worker's, without its queue and its name; "": none. file: where it is written what
    runs. name: what the host is called."""

    def __init__(
        self,
        command: str,
        directory: str,
        file: Path,
        socket: Path,
        name: Callable[[], str],
        backoff: Backoff,
    ) -> None:
        self._command, self._directory = shlex.split(command), directory
        self._file, self._socket, self._name, self._backoff = file, socket, name, backoff
        self._now: Started | None = None
        self._starts = 0
        self._why = ""

    async def keep(self) -> None:
        """Have it run, until cancelled, which leaves it running."""
        await self._adopt()
        while self._command:
            if await self._ended(self._now or self._start()) >= CALM_S:
                self._backoff.reset()
            log.warning("the worker has ended: %s", self._why)
            await asyncio.sleep(self._backoff.after_failure())

    def end(self) -> None:
        """Ask what runs to end, also what only an agent before this one knew; nobody waits for it."""
        if (running := self._now or self._left()) is not None:
            running.terminate()

    def told(self) -> Worker | None:
        """For reports; None where the operator gave no worker."""
        if not self._command:
            return None
        if self._now is None:
            return Worker(running_s=None, processes=0, starts=self._starts, why=self._why)
        return Worker(self._now.runs_s, _children(self._now.pid), self._starts, self._why)

    async def _adopt(self) -> None:
        """Go on with what an agent before this one started; what is not wanted is ended before anything else starts."""
        if (left := self._left()) is None:
            return
        self._now = left
        if (left.argv, left.directory) != (self._argv(), self._directory):
            log.info("ending the worker that runs: another is wanted, or none")
            left.terminate()
            await self._ended(left)

    def _left(self) -> Started | None:
        """What was written of a worker that still lives."""
        try:
            left = msgspec.json.decode(self._file.read_bytes(), type=Started)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return left if left.lives else None

    def _argv(self) -> list[str]:
        if not self._command:
            return []
        name = self._name()
        return [*self._command, "-Q", f"host.{name}", "-n", f"steelyard@{name}"]

    def _start(self) -> Started:
        argv = self._argv()
        environment = {**os.environ, "STEELYARD_AGENT_SOCKET": str(self._socket)}
        there = ["/bin/sh", "-c", _THERE, self._directory or "/", *argv]
        silent = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        pid = os.posix_spawn(there[0], there, environment, file_actions=silent, setsid=True)
        self._starts += 1
        log.info("started the worker: %s", shlex.join(argv))
        # It is there, even if it has ended, until somebody waits for it.
        self._now = Started(pid, _BOOT.read_text(), _stat(pid)[1], argv, self._directory)
        try:
            write_private(self._file, msgspec.json.encode(self._now))
        except OSError as error:
            log.warning(
                "%s can't be written, so that the next agent will not know the worker: %s", self._file, error
            )
        return self._now

    async def _ended(self, started: Started) -> float:
        """Wait for its end, and keep why. How long it ran (s)."""
        with contextlib.suppress(ProcessLookupError):
            await ended(os.pidfd_open(started.pid))
        try:
            self._why = _verdict(os.waitpid(started.pid, 0)[1])
        except ChildProcessError:
            self._why = "it ended; an agent before this one had started it"
        self._now = None
        self._file.unlink(missing_ok=True)
        return started.runs_s


def _stat(pid: int) -> tuple[str, int]:
    """Of a process: its state as a letter, and when it started, in the kernel's ticks since the boot. Raises OSError
    where there is none."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _children(pid: int) -> int:
    """How many processes it has: those of its pool. 0 also where the kernel does not tell."""
    try:
        return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return 0


def _verdict(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
