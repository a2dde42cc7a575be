"""One Envoy's side of a delta ADS stream, as a state machine without input, output or clock of its own.

Rules:
1. What the client has is what it said it has (initial versions) and what it was sent since.
   Only what differs from the wanted resources is sent.
2. Make before break: clusters and endpoints first; listeners and routes when those were taken;
   removed clusters last, when nothing points at them any more.
3. One bad resource does not taint others: a refused (NACK) response of several is sent again one by
   one, so that each is taken or refused by itself. One refused alone is not sent again until it
   changed or RETRY_S went by: the cause can be outside it (a port in use), so never again would be
   wrong, and at once would be a storm.

Theory of operation. Envoy holds its ACK of clusters back until they are warm, that is until they
have endpoints that were checked once; so "clusters were acknowledged" means "they can carry
traffic", and a listener sent after it never opens onto an empty cluster. A warming cluster that
existed before waits for its endpoints to be sent again, although they have not changed: so sending
a cluster makes us forget that its endpoints were sent.

Protocol: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol (incremental xDS).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from envoy.service.discovery.v3 import discovery_pb2

from console.engines.envoy.catalogue import Catalogue, Key
from console.engines.envoy.render import CERTIFICATE, CLUSTER, ENDPOINTS, LISTENER, ROUTES

WILDCARD: Final = "*"
#: In which order types are sent; a stage waits for the answers to the one before. In the last stage what is removed
#: goes in the same response, so that a listener can take over the address of one that goes. Whatever asks for a
#: certificate is not ready without it: they come first.
STAGES: Final = ((CERTIFICATE, CLUSTER, ENDPOINTS), (LISTENER, ROUTES))
#: Types of which a client has all there is, unless it names some; of the others it has what it names.
UNNAMED: Final = (CLUSTER, LISTENER)
#: How long listeners wait for clusters that never get warm, before they go ahead.
PATIENCE_S: Final = 5.0
#: After how long something refused is offered again.
RETRY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """A NACK of one resource. text: the node's own words; epoch: of the target that it came with."""

    type_url: str
    name: str
    text: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client said to one response. versions: name -> version, None for a removal. refused: its words, or ""."""

    type_url: str
    versions: Mapping[str, str | None]
    refused: str = ""


@dataclass(slots=True)
class _Sent:
    """A response on its way. versions: name -> version, None for a removal."""

    versions: dict[str, str | None]
    epoch: int
    at: float


@dataclass(slots=True)
class _Watch:
    """One resource type on this stream.

    known: what the client has; version "" where a refusal left us ignorant of it. alone: names to
    send each in a response of its own. refused: name -> the version (None: removal) not to repeat.
    """

    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    refused: dict[str, str | None] = field(default_factory=dict)
    retry_at: float = 0.0
    in_flight: dict[str, _Sent] = field(default_factory=dict)
    answered: bool = False


class DeltaSession:
    """receive() what the client says, respond() with what it shall be sent. now: monotonic seconds.

    removes: what of it may be taken away for not being in the catalogue; None: all. A catalogue that may not be whole
    yet says by this what it knows to be gone.
    """

    def __init__(self, *, removes: Collection[Key] | None = None) -> None:
        self.removes = removes
        self.acked: dict[str, dict[str, str]] = {}
        self.rejections: dict[tuple[str, str], Rejection] = {}
        self.rejected_total = 0
        self.acked_total = 0
        self.sent_total = 0
        self._watches: dict[str, _Watch] = {}
        self._nonce = 0

    def receive(self, request: discovery_pb2.DeltaDiscoveryRequest, now: float) -> Answer | None:
        """Take one request: a subscription, an ACK, a NACK, or several of these at once.

        Returns the ACK, or the NACK of a single resource: then what it said of that one is known.
        """
        watch = self._watches.get(request.type_url)
        if watch is None:
            watch = self._watches[request.type_url] = _open(request)
            self.acked[request.type_url] = dict(watch.known)
        for name in request.resource_names_subscribe:
            if name != WILDCARD:
                watch.names.add(name)
                if name not in request.initial_resource_versions:
                    # Asking again for what one has means: send it again.
                    watch.known.pop(name, None)
        for name in request.resource_names_unsubscribe:
            watch.names.discard(name)
            watch.wildcard = watch.wildcard and name != WILDCARD
            if not watch.wildcard:
                watch.known.pop(name, None)
                self.acked[request.type_url].pop(name, None)
        sent = watch.in_flight.pop(request.response_nonce, None)
        return None if sent is None else self._settle(request, watch, sent, now)

    def respond(self, catalogue: Catalogue, now: float) -> Iterator[discovery_pb2.DeltaDiscoveryResponse]:
        """What to send now, in order. Ask again after every receive(), new catalogue, and wait()."""
        for watch in self._watches.values():
            if watch.refused and now >= watch.retry_at:
                watch.refused.clear()
        for stage in STAGES:
            for type_url in stage:
                yield from self._send(type_url, catalogue, now, removals=type_url == LISTENER)
            if self._waiting(stage, now):
                return
        for stage in STAGES:
            for type_url in stage:
                yield from self._send(type_url, catalogue, now, removals=True)

    def wait(self, now: float) -> float | None:
        """Seconds after which respond() may have more to say without a new event; None: never."""
        times = [w.retry_at for w in self._watches.values() if w.refused]
        times += [s.at + PATIENCE_S for w in self._watches.values() for s in w.in_flight.values()]
        later = [at for at in times if at > now]
        return min(later) - now if later else None

    def settled(self, catalogue: Catalogue) -> bool:
        """Has the client answered for everything in catalogue that it wants, with ACK or NACK?"""
        if not all(type_url in self._watches for type_url in UNNAMED):
            return False
        return not any(
            watch.in_flight or any(self._changes(type_url, watch, catalogue))
            for type_url, watch in self._watches.items()
        )

    def _settle(
        self, request: discovery_pb2.DeltaDiscoveryRequest, watch: _Watch, sent: _Sent, now: float
    ) -> Answer | None:
        type_url = request.type_url
        if request.HasField("error_detail"):
            self.rejected_total += 1
            # Until told otherwise it runs its last good version, or none: unknown, but not nothing.
            watch.known.update(dict.fromkeys(sent.versions, ""))
            if len(sent.versions) > 1:
                watch.alone.update(sent.versions)
                return None
            text = request.error_detail.message.strip()
            for name in sent.versions:
                self.rejections[type_url, name] = Rejection(type_url, name, text, sent.epoch)
            watch.refused.update(sent.versions)
            watch.retry_at = now + RETRY_S
            return Answer(type_url, sent.versions, text or "refused without a word")
        acked = self.acked[type_url]
        for name, number in sent.versions.items():
            self.rejections.pop((type_url, name), None)
            watch.refused.pop(name, None)
            if number is None:
                acked.pop(name, None)
            else:
                acked[name] = number
        self.acked_total += len(sent.versions)
        return Answer(type_url, sent.versions)

    def wants(self, type_url: str, name: str) -> bool:
        """Whether the client has asked for this resource, by name or for all of its type."""
        watch = self._watches.get(type_url)
        return watch is not None and (watch.wildcard or name in watch.names)

    def _waiting(self, types: tuple[str, ...], now: float) -> bool:
        watches = [self._watches[type_url] for type_url in types if type_url in self._watches]
        return any(now - sent.at < PATIENCE_S for watch in watches for sent in watch.in_flight.values())

    def _changes(
        self, type_url: str, watch: _Watch, catalogue: Catalogue
    ) -> tuple[dict[str, str], Collection[str]]:
        """What the client lacks (name -> version), and the names that it should not have."""
        wanted = catalogue.versions.get(type_url, {})
        names = wanted.keys() if watch.wildcard else wanted.keys() & watch.names
        added = {
            name: wanted[name]
            for name in names
            if watch.known.get(name) != wanted[name] and watch.refused.get(name) != wanted[name]
        }
        # Endpoints and routes go with the cluster or listener that names them; Envoy ignores their removal.
        unwanted = watch.known.keys() - wanted.keys() if watch.wildcard else ()
        gone = {name for name in unwanted if watch.refused.get(name, "") is not None}
        if self.removes is not None:
            gone = {name for name in gone if (type_url, name) in self.removes}
        for kind, name in catalogue.left:
            if kind == type_url and name in watch.known:
                added.pop(name, None)
                gone.discard(name)
        return added, gone

    def _send(
        self, type_url: str, catalogue: Catalogue, now: float, *, removals: bool
    ) -> Iterator[discovery_pb2.DeltaDiscoveryResponse]:
        watch = self._watches.get(type_url)
        if watch is None:
            return
        added, gone = self._changes(type_url, watch, catalogue)
        changes: dict[str, str | None] = {**dict.fromkeys(gone if removals else ()), **added}
        together = {name: number for name, number in changes.items() if name not in watch.alone}
        batches = [{name: changes[name]} for name in sorted(changes.keys() & watch.alone)]
        watch.alone -= changes.keys()
        # A client that starts waits for an answer, even if there is nothing to have.
        if together or (watch.wildcard and not watch.answered and not watch.known):
            batches.insert(0, together)
        for versions in batches:
            watch.answered = True
            self._nonce += 1
            self.sent_total += len(versions)
            watch.in_flight[str(self._nonce)] = _Sent(versions, catalogue.epoch, now)
            self._remember(type_url, watch, versions)
            yield _response(type_url, str(self._nonce), catalogue, versions)

    def _remember(self, type_url: str, watch: _Watch, versions: Mapping[str, str | None]) -> None:
        for name, number in versions.items():
            if number is None:
                del watch.known[name]
                continue
            watch.known[name] = number
            if type_url == CLUSTER and ENDPOINTS in self._watches:
                self._watches[ENDPOINTS].known.pop(name, None)


def _open(request: discovery_pb2.DeltaDiscoveryRequest) -> _Watch:
    """The first request of a type says what the client kept from an earlier stream."""
    subscribed = request.resource_names_subscribe
    # "Legacy wildcard": to ask for no clusters or listeners by name is to ask for all.
    unnamed = not subscribed and request.type_url in UNNAMED
    return _Watch(wildcard=unnamed or WILDCARD in subscribed, known=dict(request.initial_resource_versions))


def _response(
    type_url: str, nonce: str, catalogue: Catalogue, versions: Mapping[str, str | None]
) -> discovery_pb2.DeltaDiscoveryResponse:
    resources = catalogue.resources[type_url] if versions else {}
    return discovery_pb2.DeltaDiscoveryResponse(
        type_url=type_url,
        nonce=nonce,
        system_version_info=str(catalogue.epoch),
        resources=[
            discovery_pb2.Resource(name=name, version=number, resource=resources[name])
            for name, number in sorted(versions.items())
            if number is not None
        ],
        removed_resources=sorted(name for name, number in versions.items() if number is None),
    )
