"""The rack of unequal hosts with everything before it: the product with its agents, our picker with perfect weights,
and the peers.

The servers live under their hosts' quotas. The agents do not: a host of a fortieth of a core would spend a tenth
of it on its agent, and all doors would be measured on hosts that are not as fast as the perfect weights say.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

import psutil

from bench.plane import ControlPlane
from bench.rack.rack import Host, Rack
from bench.rack.specs import HostSpec
from bench.rack.unequal import UNEQUAL
from bench.traffic.peers import Peers, Server
from clients.rest import Steelyard
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.process import EnvoyProcess
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget
from console.supervisor.ports import free_port

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PORT: Final = 8080
BURN_MS: Final = 5.0
OURS, PERFECT = "ours", "perfect_picker"
REPORTING_S: Final = 30.0


class Stage:
    """An async context manager. doors: name -> (address, port): ours, perfect_picker, and the peers' ways.

    specs: the hosts, by default the six unequal ones; the picker that knows is told their cores. limited: servers
    live under the hosts' quotas. settings: of our service.
    """

    def __init__(
        self,
        specs: Sequence[HostSpec] = UNEQUAL,
        *,
        limited: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._specs, self._limited, self._settings = specs, limited, settings
        self._stack = AsyncExitStack()
        self._servers: dict[str, psutil.Process] = {}
        self.doors: dict[str, tuple[str, int]] = {}
        self.hosts: list[Host] = []

    async def __aenter__(self) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="steelyard-stage-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            rack = await self._stack.enter_async_context(Rack(self._specs, prefix="b", kind="namespaces"))
            self.hosts = list(rack)
            for host in rack:
                server = await _serve(host, folder)
                if self._limited:
                    await host.adopt(server.pid)
                self._servers[host.name] = psutil.Process(server.pid)
            peers = [Server(host.address, PORT, host.spec.cores) for host in rack]
            await self._open_ours(rack, folder)
            await self._open_perfect(rack, folder)
            standing = await self._stack.enter_async_context(Peers(rack.gateway, peers, folder / "peers"))
            self.doors |= standing.doors
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def url(self, door: str, path: str = f"/burn?ms={BURN_MS:g}") -> str:
        address, port = self.doors[door]
        return f"http://{address}:{port}{path}"

    def spent(self) -> dict[str, float]:
        """Cpu seconds of each host's server so far."""
        times = {name: process.cpu_times() for name, process in self._servers.items()}
        return {name: each.user + each.system for name, each in times.items()}

    def cores(self) -> dict[str, float]:
        """Each host's quota."""
        return {host.name: host.spec.cores for host in self.hosts}

    async def _open_ours(self, rack: Rack, folder: Path) -> None:
        """The product as it is used: agents report, nobody says a weight."""
        plane = await self._stack.enter_async_context(ControlPlane(rack.gateway))
        door = (rack.gateway, free_port(rack.gateway))
        with Steelyard(plane.url, plane.token) as client:
            for host in rack:
                token = await asyncio.to_thread(client.create_host_token, host_name=host.name)
                await _report(host, plane.url, token["token"], folder / host.name)
            async with asyncio.timeout(REPORTING_S):
                while not all(each["report_age_s"] is not None for each in await _hosts(client, len(rack))):
                    await asyncio.sleep(0.2)
            body: dict[str, Any] = {
                "name": "work", "protocol": "http", "listen": f"{door[0]}:{door[1]}",
                "endpoints": [f"{host.name}:{PORT}" for host in rack],
            }  # fmt: skip
            if self._settings:
                body["settings"] = self._settings
            await asyncio.to_thread(client.create_service, body)
        await _until_serving(*door)
        self.doors[OURS] = door

    async def _open_perfect(self, rack: Rack, folder: Path) -> None:
        """Our own picker in an Envoy of its own, told the hosts' speeds once and for all."""
        door = (rack.gateway, free_port(rack.gateway))
        engine = EnvoyEngine((Door(f"unix:{folder / 'xds.sock'}"),))
        await engine.start()
        self._stack.push_async_callback(engine.stop)
        envoy = EnvoyProcess(folder / "perfect", "perfect", folder / "xds.sock")
        self._stack.push_async_callback(envoy.stop)
        endpoints = tuple(
            EndpointTarget(host.name, host.address, PORT, weight=max(1, round(1000 * host.spec.cores)))
            for host in rack
        )
        engine.apply(TrafficTarget((ServiceTarget("work", "http", *door, endpoints),), epoch=1))
        await envoy.start()
        await envoy.wait_ready()
        await _until_serving(*door)
        self.doors[PERFECT] = door


async def _serve(host: Host, folder: Path) -> Process:
    own = folder / host.name
    own.mkdir(parents=True)
    command = [sys.executable, "-m", "bench.rack.backend", "--address", host.address, "--port", str(PORT)]
    return await host.start(
        [*command, "--name", host.name], log=own / "server.log", cwd=ROOT, limited=False, ready="ready"
    )


async def _report(host: Host, url: str, token: str, own: Path) -> None:
    await host.start(
        [
            sys.executable, "-m", "agents", "join", url, "--token", token, "--name", host.name,
            "--address", host.address, "--data", str(own), "--cgroup", host.cgroup,
            "--capacity", f"net_in={host.spec.net_bytes_s:.0f}", "--capacity", f"net_out={host.spec.net_bytes_s:.0f}",
        ],
        log=own / "agent.log", cwd=ROOT, limited=False,
    )  # fmt: skip


async def _hosts(client: Steelyard, least: int) -> list[dict[str, object]]:
    found = (await asyncio.to_thread(client.hosts))["results"]
    return found if len(found) >= least else [{"report_age_s": None}]


async def _until_serving(address: str, port: int) -> None:
    async with asyncio.timeout(REPORTING_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection(address, port)
                writer.write(b"GET / HTTP/1.1\r\nhost: stage\r\nconnection: close\r\n\r\n")
                answer = await reader.read(16)
                writer.close()
                if answer.startswith(b"HTTP/1.1 200"):
                    return
            except OSError:
                pass  # nothing listens yet
            await asyncio.sleep(0.1)
