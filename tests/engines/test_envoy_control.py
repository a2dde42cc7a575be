"""The control plane and a real Envoy: refusals, restarts of either, the guard."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from engine_backends import Backend, HttpBackend
from envoy_rig import NODE, EnvoyRig, answers, eventually, service

from console.engines.envoy.render import LISTENER
from console.engines.guard import GuardRefused
from console.engines.target import ServiceTarget, TrafficTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


async def _web(serve: Serve, count: int = 1) -> ServiceTarget:
    backends = [await serve(HttpBackend(f"web-{number}")) for number in range(count)]
    return service("web", "http", *(backend.endpoint() for backend in backends))


def _served(found: Counter[str]) -> int:
    """How many of the answers came from a backend."""
    return sum(count for who, count in found.items() if who.startswith("web-"))


async def test_a_refused_listener_is_told_and_others_work(rig: EnvoyRig, serve: Serve) -> None:
    """A port in use is a NACK with Envoy's words, for that service alone."""
    web, taken = await _web(serve), await _web(serve)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", taken.listen_port))
        squatter.listen()
        node = await rig.publish(web, taken)
        found = await answers(web, 10)

    (rejection,) = node.rejections
    assert (LISTENER, taken.name) == (rejection.type_url, rejection.name)
    assert "Address already in use" in rejection.text
    assert web.name in node.acked[LISTENER]
    assert taken.name not in node.acked[LISTENER]
    assert found == {"web-0": 10}


async def test_a_corrected_listener_ends_the_refusal(rig: EnvoyRig, serve: Serve) -> None:
    """An address of another machine is refused; the right one is taken at once and the refusal forgotten."""
    web = await _web(serve)

    refused = await rig.publish(replace(web, listen_address="192.0.2.1"))
    taken = await rig.publish(web)

    assert "Cannot assign requested address" in refused.rejections[0].text
    assert taken.rejections == ()
    assert await answers(web, 5) == {"web-0": 5}


async def test_a_service_takes_over_the_port_of_a_removed_one(rig: EnvoyRig, serve: Serve) -> None:
    """One publish replaces a service by another at the same address, and nothing is refused."""
    old, new = await _web(serve), await _web(serve)
    await rig.publish(old)

    node = await rig.publish(replace(new, listen_port=old.listen_port))

    assert node.rejections == ()
    assert await answers(old, 5) == {"web-0": 5}
    assert {new.name} == set(node.acked[LISTENER])


async def test_a_restarted_envoy_gets_everything_again(rig: EnvoyRig, serve: Serve) -> None:
    """A new Envoy process of the same node knows nothing and is told all."""
    web = await _web(serve, 2)
    await rig.publish(web)
    await rig.envoy.stop()

    await rig.envoy.start()
    await rig.envoy.wait_ready()
    settled = await rig.ads.settled(10)

    assert settled
    assert _served(await answers(web, 20)) == 20


async def test_traffic_outlives_the_control_plane(rig: EnvoyRig, serve: Serve) -> None:
    """Without a control plane Envoy goes on; a new one sends nothing that Envoy has already."""
    web = await _web(serve, 2)
    await rig.publish(web)
    target = rig.engine.target
    await rig.engine.stop()

    alone = await answers(web, 50)
    await rig.restart_ads()
    before_any_target = await answers(web, 20)
    rig.engine.apply(target)
    settled = await rig.ads.settled(10)

    assert _served(alone) == 50
    assert _served(before_any_target) == 20
    assert settled
    assert rig.ads.nodes[NODE].sent_total == 0
    assert _served(await answers(web, 20)) == 20


async def test_a_node_that_left_is_known_as_disconnected(rig: EnvoyRig) -> None:
    """The state says since when a node is unmanaged, and keeps what it took."""
    await rig.publish()
    await rig.envoy.stop()

    async def left() -> bool:
        return not rig.ads.nodes[NODE].connected

    assert await eventually(left)
    assert rig.ads.nodes[NODE].since > 0
    assert not rig.ads.nodes[NODE].settled
    await rig.envoy.start()
    assert await rig.ads.settled(10)


async def test_the_guard_stops_an_empty_set_and_force_passes_it(rig: EnvoyRig, serve: Serve) -> None:
    """An empty endpoint set is refused and traffic flows on; with force it is meant."""
    web = await _web(serve, 2)
    await rig.publish(web)

    with pytest.raises(GuardRefused) as refused:
        rig.engine.apply(TrafficTarget((replace(web, endpoints=()),)))
    kept = await answers(web, 20)
    await rig.publish(replace(web, endpoints=()), force=True)

    assert (web.name, 2, 0) == (refused.value.service, refused.value.before, refused.value.after)
    assert _served(kept) == 20
    assert await answers(web, 5) == {"503": 5}


async def test_a_hundred_changes_of_weight_lose_no_request(rig: EnvoyRig, serve: Serve) -> None:
    """Requests go on while weights change a hundred times, and none fails."""
    backends = [await serve(HttpBackend(f"web-{number}")) for number in range(2)]
    first, second = backends
    web = service("web", "http", first.endpoint(), second.endpoint())
    await rig.publish(web)
    load = asyncio.create_task(answers(web, 300))

    for number in range(100):
        weighted = (first.endpoint(weight=1 + number % 7), second.endpoint(weight=1 + number % 3))
        await rig.publish(replace(web, endpoints=weighted))
    found = await load

    assert _served(found) == 300
    assert rig.ads.nodes[NODE].rejections == ()
