"""What protects endpoints, through a real Envoy: limits at once, retries, and the life of connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from engine_backends import EchoBackend, HttpBackend
from envoy_rig import EnvoyRig, answers, eventually, url
from pool_backends import PathBackend, pooled

from console.engines.envoy import admin
from console.engines.target import EndpointTarget, ServiceTarget
from console.engines.target.pool import Check, Connections, Ejection, Limits, Pool, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]
QUIET = Check("off")


async def _at_once(web: ServiceTarget, backend: HttpBackend, count: int) -> Counter[int]:
    """Send count requests, the next when the last one is at the backend, or refused, or waits; all statuses."""
    backend.gate.clear()
    async with httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=count)) as client:
        pending = []
        for number in range(1, count + 1):
            pending.append(asyncio.create_task(client.get(url(web))))

            async def settled(number: int = number) -> bool:
                return backend.in_flight + sum(task.done() for task in pending) >= number

            await eventually(settled, 0.3)
        backend.gate.set()
        return Counter([(await task).status_code for task in pending])


@pytest.mark.parametrize("limits", [Limits(requests=3), Limits(connections=2, pending=1)])
async def test_what_is_above_the_limit_is_refused_at_once(
    rig: EnvoyRig, serve: Serve, limits: Limits
) -> None:
    """Three are let in (or two, and one may wait); the others are told 503 while those are still under way."""
    backend = await serve(HttpBackend("web"))
    web = pooled("web", "http", Pool(limits=limits), backend.endpoint())
    await rig.publish(web)

    assert await _at_once(web, backend, 8) == {200: 3, 503: 5}


async def test_requests_wait_where_they_may(rig: EnvoyRig, serve: Serve) -> None:
    """One connection, and as many as want wait their turn."""
    backend = await serve(HttpBackend("web"))
    web = pooled("web", "http", Pool(limits=Limits(connections=1)), backend.endpoint())
    await rig.publish(web)
    async with httpx.AsyncClient() as client:
        found = await asyncio.gather(*(client.get(url(web)) for _ in range(10)))

    assert [answer.status_code for answer in found] == [200] * 10


async def test_each_endpoint_has_its_own_limit_of_connections(rig: EnvoyRig, serve: Serve) -> None:
    """Two connections for each of two endpoints: a fifth client waits until there is room."""
    echoes = [await serve(EchoBackend(f"echo-{number}")) for number in range(2)]
    pool = Pool(limits=Limits(endpoint_connections=2), balance="round_robin", check=QUIET)
    lines = pooled("lines", "tcp", pool, *(echo.endpoint() for echo in echoes))
    await rig.publish(lines)
    clients, found = [], Counter[bytes]()
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", lines.listen_port)
        clients.append(writer)
        writer.write(b"hi\n")
        if len(clients) < 5:
            found[await asyncio.wait_for(reader.readline(), 5)] += 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.4)
    for writer in clients[:4]:
        writer.close()
    last = await asyncio.wait_for(reader.readline(), 5)
    clients[4].close()

    assert found == {b"echo-0 hi\n": 2, b"echo-1 hi\n": 2}
    assert last in found


async def test_retries_are_a_part_of_what_is_under_way(rig: EnvoyRig, serve: Serve) -> None:
    """With no retries allowed at all, GETs of a dying host fail; by default none does."""
    statuses = []
    for limits in (Limits(retry_percent=0, least_retries=0), Limits()):
        dying, well = await serve(HttpBackend("dying")), await serve(HttpBackend("well"))
        pool = Pool(limits=limits, balance="round_robin", check=QUIET)
        web = pooled("web", "http", pool, dying.endpoint(), well.endpoint())
        await rig.publish(web)
        dying.gate.clear()
        well.gate.clear()
        async with httpx.AsyncClient(timeout=10) as client:
            pending = [asyncio.create_task(client.get(url(web))) for _ in range(20)]

            async def there(dying: HttpBackend = dying, well: HttpBackend = well) -> bool:
                return dying.in_flight + well.in_flight == 20

            assert await eventually(there)
            await dying.kill()
            well.gate.set()
            statuses.append(Counter([(await task).status_code for task in pending]))

    assert statuses == [{200: 10, 503: 10}, {200: 20}]


async def test_connections_end_after_their_requests(rig: EnvoyRig, serve: Serve) -> None:
    """Five requests a connection: twenty need four."""
    backend = await serve(PathBackend("web"))
    web = pooled(
        "web", "http", Pool(connections=Connections(requests_most=5), check=QUIET), backend.endpoint()
    )
    await rig.publish(web)

    assert await answers(web, 20) == {"web": 20}
    assert backend.connections == 4


async def test_connections_end_by_age_and_idleness(rig: EnvoyRig, serve: Serve) -> None:
    """What is idle, or old, is closed by us before the server would."""
    for connections, pause_s in (
        (Connections(idle_s=0.2), 0.6),
        (Connections(idle_s=0, age_most_s=0.3), 0.6),
    ):
        backend = await serve(PathBackend("web"))
        web = pooled("web", "http", Pool(connections=connections, check=QUIET), backend.endpoint())
        await rig.publish(web)
        await answers(web, 3)
        assert backend.connections == 1
        await asyncio.sleep(pause_s)
        await answers(web, 1)

        assert backend.connections == 2


async def test_an_address_that_does_not_answer_costs_the_connect_timeout(rig: EnvoyRig, serve: Serve) -> None:
    """A quarter of a second, then the other endpoint, and the client sees nothing of it."""
    well = await serve(HttpBackend("well"))
    # A full backlog: the kernel leaves further SYNs without an answer.
    silent = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0, backlog=1, start_serving=False)
    port = silent.sockets[0].getsockname()[1]
    silent.sockets[0]._sock.listen(0)
    crowd = []
    for _ in range(4):
        try:
            crowd.append(await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 0.2))
        except TimeoutError:
            break
    pool = Pool(connections=Connections(connect_timeout_s=0.25), check=QUIET, balance="round_robin",
                ejection=Ejection(on=False))  # fmt: skip
    web = pooled("web", "http", pool, EndpointTarget("silent", "127.0.0.1", port), well.endpoint())
    await rig.publish(web)
    loop = asyncio.get_running_loop()

    started = loop.time()
    found = await answers(web, 2)
    took_s = loop.time() - started
    for _, writer in crowd:
        writer.close()
    silent.close()

    assert found == {"well": 2}
    assert 0.25 <= took_s < 1.0


async def test_keepalive_and_pings_are_taken(rig: EnvoyRig, serve: Serve) -> None:
    """What cannot be seen within seconds is at least in force in Envoy's own words."""
    backend = await serve(HttpBackend("web"))
    connections = Connections(keepalive_s=30, keepalive_interval_s=7, keepalive_probes=4, ping_s=3)
    web = pooled("web", "http", Pool(connections=connections, upstream=Upstream("http2")), backend.endpoint())
    quiet = replace(pooled("quiet", "http", Pool(connections=Connections(keepalive_s=0)), backend.endpoint()))
    node = await rig.publish(web, quiet)
    dump = (
        await admin.get(str(rig.envoy.admin_socket), "/config_dump?resource=dynamic_active_clusters")
    ).json()
    clusters = {entry["cluster"]["name"]: entry["cluster"] for entry in dump["configs"]}

    kept = clusters[web.name]["upstream_connection_options"]["tcp_keepalive"]
    assert kept == {"keepalive_probes": 4, "keepalive_time": 30, "keepalive_interval": 7}
    options = str(clusters[web.name]["typed_extension_protocol_options"])
    assert "'connection_keepalive': {'interval': '3s', 'timeout': '3s'}" in options
    assert "upstream_connection_options" not in clusters[quiet.name]
    assert node.rejections == ()
