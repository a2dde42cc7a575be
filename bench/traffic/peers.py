"""The balancers that ours is compared with: one Envoy and one HAProxy, each with a door for every way to choose."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bench.plane import NotStarted, stop
from bench.rack.rack import Host
from bench.traffic.ways import WAYS, Server, endpoints, endpoints_file, envoy_config, haproxy_config
from console.engines.envoy.process import find_envoy
from console.supervisor.ports import free_port

PATIENCE_S = 20.0
#: On a host of the rack.
FIRST_PORT = 9000


class Peers:
    """The peers' processes, each way behind a port of its own on address; an async context manager.

    host: a host of the rack, of that address, that they run on, outside its limits; by default this machine.
    doors: way -> (address, port). Raises NotStarted.
    """

    def __init__(
        self,
        address: str,
        servers: Sequence[Server],
        folder: Path,
        ways: Sequence[str] = tuple(WAYS),
        host: Host | None = None,
    ) -> None:
        self._servers, self._folder, self._host = list(servers), folder, host
        # On a host of its own every port is free.
        ports = iter(range(FIRST_PORT, FIRST_PORT + len(ways)))
        self.doors = {name: (address, next(ports) if host else free_port(address)) for name in ways}
        self._endpoints = folder / "endpoints"
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        # Envoy watches the whole folder: nothing else may be written there.
        self._endpoints.mkdir(parents=True, exist_ok=True)
        try:
            if self._of("envoy"):
                await self._start_envoy()
            if self._of("haproxy"):
                await self._start_haproxy()
            for name, (address, port) in self.doors.items():
                if not await _opens(address, port):
                    said = (self._folder / "peers.log").read_text()[-500:]
                    raise NotStarted(f"{name} does not open its door: {said}")
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def serve(self, servers: Sequence[Server]) -> None:
        """From now on Envoy's ways choose among these; HAProxy's stay as they are."""
        draft = self._folder / "draft.json"
        for name in self._of("envoy"):
            # Envoy sees files that are moved, and not that one was written anew.
            draft.write_text(json.dumps(endpoints(name, servers)))
            draft.replace(endpoints_file(self._endpoints, name))

    async def _stop(self) -> None:
        for process in self._processes:
            if self._host is None:
                await stop(process)
            else:
                await self._host.kill(process)

    async def _start_envoy(self) -> None:
        self.serve(self._servers)
        config = self._folder / "envoy.json"
        config.write_text(json.dumps(envoy_config(self._of("envoy"), self._endpoints), indent=1))
        await self._start(
            str(find_envoy()), "--config-path", str(config), "--concurrency", "1", "--log-level", "error",
            "--service-node", "peer", "--service-cluster", "peers",
            "--log-path", str(self._folder / "envoy.log"), "--disable-hot-restart", "--use-dynamic-base-id",
        )  # fmt: skip

    async def _start_haproxy(self) -> None:
        if shutil.which("haproxy") is None:
            raise NotStarted("haproxy is not installed: make system-bench")
        config = self._folder / "haproxy.cfg"
        config.write_text(haproxy_config(self._of("haproxy"), self._servers))
        await self._start("haproxy", "-db", "-f", str(config))

    def _of(self, product: str) -> dict[str, tuple[str, int]]:
        return {name: door for name, door in self.doors.items() if WAYS[name].product == product}

    async def _start(self, *command: str) -> None:
        said = self._folder / "peers.log"
        if self._host is not None:
            self._processes.append(await self._host.start(command, log=said, limited=False))
            return
        with said.open("ab") as log:
            self._processes.append(
                await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
                )
            )


async def _opens(address: str, port: int) -> bool:
    """Whether somebody listens there, now or within PATIENCE_S."""
    for _ in range(round(PATIENCE_S / 0.05)):
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return True
    return False
