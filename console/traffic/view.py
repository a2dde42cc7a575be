"""What the engines do, as the controller last told it: beside the models, because it is not kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
from django.utils import timezone

from console.engines.target.checks import InvalidTarget
from console.engines.target.settings import settings_of
from console.live import feed
from console.live.picture import SILENT_AFTER_S, picture
from console.traffic.draining import drain_of
from console.traffic.health import EngineWord, Health, HostWord, health_of
from console.traffic.models import WHOLE_PERCENT, Endpoint, Service
from console.traffic.references import warnings_of

#: The controller speaks once a second; after this long its figures are the past.
STALE_AFTER_S = 5.0


class NodeShare(msgspec.Struct, frozen=True):
    """One endpoint as one of several nodes sees it."""

    rate_per_s: float
    errors_per_s: float
    in_flight: int
    latency_ms: float | None
    health: str
    flags: tuple[str, ...] = ()


class EndpointSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """One endpoint as the engines and the steering see it, over the last second.

    weight: what the engine was told. share: of the service's requests (0..1). rate, errors: per second.
    health: the engine's word, and flags its own words for it. reason: why this weight, in a sentence. latency_ms: the
    mean, None while nothing is asked. nodes: how each engine sees it, where there are several.
    learnt: the weight without what operators took of it. capacity_per_s: the requests that it could serve, None while
    nothing was learnt. trust: how far that rests on what was seen here, 0 to 1. report_age_s: of its host's figures.
    """

    host: str
    port: int
    weight: int
    share: float
    rate_per_s: float
    errors_per_s: float
    in_flight: int
    requests: int
    health: str
    reason: str
    latency_ms: float | None = None
    flags: tuple[str, ...] = ()
    nodes: dict[str, NodeShare] = {}
    learnt: int = 0
    capacity_per_s: float | None = None
    trust: float = 0.0
    report_age_s: float | None = None


class RequestShown(msgspec.Struct, frozen=True):
    """One request of the access log. endpoint: HOST:PORT, "" if none was asked; flags: what was unusual, in words."""

    at_s: float
    node: str
    client: str
    method: str
    path: str
    status: int
    endpoint: str
    duration_ms: float
    flags: tuple[str, ...] = ()
    attempts: int = 1


class Refused(msgspec.Struct, frozen=True):
    """What a node does not take of a service at present. what: listener, routes, pool, …; text: the node's words."""

    node: str
    what: str
    text: str

    @property
    def sentence(self) -> str:
        return f"Engine {self.node} refuses the {self.what}: {self.text}"


class ServiceSeen(msgspec.Struct, frozen=True):
    """p50_ms, p90_ms, p99_ms: of the last seconds, as the engine measured them; None while nothing was asked.

    nodes: how many engines carry it. requests: the last ones, where the service keeps a share of them, newest first.
    refused: what of it engines do not take; they go on with what they took before, which may be nothing.
    """

    endpoints: list[EndpointSeen]
    rate_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    p90_ms: float | None = None
    errors_per_s: float = 0.0
    nodes: int = 0
    requests: list[RequestShown] = []
    refused: list[Refused] = []


class EngineSeen(msgspec.Struct, frozen=True):
    """One engine: whether it listens to us, and what it refuses at present.

    desired: resources that it shall have; applied: how many of them it has; lacks_s: for how long it has not had all;
    on_trial: it tries out what the others do not have yet. picker: who chooses endpoints there, and why that one.
    last_refusal: ever, in its words. acked, nacked: its answers. cache: what is wrong with what it keeps for a start
    without us. report_age_s: None while it has said nothing; uptime_s: of the Envoy, None while none runs.
    """

    node: str
    connected: bool
    refused: str = ""
    version: str = ""
    ready: bool = False
    uptime_s: float | None = None
    restarts: int = 0
    picker: str = ""
    picker_reason: str = ""
    desired: int = 0
    applied: int = 0
    lacks_s: float = 0.0
    on_trial: bool = False
    last_refusal: str = ""
    acked: int = 0
    nacked: int = 0
    cache: str = ""
    rate_per_s: float = 0.0
    services: int = 0
    report_age_s: float | None = None


class HeldBack(msgspec.Struct, frozen=True):
    """A service that the guard keeps as it was: it would go from before to after endpoints."""

    service: str
    before: int
    after: int


class TrafficSeen(msgspec.Struct, frozen=True):
    """The controller's word on all traffic; epoch is its leadership's."""

    epoch: int = 0
    services: dict[str, ServiceSeen] = {}
    engines: list[EngineSeen] = []
    guard: str = ""
    held: list[HeldBack] = []


encode_traffic = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TrafficSeen).decode


@dataclass(frozen=True)
class Seen:
    """TrafficSeen with look-ups by model. age_s: since the controller said it; None before its first word."""

    traffic: TrafficSeen
    age_s: float | None = None
    endpoints: Mapping[tuple[str, str, int], EndpointSeen] = field(default_factory=dict)

    @property
    def is_stale(self) -> bool:
        """Whether the controller's last word is too old to be shown as the present."""
        return self.age_s is None or self.age_s > STALE_AFTER_S

    def service(self, name: str) -> ServiceSeen | None:
        return self.traffic.services.get(name)

    def refused(self, name: str) -> list[Refused]:
        """What engines do not take of a service, as last said: a refusal does not pass by silence."""
        known = self.service(name)
        return known.refused if known else []

    def known(self, endpoint: Endpoint) -> EndpointSeen | None:
        """What was last said of one endpoint; None before the first word."""
        return self.endpoints.get((endpoint.service.name, endpoint.host.name, endpoint.port))

    def endpoint(self, endpoint: Endpoint) -> dict[str, Any] | None:
        """The engine's word on one endpoint, with the reason in the words of reason_of(); None before the first."""
        known = self.known(endpoint)
        if known is None:
            return None
        nodes = msgspec.to_builtins(known.nodes)
        return {**msgspec.structs.asdict(known), "nodes": nodes, "reason": reason_of(endpoint, known)}


def joined_health(endpoint: Endpoint, known: EndpointSeen | None) -> Health:
    """The endpoint's one state, from the operators' wishes, the engines' findings and its host's agent.

    known: the engines' word, None where they have not spoken lately.
    """
    return health_with(endpoint, known, drain_s_of(endpoint.service))


def health_with(endpoint: Endpoint, known: EndpointSeen | None, drain_s: float | None) -> Health:
    """joined_health() where the service's drain_s was looked up before, for all of its endpoints."""
    host = endpoint.host
    age_s = picture.age_s(host.name)
    words = [] if known is None else [EngineWord(known.health, known.flags)]
    if known is not None and known.nodes:
        words = [EngineWord(each.health, each.flags, node) for node, each in known.nodes.items()]
    silent = age_s is None or age_s > SILENT_AFTER_S
    drain = drain_of(endpoint, drain_s, timezone.now())
    return health_of(words, HostWord(host.name, age_s, silent, host.lost_since is not None), drain)


def drain_s_of(service: Service) -> float | None:
    """How long the service's endpoints may drain; what is kept is checked when it is written."""
    try:
        return settings_of(service.settings).pool.drain_s
    except InvalidTarget:
        return (
            None  # an older document than this code; the controller leaves the service as it is, and says so
        )


def reason_of(endpoint: Endpoint, known: EndpointSeen) -> str:
    """Why the endpoint has its weight. The steering law knows no drain: to it, such an endpoint is not healthy."""
    health = joined_health(endpoint, known)
    if health.state in ("draining", "closed"):
        return health.reasons[0]
    if endpoint.weight_percent == WHOLE_PERCENT:
        return known.reason
    return f"An operator leaves {endpoint.weight_percent} % of what is learnt. {known.reason}"


def warnings_now(service: Service) -> list[str]:
    """What the service's settings ask for and is hardly meant; nothing while the engines are not known."""
    now = seen()
    if now.age_s is None:
        return []
    try:
        settings = settings_of(service.settings)
    except InvalidTarget:
        return []  # an older document than this code; the controller says so
    return warnings_of(settings, [each.node for each in now.traffic.engines])


def seen() -> Seen:
    """The last word that reached this process; empty before the first."""
    if feed.feed is None:
        return Seen(TrafficSeen())
    at = feed.feed.traffic_at
    traffic, endpoints = _decoded(feed.feed.traffic)
    return Seen(traffic, None if at is None else time.monotonic() - at, endpoints)


@lru_cache(maxsize=2)
def _decoded(word: bytes) -> tuple[TrafficSeen, dict[tuple[str, str, int], EndpointSeen]]:
    """The word, and its endpoints by service, host and port: once a word, not once an endpoint that is shown."""
    traffic = _decode(word)
    return traffic, {
        (name, each.host, each.port): each
        for name, service in traffic.services.items()
        for each in service.endpoints
    }
