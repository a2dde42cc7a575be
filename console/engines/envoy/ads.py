"""The ADS server: every Envoy that connects gets the published target, and after it only what changed.

It holds no truth. The target comes from the controller, versions are hashes of content, and an
Envoy says on connecting what it has: a server that was killed and started again sends it nothing
it has already. Until the first publish() it sends nothing at all, and above all removes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import grpc
import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from console.engines import guard
from console.engines.envoy.delta import Catalogue, DeltaSession, Rejection
from console.engines.envoy.module import fault_of
from console.engines.envoy.render import render, render_plain
from console.engines.target import TrafficTarget

log = logging.getLogger(__name__)

#: An Envoy that reconnects lists every resource it has: gRPC's own 4 MB is some 40,000 of them.
MAX_REQUEST_BYTES = 32 * 1024 * 1024


class StaleTarget(Exception):
    """A target of an epoch older than the published one: its author is a leader no more."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """What one Envoy took, as of now.

    connected: is its stream open; since: monotonic seconds of the last change of that.
    acked: type URL -> name -> version it acknowledged. rejections: what it refuses at present, with
    its words. rejected_total: NACKs on its latest stream. settled: it has answered for all of the
    published target. picker_fault: why it has Envoy's own policy in the picker's place, "" if the picker is in it.
    """

    node_id: str
    connected: bool
    since: float
    acked: Mapping[str, Mapping[str, str]]
    rejections: tuple[Rejection, ...]
    rejected_total: int
    sent_total: int
    settled: bool
    picker_fault: str


@dataclass(slots=True)
class _Node:
    session: DeltaSession
    connected: bool
    since: float
    picker_fault: str


class AdsServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    """Serves delta ADS at address ("unix:PATH"). All methods belong to the event loop that start() ran on.

    baseline: what an earlier server published, for the guard to compare the first target with.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        address: str,
        *,
        baseline: TrafficTarget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._target = baseline
        self._catalogue: Catalogue | None = None
        self._plain: Catalogue | None = None
        self._clock = clock
        self._nodes: dict[str, _Node] = {}
        self._wakers: set[asyncio.Event] = set()
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self._stopping = False

    @property
    def nodes(self) -> dict[str, NodeState]:
        """Node id -> its state, for every Envoy that ever connected to this server."""
        return {node_id: self._state(node_id, node) for node_id, node in self._nodes.items()}

    @property
    def target(self) -> TrafficTarget | None:
        """The last published target, or the baseline."""
        return self._target

    async def start(self) -> None:
        """Listen; OSError if the address cannot be had."""
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", MAX_REQUEST_BYTES)])
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self, server)
        try:
            server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot serve xDS at {self._address}: {error}") from error
        await server.start()
        self._server = server

    def publish(self, target: TrafficTarget, force: bool = False) -> None:
        """Make target what every Envoy shall have; returns before they do (see settled()).

        Raises GuardRefused for an empty or halved endpoint set unless force, and StaleTarget for an
        epoch that went back; then nothing changed. Publishing the same again sends nothing.
        """
        if self._target is not None:
            if target.epoch < self._target.epoch:
                raise StaleTarget(f"epoch {target.epoch} is older than {self._target.epoch}")
            if not force:
                guard.check(self._target, target)
        resources = render(target)
        self._catalogue = Catalogue.of(target.epoch, resources)
        self._plain = Catalogue.of(target.epoch, render_plain(resources))
        self._target = target
        self._wake()

    async def settled(self, timeout_s: float, nodes: int = 1) -> bool:
        """Wait until at least that many Envoys are connected and each has answered for all of it.

        An answer may be a refusal: look at nodes. False if timeout_s went by first.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not self._all_settled(nodes):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self, grace_s: float = 1.0) -> None:
        """End the streams and the server within about grace_s. The Envoys go on with what they have."""
        self._stopping = True
        self._wake()
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    async def DeltaAggregatedResources(
        self,
        request_iterator: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        """One Envoy's stream, from its first request to its end."""
        first = await anext(request_iterator, None)
        if first is None:
            return
        # Only the first message carries the node.
        if not first.node.id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first request names no node.id")
        fault = fault_of(first.node.metadata)
        node = _Node(DeltaSession(), connected=True, since=self._clock(), picker_fault=fault)
        self._nodes[first.node.id] = node
        node.session.receive(first, self._clock())
        waker = asyncio.Event()
        self._wakers.add(waker)
        reader = asyncio.create_task(self._read(first.node.id, node.session, request_iterator, waker))
        try:
            await self._write(node, context, waker, reader)
        finally:
            reader.cancel()
            self._wakers.discard(waker)
            node.connected = False
            node.since = self._clock()
            self._changed.set()

    async def _read(
        self,
        node_id: str,
        session: DeltaSession,
        requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest],
        waker: asyncio.Event,
    ) -> None:
        try:
            async for request in requests:
                if request.HasField("error_detail"):
                    log.warning(
                        "envoy %s refused %s: %s", node_id, request.type_url, request.error_detail.message
                    )
                session.receive(request, self._clock())
                waker.set()
        finally:
            waker.set()

    async def _write(
        self,
        node: _Node,
        context: grpc.aio.ServicerContext,
        waker: asyncio.Event,
        reader: asyncio.Task[None],
    ) -> None:
        while not (self._stopping or reader.done()):
            waker.clear()
            wanted = self._wanted(node)
            if wanted is not None:
                # A list: while one response is written, the reader may change what a generator rests on.
                for response in list(node.session.respond(wanted, self._clock())):
                    await context.write(response)
            self._changed.set()
            try:
                async with asyncio.timeout(node.session.wait(self._clock())):
                    await waker.wait()
            except TimeoutError:
                continue
        if reader.done() and not reader.cancelled():
            reader.result()  # raises what ended it, if anything did

    def _wake(self) -> None:
        for waker in self._wakers:
            waker.set()

    def _all_settled(self, nodes: int) -> bool:
        connected = [node for node in self._nodes.values() if node.connected]
        return len(connected) >= nodes and all(self._settled(node) for node in connected)

    def _settled(self, node: _Node) -> bool:
        wanted = self._wanted(node)
        return wanted is not None and node.session.settled(wanted)

    def _wanted(self, node: _Node) -> Catalogue | None:
        return self._plain if node.picker_fault else self._catalogue

    def _state(self, node_id: str, node: _Node) -> NodeState:
        session = node.session
        return NodeState(
            node_id=node_id,
            connected=node.connected,
            since=node.since,
            acked={type_url: dict(named) for type_url, named in session.acked.items()},
            rejections=tuple(session.rejections.values()),
            rejected_total=session.rejected_total,
            sent_total=session.sent_total,
            settled=node.connected and self._settled(node),
            picker_fault=node.picker_fault,
        )
