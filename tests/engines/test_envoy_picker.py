"""The request picker inside a real Envoy: what it picks, what it avoids, and what serves where it cannot be loaded."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from engine_backends import Backend, EchoBackend, HttpBackend, free_port
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy_rig import NODE, EnvoyRig, answers, eventually, service, url

from console.engines.envoy import admin, clusters, module, render
from console.engines.envoy.policy import policy
from console.engines.envoy.process import EnvoyProcess, find_envoy
from console.engines.target import EndpointTarget, ServiceTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
#: Linux's; the module socket does not name it.
IP_PKTINFO = 8
LOAD_ASSIGNMENT = render.load_assignment


class LateBackend(HttpBackend):
    """Takes 20 ms for an answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readuntil(b"\r\n\r\n"):
            self.methods[line.split(b" ", 1)[0].decode()] += 1
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 Late\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()


async def started(serve: Serve, *names: str) -> list[HttpBackend]:
    """Backends that answer."""
    backends = [HttpBackend(name) for name in names]
    for backend in backends:
        await serve(backend)
    return backends


@asynccontextmanager
async def held(
    target: ServiceTarget, backends: Sequence[HttpBackend], count: int
) -> AsyncIterator[list[int]]:
    """count requests at once, held by the backends; how many each has. All are answered in the end."""
    for backend in backends:
        backend.gate.clear()
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=count), timeout=20) as client:
        requests = [asyncio.create_task(client.get(url(target))) for _ in range(count)]

        async def all_there() -> bool:
            return sum(backend.in_flight for backend in backends) == count

        assert await eventually(all_there), [backend.in_flight for backend in backends]
        yield [backend.in_flight for backend in backends]
        for backend in backends:
            backend.gate.set()
        assert {200} == {answer.status_code for answer in await asyncio.gather(*requests)}


def grouped(target: ServiceTarget) -> endpoint_pb2.ClusterLoadAssignment:
    """The endpoints by priority and zone, with what the picker reads beside their weights."""
    built = endpoint_pb2.ClusterLoadAssignment(cluster_name=target.name)
    for endpoint in target.endpoints:
        one = LOAD_ASSIGNMENT(replace(target, endpoints=(endpoint,))).endpoints[0]
        one.priority, one.locality.zone = endpoint.priority, endpoint.zone
        built.endpoints.append(one)
    return built


async def policies(rig: EnvoyRig, name: str) -> list[str]:
    """The names of a cluster's load-balancing policies, as Envoy has them."""
    dump = (
        await admin.get(str(rig.envoy.admin_socket), "/config_dump?resource=dynamic_active_clusters")
    ).json()
    found = next(each["cluster"] for each in dump["configs"] if each["cluster"]["name"] == name)
    listed = found["load_balancing_policy"]["policies"]
    return [each["typed_extension_config"]["name"].rsplit(".", 1)[1] for each in listed]


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
    await rig.publish(replace(web, endpoints=changed))
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


async def test_the_own_zone_comes_first_and_spills(
    short_folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Envoy in zone a: the first requests stay there, the many spill to zone b; without a zone, b has more."""
    monkeypatch.setattr(render, "load_assignment", grouped)
    backends = await started(serve, "near", "far")
    near = replace(backends[0].endpoint(1), zone="a")
    far = replace(backends[1].endpoint(4), zone="b")
    for zone, few, many in (("a", [1, 0], [6, 14]), ("", [0, 1], [4, 16])):
        rig = EnvoyRig(short_folder / f"zone-{zone}")
        rig.folder.mkdir()
        rig.envoy = EnvoyProcess(rig.folder / "envoy", NODE, rig.xds_socket, zone=zone)
        await rig.start()
        try:
            web = service("web", "http", near, far)
            await rig.publish(web)
            async with held(web, backends, 1) as loads:
                assert few == loads
            async with held(web, backends, 20) as loads:
                assert many == pytest.approx(loads, abs=2)
        finally:
            await rig.stop()


async def test_a_lower_priority_serves_when_the_first_is_gone(
    rig: EnvoyRig, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Priority 1 gets nothing while 0 is whole, and all when 0 drains."""
    monkeypatch.setattr(render, "load_assignment", grouped)
    first, second = await started(serve, "first", "second")
    spare = replace(second.endpoint(100), priority=1)
    web = service("web", "http", first.endpoint(), spare)
    await rig.publish(web)
    assert {"first": 10} == await answers(web, 10)

    await rig.publish(replace(web, endpoints=(first.endpoint(state="draining"), spare)))
    assert {"second": 10} == await answers(web, 10)


async def test_metadata_says_what_weights_cannot(
    rig: EnvoyRig, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fractional capacity in the endpoint's metadata takes the weight's place; one out of range does not."""
    backends = await started(serve, "a", "b", "c")
    said = {"a": 0.5, "b": 1.5, "c": -1.0}

    def told(target: ServiceTarget) -> endpoint_pb2.ClusterLoadAssignment:
        built = LOAD_ASSIGNMENT(target)
        for endpoint in built.endpoints[0].lb_endpoints:
            facts = endpoint.metadata.filter_metadata[render.METADATA]
            facts.update({"capacity": said[facts["host"]], "pickers": 4})
        return built

    monkeypatch.setattr(render, "load_assignment", told)
    web = service("web", "http", *(each.endpoint(2) for each in backends))
    await rig.publish(web)
    async with held(web, backends, 32) as loads:
        assert [4, 12, 16] == pytest.approx(loads, abs=1)


async def test_a_newcomer_starts_slowly(rig: EnvoyRig, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first of sixty seconds it gets a tenth of what its equal has."""
    monkeypatch.setattr(clusters, "policy", partial(policy, slow_start_s=60.0))
    old, new = await started(serve, "old", "new")
    web = service("web", "http", old.endpoint())
    await rig.publish(web)
    assert {"old": 3} == await answers(web, 3)
    grown = replace(web, endpoints=(old.endpoint(), new.endpoint()))
    await rig.publish(grown)
    assert await rig.becomes(web.name, new.endpoint().key, "healthy")
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


async def test_tcp_connections_follow_capacities(rig: EnvoyRig, serve: Serve) -> None:
    """Fourteen open connections lie 8 : 4 : 2."""
    backends = [await serve(EchoBackend(name)) for name in "abc"]
    lines = service("lines", "tcp", *(each.endpoint(w) for each, w in zip(backends, (4, 2, 1), strict=True)))
    await rig.publish(lines)
    found, open_ones = Counter(), []
    for _ in range(14):
        reader, writer = await asyncio.open_connection("127.0.0.1", lines.listen_port)
        writer.write(b"hello\n")
        found[(await reader.readline()).split()[0].decode()] += 1
        open_ones.append(writer)
    for writer in open_ones:
        writer.close()
        await writer.wait_closed()

    assert {"a": 8, "b": 4, "c": 2} == found


async def test_udp_sessions_follow_capacities(rig: EnvoyRig) -> None:
    """Envoy counts nothing of a host's sessions, so the picker does: forty lie 30 : 10 on 3 : 1."""
    loop = asyncio.get_running_loop()
    servers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(40)]
    try:
        for end in (*servers, *clients):
            end.setblocking(False)
            end.bind(("127.0.0.1", 0))
        endpoints = tuple(
            EndpointTarget(f"host-{weight}", "127.0.0.1", end.getsockname()[1], weight)
            for end, weight in zip(servers, (3, 1), strict=True)
        )
        names = ServiceTarget("names", "udp", "127.0.0.1", free_port(socket.SOCK_DGRAM), endpoints)
        await rig.publish(names)
        for client in clients:
            await loop.sock_sendto(client, b"question", ("127.0.0.1", names.listen_port))
        found = [await _datagrams(end) for end in servers]
    finally:
        for end in (*servers, *clients):
            end.close()

    assert [30, 10] == pytest.approx(found, abs=1)


async def _datagrams(end: socket.socket) -> int:
    """How many arrive until none does for a while."""
    count = 0
    while True:
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_recvfrom(end, 100), 0.5)
        except TimeoutError:
            return count
        count += 1


async def test_a_thousand_endpoints_are_used_by_capacity(rig: EnvoyRig) -> None:
    """A tenth of them can do nine times as much: 400 sessions are theirs, none waits longer there, and evenly so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        # Every address of 127.0.0.0/8 is this machine; one socket hears them all and can tell them apart.
        server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        server.setblocking(False)
        server.bind(("0.0.0.0", 0))
        endpoints = tuple(
            EndpointTarget(
                f"h{number}", f"127.1.{number // 250}.{number % 250 + 1}", server.getsockname()[1],
                9 if number % 10 == 0 else 1,
            )
            for number in range(1000)
        )  # fmt: skip
        crowd = ServiceTarget("crowd", "udp", "127.0.0.1", free_port(socket.SOCK_DGRAM), endpoints)
        await rig.publish(crowd)
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(400)]
        found: Counter[bytes] = Counter()
        try:
            for client in clients:
                client.sendto(b"x", ("127.0.0.1", crowd.listen_port))

                async def heard() -> bool:
                    try:
                        _, extra, _, _ = server.recvmsg(100, socket.CMSG_SPACE(12))
                    except BlockingIOError:
                        return False
                    # in_pktinfo: the interface, the local address, the address it was sent to.
                    found[extra[0][2][8:12]] += 1
                    return True

                assert await eventually(heard)
        finally:
            for client in clients:
                client.close()
    strong = {socket.inet_aton(each.address) for each in endpoints if each.weight == 9}
    assert 390 <= sum(count for address, count in found.items() if address in strong)
    # Four each would be even; by chance alone somebody would have eleven.
    assert max(found.values()) <= 8


async def test_requests_go_on_while_endpoints_come_and_go(
    rig: EnvoyRig, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty changes of who is there, of zones, weights and states under load: no request fails."""
    backends = await started(serve, "a", "b", "c", "d")
    web = service("web", "http", *(each.endpoint() for each in backends))
    await rig.publish(web)
    monkeypatch.setattr(render, "load_assignment", grouped)
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


async def test_without_the_module_envoys_own_policy_serves_and_it_is_said(
    short_folder: Path, serve: Serve
) -> None:
    """The cluster is sent without the picker, requests are answered, and the state has the reason."""
    backends = await started(serve, "a", "b")
    rig = EnvoyRig(short_folder / "bare")
    rig.folder.mkdir()
    rig.envoy = EnvoyProcess(rig.folder / "envoy", NODE, rig.xds_socket, modules=short_folder)
    await rig.start()
    try:
        web = service("web", "http", *(each.endpoint() for each in backends))
        state = await rig.publish(web)
        served, listed = await answers(web, 20), await policies(rig, web.name)
    finally:
        await rig.stop()

    assert {"a", "b"} == set(served)
    assert ["least_request"] == listed
    assert () == state.rejections
    assert module.describe(state.picker_fault) == (
        "Envoy's least request, because libsteelyard.so is not installed; build the package with a C compiler"
    )


async def test_a_module_of_another_interface_is_not_used(short_folder: Path) -> None:
    """Another version of Envoy's interface, and a file that is no module, are found out before anything is sent."""
    for name, change in (
        ("v0.9.0", lambda built: built.replace(b"v0.2.0", b"v0.9.0")),
        ("text", lambda _: b"text"),
    ):
        folder = short_folder / name
        folder.mkdir()
        file = folder / "libsteelyard.so"
        file.write_bytes(change((module.FOLDER / file.name).read_bytes()))
        fault = await module.find_fault(find_envoy(), folder)
        assert ("v0.9.0" if name == "v0.9.0" else "file too short") in fault
    assert "" == await module.find_fault(find_envoy())


async def test_a_node_that_says_nothing_gets_no_picker() -> None:
    """Somebody else's Envoy: its cluster has one policy; all other resources are the very same."""
    web = service("web", "http", EndpointTarget("a", "127.0.0.1", 80))
    whole = render.render(render.TrafficTarget((web,)))
    plain = render.render_plain(whole)
    assert whole[render.CLUSTER][web.name] != plain[render.CLUSTER][web.name]
    assert {**whole, render.CLUSTER: {}} == {**plain, render.CLUSTER: {}}
    assert plain == render.render_plain(plain)
