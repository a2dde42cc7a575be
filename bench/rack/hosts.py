"""One host of a rack: what runs on it, and what can be done to it."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from . import network
from .cgroups import Cgroup
from .processes import StillRunning, kill_all, not_reused, send_signal, start_ticks, with_descendants
from .register import Record
from .specs import HostSpec

#: Puts itself into the cgroups, then becomes the program. "$1" is the number of files that follow.
JOIN_SCRIPT = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 126; shift; n=$((n-1)); done; exec "$@"'
)
FREEZE_WAIT_S = 2.0
KILL_WAIT_S = 5.0


class RackRefused(RuntimeError):
    """The rack could not do what was asked; the text says why."""


class Host:
    """A host that is nothing but processes on its own loopback address: its limits are not enforced."""

    def __init__(self, spec: HostSpec, address: str, record: Record) -> None:
        self.spec = spec
        self.name = spec.name
        self.labels = dict(spec.labels)
        self.address = address
        #: The cgroup's path below each hierarchy's mount point; "" where there is none.
        self.cgroup = ""
        #: The machine's end of its link; "" where it has none of its own.
        self.port = ""
        self.frozen = False
        self._record = record
        self._pids: list[tuple[int, int]] = []
        self._processes: list[Process] = []
        self._drains: set[asyncio.Task[None]] = set()

    async def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        *,
        cwd: Path | None = None,
        limited: bool = True,
        ready: str | None = None,
        ready_timeout_s: float = 20.0,
    ) -> Process:
        """Start a program on the host, in its own session; its pid is the program's own.

        env is added to our environment. What the program writes goes to log (appended), or nowhere.
        ready: wait until it prints this line; stdout then passes through us on its way to the log.
        limited=False: in the host's network but not yet under its limits (see adopt).
        Raises RackRefused if it ends, or ready_timeout_s passes, before it is ready; OSError if it cannot start.
        """
        sink: IO[bytes] | int = log.open("ab") if log else DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._inside(argv, limited),
                env={**os.environ, **(env or {})},
                cwd=cwd,
                stdin=DEVNULL,
                stdout=PIPE if ready is not None else sink,
                stderr=sink,
                start_new_session=True,
            )
        finally:
            if not isinstance(sink, int):
                sink.close()
        self._processes.append(process)
        self._note(process.pid)
        if ready is not None:
            try:
                async with asyncio.timeout(ready_timeout_s):
                    await self._await_line(process, ready)
            except TimeoutError:
                await self.kill(process)
                raise RackRefused(
                    f"{argv[0]} on {self.name} was not ready in {ready_timeout_s:g} s"
                ) from None
            task = asyncio.create_task(_drain(process, log))
            self._drains.add(task)
        return process

    async def adopt(self, pid: int) -> None:
        """Put a process that was started elsewhere, and all it has started, under this host's limits.

        For programs whose start would take half a minute under a small quota.
        From then on it is the host's: it ends with the rack. Raises ProcessLookupError if it is gone.
        """
        if start_ticks(pid) is None:
            raise ProcessLookupError(f"no process {pid}")
        self._note(pid)

    async def freeze(self) -> None:
        """Stop everything on the host where it stands: the machine is there and answers nothing."""
        send_signal(with_descendants(not_reused(self._pids)), signal.SIGSTOP)
        self.frozen = True

    async def thaw(self) -> None:
        """Undo freeze."""
        send_signal(with_descendants(not_reused(self._pids)), signal.SIGCONT)
        self.frozen = False

    async def kill(self, process: Process) -> None:
        """SIGKILL a started process with all it has started, and wait for its end.

        Raises RackRefused on a frozen host: there even SIGKILL waits for the thaw.
        """
        if self.frozen:
            raise RackRefused(f"{self.name} is frozen; thaw it before killing anything on it")
        if process.returncode is None:
            # Its children too: wait() returns only when nobody holds the process's pipe any more.
            kill_all(lambda: with_descendants([process.pid]), KILL_WAIT_S)
        async with asyncio.timeout(KILL_WAIT_S):
            await process.wait()

    def set_bandwidth(self, bytes_s: float) -> None:
        """Change the host's bandwidth in both directions. Raises RackRefused where none is enforced."""
        raise RackRefused(f"{self.name} is plain processes: its bandwidth is not enforced")

    async def settle(self) -> None:
        """After the rack has killed everything: collect what the event loop holds of the processes.

        Raises StillRunning if something that left its host still holds a program's output.
        """
        try:
            async with asyncio.timeout(KILL_WAIT_S):
                await asyncio.gather(*(process.wait() for process in self._processes), *self._drains)
        except TimeoutError:
            raise StillRunning(f"a program that left {self.name} still holds its output") from None

    async def _await_line(self, process: Process, ready: str) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.decode(errors="replace").strip() == ready:
                return
        code = await process.wait()
        raise RackRefused(f"a program on {self.name} ended with {code} before it said {ready!r}")

    def _inside(self, argv: Sequence[str], limited: bool) -> list[str]:
        """The argv that runs argv on this host."""
        return list(argv)

    def _note(self, pid: int) -> None:
        ticks = start_ticks(pid)
        if ticks is not None:
            self._pids.append((pid, ticks))
            self._record.processes.append((pid, ticks))
            self._record.save()


class NamespaceHost(Host):
    """A host with its own network namespace and cgroup: its limits hold."""

    def __init__(self, spec: HostSpec, address: str, record: Record, index: int, group: Cgroup) -> None:
        super().__init__(spec, address, record)
        self.cgroup = group.path
        self.port = network.port_name(record.rack, index)
        self.namespace = record.namespace(spec.name)
        self._index = index
        self._group = group

    async def adopt(self, pid: int) -> None:
        await super().adopt(pid)
        # A process may start another while we move it: look again until a pass finds nobody outside.
        for _ in range(20):
            outside = with_descendants([pid]) - self._group.pids()
            if not outside:
                return
            for member in outside:
                try:
                    self._group.join(member)
                except ProcessLookupError:
                    continue
        raise RackRefused(f"process {pid} starts others faster than {self.name} can adopt them")

    async def freeze(self) -> None:
        self._group.set_frozen(True)
        self.frozen = True
        # The kernel reports no event for it in v1; it takes a few milliseconds.
        try:
            async with asyncio.timeout(FREEZE_WAIT_S):
                while not self._group.is_frozen():
                    await asyncio.sleep(0.002)
        except TimeoutError:
            await self.thaw()
            raise RackRefused(f"{self.name} did not freeze in {FREEZE_WAIT_S:g} s") from None

    async def thaw(self) -> None:
        self._group.set_frozen(False)
        self.frozen = False

    def set_bandwidth(self, bytes_s: float) -> None:
        network.set_rate(self._record.rack, self._index, self.namespace, bytes_s)

    def _inside(self, argv: Sequence[str], limited: bool) -> list[str]:
        # Not "ip netns exec": that mounts a fresh /sys, and an agent inside would not see its cgroup.
        entered = ["nsenter", f"--net={network.NAMESPACES / self.namespace}", "--", *argv]
        files = [str(file) for file in self._group.join_files()] if limited else []
        return ["sh", "-c", JOIN_SCRIPT, "join", str(len(files)), *files, *entered]

    def _note(self, pid: int) -> None:
        """Nothing to write down: the cgroup and the namespace know who is in them."""


async def _drain(process: Process, log: Path | None) -> None:
    """Pass on what a program prints after it was ready, so that it never blocks on a full pipe."""
    assert process.stdout is not None
    with (log or Path(os.devnull)).open("ab") as file:
        while chunk := await process.stdout.read(65_536):
            file.write(chunk)
            file.flush()
