"""The relay as a process, with its real Envoy: what goes on when control plane, relay or Envoy are away."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from engine_backends import Backend, HttpBackend
from envoy_rig import answers, eventually, service, url
from relay_rig import RelayRig

from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.target import ServiceTarget, TrafficTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


class Site:
    """A control plane that comes and goes, and its nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix:{folder}/control.sock"
        self.engine = EnvoyEngine((Door(self.address),), watch_s=0.2)
        self.nodes: list[RelayRig] = []

    async def node(self, name: str) -> RelayRig:
        """Start a node."""
        rig = RelayRig(self.folder, name, self.address)
        self.nodes.append(rig)
        await rig.start()
        return rig

    async def restart(self) -> None:
        """A new leader, who knows nothing."""
        await self.engine.stop()
        self.engine = EnvoyEngine((Door(self.address),), watch_s=0.2)
        await self.engine.start()

    async def publish(self, *services: ServiceTarget, nodes: int = 1) -> None:
        """Until so many nodes have answered for all of it."""
        self.engine.apply(TrafficTarget(services))
        assert await self.engine.ads.settled(15, nodes), self.engine.state


@pytest_asyncio.fixture(loop_scope="module")
async def site(short_folder: Path) -> AsyncIterator[Site]:
    """A control plane without nodes; all that is started ends with the test."""
    folder = short_folder / f"s{time.monotonic_ns() % 10**6}"
    folder.mkdir()
    built = Site(folder)
    await built.engine.start()
    yield built
    for node in built.nodes:
        await node.close()
    await built.engine.stop()


async def _web(serve: Serve, count: int = 2) -> ServiceTarget:
    backends = [await serve(HttpBackend(f"web-{number}")) for number in range(count)]
    return service("web", "http", *(backend.endpoint() for backend in backends))


async def _answers_soon(target: ServiceTarget) -> bool:
    async def answer() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(url(target), timeout=1)).status_code == 200
        except httpx.TransportError:
            return False

    return await eventually(answer)


async def _kept(node: RelayRig) -> bool:
    async def there() -> bool:
        return node.cache.exists()

    return await eventually(there)


async def test_a_node_is_configured_reports_and_is_counted(site: Site, serve: Serve) -> None:
    """Through the relay traffic flows, and figures, version and picker come back."""
    node = await site.node("one")
    web = await _web(serve)
    await site.publish(web)
    found = await answers(web, 20)

    async def reported() -> bool:
        seen = (await site.engine.observe()).get(web.name)
        return seen is not None and sum(each.rq_total for each in seen.endpoints.values()) == 20

    assert await eventually(reported)
    state = site.engine.state[node.name]
    assert sum(found.values()) == 20
    assert state.ads.connected
    assert state.desired == state.applied == 4
    assert state.report is not None
    assert state.report.ready
    assert state.report.version.startswith("1.")
    assert state.report.picker
    assert state.report.cache == ""


async def test_without_control_plane_a_killed_envoy_serves_again_within_5_s(site: Site, serve: Serve) -> None:
    """Envoy, and then Envoy and relay together, are killed while nobody else is there."""
    node, web = await site.node("lonely"), await _web(serve)
    await site.publish(web)
    assert await _kept(node)
    await site.engine.stop()

    took = []
    for both in (False, True):
        node.kill_envoy()
        if both:
            await node.end(signal.SIGKILL)
        began = time.monotonic()
        if both:
            await node.start()
        assert await _answers_soon(web)
        took.append(time.monotonic() - began)

    assert max(took) < 5
    assert sum((await answers(web, 20)).values()) == 20


async def test_a_new_relay_takes_over_the_running_envoy(site: Site, serve: Serve) -> None:
    """A relay that is killed, or told to leave, leaves Envoy running; its successor takes it over."""
    node, web = await site.node("heir"), await _web(serve)
    await site.publish(web)
    assert await _kept(node)
    pid = node.envoy_pid()

    for number in (signal.SIGKILL, signal.SIGHUP):
        await node.end(number)
        alone = await answers(web, 10)
        await node.start()
        await site.publish(web)
        assert sum(alone.values()) == 10
        assert node.envoy_pid() == pid

    changed = await _web(serve, 1)
    await site.publish(web, changed)
    assert await answers(changed, 5) == {"web-0": 5}
    assert await node.end() == 0

    async def gone() -> bool:
        return node.envoy_pid() is None

    # It is no child of this relay's: whoever took it over buries it, in a moment.
    assert await eventually(gone)


async def test_a_harmed_cache_is_refused_with_a_reason(site: Site, serve: Serve) -> None:
    """It is not served; the node says why, and the control plane makes it whole again."""
    node, web = await site.node("harmed"), await _web(serve)
    await site.publish(web)
    assert await _kept(node)
    await node.end()
    node.cache.write_bytes(node.cache.read_bytes()[:-1])
    await site.engine.stop()
    await node.start()

    async def said() -> bool:
        return b"was not used" in node.log.read_bytes() and node.envoy_pid() is not None

    assert await eventually(said)
    with pytest.raises(httpx.TransportError):
        await answers(web, 1)
    site.engine = EnvoyEngine((Door(site.address),), watch_s=0.2)
    await site.engine.start()
    await site.publish(web)
    assert await answers(web, 4)

    async def told() -> bool:
        report = site.engine.state[node.name].report
        return report is not None and "was not used" in report.cache

    assert await eventually(told)


async def test_a_running_envoy_loses_nothing_to_a_relay_without_cache(site: Site, serve: Serve) -> None:
    """A relay whose cache is gone takes over an Envoy that has all; no request fails while it learns again."""
    node = await site.node("amnesic")
    services = [await _web(serve) for _ in range(3)]
    await site.publish(*services)
    assert await _kept(node)
    pid = node.envoy_pid()
    await node.end(signal.SIGKILL)
    node.cache.unlink()
    load = asyncio.create_task(answers(services[2], 300))

    await node.start()
    await site.publish(*services)
    assert await _kept(node)
    found = await load

    assert node.envoy_pid() == pid
    assert sum(count for who, count in found.items() if who.startswith("web-")) == 300


async def test_a_new_leader_sends_nothing_that_is_there(site: Site, serve: Serve) -> None:
    """The relay says what its Envoy has; versions are content."""
    node, web = await site.node("settled"), await _web(serve)
    await site.publish(web)
    assert await _kept(node)

    await site.restart()
    await site.publish(web)

    async def all_of_it() -> bool:
        return site.engine.state[node.name].applied == 4

    assert await eventually(all_of_it)
    assert site.engine.state[node.name].ads.sent_total == 0


async def test_a_refusal_is_told_with_envoys_words_and_the_last_good_stays(site: Site, serve: Serve) -> None:
    """A listener on another machine's address is refused; the old one serves, also after a restart of both."""
    node, web = await site.node("choosy"), await _web(serve)
    await site.publish(web)
    assert await _kept(node)
    await site.publish(replace(web, listen_address="192.0.2.1"))
    state = site.engine.state[node.name]
    kept = await answers(web, 5)
    await site.engine.stop()
    await node.end()
    await node.start()
    again = await _answers_soon(web)

    assert "Cannot assign requested address" in state.refusal
    assert ["refused"] == [told.kind for told in site.engine.take_told() if told.kind == "refused"]
    assert state.applied == 3
    assert sum(kept.values()) == 5
    assert again
