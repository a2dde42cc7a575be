"""Whatever settings are valid to us, a real Envoy takes; and changing them under load loses no request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from certificates_rig import Authority
from engine_backends import Backend
from envoy_rig import EnvoyRig, service, url
from front_rig import TellingBackend, having
from front_strategies import KEYS, NAMES, http_fronts, https, tcp_fronts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from console.engines.target import ApiKey, Certificate, InvalidTarget, ServiceTarget, Settings
from console.engines.target.front import Front, Tls
from console.engines.target.settings import settings_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
MANY = 25
#: The same every time: this is no search for a fault but a wide sample of what is valid.
sampled = settings(
    max_examples=MANY,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def drawn(strategy: st.SearchStrategy[Any]) -> list[Any]:
    """Many of what a strategy makes."""
    found: list[Any] = []

    @sampled
    @given(strategy)
    def keep(value: Any) -> None:
        found.append(value)

    keep()
    return found


async def test_every_valid_document_is_accepted(rig: EnvoyRig) -> None:
    """Some fifty services with settings at random, at once: not one resource is refused."""
    authority = Authority()
    pair = authority.issue("a.test")
    certificates = tuple(Certificate(name, pair.chain, pair.key, authority.ca) for name in NAMES)
    keys = tuple(ApiKey(name, name * 16) for name in KEYS)
    pools = [ServiceTarget(name, "http", None, None) for name in NAMES]
    ports = iter(free_ports(3 * MANY))
    found = []
    for http, front in zip(drawn(https), drawn(http_fronts), strict=False):
        document = Settings(front=_redirecting(front, next(ports)), http=http)
        found.append(replace(service("web", "http"), listen_port=next(ports), settings=document))
    found += [
        replace(service("lines", "tcp"), listen_port=next(ports), settings=Settings(front=front))
        for front in drawn(tcp_fronts)
    ]
    assert len(found) > 40

    state = await rig.publish(*pools, *found, certificates=certificates, api_keys=keys)

    assert [f"{each.name}: {each.text}" for each in state.rejections] == []


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, no two the same."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _redirecting(front: Front, port: int) -> Front:
    """The same; if it redirects, from this port."""
    if front.tls is None or front.tls.redirect_from_port is None:
        return front
    said = {name: getattr(front.tls, name) for name in Tls.__struct_fields__}
    tls = Tls(**{**said, "redirect_from_port": port})
    return Front(**{**{name: getattr(front, name) for name in Front.__struct_fields__}, "tls": tls})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("front", "http", "tls", "routes", "match", "certificates", "cors", "retries", "jwt", "x")
            ),
            inner,
            max_size=4,
        )
    ),
)


@settings(deadline=None, max_examples=150)
@given(anything)
async def test_what_is_no_document_is_refused_with_a_path(value: Any) -> None:
    """Never anything but InvalidTarget, whatever stands where."""
    try:
        settings_of(value)
    except InvalidTarget as error:
        assert error.field
        assert error.reason


async def test_settings_change_under_load_without_a_lost_request(rig: EnvoyRig, serve: Serve) -> None:
    """Routes, headers and shares change fifty times while requests come on kept connections and new ones."""
    first = TellingBackend("first")
    await serve(first)
    web = service("web", "http", first.endpoint())
    await rig.publish(web)
    stop = asyncio.Event()
    statuses: list[int] = []

    async def load(keep: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=10 if keep else 0)
        async with httpx.AsyncClient(trust_env=False, limits=limits) as client:
            while not stop.is_set():
                statuses.append((await client.get(url(web))).status_code)

    loads = [asyncio.create_task(load(keep)) for keep in (True, True, False)]
    for turn in range(50):
        routes = [{"name": f"r{turn}", "match": {"prefix": f"/{turn}"}, "answer": {"status": 204}}]
        header = {"response": [{"name": "x-turn", "value": str(turn)}]}
        changed = having(web, http={"routes": routes, "headers": header, "timeout_s": 5 + turn})
        state = await rig.publish(changed)
        assert state.rejections == ()
        await asyncio.sleep(0.03)
    stop.set()
    await asyncio.gather(*loads)

    assert len(statuses) > 100
    assert {200} == set(statuses)
