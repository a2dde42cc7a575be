"""A relay's stream to its control plane: open as long as there is one, and again when there is one again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

import grpc
import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from console.engines.envoy import module
from console.engines.envoy.accepted import Accepted
from console.engines.envoy.ads import OPTIONS
from console.engines.envoy.doors import Upstream
from console.engines.envoy.reports import NodeReport, Received, caller, decode_received, encode

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.1
LAST_PAUSE_S: Final = 2.0
REPORT_TIMEOUT_S: Final = 2.0
#: A peer that vanished without a word is noticed within twice this; and gRPC's own pauses of up to two minutes
#: between attempts to connect would be too long after a fail-over.
CHANNEL: Final = (
    *OPTIONS,
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class Follower:
    """received: called when there is news in accepted."""

    def __init__(
        self, node: str, upstream: Upstream, accepted: Accepted, received: Callable[[], None]
    ) -> None:
        self._node, self._upstream, self._accepted, self._received = node, upstream, accepted, received
        self._out: asyncio.Queue[discovery_pb2.DeltaDiscoveryRequest] | None = None
        self._channel: grpc.aio.Channel | None = None

    def send(self, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        """An answer upwards; to a stream that is gone, there is nothing to answer."""
        if self._out is not None:
            self._out.put_nowait(request)

    async def report(self, report: NodeReport) -> Received | None:
        """Tell the control plane; None where there is none."""
        if self._channel is None:
            return None
        call = caller(self._channel)
        try:
            return decode_received(
                await call(encode(report), metadata=self._upstream.metadata, timeout=REPORT_TIMEOUT_S)
            )
        except grpc.aio.AioRpcError:
            return None
        except asyncio.CancelledError:
            # A call whose channel is closed below it says that it was cancelled, though nobody cancelled the caller.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return None

    async def run(self) -> None:
        """For ever."""
        pause, said = FIRST_PAUSE_S, ""
        while True:
            heard = False
            try:
                async with self._upstream.channel(CHANNEL) as channel:
                    heard = await self._stream(channel)
                text = "it ended the stream"
            except grpc.aio.AioRpcError as error:
                text = f"{error.code().name}: {error.details()}"
            except OSError as error:
                text = str(error)
            if text != said:
                said = text
                log.warning("no control plane at %s: %s", self._upstream.address, text)
            pause = FIRST_PAUSE_S if heard else min(2 * pause, LAST_PAUSE_S)
            # Many relays that lost one control plane do not come back in the same moment.
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause)

    async def _stream(self, channel: grpc.aio.Channel) -> bool:
        stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
        call = stub.DeltaAggregatedResources(metadata=self._upstream.metadata)
        out: asyncio.Queue[discovery_pb2.DeltaDiscoveryRequest] = asyncio.Queue()
        first, *others = self._accepted.subscriptions()
        first.node.id = self._node
        # A relay takes everything; from an Envoy that cannot load the picker it is kept by its own server.
        first.node.metadata.update({module.METADATA: ""})
        for request in (first, *others):
            out.put_nowait(request)
        self._out, self._channel = out, channel
        writer = asyncio.create_task(_write(call, out))
        heard = False
        try:
            async for response in call:
                heard = True
                self._accepted.receive(response)
                self._received()
        finally:
            self._out = self._channel = None
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            call.cancel()
        return heard


async def _write(
    call: grpc.aio.StreamStreamCall, out: asyncio.Queue[discovery_pb2.DeltaDiscoveryRequest]
) -> None:
    while True:
        await call.write(await out.get())
