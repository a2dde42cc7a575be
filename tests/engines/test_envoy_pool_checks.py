"""Active checks of every kind through a real Envoy: what makes an endpoint unhealthy, and healthy again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from engine_backends import EchoBackend, HttpBackend
from envoy_rig import EnvoyRig, answers, eventually
from pool_backends import DatagramBackend, PathBackend, pooled

from console.engines.target import EndpointTarget
from console.engines.target.pool import Check, Pool, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]
QUICK = {"interval_s": 0.1, "timeout_s": 0.5}


async def test_http_check_asks_path_and_host_and_counts_bad_answers(rig: EnvoyRig, serve: Serve) -> None:
    """An open port is not enough: /ready must answer with an expected status, and does so again at once."""
    sick, well = await serve(PathBackend("sick")), await serve(PathBackend("well"))
    check = Check("http", path="/ready", host="shop.test", statuses=("200", "202-203"), **QUICK)
    for backend in (sick, well):
        backend.statuses["/ready"] = 203
    web = pooled("web", "http", Pool(check=check), sick.endpoint(), well.endpoint())
    await rig.publish(web)
    assert await rig.becomes(web.name, sick.endpoint().key, "healthy")

    sick.statuses["/ready"] = 503
    assert await rig.becomes(web.name, sick.endpoint().key, "unhealthy")
    assert await answers(web, 10) == {"well": 10}
    sick.statuses["/ready"] = 200
    assert await rig.becomes(web.name, sick.endpoint().key, "healthy")
    assert "shop.test" in sick.hosts


async def test_one_bad_answer_is_forgiven_where_three_are_needed(rig: EnvoyRig, serve: Serve) -> None:
    """The threshold holds for statuses too: two bad answers leave an endpoint in, the third takes it out."""
    backend = await serve(PathBackend("web"))
    web = pooled("web", "http", Pool(check=Check("http", unhealthy_after=3, **QUICK)), backend.endpoint())
    await rig.publish(web)
    assert await rig.becomes(web.name, backend.endpoint().key, "healthy")
    seen = []
    for bad in (2, 3):
        before = backend.paths["/"]
        backend.statuses["/"] = 500

        async def asked(before: int = before, bad: int = bad) -> bool:
            return backend.paths["/"] >= before + bad

        assert await eventually(asked)
        if bad == 2:
            backend.statuses["/"] = 200
        seen.append((await rig.endpoint(web.name, backend.endpoint().key)).health)

    assert seen[0] == "healthy"
    assert await rig.becomes(web.name, backend.endpoint().key, "unhealthy")


async def test_a_connect_check_can_ask_and_expect_bytes(rig: EnvoyRig, serve: Serve) -> None:
    """A server that answers something else is not well."""
    echo = await serve(EchoBackend("echo"))
    good, bad = (
        Pool(check=Check("connect", send_hex=b"hi\n".hex(), expect_hex=text.hex(), **QUICK))
        for text in (b"echo hi", b"other")
    )
    heard, unheard = pooled("good", "tcp", good, echo.endpoint()), pooled("bad", "tcp", bad, echo.endpoint())
    await rig.publish(heard, unheard)

    assert await rig.becomes(heard.name, echo.endpoint().key, "healthy")
    assert await rig.becomes(unheard.name, echo.endpoint().key, "unhealthy")


async def test_a_check_can_ask_another_port(rig: EnvoyRig, serve: Serve) -> None:
    """The service answers, its health port does not: unhealthy."""
    web, health = await serve(HttpBackend("web")), await serve(PathBackend("health"))
    target = pooled("web", "http", Pool(check=Check("http", port=health.port, **QUICK)), web.endpoint())
    await rig.publish(target)
    assert await rig.becomes(target.name, web.endpoint().key, "healthy")

    health.statuses["/"] = 404

    assert await rig.becomes(target.name, web.endpoint().key, "unhealthy")
    assert await answers(target, 2) == {"503": 2}


async def test_without_a_check_a_dead_port_stays_in(rig: EnvoyRig, serve: Serve) -> None:
    """Off is off: nobody asks, and only requests tell."""
    backend = await serve(PathBackend("web"))
    web = pooled("web", "http", Pool(check=Check("off")), backend.endpoint())
    await rig.publish(web)
    await backend.kill()

    assert await answers(web, 2) == {"503": 2}
    seen = await rig.endpoint(web.name, backend.endpoint().key)
    assert seen.cx_connect_fail > 0
    assert "failed_active_health_check" not in seen.flags


async def test_grpc_check_asks_for_the_service(rig: EnvoyRig) -> None:
    """grpc.health.v1: SERVING is healthy, NOT_SERVING is not."""
    status = {"word": b"\x08\x01"}
    asked: list[bytes] = []

    async def check(request: bytes, _: Any) -> bytes:
        asked.append(request)
        return status["word"]

    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        endpoint = EndpointTarget("g1", "127.0.0.1", port)
        pool = Pool(check=Check("grpc", service="shop.Cart", **QUICK), upstream=Upstream("http2"))
        cart = pooled("cart", "http", pool, endpoint)
        await rig.publish(cart)
        assert await rig.becomes(cart.name, endpoint.key, "healthy")
        status["word"] = b"\x08\x02"

        assert await rig.becomes(cart.name, endpoint.key, "unhealthy")
        assert b"shop.Cart" in asked[0]
    finally:
        await server.stop(0)


async def test_a_datagram_check_finds_a_silent_server(rig: EnvoyRig, serve: Serve) -> None:
    """UDP services are checked where somebody says what to ask and what must come back."""
    backend = await serve(DatagramBackend("names"))
    check = Check("datagram", send_hex=b"are you well".hex(), expect_hex=b"names".hex(), **QUICK)
    names = pooled("names", "udp", Pool(check=check), backend.endpoint())
    await rig.publish(names)
    assert await rig.becomes(names.name, backend.endpoint().key, "healthy")

    backend.silent = True

    assert await rig.becomes(names.name, backend.endpoint().key, "unhealthy")
    assert backend.got[b"are you well"] > 1


async def test_an_unhealthy_endpoint_is_asked_at_its_own_pace(rig: EnvoyRig, serve: Serve) -> None:
    """Known to be down, it is asked seldom: 5 s instead of 0.1 s."""
    backend = await serve(PathBackend("web"))
    backend.statuses["/"] = 500
    check = Check("http", unhealthy_interval_s=5.0, unhealthy_after=1, **QUICK)
    web = pooled("web", "http", Pool(check=check), backend.endpoint())
    await rig.publish(web)
    assert await rig.becomes(web.name, backend.endpoint().key, "unhealthy")
    before = backend.paths["/"]

    async def more() -> bool:
        return backend.paths["/"] > before + 2

    assert not await eventually(more, 1.0)
