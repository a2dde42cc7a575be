"""The ADS server over a real gRPC connection, without an Envoy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from console.engines.envoy.ads import AdsServer
from console.engines.envoy.catalogue import Catalogue
from console.engines.envoy.doors import Door, DoorRefused, Upstream
from console.engines.envoy.engine import EnvoyEngine, StaleTarget
from console.engines.envoy.render import CLUSTER, render
from console.engines.guard import GuardRefused
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget

WEB = ServiceTarget("web", "http", "127.0.0.1", 80, (EndpointTarget("h", "10.0.0.1", 80),))
WANTED = Catalogue.of(1, render(TrafficTarget((WEB,))))


@pytest_asyncio.fixture
async def server(short_folder: Path) -> AsyncIterator[AdsServer]:
    """A server that has offered nothing."""
    built = AdsServer((Door(f"unix:{short_folder}/ads.sock"),))
    await built.start()
    yield built
    await built.stop()


@pytest_asyncio.fixture
async def stub(
    server: AdsServer, short_folder: Path
) -> AsyncIterator[ads_pb2_grpc.AggregatedDiscoveryServiceStub]:
    """A client of it."""
    async with grpc.aio.insecure_channel(f"unix:{short_folder}/ads.sock") as channel:
        yield ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)


def _first(node_id: str) -> discovery_pb2.DeltaDiscoveryRequest:
    request = discovery_pb2.DeltaDiscoveryRequest(type_url=CLUSTER)
    request.node.id = node_id
    request.initial_resource_versions["gone"] = "1"
    return request


async def test_nothing_is_removed_before_the_first_offer(
    server: AdsServer, stub: ads_pb2_grpc.AggregatedDiscoveryServiceStub
) -> None:
    """A control plane that does not know the target yet leaves Envoy alone; then it sends and removes."""
    stream = stub.DeltaAggregatedResources()
    await stream.write(_first("n1"))
    reading = asyncio.ensure_future(stream.read())
    quiet, _ = await asyncio.wait({reading}, timeout=0.3)
    server.offer(lambda _: WANTED)
    added = await asyncio.wait_for(reading, 5)
    await stream.write(discovery_pb2.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=added.nonce))
    removed = await asyncio.wait_for(stream.read(), 5)
    stream.cancel()

    assert set() == quiet
    assert [resource.name for resource in added.resources] == ["web"]
    assert list(removed.removed_resources) == ["gone"]


async def test_a_client_without_a_name_is_turned_away(
    server: AdsServer, stub: ads_pb2_grpc.AggregatedDiscoveryServiceStub
) -> None:
    """A stream whose first request names no node ends with the reason."""
    stream = stub.DeltaAggregatedResources()
    await stream.write(_first(""))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await asyncio.wait_for(stream.read(), 5)

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "node.id" in refused.value.details()
    assert server.nodes == {}


async def test_stop_ends_open_streams_soon(
    server: AdsServer, stub: ads_pb2_grpc.AggregatedDiscoveryServiceStub
) -> None:
    """An open stream does not hold the server up."""
    server.offer(lambda _: WANTED)
    stream = stub.DeltaAggregatedResources()
    await stream.write(_first("n1"))
    await asyncio.wait_for(stream.read(), 5)
    started = time.monotonic()

    await server.stop(grace_s=5)

    assert time.monotonic() - started < 2
    assert not server.nodes["n1"].connected


async def test_a_second_stream_of_a_node_replaces_the_first(
    server: AdsServer, stub: ads_pb2_grpc.AggregatedDiscoveryServiceStub
) -> None:
    """The end of an old stream does not mark the node of a newer one as gone."""
    server.offer(lambda _: WANTED)
    streams = [stub.DeltaAggregatedResources() for _ in range(2)]
    for stream in streams:
        await stream.write(_first("n1"))
        await asyncio.wait_for(stream.read(), 5)
    await streams[0].done_writing()
    ended = await asyncio.wait_for(streams[0].read(), 5)

    assert ended == grpc.aio.EOF
    assert server.nodes["n1"].connected
    streams[1].cancel()


async def test_an_older_epoch_is_refused(short_folder: Path) -> None:
    """A leader that was replaced cannot undo its successor's work."""
    engine = EnvoyEngine((Door(f"unix:{short_folder}/stale.sock"),))
    newer = TrafficTarget((WEB,), epoch=2)
    engine.apply(newer)

    with pytest.raises(StaleTarget):
        engine.apply(TrafficTarget((), epoch=1), force=True)

    assert newer == engine.target


async def test_the_guard_compares_with_the_baseline(short_folder: Path) -> None:
    """A new leader that is told what the last one published guards its first target too; named ones may pass."""
    engine = EnvoyEngine((Door(f"unix:{short_folder}/guard.sock"),), baseline=TrafficTarget((WEB,)))
    empty = TrafficTarget((ServiceTarget("web", "http", "127.0.0.1", 80),))

    with pytest.raises(GuardRefused):
        engine.apply(empty)
    with pytest.raises(GuardRefused):
        engine.apply(empty, meant=["other"])
    engine.apply(empty, meant=["web"])

    assert empty == engine.target


async def test_a_door_on_a_network_is_not_opened_without_a_certificate() -> None:
    """There is no way to serve nodes over a network in the clear, by mistake or on purpose."""
    with pytest.raises(DoorRefused, match="TLS only"):
        await AdsServer((Door("127.0.0.1:0"),)).start()
    with pytest.raises(DoorRefused, match="needs its token"):
        Upstream("127.0.0.1:1").check()


async def test_an_address_that_cannot_be_had_is_an_error(short_folder: Path) -> None:
    """A socket in a folder that does not exist is an OSError, said at once."""
    with pytest.raises(OSError, match="cannot serve xDS"):
        await AdsServer((Door(f"unix:{short_folder}/absent/ads.sock"),)).start()
