"""The picker before connections and sessions, which have no request to ask about."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest
from engine_backends import EchoBackend, free_port
from envoy_rig import EnvoyRig, eventually, service
from picker_rig import Serve

from console.engines.target import EndpointTarget, ServiceTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Linux's; the module socket does not name it.
IP_PKTINFO = 8


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
