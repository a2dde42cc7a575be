"""A real Envoy, the ADS server that steers it, and the questions tests ask of them."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from engine_backends import free_port

from console.engines.envoy import stats
from console.engines.envoy.ads import AdsServer, NodeState
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.process import EnvoyProcess
from console.engines.target import EndpointTarget, Protocol, ServiceTarget, TrafficTarget

NODE = "rig"
_numbers = itertools.count(1)


class EnvoyRig:
    """Both processes' worth of data plane, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.xds_socket = folder / "xds.sock"
        self.engine = EnvoyEngine((Door(f"unix:{self.xds_socket}"),))
        self.envoy = EnvoyProcess(folder / "envoy", NODE, self.xds_socket)

    @property
    def ads(self) -> AdsServer:
        """The engine's server."""
        return self.engine.ads

    async def start(self) -> None:
        """Control plane first, then Envoy, ready."""
        await self.engine.start()
        self.engine.apply(TrafficTarget())
        await self.envoy.start()
        await self.envoy.wait_ready()

    async def stop(self) -> None:
        """Both, whatever state they are in."""
        await self.envoy.stop()
        await self.engine.stop()

    async def restart_ads(self) -> None:
        """A new control plane with no memory, at the same place."""
        self.engine = EnvoyEngine((Door(f"unix:{self.xds_socket}"),))
        await self.engine.start()

    async def publish(
        self, *services: ServiceTarget, force: bool = False, **secrets: tuple[Any, ...]
    ) -> NodeState:
        """Publish exactly these services; returns when Envoy has answered for all of them.

        secrets: certificates and api_keys, as TrafficTarget has them.
        """
        self.engine.apply(TrafficTarget(services, **secrets), force=force)
        assert await self.ads.settled(10), self.ads.nodes
        return self.ads.nodes[NODE]

    async def endpoint(self, service: str, key: str) -> stats.EndpointStats:
        """What Envoy says of one endpoint now."""
        return (await stats.read(str(self.envoy.admin_socket)))[service][key]

    async def becomes(self, service: str, key: str, *health: str) -> bool:
        """Wait until an endpoint's health is one of these words; False after 10 s."""

        async def there() -> bool:
            return (await self.endpoint(service, key)).health in health

        return await eventually(there)


def service(name: str, protocol: Protocol, *endpoints: EndpointTarget) -> ServiceTarget:
    """A service on a free loopback port, called name-N.

    No two have one name: Envoy acknowledges a new service's endpoints when they were checked, but
    new endpoints of an old service before.
    """
    return ServiceTarget(f"{name}-{next(_numbers)}", protocol, "127.0.0.1", free_port(), endpoints)


def url(target: ServiceTarget) -> str:
    """Where a client finds it."""
    return f"http://{target.listen_address}:{target.listen_port}/"


async def answers(target: ServiceTarget, count: int, method: str = "GET") -> Counter[str]:
    """Send count requests one after the other; who answered (or the status, if not 200) how often."""
    found: Counter[str] = Counter()
    async with httpx.AsyncClient() as client:
        for _ in range(count):
            answer = await client.request(method, url(target))
            found[answer.text.split("\n")[0] if answer.status_code == 200 else str(answer.status_code)] += 1
    return found


async def eventually(check: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> bool:
    """Ask until it is true, 20 times a second; Envoy has no way to tell us of a change of health."""
    for _ in range(round(timeout_s * 20)):
        if await check():
            return True
        await asyncio.sleep(0.05)
    return False
