"""What is done to requests on their way, through a real Envoy."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest
import pytest_asyncio
from engine_backends import Backend
from envoy_rig import EnvoyRig, eventually, service
from front_rig import TellingBackend, ask, having, pool
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import InvalidStatus

from console.engines.target import EndpointTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


@pytest_asyncio.fixture(loop_scope="module")
async def first(serve: Serve) -> TellingBackend:
    made = TellingBackend("first")
    await serve(made)
    return made


async def test_a_timeout_ends_a_request(rig: EnvoyRig, first: TellingBackend) -> None:
    """504 when the answer takes longer than the route's timeout_s."""
    web = having(service("web", "http", first.endpoint()), http={"routes": [{"timeout_s": 0.2}]})
    await rig.publish(web)
    first.wait_s = [2.0]

    began = time.monotonic()
    answer = await ask(web)

    assert answer.status_code == 504
    assert time.monotonic() - began < 1.5


async def test_a_silent_request_ends(rig: EnvoyRig, first: TellingBackend) -> None:
    """stream_idle_s: nothing moves in either direction for so long."""
    web = having(service("web", "http", first.endpoint()), http={"stream_idle_s": 0.2})
    await rig.publish(web)
    first.wait_s = [2.0]

    began = time.monotonic()
    answer = await ask(web)

    assert answer.status_code == 504
    assert time.monotonic() - began < 1.5


async def test_answers_are_asked_for_again_where_settings_say(rig: EnvoyRig, first: TellingBackend) -> None:
    """502 and a status of one's own are retried for GET; a POST is told the 502, unless any_method."""
    retries = {"on": ["gateway-error"], "statuses": [429], "attempts": 2}
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "retries": retries,
            "routes": [{"match": {"prefix": "/any"}, "retries": {**retries, "any_method": True}}],
        },
    )
    await rig.publish(web)

    async def after(*statuses: int, path: str = "/", method: str = "GET") -> int:
        first.statuses = list(statuses)
        status = (await ask(web, path, method)).status_code
        first.statuses = []
        return status

    assert await after(502, 429) == 200
    assert await after(502, 502, 502) == 502
    assert await after(500) == 500
    assert await after(502, method="POST") == 502
    assert await after(502, path="/any", method="POST") == 200


async def test_a_slow_try_is_given_up_for_another(rig: EnvoyRig, first: TellingBackend) -> None:
    """per_try_timeout_s: the second attempt answers in time."""
    web = having(
        service("web", "http", first.endpoint()),
        http={"retries": {"on": ["reset"], "per_try_timeout_s": 0.2}},
    )
    await rig.publish(web)
    first.wait_s = [5.0]

    began = time.monotonic()
    answer = await ask(web)

    assert answer.status_code == 200
    assert time.monotonic() - began < 2
    assert len(first.asked) == 2


async def test_hedging_keeps_the_slow_one_and_takes_the_first_answer(
    rig: EnvoyRig, first: TellingBackend
) -> None:
    """The first attempt answers after the second was sent, and is taken."""
    web = having(
        service("web", "http", first.endpoint()),
        http={"retries": {"on": ["5xx"], "per_try_timeout_s": 0.2, "hedge": True, "attempts": 1}},
    )
    await rig.publish(web)
    first.wait_s = [0.6, 5.0]

    began = time.monotonic()
    answer = await ask(web)

    assert answer.status_code == 200
    assert time.monotonic() - began < 2
    assert len(first.asked) == 2


async def test_a_mirror_gets_a_copy_and_its_answer_none(
    rig: EnvoyRig, serve: Serve, first: TellingBackend
) -> None:
    """The copy has the same host and path; the client gets the service's own answer, whatever the mirror's."""
    shadow = TellingBackend("shadow")
    await serve(shadow)
    copies = pool("shadow", shadow.endpoint())
    web = having(service("web", "http", first.endpoint()), http={"mirror": {"service": copies.name}})
    await rig.publish(web, copies)
    shadow.statuses = [500]

    answer = await ask(web, "/x", headers={"host": "shop.test"})

    assert answer.json()["name"] == "first"

    async def copied() -> bool:
        return [("/x", "shop.test")] == [(each["path"], each["headers"]["host"]) for each in shadow.asked]

    assert await eventually(copied)


async def test_faults_strike_only_whom_they_are_for(rig: EnvoyRig, first: TellingBackend) -> None:
    """Delay and abort for requests with the header; others know nothing of it."""
    web = having(
        service("web", "http", first.endpoint()),
        http={"fault": {"percent": 100, "delay_s": 0.3, "abort_status": 418, "header": "x-test-fault"}},
    )
    await rig.publish(web)

    began = time.monotonic()
    struck = await ask(web, headers={"x-test-fault": "1"})
    took_s = time.monotonic() - began
    spared = await ask(web)

    assert (418, 200) == (struck.status_code, spared.status_code)
    # Envoy counts whole milliseconds.
    assert took_s >= 0.298


async def test_a_part_of_the_requests_is_copied_or_struck(
    rig: EnvoyRig, serve: Serve, first: TellingBackend
) -> None:
    """percent: about a quarter of 400 are copied, about a half are struck by the fault; none without the header."""
    shadow = TellingBackend("shadow")
    await serve(shadow)
    copies = pool("shadow", shadow.endpoint())
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "mirror": {"service": copies.name, "percent": 25},
            "routes": [
                {
                    "match": {"prefix": "/faulty"},
                    "fault": {"percent": 50, "abort_status": 503, "header": "x-test"},
                }
            ],
        },
    )
    await rig.publish(web, copies)

    async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{web.listen_port}") as client:
        plain = Counter([(await client.get("/")).status_code for _ in range(400)])
        spared = Counter([(await client.get("/faulty")).status_code for _ in range(20)])
        struck = Counter(
            [(await client.get("/faulty", headers={"x-test": "1"})).status_code for _ in range(200)]
        )

    # Ten standard deviations.
    assert plain == {200: 400}
    assert 20 <= sum(each["path"] == "/" for each in shadow.asked) <= 190
    assert spared == {200: 20}
    assert 30 <= struck[503] <= 170
    assert struck.total() == struck[200] + struck[503]


async def test_other_sites_pages_ask_if_they_may(rig: EnvoyRig, first: TellingBackend) -> None:
    """A preflight is answered here; answers carry the origin that may read them and no other."""
    good, bad = "https://shop.test", "https://evil.test"
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "cors": {"origins": [good], "methods": ["GET", "PUT"], "headers": ["x-mine"], "credentials": True}
        },
    )
    await rig.publish(web)

    async def preflight(origin: str) -> dict[str, str]:
        asked = {"origin": origin, "access-control-request-method": "PUT"}
        return dict((await ask(web, method="OPTIONS", headers=asked)).headers)

    allowed = await preflight(good)
    refused = await preflight(bad)
    answer = await ask(web, headers={"origin": good})

    assert allowed["access-control-allow-origin"] == good
    assert allowed["access-control-allow-methods"] == "GET, PUT"
    assert allowed["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in refused
    assert answer.headers["access-control-allow-origin"] == good
    assert ["GET"] == [each["method"] for each in first.asked]


@pytest.mark.parametrize("kind", ["gzip", "brotli"])
async def test_long_texts_are_compressed(rig: EnvoyRig, first: TellingBackend, kind: str) -> None:
    """For clients that take it; not for others, nor for what is no text."""
    web = having(service("web", "http", first.endpoint()), http={"compression": [kind]})
    await rig.publish(web)
    name = {"gzip": "gzip", "brotli": "br"}[kind]
    first.body = "weigh " * 1000

    packed = await ask(web, headers={"accept-encoding": name})
    plain = await ask(web, headers={"accept-encoding": "identity"})
    first.content_type = "image/png"
    picture = await ask(web, headers={"accept-encoding": name})

    assert packed.headers.get("content-encoding") == name
    assert "content-encoding" not in plain.headers
    assert plain.text == first.body
    assert "content-encoding" not in picture.headers


async def test_requests_over_the_limit_are_refused(rig: EnvoyRig, first: TellingBackend) -> None:
    """A route's own limit counts all its methods together and nobody else's; the service's is shared by the rest."""
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "rate_limits": [{"requests": 4, "per_s": 600}],
            "routes": [
                {"match": {"prefix": "/few"}, "rate_limits": [{"requests": 2, "per_s": 600}]},
                {"match": {"prefix": "/shared"}},
                {"match": {"prefix": "/free"}, "rate_limits": []},
            ],
        },
    )
    await rig.publish(web)

    async def statuses(*asked: tuple[str, str]) -> list[int]:
        return [(await ask(web, path, method)).status_code for method, path in asked]

    few = await statuses(("GET", "/few"), ("POST", "/few"), ("GET", "/few"), ("POST", "/few"))
    rest = await statuses(
        ("GET", "/"), ("POST", "/shared"), ("GET", "/shared"), ("POST", "/"), ("GET", "/shared")
    )
    free = await statuses(*[("GET", "/free")] * 10)

    assert few == [200, 200, 429, 429]
    assert rest == [200, 200, 200, 200, 429]
    assert free == [200] * 10


async def test_each_client_address_has_its_own_limit(rig: EnvoyRig, first: TellingBackend) -> None:
    """One address that asks too much takes nothing from another."""
    web = having(
        service("web", "http", first.endpoint()),
        http={"rate_limits": [{"requests": 3, "per_s": 600, "of": "client"}]},
    )
    await rig.publish(web)

    async def from_address(address: str) -> Counter[int]:
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            url = f"http://127.0.0.1:{web.listen_port}/"
            return Counter([(await client.get(url)).status_code for _ in range(5)])

    assert await from_address("127.0.0.2") == {200: 3, 429: 2}
    assert await from_address("127.0.0.3") == {200: 3, 429: 2}


async def test_too_large_a_request_is_refused(rig: EnvoyRig, first: TellingBackend) -> None:
    """413 and nothing reaches the endpoint; what fits does; a route may take more."""
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "max_body_bytes": 1000,
            "routes": [
                {"match": {"prefix": "/large"}, "max_body_bytes": 100_000},
                {"match": {"prefix": "/any"}, "max_body_bytes": 0},
            ],
        },
    )
    await rig.publish(web)

    async def sent(path: str, size: int) -> int:
        return (await ask(web, path, "POST", content=b"x" * size)).status_code

    found = [
        await sent(path, size)
        for path, size in (
            ("/", 900),
            ("/", 1001),
            ("/large", 90_000),
            ("/large", 100_001),
            ("/any", 300_000),
        )
    ]

    assert found == [200, 413, 200, 413, 200]
    assert [900, 90_000, 300_000] == [each["body"] for each in first.asked]


async def test_websockets_pass_unless_forbidden(rig: EnvoyRig) -> None:
    """An upgrade reaches the endpoint and carries messages; a route without it refuses."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve_websocket(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        web = having(
            service("web", "http", EndpointTarget("ws", "127.0.0.1", port)),
            http={"routes": [{"match": {"prefix": "/closed"}, "websocket": False}]},
        )
        await rig.publish(web)
        url = f"ws://127.0.0.1:{web.listen_port}"
        async with connect(f"{url}/open", proxy=None) as client:
            await client.send("hello")
            assert await asyncio.wait_for(client.recv(), 5) == "hello"
        with pytest.raises(InvalidStatus):
            await connect(f"{url}/closed", proxy=None)
