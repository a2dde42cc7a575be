"""Clients that come back to where they were, through a real Envoy, also while an endpoint drains."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from engine_backends import HttpBackend
from envoy_rig import EnvoyRig, answers, eventually, url
from pool_backends import pooled

from console.engines.target import ServiceTarget
from console.engines.target.http import Http, Route
from console.engines.target.matching import Match
from console.engines.target.outcomes import Destination
from console.engines.target.pool import Check, Hash, HashKey, Pool, Sticky
from console.engines.target.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]


async def _web(rig: EnvoyRig, serve: Serve, sticky: Sticky) -> tuple[ServiceTarget, list[HttpBackend]]:
    backends = [await serve(HttpBackend(f"web-{number}")) for number in range(3)]
    pool = Pool(balance="round_robin", sticky=sticky)
    web = pooled("web", "http", pool, *(backend.endpoint() for backend in backends))
    await rig.publish(web)
    return web, backends


async def _ask(client: httpx.AsyncClient, web: ServiceTarget, **headers: str) -> tuple[str, httpx.Response]:
    answer = await client.get(url(web), headers=headers)
    return answer.text.split("\n")[0] if answer.status_code == 200 else str(answer.status_code), answer


async def test_a_cookie_keeps_its_holder(rig: EnvoyRig, serve: Serve) -> None:
    """A browser stays; without the cookie, requests go round."""
    web, _ = await _web(rig, serve, Sticky(name="seat", path="/", ttl_s=600))
    async with httpx.AsyncClient() as client:
        _, first = await _ask(client, web)
        found = {(await _ask(client, web))[0] for _ in range(12)}
        # answers() has the cookies of one browser.
        strangers = {who for _ in range(12) for who in await answers(web, 1)}

    assert len(found) == 1
    assert strangers == {"web-0", "web-1", "web-2"}
    assert first.headers["set-cookie"].startswith("seat=")
    attributes = sorted(first.headers["set-cookie"].split("; ")[1:])
    assert attributes == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"]


async def test_a_header_keeps_its_holder(rig: EnvoyRig, serve: Serve) -> None:
    """A program sends back what it got."""
    web, _ = await _web(rig, serve, Sticky("header", "x-seat"))
    async with httpx.AsyncClient() as client:
        first, answer = await _ask(client, web)
        found = {(await _ask(client, web, **{"x-seat": answer.headers["x-seat"]}))[0] for _ in range(12)}

    assert found == {first}


async def test_holders_stay_while_an_endpoint_drains_and_newcomers_go_elsewhere(
    rig: EnvoyRig, serve: Serve
) -> None:
    """Draining: who is there stays. At the end of it they are shared out like anybody."""
    web, _ = await _web(rig, serve, Sticky())

    async def publish(state: Any, seat: str) -> None:
        changed = (replace(each, state=state if each.host == seat else "healthy") for each in web.endpoints)
        await rig.publish(replace(web, endpoints=tuple(changed)))

    async with httpx.AsyncClient() as client:
        seat, first = await _ask(client, web)
        await publish("draining", seat)

        async def newcomers_go_elsewhere() -> bool:
            return not any([seat in await answers(web, 1) for _ in range(6)])

        assert await eventually(newcomers_go_elsewhere)
        while_draining = {(await _ask(client, web))[0] for _ in range(10)}
        await publish("closed", seat)

        async def let_go() -> bool:
            return (await _ask(client, web))[0] != seat

        assert await eventually(let_go)
        after = {(await _ask(client, web))[0] for _ in range(10)}

    assert f"to-{web.name}=" in first.headers["set-cookie"]
    assert while_draining == {seat}
    assert len(after) == 1
    assert seat not in after


@pytest.mark.parametrize("strict", [False, True])
async def test_strict_refuses_what_its_endpoint_cannot_serve(
    rig: EnvoyRig, serve: Serve, strict: bool
) -> None:
    """When the endpoint is gone, another serves, or with strict nobody."""
    web, _ = await _web(rig, serve, Sticky(strict=strict))
    async with httpx.AsyncClient() as client:
        seat, _ = await _ask(client, web)
        await rig.publish(replace(web, endpoints=tuple(e for e in web.endpoints if e.host != seat)))

        async def gone() -> bool:
            return (await _ask(client, web))[0] != seat

        assert await eventually(gone)
        found, _ = await _ask(client, web)

    assert found == "503" if strict else found in {"web-0", "web-1", "web-2"} - {seat}


async def test_a_made_up_cookie_leads_nowhere_else(rig: EnvoyRig, serve: Serve) -> None:
    """A client may name any endpoint of the service, and nothing beyond: another's backend is not reached."""
    web, backends = await _web(rig, serve, Sticky(name="seat"))
    other, _ = await _web(rig, serve, Sticky(name="seat"))
    await rig.publish(web, other)
    async with httpx.AsyncClient() as client:
        _, theirs = await _ask(client, other)
    async with httpx.AsyncClient() as client:
        cookie = theirs.headers["set-cookie"].partition(";")[0]
        found = {(await _ask(client, web, cookie=cookie))[0] for _ in range(6)}

    assert found <= {"web-0", "web-1", "web-2"}
    assert sum(backend.methods["GET"] for backend in backends) == 6


async def test_routes_to_other_pools_keep_their_clients_too(rig: EnvoyRig, serve: Serve) -> None:
    """A door without endpoints leads to two pools: in one clients stay by cookie, in the other by a header's hash."""
    seats, _ = await _web(rig, serve, Sticky(name="seat"))
    backends = [await serve(HttpBackend(f"item-{number}")) for number in range(4)]
    by_user = Pool(balance="hash", hash=Hash(keys=(HashKey("header", "x-user"),)), check=Check("off"))
    items = pooled("items", "http", by_user, *(backend.endpoint() for backend in backends))
    http = Http(
        routes=(
            Route(match=Match(prefix="/items"), destinations=(Destination(items.name),)),
            Route(match=Match(prefix="/both"), destinations=(Destination(seats.name, 1), Destination(items.name, 1))),
        ),
        destinations=(Destination(seats.name),),
    )  # fmt: skip
    door = replace(pooled("door", "http", Pool()), settings=Settings(http=http))
    await rig.publish(seats, items, door)
    async with httpx.AsyncClient() as client:

        async def who(path: str, **headers: str) -> str:
            answer = await client.get(url(door) + path, headers=headers)
            assert answer.status_code == 200
            return answer.text.split("\n")[0]

        sitting = {await who("") for _ in range(9)}
        one_user = {await who("items", **{"x-user": "one"}) for _ in range(9)}
        users = {await who("items", **{"x-user": f"user-{number}"}) for number in range(16)}
        both = {await who("both", **{"x-user": "one"}) for _ in range(24)}

    assert len(sitting) == 1
    assert len(one_user) == 1
    assert len(users) > 1
    assert both == sitting | one_user
