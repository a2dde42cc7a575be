"""What tests of the picker in Envoy share: held requests, what Envoy has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
from engine_backends import Backend, HttpBackend
from envoy_rig import EnvoyRig, eventually, url

from console.engines.envoy import admin, clusters
from console.engines.target import ServiceTarget

Serve = Callable[[Backend], Awaitable[Backend]]


class LateBackend(HttpBackend):
    """Takes 20 ms for an answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readuntil(b"\r\n\r\n"):
            self.methods[line.split(b" ", 1)[0].decode()] += 1
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 Late\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()


async def started(serve: Serve, *names: str) -> list[HttpBackend]:
    """Backends that answer."""
    backends = [HttpBackend(name) for name in names]
    for backend in backends:
        await serve(backend)
    return backends


@asynccontextmanager
async def held(
    target: ServiceTarget, backends: Sequence[HttpBackend], count: int
) -> AsyncIterator[list[int]]:
    """count requests at once, held by the backends; how many each has. All are answered in the end."""
    for backend in backends:
        backend.gate.clear()
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=count), timeout=20) as client:
        requests = [asyncio.create_task(client.get(url(target))) for _ in range(count)]

        async def all_there() -> bool:
            return sum(backend.in_flight for backend in backends) == count

        assert await eventually(all_there), [backend.in_flight for backend in backends]
        yield [backend.in_flight for backend in backends]
        for backend in backends:
            backend.gate.set()
        assert {200} == {answer.status_code for answer in await asyncio.gather(*requests)}


async def change(rig: EnvoyRig, target: ServiceTarget) -> None:
    """Publish new endpoints of a service that is there; returns when the workers have them.

    Envoy acknowledges them before, and gathers changes of weight and health for a while.
    """
    await rig.publish(target)
    await asyncio.sleep(4 * clusters.MERGE_WINDOW_S)


async def policies(rig: EnvoyRig, name: str) -> list[str]:
    """The names of a cluster's load-balancing policies, as Envoy has them."""
    dump = (
        await admin.get(str(rig.envoy.admin_socket), "/config_dump?resource=dynamic_active_clusters")
    ).json()
    found = next(each["cluster"] for each in dump["configs"] if each["cluster"]["name"] == name)
    listed = found["load_balancing_policy"]["policies"]
    return [each["typed_extension_config"]["name"].rsplit(".", 1)[1] for each in listed]
