"""Several nodes of one control plane: who serves what, who tries first, who is let in from afar."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from engine_backends import Backend, HttpBackend, free_port
from envoy_rig import answers, eventually, service, url
from front_rig import ask
from relay_rig import RelayRig

from bench.load import Generator, LoadPlan
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.render import LISTENER
from console.engines.envoy.rollout import Told
from console.engines.target import ServiceTarget, TrafficTarget
from console.engines.target.settings import Settings, settings_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
WATCH_S = 1.0


class Pair:
    """Two nodes, "a" by the Unix socket and "b" over TLS with a token, and their engine."""

    def __init__(self, folder: Path) -> None:
        certificate, key = certify(folder)
        self.port = free_port()
        self.certificate = certificate
        self.folder = folder
        doors = (Door(f"unix:{folder}/c.sock"), Door(f"127.0.0.1:{self.port}", certificate, key))
        self.engine = EnvoyEngine(doors, admit=self._admit, watch_s=WATCH_S)
        self.a = RelayRig(folder, "a", f"unix:{folder}/c.sock")
        self.b = self.remote("b", "token-of-b")

    def remote(self, name: str, token: str) -> RelayRig:
        """A node that comes over the network."""
        file = self.folder / f"{name}.token"
        file.write_text(token)
        options = ("--token-file", str(file), "--ca", str(self.certificate))
        return RelayRig(self.folder, name, f"127.0.0.1:{self.port}", *options)

    async def _admit(self, token: str) -> str | None:
        return token.removeprefix("token-of-") if token.startswith("token-of-") else None

    async def apply(self, *services: ServiceTarget) -> None:
        """Until nothing is on trial and both have all."""
        self.engine.apply(TrafficTarget(services))

        async def done() -> bool:
            states = self.engine.state
            return set(states) >= {"a", "b"} and all(
                states[name].applied == states[name].desired and not states[name].on_trial for name in "ab"
            )

        assert await eventually(done, 20), {
            name: (state.ads.connected, state.applied, state.desired, state.on_trial, state.refusal)
            for name, state in self.engine.state.items()
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(short_folder: Path) -> AsyncIterator[Pair]:
    """Both connected."""
    built = Pair(short_folder)
    await built.engine.start()
    for node in (built.a, built.b):
        await node.start()
    await built.apply()
    yield built
    for node in (built.a, built.b):
        await node.close()
    await built.engine.stop()


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    certificate, key = folder / "control.pem", folder / "control.key"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
            "-subj", "/CN=control", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def only(target: ServiceTarget, node: str) -> ServiceTarget:
    return replace(target, settings=Settings(engines=(node,)))


async def test_each_service_is_where_it_shall_be(pair: Pair, serve: Serve) -> None:
    """Both nodes carry one service (on ports of their own), and each one that is its alone; figures add up."""
    backend = await serve(HttpBackend("web"))
    first, second = (only(service("web", "http", backend.endpoint()), node) for node in "ab")
    await pair.apply(first, second)
    found = [await answers(each, 10) for each in (first, second)]

    async def summed() -> bool:
        seen = await pair.engine.observe()
        return all(
            each.name in seen and [one.rq_total for one in seen[each.name].endpoints.values()] == [10]
            for each in (first, second)
        )

    assert found == [{"web": 10}] * 2
    assert await eventually(summed)
    by_node = pair.engine.seen_by()
    assert (set(by_node["a"]), set(by_node["b"])) == ({first.name}, {second.name})
    assert pair.engine.pickers(first) == 1
    assert pair.engine.pickers(replace(first, settings=Settings())) == 2


async def test_the_canary_refuses_and_the_other_never_gets_it(pair: Pair, serve: Serve) -> None:
    """A listener that the first node cannot open stays off the second, and the old one serves on."""
    backend = await serve(HttpBackend("web"))
    web = only(service("web", "http", backend.endpoint()), "a")
    other = only(service("other", "http", backend.endpoint()), "b")
    both = service("both", "tcp", backend.endpoint())
    both = replace(both, listen_address="127.0.0.1")
    await pair.apply(web, other)
    broken = replace(both, listen_address="192.0.2.1")
    pair.engine.apply(TrafficTarget((web, other, broken)))

    async def refused() -> bool:
        return any("Cannot assign" in state.refusal for state in pair.engine.state.values())

    assert await eventually(refused)
    await asyncio.sleep(2 * WATCH_S)
    states = pair.engine.state

    assert [broken.name in states[node].ads.acked[LISTENER] for node in "ab"] == [False, False]
    assert sum("Cannot assign" in state.refusal for state in states.values()) == 1
    assert await answers(web, 3) == {"web": 3}
    assert await answers(other, 3) == {"web": 3}


async def test_a_change_reaches_the_second_node_after_the_first_was_watched(pair: Pair, serve: Serve) -> None:
    """Both have it in the end, and not at the same time."""
    backend = await serve(HttpBackend("web"))
    web = service("lines", "udp", backend.endpoint())
    web = replace(web, listen_address="127.0.0.2")
    pair.engine.apply(TrafficTarget((web,)))
    seen: list[tuple[bool, bool]] = []

    async def both() -> bool:
        acked = [pair.engine.state[node].ads.acked.get(LISTENER, {}) for node in "ab"]
        seen.append((web.name in acked[0], web.name in acked[1]))
        return all(seen[-1])

    assert await eventually(both, 20)
    assert (True, False) in seen or (False, True) in seen


async def test_a_change_that_makes_requests_fail_is_taken_back(pair: Pair, serve: Serve) -> None:
    """Envoy takes it, clients of the first node get 503: both nodes are as before again, and it is said why."""
    backend = await serve(HttpBackend("web"))
    web = replace(service("web", "http", backend.endpoint()), listen_address="127.0.0.3")
    await pair.apply(web)
    assert await eventually(partial(_all_served, web))
    # The kernel shares connections out to both nodes, which listen at one address; each of these has its own.
    plans = [LoadPlan(url(web), 15.0, 60.0, seed=number) for number in range(8)]
    clients = asyncio.gather(*(Generator(plan).run() for plan in plans))
    try:
        await asyncio.sleep(4)  # what was before is known from reports, one a second
        pair.engine.take_told()
        closed = settings_of({"http": {"routes": [{"answer": {"status": 503}}]}})
        pair.engine.apply(TrafficTarget((replace(web, settings=closed),)))
        told: list[Told] = []

        async def taken_back() -> bool:
            told.extend(pair.engine.take_told())
            return any(each.kind == "errors-rose" for each in told)

        rose = await eventually(taken_back, 20)
        served = await eventually(partial(_all_served, web))
    finally:
        clients.cancel()
        await asyncio.gather(clients, return_exceptions=True)

    assert rose, told
    assert served
    assert not [each for each in told if each.kind == "passed" and (LISTENER, web.name) in each.keys]
    assert any("failed after the change" in state.refusal for state in pair.engine.state.values())


async def _all_served(web: ServiceTarget) -> bool:
    """Twenty connections are all answered by the backend, whichever node has them."""
    found = set()
    for _ in range(20):
        try:
            found.add((await ask(web)).status_code)
        except httpx.TransportError:
            return False
    return found == {200}


@pytest.mark.parametrize(("name", "token"), [("c", "token-of-b"), ("c", "nonsense"), ("b", "token-of-c")])
async def test_who_has_not_the_nodes_token_stays_out(pair: Pair, name: str, token: str) -> None:
    """Another node's token, nobody's, or the right one under a wrong name: the engine never hears of it."""
    stranger = pair.remote(f"{name}x", token)

    await stranger.start()

    async def turned_away() -> bool:
        return (
            b"UNAUTHENTICATED" in stranger.log.read_bytes()
            or b"PERMISSION_DENIED" in stranger.log.read_bytes()
        )

    assert await eventually(turned_away)
    assert f"{name}x" not in pair.engine.state
    await stranger.close()
