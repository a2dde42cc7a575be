"""The law and a real Envoy, in a circle: what Envoy counts becomes weights, and weights become what Envoy does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from engine_backends import Backend
from envoy_rig import eventually, service, url
from relay_rig import RelayRig

from balancer_core.steering import EndpointView, Steering
from bench.load import Generator, LoadPlan
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.target import ServiceTarget, TrafficTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
PATIENCE_S = 40.0


class OneAtATime(Backend):
    """HTTP/1.1: takes cost_s for a request, and one after the other, as a host of one core does. worked_s: so far."""

    def __init__(self, name: str, cost_s: float) -> None:
        super().__init__(name)
        self.cost_s = cost_s
        self.served = self.waiting = 0
        self.worked_s = 0.0
        self._turn = asyncio.Lock()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.waiting += 1
            async with self._turn:
                began = time.monotonic()
                await asyncio.sleep(self.cost_s)
                self.worked_s += time.monotonic() - began
            self.waiting -= 1
            self.served += 1
            writer.write(b"HTTP/1.1 200 Done\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()


class Circle:
    """One relay with its Envoy, their engine, and the law; backends say how busy they were, as agents do."""

    def __init__(self, folder: Path) -> None:
        self.engine = EnvoyEngine((Door(f"unix:{folder}/c.sock"),))
        self.relay = RelayRig(folder, "a", f"unix:{folder}/c.sock")
        self.law = Steering()

    async def until(
        self,
        target: ServiceTarget,
        backends: Sequence[OneAtATime],
        reached: Callable[[Sequence[int]], bool],
    ) -> list[int]:
        """Steer once a second until the weights, in the endpoints' order, are what was waited for."""
        deadline, weights = time.monotonic() + PATIENCE_S, [1]
        looked_at, worked_s = time.monotonic(), [each.worked_s for each in backends]
        while time.monotonic() < deadline:
            await asyncio.sleep(1.0)
            passed_s, before_s = time.monotonic() - looked_at, worked_s
            looked_at, worked_s = time.monotonic(), [each.worked_s for each in backends]
            seen = (await self.engine.observe()).get(target.name)
            figures = seen.endpoints if seen else {}
            views = [
                EndpointView(
                    each.key,
                    capacity_cores=1.0,
                    utilisation=(worked_s[place] - before_s[place]) / passed_s,
                    rate_per_s=figures[each.key].rate_per_s if each.key in figures else 0.0,
                    errors_per_s=0.0,
                    in_flight=figures[each.key].rq_active if each.key in figures else 0,
                    report_age_s=0.0,
                    healthy=True,
                )
                for place, each in enumerate(target.endpoints)
            ]
            told = self.law.step(views, time.monotonic()).weights
            weights = [told[each.key] for each in target.endpoints]
            steered = [replace(each, weight=told[each.key]) for each in target.endpoints]
            self.engine.apply(TrafficTarget((replace(target, endpoints=tuple(steered)),)))
            if reached(weights):
                break
        return weights


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def circle(short_folder: Path) -> AsyncIterator[Circle]:
    """All of it, ended with the module's tests."""
    built = Circle(short_folder)
    await built.engine.start()
    await built.relay.start()
    yield built
    await built.relay.close()
    await built.engine.stop()


async def test_what_hosts_can_do_is_learnt_from_what_envoy_sees(circle: Circle, serve: Serve) -> None:
    """Nobody says that one is four times as fast: it is found out, and so is that it became the slow one."""
    quick, slow = OneAtATime("quick", 0.01), OneAtATime("slow", 0.04)
    for backend in (quick, slow):
        await serve(backend)
    work = service("work", "http", quick.endpoint(), slow.endpoint())
    circle.engine.apply(TrafficTarget((work,)))

    async def there() -> None:
        while not circle.engine.state or not (await circle.engine.observe()).get(work.name):
            await asyncio.sleep(0.1)

    await asyncio.wait_for(there(), PATIENCE_S)
    load = asyncio.create_task(Generator(LoadPlan(url(work), 45.0, 2 * PATIENCE_S)).run())
    try:
        first = await circle.until(work, (quick, slow), lambda weights: weights[0] > 2 * weights[1])
        served = quick.served, slow.served
        quick.cost_s = 0.25
        second = await circle.until(work, (quick, slow), lambda weights: weights[1] > 2 * weights[0])
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        quick.cost_s = slow.cost_s = 0.0

    async def idle() -> bool:
        return quick.waiting == slow.waiting == 0

    assert await eventually(idle)
    assert first[0] > 2 * first[1], first
    assert served[0] > served[1]
    assert second[1] > 2 * second[0], second
