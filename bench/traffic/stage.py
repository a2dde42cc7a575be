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

from bench.rack.rack import Host, Rack
from bench.rack.specs import HostSpec
from bench.rack.unequal import UNEQUAL
from bench.traffic.peers import Peers
from bench.traffic.product import Product
from bench.traffic.ways import WAYS, Server
from clients.rest import Steelyard
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.process import EnvoyProcess
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget
from console.supervisor.ports import free_port

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PORT: Final = 8080
BURN: Final = "/burn?ms=5"
OURS, PERFECT = "ours", "perfect_picker"
SERVING_S: Final = 30.0


class Stage:
    """An async context manager. doors: name -> (address, port) of each balancer: ours, perfect_picker, the peers' ways.

    specs: the hosts, by default the six unequal ones; the picker that knows is told their cores. limited: servers
    live under the hosts' quotas. settings: of our service. balancers: hosts with an engine of ours and an Envoy of
    the peers' each, instead of one of either beside the control plane; HAProxy and perfect_picker are not there then.
    alone: only ours is there. report_s: the least time between two reports of an agent.
    """

    def __init__(
        self,
        specs: Sequence[HostSpec] = UNEQUAL,
        *,
        limited: bool = True,
        settings: Mapping[str, Any] | None = None,
        balancers: Sequence[HostSpec] = (),
        alone: bool = False,
        report_s: float = 0.0,
    ) -> None:
        self._specs, self._limited, self._settings = specs, limited, settings or {}
        self._balancers, self._alone, self._report_s = balancers, alone, report_s
        self._stack = AsyncExitStack()
        self._servers: dict[str, psutil.Process] = {}
        self._peers: list[Peers] = []
        self.doors: dict[str, list[tuple[str, int]]] = {}
        self.hosts: list[Host] = []

    async def __aenter__(self) -> Self:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="steelyard-stage-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            specs = [*self._specs, *self._balancers]
            rack = await self._stack.enter_async_context(Rack(specs, prefix="b", kind="namespaces"))
            hosts = list(rack)
            self.hosts, balancers = hosts[: len(self._specs)], hosts[len(self._specs) :]
            for host in self.hosts:
                server = await serve(host, folder)
                if self._limited:
                    await host.adopt(server.pid)
                self._servers[host.name] = psutil.Process(server.pid)
            await self._open_ours(rack.gateway, folder, balancers)
            if not self._alone:
                await self._open_others(rack.gateway, folder, balancers)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def url(self, door: str, path: str = BURN) -> str:
        """Of a door that one balancer has."""
        (url,) = self.urls(door, path)
        return url

    def urls(self, door: str, path: str = BURN) -> list[str]:
        """Of every balancer that has the door."""
        return [f"http://{address}:{port}{path}" for address, port in self.doors[door]]

    async def leave(self, host: Host) -> None:
        """Take the host's server from behind ours and the peers' Envoys."""
        await self._ours.remove(host)
        for peers in self._peers:
            peers.serve(self._as_servers(without=host))

    async def join(self, host: Host) -> None:
        """Put it back: nobody knows any more what it can do."""
        for peers in self._peers:
            peers.serve(self._as_servers())
        await self._ours.add(host)

    async def weights(self) -> dict[str, float]:
        """Each host's weight in ours at present."""
        return await self._ours.weights()

    @property
    def client(self) -> Steelyard:
        """Of our control plane's API."""
        return self._ours.client

    def data(self, host: Host) -> Path:
        """Where the host's agent keeps what is its own."""
        return self._folder / host.name

    def spent(self) -> dict[str, float]:
        """Cpu seconds of each host's server so far."""
        times = {name: process.cpu_times() for name, process in self._servers.items()}
        return {name: each.user + each.system for name, each in times.items()}

    def cores(self) -> dict[str, float]:
        """Each host's quota."""
        return {host.name: host.spec.cores for host in self.hosts}

    def _as_servers(self, without: Host | None = None) -> list[Server]:
        return [Server(host.address, PORT, host.spec.cores) for host in self.hosts if host is not without]

    async def _open_ours(self, gateway: str, folder: Path, balancers: Sequence[Host]) -> None:
        product = Product(self.hosts, gateway, PORT, folder, self._settings, balancers, self._report_s)
        self._ours = await self._stack.enter_async_context(product)
        await self._open(OURS, *product.doors)

    async def _open_others(self, gateway: str, folder: Path, balancers: Sequence[Host]) -> None:
        """What ours is compared with."""
        for host in balancers:
            await self._open_peers(host.address, folder / f"peers-{host.name}", host)
        if not balancers:
            await self._open_perfect(gateway, folder)
            await self._open_peers(gateway, folder / "peers")

    async def _open_perfect(self, gateway: str, folder: Path) -> None:
        """Our own picker in an Envoy of its own, told the hosts' speeds once and for all."""
        door = (gateway, free_port(gateway))
        engine = EnvoyEngine((Door(f"unix:{folder / 'xds.sock'}"),))
        await engine.start()
        self._stack.push_async_callback(engine.stop)
        envoy = EnvoyProcess(folder / "perfect", "perfect", folder / "xds.sock")
        self._stack.push_async_callback(envoy.stop)
        endpoints = tuple(
            EndpointTarget(host.name, host.address, PORT, weight=max(1, round(1000 * host.spec.cores)))
            for host in self.hosts
        )
        engine.apply(TrafficTarget((ServiceTarget("work", "http", *door, endpoints),), epoch=1))
        await envoy.start()
        await envoy.wait_ready()
        await self._open(PERFECT, door)

    async def _open_peers(self, address: str, folder: Path, host: Host | None = None) -> None:
        """All peers beside the control plane; on a host of their own those that are Envoy's."""
        ways = [name for name, way in WAYS.items() if host is None or way.product == "envoy"]
        peers = Peers(address, self._as_servers(), folder, ways, host)
        self._peers.append(await self._stack.enter_async_context(peers))
        for name, door in peers.doors.items():
            await self._open(name, door)

    async def _open(self, name: str, *doors: tuple[str, int]) -> None:
        """These doors are that way's as well, as soon as they answer."""
        for address, port in doors:
            await until_serving(address, port)
        self.doors.setdefault(name, []).extend(doors)


async def serve(host: Host, folder: Path) -> Process:
    """Start the host's server, not yet under the host's limits."""
    own = folder / host.name
    own.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.rack.backend", "--address", host.address, "--port", str(PORT)]
    return await host.start(
        [*command, "--name", host.name], log=own / "server.log", cwd=ROOT, limited=False, ready="ready"
    )


async def until_serving(address: str, port: int) -> None:
    """Until a door answers. Raises TimeoutError."""
    async with asyncio.timeout(SERVING_S):
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
