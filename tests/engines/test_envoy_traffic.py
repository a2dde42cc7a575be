"""Real requests through a real Envoy to real backends."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from engine_backends import Backend, EchoBackend, HttpBackend, free_port
from envoy_rig import EnvoyRig, answers, eventually, service, url
from pool_backends import pooled

from console.engines.target import EndpointTarget, ServiceTarget
from console.engines.target.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


async def _pair(serve: Serve) -> tuple[HttpBackend, HttpBackend]:
    first, second = HttpBackend("first"), HttpBackend("second")
    await serve(first)
    await serve(second)
    return first, second


async def test_changed_weight_applies_without_a_new_listener(rig: EnvoyRig, serve: Serve) -> None:
    """A change of weight sends one resource, and the share follows."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint(weight=1), second.endpoint(weight=1))
    before = await rig.publish(web)

    after = await rig.publish(replace(web, endpoints=(first.endpoint(weight=9), second.endpoint())))
    found = await answers(web, 20)

    assert after.sent_total - before.sent_total == 1
    # One at a time meets idle hosts only, and the fastest of them answers first.
    assert found == {"first": 20}


async def test_tcp_lines_come_back(rig: EnvoyRig, serve: Serve) -> None:
    """A TCP service carries bytes both ways on one connection."""
    echo = await serve(EchoBackend("echo"))
    lines = service("lines", "tcp", echo.endpoint())
    await rig.publish(lines)

    reader, writer = await asyncio.open_connection("127.0.0.1", lines.listen_port)
    writer.write(b"hello\n")
    first = await reader.readline()
    writer.write(b"again\n")
    second = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert first == b"echo hello\n"
    assert second == b"echo again\n"


async def test_tcp_client_of_a_dead_endpoint_is_connected_to_another(rig: EnvoyRig, serve: Serve) -> None:
    """After an endpoint died, every new TCP connection still finds the other."""
    dying, echo = await serve(EchoBackend("dying")), await serve(EchoBackend("echo"))
    lines = service("lines", "tcp", dying.endpoint(), echo.endpoint())
    await rig.publish(lines)
    await dying.kill()

    found: Counter[bytes] = Counter()
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", lines.listen_port)
        writer.write(b"hello\n")
        found[await reader.readline()] += 1
        writer.close()

    assert found == {b"echo hello\n": 20}


async def test_udp_datagrams_come_back(rig: EnvoyRig) -> None:
    """A UDP service carries datagrams there and back, with its port shared by no TCP service."""
    loop = asyncio.get_running_loop()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as backend,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        for end in (backend, client):
            end.setblocking(False)
            end.bind(("127.0.0.1", 0))
        endpoint = EndpointTarget("udp-host", "127.0.0.1", backend.getsockname()[1])
        names = ServiceTarget("names", "udp", "127.0.0.1", free_port(socket.SOCK_DGRAM), (endpoint,))
        await rig.publish(names)

        await loop.sock_sendto(client, b"question", ("127.0.0.1", names.listen_port))
        question, session = await asyncio.wait_for(loop.sock_recvfrom(backend, 100), 5)
        await loop.sock_sendto(backend, b"answer", session)
        answer, _ = await asyncio.wait_for(loop.sock_recvfrom(client, 100), 5)

    assert (question, answer) == (b"question", b"answer")


async def test_draining_endpoint_gets_nothing(rig: EnvoyRig, serve: Serve) -> None:
    """An endpoint that drains gets no request, and statistics say it drains."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint(state="draining"), second.endpoint())
    await rig.publish(web)

    found = await answers(web, 100)
    seen = await rig.endpoint(web.name, first.endpoint().key)

    assert found == {"second": 100}
    assert seen.health == "draining"


async def test_all_endpoints_draining_means_no_traffic(rig: EnvoyRig, serve: Serve) -> None:
    """There is no panic mode: with every endpoint draining, clients get 503 and hosts get nothing."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint(state="draining"), second.endpoint(state="unhealthy"))
    await rig.publish(web)

    found = await answers(web, 20)

    assert found == {"503": 20}


async def test_draining_finishes_what_is_in_flight(rig: EnvoyRig, serve: Serve) -> None:
    """A request that is at a backend when it begins to drain gets its answer."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint())
    await rig.publish(web)
    first.gate.clear()
    async with httpx.AsyncClient() as client:
        pending = asyncio.create_task(client.post(url(web)))
        await _in_flight([first], 1)
        await rig.publish(replace(web, endpoints=(first.endpoint(state="draining"), second.endpoint())))

        async def moved() -> bool:
            return "second" in await answers(web, 1)

        assert await eventually(moved)
        meanwhile = await answers(web, 20)
        first.gate.set()
        answer = await pending

    assert meanwhile == {"second": 20}
    assert (answer.status_code, answer.text.split("\n")[0]) == (200, "first")


async def test_killed_backend_loses_at_most_its_own_posts(rig: EnvoyRig, serve: Serve) -> None:
    """POSTs in flight at a killed backend may fail, no other does, and the next 200 requests succeed."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint(), second.endpoint())
    await rig.publish(web)

    statuses, lost = await _kill_under(web, first, second, "POST", 20)
    following = await answers(web, 100, "POST") + await answers(web, 100)

    assert 0 < lost < 20
    assert sum(status != 200 for status in statuses) <= lost
    assert second.methods["POST"] - 100 + lost == 20, "a POST that reached a backend was sent twice"
    assert following == {"second": 200}


async def test_killed_backend_loses_no_get(rig: EnvoyRig, serve: Serve) -> None:
    """GETs in flight at a killed backend are answered by the other one."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint(), second.endpoint())
    await rig.publish(web)

    statuses, lost = await _kill_under(web, first, second, "GET", 20)

    assert lost > 0
    assert statuses == [200] * 20


async def test_a_backend_that_returns_takes_traffic_again(rig: EnvoyRig, serve: Serve) -> None:
    """A dead endpoint is seen as unhealthy or ejected; alive again it is healthy and gets requests."""
    first, second = await _pair(serve)
    web = service("web", "http", first.endpoint(), second.endpoint())
    await rig.publish(web)
    key = first.endpoint().key
    await first.kill()

    assert await rig.becomes(web.name, key, "unhealthy", "ejected")
    await first.start()
    assert await rig.becomes(web.name, key, "healthy")
    assert (await answers(web, 40))["first"] > 0


async def test_a_backend_of_errors_is_ejected_though_it_accepts(rig: EnvoyRig, serve: Serve) -> None:
    """Five 500s in a row eject an endpoint, and its open port does not bring it back."""
    failing, second = HttpBackend("failing", status=500), HttpBackend("second")
    await serve(failing)
    await serve(second)
    # In turns: our own picker shuns what fails, so that the fifth 500 may never come.
    web = pooled("web", "http", Pool(balance="round_robin"), failing.endpoint(), second.endpoint())
    await rig.publish(web)

    first_part = await answers(web, 30)
    await asyncio.sleep(1.5)  # longer than the interval of checks, shorter than the ejection
    second_part = await answers(web, 30)
    seen = await rig.endpoint(web.name, failing.endpoint().key)

    assert 5 <= first_part["500"] < 15
    assert second_part == {"second": 30}
    assert seen.health == "ejected"


async def test_the_only_backend_is_never_ejected(rig: EnvoyRig, serve: Serve) -> None:
    """An application that answers 500 everywhere is heard, not replaced by 503."""
    failing = HttpBackend("failing", status=500)
    await serve(failing)
    web = service("web", "http", failing.endpoint())
    await rig.publish(web)

    found = await answers(web, 20)

    assert found == {"500": 20}


async def test_clients_cannot_change_what_is_retried(rig: EnvoyRig, serve: Serve) -> None:
    """A client's x-envoy-* headers do not reach Envoy's router nor the backend; answers carry none."""
    first = HttpBackend("first")
    await serve(first)
    web = service("web", "http", first.endpoint())
    await rig.publish(web)

    async with httpx.AsyncClient() as client:
        answer = await client.get(url(web), headers={"x-envoy-retry-on": "5xx", "x-mine": "1"})

    seen = set(answer.text.split("\n"))
    assert "x-mine" in seen
    assert "x-envoy-retry-on" not in seen
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


async def _in_flight(backends: list[HttpBackend], count: int) -> None:
    async def reached() -> bool:
        return count == sum(backend.in_flight for backend in backends)

    assert await eventually(reached)


async def _kill_under(
    web: ServiceTarget, first: HttpBackend, second: HttpBackend, method: str, count: int
) -> tuple[list[int], int]:
    """Kill first with count requests in flight at both; (statuses of all, how many first had)."""
    first.gate.clear()
    second.gate.clear()
    async with httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=count)) as client:
        pending = [asyncio.create_task(client.request(method, url(web))) for _ in range(count)]
        await _in_flight([first, second], count)
        lost = first.in_flight
        await first.kill()
        second.gate.set()
        statuses = [(await task).status_code for task in pending]
    first.gate.set()
    return statuses, lost
