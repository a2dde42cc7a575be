"""Every way of choosing, through a real Envoy: shares, keys, priorities."""

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
from pool_backends import DatagramBackend, DatagramClient, pooled

from console.engines.envoy.clusters import MERGE_WINDOW_S
from console.engines.target import ServiceTarget
from console.engines.target.pool import Check, Hash, HashKey, Pool, Sessions, SlowStart

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]


async def _web(
    rig: EnvoyRig, serve: Serve, pool: Pool, count: int
) -> tuple[ServiceTarget, list[HttpBackend]]:
    backends = [await serve(HttpBackend(f"web-{number}")) for number in range(count)]
    web = pooled("web", "http", pool, *(backend.endpoint() for backend in backends))
    await rig.publish(web)
    return web, backends


async def _who(client: httpx.AsyncClient, web: ServiceTarget, path: str = "", **headers: str) -> str:
    answer = await client.get(url(web) + path, headers=headers)
    assert answer.status_code == 200
    return answer.text.split("\n")[0]


async def test_round_robin_takes_turns(rig: EnvoyRig, serve: Serve) -> None:
    """Equal weights: exactly one in three each."""
    web, _ = await _web(rig, serve, Pool(balance="round_robin"), 3)

    assert await answers(web, 30) == {"web-0": 10, "web-1": 10, "web-2": 10}


@pytest.mark.parametrize("balance", ["random", "least_request", "steelyard"])
async def test_choices_by_chance_reach_everyone(rig: EnvoyRig, serve: Serve, balance: Any) -> None:
    """Equal endpoints get like parts."""
    web, _ = await _web(rig, serve, Pool(balance=balance), 2)
    found = await answers(web, 200)

    assert 60 <= found["web-0"] <= 140
    assert found.total() == 200


# The quarter that has to, and with a ring a sixth of the others: Envoy's ring keeps its size, so that the hosts that
# stay get more points on it. Many users, because few of them say little about parts.
@pytest.mark.parametrize(("table", "most"), [("maglev", 0.4), ("ring", 0.5)])
async def test_a_key_stays_and_few_move(rig: EnvoyRig, serve: Serve, table: Any, most: float) -> None:
    """One user, one endpoint; when an endpoint goes, its users move, and few others; all come back with it."""
    # Unchecked, so that no endpoint comes late and takes keys with it.
    users_header = HashKey("header", "x-user")
    pool = Pool(balance="hash", hash=Hash(keys=(users_header,), table=table), check=Check("off"))
    web, backends = await _web(rig, serve, pool, 4)
    users = [f"user-{number}" for number in range(400)]

    async def homes() -> dict[str, str]:
        async with httpx.AsyncClient() as client:
            return {user: await _who(client, web, **{"x-user": user}) for user in users}

    first, again = await homes(), await homes()
    drained = (backends[0].endpoint(state="draining"), *web.endpoints[1:])
    await rig.publish(replace(web, endpoints=drained))

    async def gone() -> bool:
        return "web-0" not in (await homes()).values()

    assert await eventually(gone)
    without = await homes()
    await rig.publish(web)

    async def back() -> bool:
        return await homes() == first

    assert await eventually(back)
    moved = {user for user in users if without[user] != first[user]}

    assert first == again
    assert set(first.values()) == {"web-0", "web-1", "web-2", "web-3"}
    assert {user for user in users if first[user] == "web-0"} <= moved
    assert len(moved) <= most * len(users)


async def test_the_first_key_that_is_there_decides(rig: EnvoyRig, serve: Serve) -> None:
    """Query, else path without query, each leads to one endpoint; a second name alone would not."""
    keys = (HashKey("query", "cart"), HashKey("cookie", "who"), HashKey("path"))
    web, _ = await _web(rig, serve, Pool(balance="hash", hash=Hash(keys=keys)), 5)
    async with httpx.AsyncClient() as client:
        cart = {await _who(client, web, f"{path}?cart=7&n={path}") for path in "abcdefgh"}
        cookie = {await _who(client, web, path, cookie="who=me") for path in "abcdefgh"}
        path = {await _who(client, web, f"a?n={number}") for number in range(8)}
        paths = {await _who(client, web, path) for path in "abcdefghijklmnop"}

    assert (len(cart), len(cookie), len(path)) == (1, 1, 1)
    assert len(paths) > 1


async def test_a_client_without_the_cookie_is_given_one(rig: EnvoyRig, serve: Serve) -> None:
    """Browsers keep it and stay; scripts cannot read it."""
    keys = (HashKey("cookie", "who", ttl_s=60),)
    web, _ = await _web(rig, serve, Pool(balance="hash", hash=Hash(keys=keys)), 4)
    async with httpx.AsyncClient() as client:
        first = await client.get(url(web))
        found = {await _who(client, web) for _ in range(10)}

    given = first.headers["set-cookie"]
    assert given.startswith("who=")
    assert sorted(given.split("; ")[1:]) == ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax"]
    assert len(found) == 1


async def test_a_full_endpoint_passes_keys_on(rig: EnvoyRig, serve: Serve) -> None:
    """All with one key: without a bound one endpoint has them all, with one another takes its part."""
    spread = []
    for most in (0, 110):
        keys = (HashKey("header", "x-user"),)
        pool = Pool(balance="hash", hash=Hash(keys=keys, most_load_percent=most))
        web, backends = await _web(rig, serve, pool, 3)
        for backend in backends:
            backend.gate.clear()
        async with httpx.AsyncClient(timeout=10) as client:
            pending = []
            for number in range(1, 13):
                pending.append(asyncio.create_task(client.get(url(web), headers={"x-user": "one"})))

                # A request counts for its endpoint from when it has a connection there.
                async def there(number: int = number, backends: list[HttpBackend] = backends) -> bool:
                    return sum(backend.in_flight for backend in backends) == number

                assert await eventually(there)
            spread.append(sorted(backend.in_flight for backend in backends))
            for backend in backends:
                backend.gate.set()
            await asyncio.gather(*pending)

    assert spread[0] == [0, 0, 12]
    assert spread[1][-1] <= 7


async def test_weights_move_no_key_unless_asked(rig: EnvoyRig, serve: Serve) -> None:
    """Steering changes weights all the time; the endpoints' parts of the keys stay equal."""
    shares = []
    for by_weight in (False, True):
        pool = Pool(balance="hash", hash=Hash(keys=(HashKey("path"),), by_weight=by_weight))
        backends = [await serve(HttpBackend(f"web-{number}")) for number in range(2)]
        web = pooled("web", "http", pool, backends[0].endpoint(weight=20), backends[1].endpoint(weight=1))
        await rig.publish(web)
        async with httpx.AsyncClient() as client:
            found = Counter([await _who(client, web, f"item-{number}") for number in range(200)])
        shares.append(found["web-0"])

    assert 60 <= shares[0] <= 140
    assert shares[1] > 170


async def test_tcp_clients_of_one_address_meet_one_endpoint(rig: EnvoyRig, serve: Serve) -> None:
    """By source: all connections of this machine go together, those of other addresses elsewhere."""
    echoes = [await serve(EchoBackend(f"echo-{number}")) for number in range(4)]
    lines = pooled("lines", "tcp", Pool(balance="hash"), *(echo.endpoint() for echo in echoes))
    await rig.publish(lines)

    async def ask(source: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", lines.listen_port, local_addr=(source, 0))
        writer.write(b"x\n")
        found = await reader.readline()
        writer.close()
        return found

    assert len({await ask("127.0.0.1") for _ in range(8)}) == 1
    assert len({await ask(f"127.0.0.{number}") for number in range(2, 18)}) > 1


async def test_http_clients_of_one_address_meet_one_endpoint(rig: EnvoyRig, serve: Serve) -> None:
    """By source, the usual key: each of twenty addresses stays with one endpoint, also over connections anew."""
    web, _ = await _web(rig, serve, Pool(balance="hash", check=Check("off")), 3)

    async def home(address: str) -> set[str]:
        found = set()
        for _ in range(3):
            transport = httpx.AsyncHTTPTransport(local_address=address)
            async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
                found.add(await _who(client, web))
        return found

    homes = [await home(f"127.0.0.{number}") for number in range(2, 22)]

    assert [1] * 20 == [len(each) for each in homes]
    assert {"web-0", "web-1", "web-2"} == set().union(*homes)


async def test_datagrams_go_by_session_packet_or_source(rig: EnvoyRig, serve: Serve) -> None:
    """A session is one client's port; per packet every datagram is for itself; by source a machine stays."""
    backends = [await serve(DatagramBackend(f"names-{number}")) for number in range(3)]
    endpoints = [backend.endpoint() for backend in backends]
    found = {}
    for name, pool in {
        "session": Pool(balance="round_robin"),
        "packet": Pool(balance="round_robin", sessions=Sessions(per_packet=True)),
        "source": Pool(balance="hash"),
    }.items():
        names = pooled("names", "udp", pool, *endpoints)
        await rig.publish(names)
        clients = [DatagramClient() for _ in range(6)]
        for client in clients:
            await client.start()
        found[name] = [{await client.ask(names.listen_port) for _ in range(6)} for client in clients]
        for client in clients:
            client.close()

    everyone = {"names-0", "names-1", "names-2"}
    assert all(len(one) == 1 for one in found["session"])
    assert set().union(*found["session"]) == everyone
    assert all(one == everyone for one in found["packet"])
    assert len(set().union(*found["source"])) == 1


async def test_a_session_ends_when_it_is_idle(rig: EnvoyRig, serve: Serve) -> None:
    """After its time without a datagram, the next one is a new session and chooses anew."""
    backends = [await serve(DatagramBackend(f"names-{number}")) for number in range(2)]
    pool = Pool(balance="round_robin", sessions=Sessions(idle_s=0.2))
    names = pooled("names", "udp", pool, *(backend.endpoint() for backend in backends))
    await rig.publish(names)
    client = DatagramClient()
    await client.start()
    found = []
    for _ in range(4):
        found.append(await client.ask(names.listen_port))
        await asyncio.sleep(0.4)
    client.close()

    assert set(found) == {"names-0", "names-1"}


async def test_slow_start_spares_a_newcomer(rig: EnvoyRig, serve: Serve) -> None:
    """When the old endpoint's own start is over, a new one gets a small part of what it would have, and then all."""
    slow = SlowStart(window_s=1.5)
    pool = Pool(balance="round_robin", slow_start=slow, check=Check(interval_s=0.2))
    old = await serve(HttpBackend("old"))
    web = pooled("web", "http", pool, old.endpoint())
    await rig.publish(web)
    await asyncio.sleep(slow.window_s)
    new = await serve(HttpBackend("new"))
    await rig.publish(replace(web, endpoints=(old.endpoint(), new.endpoint())))
    assert await rig.becomes(web.name, new.endpoint().key, "healthy")
    # Envoy gathers changes of health for a while before its workers have them.
    await asyncio.sleep(2 * MERGE_WINDOW_S)
    first = await answers(web, 30)
    await asyncio.sleep(slow.window_s)
    # The weights of the choice are looked at when they are used: those of the start are used up first.
    await answers(web, 20)
    later = await answers(web, 30)

    assert 1 <= first["new"] <= 9
    assert later["new"] >= 12


async def test_panic_is_never_unless_asked(rig: EnvoyRig, serve: Serve) -> None:
    """One of three left: at a threshold of 50 % the two unhealthy ones are used again, but not if they drain."""
    every = {"web-0", "web-1", "web-2"}
    cases: tuple[tuple[int, Any, set[str]], ...] = (
        (0, "unhealthy", {"web-2"}),
        (50, "unhealthy", every),
        (50, "draining", {"web-2"}),
        (50, "closed", {"web-2"}),
    )
    for percent, state, used in cases:
        web, backends = await _web(rig, serve, Pool(balance="round_robin", panic_percent=percent), 3)
        out = [backend.endpoint(state=state) for backend in backends[:2]]
        await rig.publish(replace(web, endpoints=(*out, backends[2].endpoint())))

        async def settled(web: ServiceTarget = web, used: set[str] = used) -> bool:
            return set(await answers(web, 12)) == used

        assert await eventually(settled)


async def test_the_next_priority_serves_when_the_first_cannot(rig: EnvoyRig, serve: Serve) -> None:
    """None go to the second while the first is well; a part when half of it is gone; all when all of it is."""
    backends = [await serve(HttpBackend(name)) for name in ("a", "b", "spare")]
    pool = Pool(balance="round_robin", check=Check("off"))
    ranked = [replace(b.endpoint(), priority=5 if b.name == "spare" else 2) for b in backends]
    web = pooled("web", "http", pool, *ranked)
    await rig.publish(web)
    well = await answers(web, 40)

    async def after(*states: Any) -> float:
        changed = [replace(e, state=s) for e, s in zip(ranked, (*states, "healthy"), strict=True)]
        await rig.publish(replace(web, endpoints=tuple(changed)))
        await asyncio.sleep(0.3)
        return (await answers(web, 200))["spare"] / 200

    half, none = await after("healthy", "unhealthy"), await after("unhealthy", "draining")
    assert set(well) == {"a", "b"}
    assert 0.15 <= half <= 0.45  # 1.4 times one half carry 70 %
    assert none == 1.0


async def test_overprovisioning_says_how_much_the_rest_carries(rig: EnvoyRig, serve: Serve) -> None:
    """At 200 %, one of two still carries everything."""
    backends = [await serve(HttpBackend(name)) for name in ("a", "b", "spare")]
    pool = Pool(balance="round_robin", check=Check("off"), overprovisioning_percent=200)
    states: tuple[Any, ...] = ("healthy", "unhealthy", "healthy")
    ranked = [
        replace(backend.endpoint(state=state), priority=number // 2)
        for number, (backend, state) in enumerate(zip(backends, states, strict=True))
    ]
    web = pooled("web", "http", pool, *ranked)
    await rig.publish(web)

    assert await answers(web, 30) == {"a": 30}
