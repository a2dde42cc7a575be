"""What a relay says upwards while its control plane goes away, on a real gRPC server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from console.engines.envoy.accepted import Accepted
from console.engines.envoy.doors import Upstream
from console.engines.envoy.follower import Follower
from console.engines.envoy.relay import Relay
from console.engines.envoy.reports import METHOD, SERVICE, NodeReport

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class Leaving:
    """A control plane that ends a node's stream in the moment in which its report is under way."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.goes = asyncio.Event()

    async def stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        await self.goes.wait()
        for nothing in ():
            yield nothing

    async def report(self, body: bytes, context: Any) -> bytes:
        self.asked.set()
        await asyncio.sleep(30)
        return b""


@pytest_asyncio.fixture(loop_scope="module")
async def leaving(short_folder: Path) -> AsyncIterator[tuple[Leaving, str]]:
    """It and its address."""
    plane, address = Leaving(), f"unix:{short_folder}/leaving-{time.monotonic_ns() % 10**6}.sock"
    server = grpc.aio.server()
    stream = grpc.stream_stream_rpc_method_handler(plane.stream)
    report = grpc.unary_unary_rpc_method_handler(plane.report)
    handlers = (
        grpc.method_handlers_generic_handler(ADS, {"DeltaAggregatedResources": stream}),
        grpc.method_handlers_generic_handler(SERVICE, {METHOD: report}),
    )
    server.add_generic_rpc_handlers(handlers)
    server.add_insecure_port(address)
    await server.start()
    yield plane, address
    await server.stop(None)


async def reporting(follower: Follower, plane: Leaving) -> asyncio.Task[Any]:
    """A report that has reached the control plane and has no answer."""
    while not plane.asked.is_set():
        task = asyncio.create_task(follower.report(NodeReport("n1")))
        await asyncio.wait({task, asyncio.create_task(plane.asked.wait())}, return_when="FIRST_COMPLETED")
        await asyncio.sleep(0.01)
    return task


async def test_a_report_under_way_is_lost_with_its_control_plane(leaving: tuple[Leaving, str]) -> None:
    """It comes to nothing, as one that nobody was there for, and does not end who sent it."""
    plane, address = leaving
    follower = Follower("n1", Upstream(address), Accepted(None), lambda: None)
    running = asyncio.create_task(follower.run())
    report = await reporting(follower, plane)
    plane.goes.set()

    assert await report is None
    running.cancel()


async def test_who_is_ended_while_reporting_ends(leaving: tuple[Leaving, str]) -> None:
    """The end of the relay itself is not taken for that of its control plane."""
    plane, address = leaving
    follower = Follower("n1", Upstream(address), Accepted(None), lambda: None)
    running = asyncio.create_task(follower.run())
    report = await reporting(follower, plane)
    report.cancel()

    with pytest.raises(asyncio.CancelledError):
        await report
    running.cancel()


async def test_a_relay_that_fails_leaves_its_envoy_running(short_folder: Path) -> None:
    """Whatever breaks in it, traffic goes on, and the next relay takes the Envoy over."""
    folder = short_folder / f"r{time.monotonic_ns() % 10**6}"
    relay = Relay(folder, "n1", Upstream(f"unix:{folder}/nobody.sock"))

    async def breaks() -> None:
        while relay.restarts < 0:
            await asyncio.sleep(0.05)
        raise RuntimeError("broken")

    relay._reporter.run = breaks  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="broken"):
        await relay.run(asyncio.Event(), asyncio.Event())
    pid = relay.envoy.pid
    try:
        assert pid is not None
        assert Path(f"/proc/{pid}").exists()
    finally:
        await relay.envoy.stop()
