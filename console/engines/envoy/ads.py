"""The ADS server: every node that connects gets what it shall have, and after it only what changed.

It holds no truth. What is wanted comes from its owner (the controller's engine, or the relay beside an Envoy),
versions are hashes of content, and a node says on connecting what it has: a server that was killed and started again
sends it nothing it has already. Until the first offer() it sends nothing at all, and above all removes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import grpc
import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from console.engines.envoy.catalogue import Catalogue, Key
from console.engines.envoy.delta import Answer, DeltaSession, Rejection
from console.engines.envoy.doors import Admit, Door, check_in
from console.engines.envoy.module import fault_of
from console.engines.envoy.render import render_plain

log = logging.getLogger(__name__)

#: A node that reconnects lists every resource it has, and one that is new gets all at once: gRPC's own 4 MB is
#: some 40,000 names, or 30,000 endpoints.
MOST_BYTES = 64 * 1024 * 1024
OPTIONS = (("grpc.max_receive_message_length", MOST_BYTES), ("grpc.max_send_message_length", MOST_BYTES))

#: A node's name -> what it shall have; None: nothing is known yet, leave it alone.
Wanted = Callable[[str], Catalogue | None]
#: Called with the node, its session and its answer (None: it asked for something) each time a node speaks.
Heard = Callable[[str, DeltaSession, Answer | None], None]


@dataclass(frozen=True, slots=True)
class NodeState:
    """What one node took, as of now.

    connected: is its stream open; since: monotonic seconds of the last change of that.
    acked: type URL -> name -> version it acknowledged. rejections: what it refuses at present, with
    its words. acked_total, rejected_total, sent_total: resources, NACKs, resources on its latest stream.
    settled: it has answered for all that it shall have. picker_fault: why it is sent Envoy's own policy in the
    picker's place, "" if it is sent the picker.
    """

    node_id: str
    connected: bool
    since: float
    acked: Mapping[str, Mapping[str, str]]
    rejections: tuple[Rejection, ...]
    acked_total: int
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
    #: Of the catalogue that was wanted last, what is served of it without the picker.
    plain: tuple[Catalogue, Catalogue] | None = None

    def served(self, wanted: Catalogue | None) -> Catalogue | None:
        """What the node gets of what is wanted of it: versions are the same, what it cannot load is left out."""
        if wanted is None or not self.picker_fault:
            return wanted
        if self.plain is None or self.plain[0] is not wanted:
            self.plain = (wanted, replace(wanted, resources=render_plain(wanted.resources)))
        return self.plain[1]


class AdsServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    """Serves delta ADS at its doors. All methods belong to the event loop that start() ran on.

    admit: whose token is this, for doors on a network. heard: told whatever nodes say. clock: monotonic seconds.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        *,
        admit: Admit | None = None,
        heard: Heard | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._doors = tuple(doors)
        self._admit, self._heard, self._clock = admit, heard, clock
        self._wanted: Wanted | None = None
        self._removes: Collection[Key] | None = None
        self._nodes: dict[str, _Node] = {}
        self._wakers: set[asyncio.Event] = set()
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self._stopping = False

    @property
    def nodes(self) -> dict[str, NodeState]:
        """Node id -> its state, for every node that ever connected to this server."""
        return {node_id: self._state(node_id, node) for node_id, node in self._nodes.items()}

    @property
    def presence(self) -> dict[str, tuple[float, bool]]:
        """Node id -> since when it is connected (True) or gone (False)."""
        return {node_id: (node.since, node.connected) for node_id, node in self._nodes.items()}

    def is_settled(self, node_id: str) -> bool:
        """Whether a node is connected and has answered for all that it shall have."""
        found = self._nodes.get(node_id)
        return found is not None and found.connected and self._settled(node_id, found)

    def session(self, node_id: str) -> DeltaSession | None:
        """The session of a node that is connected."""
        found = self._nodes.get(node_id)
        return found.session if found is not None and found.connected else None

    async def start(self, *add: Callable[[grpc.aio.Server], None]) -> None:
        """Listen; OSError if an address cannot be had. add: puts a further service behind the same doors."""
        server = grpc.aio.server(options=OPTIONS)
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self, server)
        for service in add:
            service(server)
        for door in self._doors:
            door.open(server)
        await server.start()
        self._server = server

    def offer(self, wanted: Wanted, *, removes: Collection[Key] | None = None) -> None:
        """What every node shall have from now on; returns before it has (see settled()).

        removes: what nodes may lose for not being wanted; None: all that is not.
        """
        self._wanted, self._removes = wanted, removes
        for node in self._nodes.values():
            node.session.removes = removes
        for waker in self._wakers:
            waker.set()

    async def settled(self, timeout_s: float, nodes: int = 1) -> bool:
        """Wait until at least that many nodes are connected and each has answered for all of it.

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
        """End the streams and the server within about grace_s. The nodes go on with what they have."""
        self._stopping = True
        for waker in self._wakers:
            waker.set()
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    async def DeltaAggregatedResources(
        self,
        request_iterator: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        """One node's stream, from its first request to its end."""
        first = await anext(request_iterator, None)
        if first is None:
            return
        # Only the first message carries the node.
        await check_in(context, first.node.id, self._admit)
        fault = fault_of(first.node.metadata)
        node = _Node(DeltaSession(removes=self._removes), True, self._clock(), fault)
        self._nodes[first.node.id] = node
        self._take(first.node.id, node.session, first)
        waker = asyncio.Event()
        self._wakers.add(waker)
        reader = asyncio.create_task(self._read(first.node.id, node.session, request_iterator, waker))
        try:
            await self._write(first.node.id, node, context, waker, reader)
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
                self._take(node_id, session, request)
                waker.set()
        finally:
            waker.set()

    def _take(
        self, node_id: str, session: DeltaSession, request: discovery_pb2.DeltaDiscoveryRequest
    ) -> None:
        if request.HasField("error_detail"):
            log.warning("%s refused %s: %s", node_id, request.type_url, request.error_detail.message)
        answer = session.receive(request, self._clock())
        if self._heard is not None:
            self._heard(node_id, session, answer)

    async def _write(
        self,
        node_id: str,
        node: _Node,
        context: grpc.aio.ServicerContext,
        waker: asyncio.Event,
        reader: asyncio.Task[None],
    ) -> None:
        while not (self._stopping or reader.done()):
            waker.clear()
            catalogue = self._served(node_id, node)
            if catalogue is not None:
                # A list: while one response is written, the reader may change what a generator rests on.
                for response in list(node.session.respond(catalogue, self._clock())):
                    await context.write(response)
            self._changed.set()
            try:
                async with asyncio.timeout(node.session.wait(self._clock())):
                    await waker.wait()
            except TimeoutError:
                continue
        if reader.done() and not reader.cancelled():
            reader.result()  # raises what ended it, if anything did

    def _all_settled(self, nodes: int) -> bool:
        connected = [(node_id, node) for node_id, node in self._nodes.items() if node.connected]
        return len(connected) >= nodes and all(self._settled(node_id, node) for node_id, node in connected)

    def _served(self, node_id: str, node: _Node) -> Catalogue | None:
        return node.served(self._wanted(node_id)) if self._wanted is not None else None

    def _settled(self, node_id: str, node: _Node) -> bool:
        catalogue = self._served(node_id, node)
        return catalogue is not None and node.session.settled(catalogue)

    def _state(self, node_id: str, node: _Node) -> NodeState:
        session = node.session
        return NodeState(
            node_id=node_id,
            connected=node.connected,
            since=node.since,
            acked={type_url: dict(named) for type_url, named in session.acked.items()},
            rejections=tuple(session.rejections.values()),
            acked_total=session.acked_total,
            rejected_total=session.rejected_total,
            sent_total=session.sent_total,
            settled=node.connected and self._settled(node_id, node),
            picker_fault=node.picker_fault,
        )
