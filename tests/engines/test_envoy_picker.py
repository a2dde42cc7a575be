"""The request picker inside a real Envoy: what it picks and what it avoids."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from engine_backends import HttpBackend
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy_rig import NODE, EnvoyRig, answers, service, url
from picker_rig import LateBackend, Serve, change, held, policies, started

from console.engines.envoy import module, render
from console.engines.envoy.assignments import METADATA, load_assignment
from console.engines.envoy.process import EnvoyProcess
from console.engines.target import ServiceTarget, Window
from console.engines.target.pool import Pool, SlowStart
from console.engines.target.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_requests_in_flight_follow_capacities(rig: EnvoyRig, serve: Serve) -> None:
    """Seventy held requests lie 40 : 20 : 10 on hosts of 4 : 2 : 1, though they came at once on a cold pool."""
    backends = await started(serve, "a", "b", "c")
    web = service(
        "web", "http", *(each.endpoint(weight) for each, weight in zip(backends, (4, 2, 1), strict=True))
    )
    state = await rig.publish(web)

    async with held(web, backends, 70) as loads:
        assert [40, 20, 10] == pytest.approx(loads, abs=1)
    assert ("", "in Envoy") == (state.picker_fault, module.describe(state.picker_fault))
    assert ["dynamic_modules", "least_request"] == await policies(rig, web.name)


async def test_changed_weights_and_draining_apply_to_a_running_envoy(rig: EnvoyRig, serve: Serve) -> None:
    """Weights over EDS turn the shares around, and one that drains gets nothing; Envoy goes on."""
    backends = await started(serve, "a", "b", "c")
    before = rig.envoy.pid
    web = service(
        "web", "http", *(each.endpoint(weight) for each, weight in zip(backends, (8, 1, 1), strict=True))
    )
    await rig.publish(web)
    async with held(web, backends, 20) as loads:
        assert [16, 2, 2] == pytest.approx(loads, abs=1)

    changed = (backends[0].endpoint(1), backends[1].endpoint(3), backends[2].endpoint(9, "draining"))
    await change(rig, replace(web, endpoints=changed))
    async with held(web, backends, 20) as loads:
        assert [5, 15, 0] == pytest.approx(loads, abs=1)
    assert before == rig.envoy.pid


async def test_one_that_fails_fast_does_not_attract_load(rig: EnvoyRig, serve: Serve) -> None:
    """It answers 500 at once while the others take 20 ms: below a quarter of its share, and all is well after."""

    failing, second, third = HttpBackend("failing", 500), LateBackend("second"), LateBackend("third")
    for each in (failing, second, third):
        await serve(each)
    web = service("web", "http", failing.endpoint(), second.endpoint(), third.endpoint())
    await rig.publish(web)

    async def client(http: httpx.AsyncClient, count: int) -> list[int]:
        statuses = []
        for _ in range(count):
            statuses.append((await http.get(url(web))).status_code)
            await asyncio.sleep(0.002)
        return statuses

    async with httpx.AsyncClient(timeout=20) as http:
        found = [
            status for each in await asyncio.gather(*(client(http, 60) for _ in range(10))) for status in each
        ]
    assert Counter(found)[500] <= 600 / 3 / 4
    assert 600 == len(found)


async def test_a_retry_goes_to_a_host_that_was_not_tried(rig: EnvoyRig, serve: Serve) -> None:
    """The best two of three die; every request still finds the third, in the moment before any check noticed."""
    backends = await started(serve, "strong", "fair", "weak")
    web = service(
        "web", "http", *(each.endpoint(weight) for each, weight in zip(backends, (100, 90, 1), strict=True))
    )
    await rig.publish(web)
    assert "weak" not in await answers(web, 3)
    await backends[0].kill()
    await backends[1].kill()

    assert {"weak": 5} == await answers(web, 5)


async def test_the_own_zone_comes_first_and_spills(short_folder: Path, serve: Serve) -> None:
    """An Envoy in zone a: the first requests stay there, the many spill to zone b; without a zone, b has more."""
    backends = await started(serve, "near", "far")
    near = replace(backends[0].endpoint(1), zone="a")
    far = replace(backends[1].endpoint(4), zone="b")
    for zone, few, many in (("a", [1, 0], [6, 14]), ("", [0, 1], [4, 16])):
        rig = EnvoyRig(short_folder / f"zone-{zone}")
        rig.folder.mkdir()
        rig.envoy = EnvoyProcess(rig.folder / "envoy", NODE, rig.xds_socket, zone=zone)
        await rig.start()
        try:
            web = replace(service("web", "http", near, far), settings=Settings(pool=Pool(prefer_zone=True)))
            await rig.publish(web)
            async with held(web, backends, 1) as loads:
                assert few == loads
            async with held(web, backends, 20) as loads:
                assert many == pytest.approx(loads, abs=2)
        finally:
            await rig.stop()


async def test_a_lower_priority_serves_when_the_first_is_gone(rig: EnvoyRig, serve: Serve) -> None:
    """Priority 1 gets nothing while 0 is whole, and all when 0 drains."""
    first, second = await started(serve, "first", "second")
    spare = replace(second.endpoint(100), priority=1)
    web = service("web", "http", first.endpoint(), spare)
    await rig.publish(web)
    assert {"first": 10} == await answers(web, 10)

    await change(rig, replace(web, endpoints=(first.endpoint(state="draining"), spare)))
    assert {"second": 10} == await answers(web, 10)


async def test_metadata_says_what_weights_cannot(
    rig: EnvoyRig, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fractional capacity in the endpoint's metadata takes the weight's place; one out of range does not."""
    backends = await started(serve, "a", "b", "c")
    said = {"a": 0.5, "b": 1.5, "c": -1.0}

    def told(target: ServiceTarget) -> endpoint_pb2.ClusterLoadAssignment:
        built = load_assignment(target)
        for endpoint in built.endpoints[0].lb_endpoints:
            facts = endpoint.metadata.filter_metadata[METADATA]
            facts.update({"capacity": said[facts["host"]], "pickers": 4})
        return built

    monkeypatch.setattr(render, "load_assignment", told)
    web = service("web", "http", *(each.endpoint(2) for each in backends))
    await rig.publish(web)
    async with held(web, backends, 32) as loads:
        assert [4, 12, 16] == pytest.approx(loads, abs=1)


async def test_hosts_that_work_in_windows_share_as_others(rig: EnvoyRig, serve: Serve) -> None:
    """Told of windows, and held up without an end: what is foretold does not come true, and capacities decide."""
    backends = await started(serve, "a", "b")
    window = Window(0.1, 0.25, 5.0)
    a, b = (
        replace(each.endpoint(weight), window=window) for each, weight in zip(backends, (1, 3), strict=True)
    )
    web = service("web", "http", a, b)
    await rig.publish(web)
    assert sum((await answers(web, 20)).values()) == 20
    async with held(web, backends, 32) as loads:
        assert [8, 24] == pytest.approx(loads, abs=1)


async def test_a_newcomer_starts_slowly(rig: EnvoyRig, serve: Serve) -> None:
    """In the first of sixty seconds it gets a tenth of what its equal has."""
    slowly = Settings(pool=Pool(slow_start=SlowStart(window_s=60.0)))
    old, new = await started(serve, "old", "new")
    web = replace(service("web", "http", old.endpoint()), settings=slowly)
    await rig.publish(web)
    assert {"old": 3} == await answers(web, 3)
    grown = replace(web, endpoints=(old.endpoint(), new.endpoint()))
    await rig.publish(grown)
    assert await rig.becomes(web.name, new.endpoint().key, "healthy")
    await change(rig, grown)
    async with held(grown, [old, new], 22) as loads:
        assert [20, 2] == pytest.approx(loads, abs=1)


async def test_workers_share_what_is_in_flight(short_folder: Path, serve: Serve) -> None:
    """Two workers, each with a picker of its own, see each other's requests: forty lie near 30 : 10 on 3 : 1."""
    backends = await started(serve, "a", "b")
    rig = EnvoyRig(short_folder / "workers")
    rig.folder.mkdir()
    rig.envoy = EnvoyProcess(rig.folder / "envoy", NODE, rig.xds_socket, concurrency=2)
    await rig.start()
    try:
        web = service("web", "http", backends[0].endpoint(3), backends[1].endpoint(1))
        await rig.publish(web)
        async with held(web, backends, 40) as loads:
            assert [30, 10] == pytest.approx(loads, abs=4)
    finally:
        await rig.stop()


async def test_requests_go_on_while_endpoints_come_and_go(rig: EnvoyRig, serve: Serve) -> None:
    """Fifty changes of who is there, of zones, weights and states under load: no request fails."""
    backends = await started(serve, "a", "b", "c", "d")
    web = service("web", "http", *(each.endpoint() for each in backends))
    await rig.publish(web)
    done = asyncio.Event()

    async def client(http: httpx.AsyncClient) -> Counter[int]:
        found: Counter[int] = Counter()
        while not done.is_set():
            found[(await http.get(url(web))).status_code] += 1
        return found

    async with httpx.AsyncClient(timeout=20) as http:
        clients = [asyncio.create_task(client(http)) for _ in range(8)]
        for step in range(50):
            present = [each for number, each in enumerate(backends) if number == 0 or (step >> number) % 2]
            endpoints = [
                replace(each.endpoint(1 + step * 7 % 50), priority=step // 5 % 2 if number else 0)
                for number, each in enumerate(present)
            ]
            await rig.publish(replace(web, endpoints=tuple(endpoints)), force=True)
        done.set()
        found = sum(await asyncio.gather(*clients), Counter())
    assert {200} == set(found)
    assert found[200] > 50
