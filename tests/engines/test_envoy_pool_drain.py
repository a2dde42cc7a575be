"""Draining to its end through a real Envoy: what goes on, and what is cut when the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from engine_backends import EchoBackend, HttpBackend
from envoy_rig import EnvoyRig, answers, eventually, url
from pool_backends import DatagramBackend, DatagramClient, pooled

from console.engines.target import ServiceTarget
from console.engines.target.pool import Check, Connections, Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]
QUICK = Check(interval_s=0.2)


class Line:
    """A TCP client."""

    def __init__(self, target: ServiceTarget) -> None:
        self._port = target.listen_port

    async def open(self) -> Line:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def say(self) -> bytes:
        """What comes back; b"" where the connection was cut."""
        try:
            self._writer.write(b"x\n")
            return await asyncio.wait_for(self._reader.readline(), 2)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._writer.close()


@pytest.mark.parametrize("cut", [True, False])
async def test_a_tcp_connection_lasts_as_long_as_the_drain(rig: EnvoyRig, serve: Serve, cut: bool) -> None:
    """Draining: the connection goes on, new ones go elsewhere. Closed: it is cut, unless that is not wanted."""
    old, other = await serve(EchoBackend("old")), await serve(EchoBackend("other"))
    pool = Pool(check=QUICK, connections=Connections(close_when_unhealthy=cut))
    lines = pooled("lines", "tcp", pool, old.endpoint())
    await rig.publish(lines)
    line = await Line(lines).open()
    assert await line.say() == b"old x\n"

    await rig.publish(replace(lines, endpoints=(old.endpoint(state="draining"), other.endpoint())))

    async def elsewhere() -> bool:
        fresh = await Line(lines).open()
        said = await fresh.say()
        fresh.close()
        return said == b"other x\n"

    assert await eventually(elsewhere)
    await asyncio.sleep(0.5)
    draining = await line.say()
    await rig.publish(replace(lines, endpoints=(old.endpoint(state="closed"), other.endpoint())))

    async def was_cut() -> bool:
        return await line.say() == b""

    closed = await eventually(was_cut, 4 if cut else 1)
    line.close()
    assert draining == b"old x\n"
    assert closed == cut
    assert await elsewhere()


async def test_a_resumed_endpoint_is_well_again(rig: EnvoyRig, serve: Serve) -> None:
    """What was closed can be taken back: its check succeeds and clients come."""
    echo = await serve(EchoBackend("echo"))
    lines = pooled("lines", "tcp", Pool(check=QUICK), echo.endpoint())
    await rig.publish(lines)
    await rig.publish(replace(lines, endpoints=(echo.endpoint(state="closed"),)))

    async def failed() -> bool:
        seen = await rig.endpoint(lines.name, echo.endpoint().key)
        return "failed_active_health_check" in seen.flags

    assert await eventually(failed)
    await rig.publish(lines)

    assert await rig.becomes(lines.name, echo.endpoint().key, "healthy")
    line = await Line(lines).open()
    assert await line.say() == b"echo x\n"
    line.close()


async def test_connections_of_a_dead_check_are_cut_so_that_clients_come_back(
    rig: EnvoyRig, serve: Serve
) -> None:
    """The check asks another port that goes away: connections to an endpoint that is not well are closed."""
    echo, health = await serve(EchoBackend("echo")), await serve(HttpBackend("health"))
    pool = Pool(check=Check(interval_s=0.2, port=health.port))
    lines = pooled("lines", "tcp", pool, echo.endpoint())
    await rig.publish(lines)
    line = await Line(lines).open()
    assert await line.say() == b"echo x\n"
    await health.kill()

    async def was_cut() -> bool:
        return await line.say() == b""

    assert await eventually(was_cut, 4)
    line.close()


async def test_a_request_under_way_ends_even_when_the_time_is_over(rig: EnvoyRig, serve: Serve) -> None:
    """Envoy ends no HTTP request because of its endpoint: it has its route's timeouts. Nothing new comes."""
    old, other = await serve(HttpBackend("old")), await serve(HttpBackend("other"))
    web = pooled("web", "http", Pool(check=QUICK), old.endpoint())
    await rig.publish(web)
    old.gate.clear()
    async with httpx.AsyncClient(timeout=10) as client:
        pending = asyncio.create_task(client.post(url(web)))

        async def there() -> bool:
            return old.in_flight == 1

        assert await eventually(there)
        await rig.publish(replace(web, endpoints=(old.endpoint(state="closed"), other.endpoint())))

        async def moved() -> bool:
            return "other" in await answers(web, 1)

        assert await eventually(moved)
        meanwhile = await answers(web, 20)
        old.gate.set()
        answer = await pending

    assert meanwhile == {"other": 20}
    assert answer.text.startswith("old")


async def test_a_udp_session_moves_when_its_endpoint_drains(rig: EnvoyRig, serve: Serve) -> None:
    """The next datagram begins a new session elsewhere: Envoy looks at the endpoint's health for each."""
    old, other = await serve(DatagramBackend("old")), await serve(DatagramBackend("other"))
    names = pooled("names", "udp", Pool(), old.endpoint())
    await rig.publish(names)
    client = DatagramClient()
    await client.start()
    first = await client.ask(names.listen_port)
    await rig.publish(replace(names, endpoints=(old.endpoint(state="draining"), other.endpoint())))

    async def moved() -> bool:
        return await client.ask(names.listen_port) == "other"

    assert first == "old"
    assert await eventually(moved)
    client.close()
