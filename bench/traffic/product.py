"""The product as it is used: agents report, a service has the hosts' servers behind it, and nobody says a weight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

from bench.joining import join
from bench.plane import ControlPlane
from bench.rack.rack import Host
from bench.traffic.nodes import NetworkDoor, add_nodes
from clients.rest import Steelyard
from console.supervisor.ports import free_port

SERVICE: Final = "work"
#: Where engines on hosts of their own listen.
NODE_PORT: Final = 8000


class Product:
    """An async context manager. doors: (address, port) of each engine. client: of the control plane's API.

    gateway: where hosts reach the control plane. port: of the hosts' servers. settings: of the service. balancers:
    hosts that have an engine each; without any, it is the one beside the control plane. report_s: the least time
    between two reports of an agent.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        gateway: str,
        port: int,
        folder: Path,
        settings: Mapping[str, Any],
        balancers: Sequence[Host] = (),
        report_s: float = 0.0,
    ) -> None:
        self._hosts, self._gateway, self._port, self._folder = hosts, gateway, port, folder
        self._settings, self._balancers, self._report_s = dict(settings), balancers, report_s
        self._stack = AsyncExitStack()
        self.doors: list[tuple[str, int]] = []

    async def __aenter__(self) -> Self:
        try:
            if self._balancers:
                door = NetworkDoor.at(self._gateway, self._folder)
                client = await self._start(**door.settings())
                await add_nodes(self._balancers, door, client, self._folder)
                self._settings["engines"] = [host.name for host in self._balancers]
                self.doors = [(host.address, NODE_PORT) for host in self._balancers]
                listen = f"0.0.0.0:{NODE_PORT}"
            else:
                client = await self._start()
                self.doors = [(self._gateway, free_port(self._gateway))]
                listen = f"{self._gateway}:{self.doors[0][1]}"
            interval = ("--interval", f"{self._report_s:g}")
            await join(client, self._hosts, self._folder, lambda _: interval)
            body = {
                "name": SERVICE, "protocol": "http", "listen": listen, "settings": self._settings,
                "endpoints": [f"{host.name}:{self._port}" for host in self._hosts],
            }  # fmt: skip
            await asyncio.to_thread(client.create_service, body)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def add(self, host: Host) -> None:
        """Put the host's server behind the service."""
        await self._endpoint("add", host)

    async def remove(self, host: Host) -> None:
        """Take it away; what was learnt of it is forgotten."""
        await self._endpoint("remove", host)

    async def weights(self) -> dict[str, float]:
        """Each host's weight at present, as the console shows it."""
        shown = await asyncio.to_thread(self.client.service, SERVICE)
        return {each["host"]: float(each["engine"]["weight"]) for each in shown["endpoints"]}

    async def _start(self, **settings: str) -> Steelyard:
        plane = await self._stack.enter_async_context(ControlPlane(self._gateway, **settings))
        self.client = self._stack.enter_context(Steelyard(plane.url, plane.token))
        return self.client

    async def _endpoint(self, verb: str, host: Host) -> None:
        body = {"endpoint": f"{host.name}:{self._port}"}
        await asyncio.to_thread(self.client.post, f"services/{SERVICE}/{verb}-endpoint/", body)
