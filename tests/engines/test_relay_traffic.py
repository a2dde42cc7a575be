"""Requests through a real Envoy behind its relay, while its configuration changes and is logged."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from engine_backends import Backend, HttpBackend
from envoy_rig import answers, eventually, service, url
from relay_rig import RelayRig

from console.engines.envoy import admin
from console.engines.envoy.access_logs import RequestSeen
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget
from console.engines.target.pool import Pool
from console.engines.target.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
CHANGES = 100


class Site:
    """One node and its engine."""

    def __init__(self, folder: Path) -> None:
        self.engine = EnvoyEngine((Door(f"unix:{folder}/c.sock"),), watch_s=0.5)
        self.node = RelayRig(folder, "n1", f"unix:{folder}/c.sock")

    async def publish(self, *services: ServiceTarget) -> None:
        """Until the node has answered for all of it."""
        self.engine.apply(TrafficTarget(services))
        assert await self.engine.ads.settled(15), self.engine.state


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(short_folder: Path) -> AsyncIterator[Site]:
    """Running, with nothing to serve."""
    built = Site(short_folder)
    await built.engine.start()
    await built.node.start()
    await built.publish()
    yield built
    await built.node.close()
    await built.engine.stop()


async def _load(target: ServiceTarget, enough: asyncio.Event) -> Counter[str]:
    found: Counter[str] = Counter()
    async with httpx.AsyncClient() as client:
        while not enough.is_set():
            try:
                answer = await client.get(url(target), timeout=5)
                found[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                found[repr(error)] += 1
    return found


async def test_a_hundred_changes_lose_no_request(site: Site, serve: Serve) -> None:
    """Endpoints come, drain and go, weights move, other services and their routes come and go: no request fails."""
    backends = [await serve(HttpBackend(f"web-{number}")) for number in range(4)]
    web = service("web", "http", *(each.endpoint() for each in backends[:3]))
    await site.publish(web)
    enough = asyncio.Event()
    loads = [asyncio.create_task(_load(web, enough)) for _ in range(2)]

    for number in range(CHANGES):
        endpoints = [each.endpoint(weight=1 + (number * (at + 1)) % 9) for at, each in enumerate(backends)]
        match number % 4:
            case 0:
                del endpoints[number // 4 % 4]
            case 1:
                endpoints[number // 4 % 4] = replace(endpoints[number // 4 % 4], state="draining")
            case _:
                pass
        changed = replace(web, endpoints=tuple(endpoints))
        others = [service("other", "http", backends[0].endpoint())] if number % 5 == 0 else []
        site.engine.apply(TrafficTarget((changed, *others)))
        await asyncio.sleep(0.03)
    assert await site.engine.ads.settled(15)
    enough.set()
    found = sum([await load for load in loads], Counter())

    assert set(found) == {"200"}
    assert found["200"] > 100
    assert site.engine.state["n1"].ads.rejected_total == 0


async def test_a_weight_reaches_envoy_soon_among_a_thousand_endpoints(site: Site) -> None:
    """From apply() to Envoy's own /clusters; the promise is a quarter of a second on a quiet machine."""
    ends = tuple(EndpointTarget(f"h{n}", f"127.1.{n // 250}.{n % 250 + 1}", 9000, 100) for n in range(1000))
    large = replace(service("large", "udp", *ends), listen_address="127.0.0.3")
    await site.publish(large)
    took = []
    for weight in (200, 201, 202, 203, 204):
        changed = replace(large, endpoints=(replace(ends[0], weight=weight), *ends[1:]))
        wanted = f"{large.name}::{ends[0].key}::weight::{weight}\n"
        began = time.monotonic()
        site.engine.apply(TrafficTarget((changed,)))
        while wanted not in (await admin.get(str(site.node.admin_socket), "/clusters")).text:
            assert time.monotonic() - began < 5
            await asyncio.sleep(0.005)
        took.append(time.monotonic() - began)

    assert sorted(took)[2] < 1.0  # on a machine that does other things besides


async def test_requests_are_logged_where_they_are_asked_for(site: Site, serve: Serve) -> None:
    """Status, endpoint, duration and what was unusual, in words; a path without its query; nothing where off."""
    backend, silent = await serve(HttpBackend("web")), await serve(HttpBackend("web"))
    logged = replace(service("logged", "http", backend.endpoint()), settings=Settings(log_share=1.0))
    quiet = service("quiet", "http", silent.endpoint())
    await site.publish(logged, quiet)
    site.engine.take_requests()
    async with httpx.AsyncClient() as client:
        await client.get(url(logged) + "a?secret=1")
        await client.get(url(quiet))
        await backend.kill()
        await client.get(url(logged) + "b")
    kept: list[RequestSeen] = []

    async def both() -> bool:
        kept.extend(request for _, request in site.engine.take_requests())
        return len(kept) >= 2

    assert await eventually(both)
    good, bad = sorted(kept, key=lambda each: each.path)
    assert (good.service, good.method, good.path, good.status) == (logged.name, "GET", "/a", 200)
    assert (good.endpoint, good.flags, good.client) == (backend.endpoint().key, (), "127.0.0.1")
    assert 0 < good.duration_ms < 5000
    assert (bad.path, bad.status) == ("/b", 503)
    assert any("endpoint" in words for words in bad.flags)


async def test_rates_and_latency_of_each_endpoint_come_back(site: Site, serve: Serve) -> None:
    """While requests flow, an endpoint has a rate, what is in flight, and a mean latency; errors are counted."""
    good, broken = await serve(HttpBackend("good")), await serve(HttpBackend("broken", status=500))
    # The picker would soon leave the broken one alone.
    evenly = Settings(pool=Pool(balance="round_robin"))
    web = replace(service("web", "http", good.endpoint(), broken.endpoint()), settings=evenly)
    await site.publish(web)
    enough = asyncio.Event()
    load = asyncio.create_task(_load(web, enough))

    async def measured() -> bool:
        seen = (await site.engine.observe()).get(web.name)
        if seen is None or broken.endpoint().key not in seen.endpoints:
            return False
        one, other = (seen.endpoints[each.endpoint().key] for each in (good, broken))
        return one.rate_per_s > 1 and other.rq_error >= 5 and "p99" in seen.latency_ms

    found = await eventually(measured, 15)
    enough.set()
    await load

    assert found
    assert sum((await answers(web, 4)).values()) == 4
