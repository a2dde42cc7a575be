"""What is known of the chain now: the database's intent, the picture of the hosts, the engines' last word."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from console.chain.graph import Chain, build
from console.chain.inputs import EndpointKnown, EngineKnown, Known, ServiceKnown
from console.engines.target.checks import InvalidTarget, join_address
from console.engines.target.settings import USUAL, Settings, settings_of
from console.live.picture import SILENT_AFTER_S, picture
from console.traffic.models import Certificate, Endpoint, Service
from console.traffic.view import STALE_AFTER_S, EndpointSeen, EngineSeen, Seen, health_with, seen

#: However many look, it is read once in so long, and at most for a part of the time: where there is much, less often.
KEPT_S: Final = 1.0
REST: Final = 4.0
_SERVING = ("healthy", "unwatched", "partly", "unknown")

Busiest = Mapping[str, tuple[float, str]]


class Reader:
    """One process's reading of the chain; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[float, Chain] | None = None

    def now(self) -> Chain:
        """The chain, as young as KEPT_S and REST let it be. Four reads of the database."""
        with self._lock:
            began = time.monotonic()
            if self._kept is None or began >= self._kept[0]:
                chain = build(known_now())
                took = time.monotonic() - began
                self._kept = (began + max(KEPT_S, REST * took), chain)
            return self._kept[1]

    def forget(self) -> None:
        """The next look reads anew: what its viewer just changed is there."""
        with self._lock:
            self._kept = None


reader = Reader()


def known_now() -> Known:
    """Everything as it is. O(services + endpoints + hosts)."""
    word = seen()
    fresh = not word.is_stale
    busiest = _busiest()
    services = Service.objects.prefetch_related("endpoints__host")
    names = Certificate.objects.values_list("name", "names")
    return Known(
        services=tuple(_service(each, word, fresh, busiest) for each in services),
        engines=tuple(_engine(each, fresh) for each in word.traffic.engines),
        certificates={name: tuple(map(str, said)) for name, said in names},
        fresh=fresh,
    )


def _service(service: Service, word: Seen, fresh: bool, busiest: Busiest) -> ServiceKnown:
    now = word.service(service.name) if fresh else None
    settings = _settings(service)
    endpoints = [
        _endpoint(each, word.endpoints.get((service.name, each.host.name, each.port)) if fresh else None,
                  settings.pool.drain_s, busiest)
        for each in service.endpoints.all()
    ]  # fmt: skip
    listens = service.listen_address is not None and service.listen_port is not None
    return ServiceKnown(
        name=service.name,
        protocol=service.protocol,
        tier=service.tier,
        listen=join_address(service.listen_address, service.listen_port) if listens else "",
        settings=settings,
        endpoints=tuple(endpoints),
        p99_ms=now.p99_ms if now else None,
        refused=tuple(each.sentence for each in word.refused(service.name)),
    )


def _settings(service: Service) -> Settings:
    try:
        return settings_of(service.settings)
    except InvalidTarget:
        return USUAL  # an older document than this code; the controller says so on every page of traffic


def _endpoint(
    endpoint: Endpoint, known: EndpointSeen | None, drain_s: float | None, busiest: Busiest
) -> EndpointKnown:
    state = health_with(endpoint, known, drain_s).state
    used, resource = busiest.get(endpoint.host.name, (None, ""))
    if known is None:
        return EndpointKnown(
            endpoint.host.name, endpoint.port, state, state in _SERVING, used=used, busiest=resource
        )
    return EndpointKnown(
        host=endpoint.host.name,
        port=endpoint.port,
        state=state,
        serves=state in _SERVING,
        rate_per_s=known.rate_per_s,
        errors_per_s=known.errors_per_s,
        share=known.share,
        latency_ms=known.latency_ms,
        by_engine={name: each.rate_per_s for name, each in known.nodes.items()},
        used=used,
        busiest=resource,
    )


def _engine(engine: EngineSeen, fresh: bool) -> EngineKnown:
    speaks = fresh and engine.report_age_s is not None and engine.report_age_s <= STALE_AFTER_S
    return EngineKnown(
        name=engine.node,
        connected=engine.connected,
        ready=engine.ready or engine.report_age_s is None,
        refused=engine.refused,
        speaks=speaks,
        rate_per_s=engine.rate_per_s if speaks else None,
    )


def _busiest() -> dict[str, tuple[float, str]]:
    """Host -> (share in use, name) of the one of its rates that is used most; silent hosts are not in it."""
    snapshot, _ = picture.view()
    used, _ = picture.utilisation(snapshot)
    rates = [place for place, each in enumerate(snapshot.dimensions.resources) if each.kind == "rate"]
    if not len(used) or not rates:
        return {}
    shares = np.where(
        (time.monotonic() - snapshot.reported_at)[:, None] > SILENT_AFTER_S, np.nan, used[:, rates]
    )
    known = ~np.isnan(shares).all(axis=1)
    worst = np.nan_to_num(shares, nan=-1.0).argmax(axis=1)
    names = [snapshot.dimensions.names[place] for place in rates]
    return {
        name: (float(shares[row, worst[row]]), names[worst[row]])
        for row, name in enumerate(snapshot.names)
        if known[row]
    }
