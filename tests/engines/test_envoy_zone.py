"""An Envoy that knows its zone prefers endpoints there, where the pool asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from engine_backends import HttpBackend
from envoy_rig import NODE, EnvoyRig, answers, eventually
from pool_backends import pooled

from console.engines.envoy import stats
from console.engines.envoy.process import EnvoyProcess
from console.engines.target.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def east(short_folder: Path) -> AsyncIterator[EnvoyRig]:
    """An Envoy in the zone east."""
    built = EnvoyRig(short_folder)
    built.envoy = EnvoyProcess(built.folder / "envoy", NODE, built.xds_socket, zone="east")
    await built.start()
    yield built
    await built.stop()


async def _services(serve: Serve, balance: Any, *, prefer: bool) -> tuple[Any, list[HttpBackend]]:
    backends = [await serve(HttpBackend(f"b{number}")) for number in range(6)]
    endpoints = [replace(b.endpoint(), zone="east" if n < 2 else "west") for n, b in enumerate(backends)]
    return pooled("web", "http", Pool(balance=balance, prefer_zone=prefer), *endpoints), backends


@pytest.mark.parametrize("balance", ["steelyard", "round_robin", "random"])
async def test_requests_stay_in_the_zone_while_it_serves(east: EnvoyRig, serve: Serve, balance: Any) -> None:
    """Two of six are here and get everything; when they drain, the others do."""
    web, _ = await _services(serve, balance, prefer=True)
    await east.publish(web)
    found = await answers(web, 60)
    here = tuple(replace(each, state="draining") for each in web.endpoints[:2])
    await east.publish(replace(web, endpoints=(*here, *web.endpoints[2:])))

    async def moved() -> bool:
        return set(await answers(web, 30)) == {"b2", "b3", "b4", "b5"}

    assert set(found) == {"b0", "b1"}
    assert await eventually(moved)


async def test_by_default_zones_make_no_difference(east: EnvoyRig, serve: Serve) -> None:
    """Envoy would prefer a zone by itself from six endpoints on; six are not shared out so here."""
    web, _ = await _services(serve, "round_robin", prefer=False)
    await east.publish(web)

    assert set((await answers(web, 60)).values()) == {10}
    assert web.name in await stats.read(str(east.envoy.admin_socket))
    assert "steelyard_local" not in await stats.read(str(east.envoy.admin_socket))
