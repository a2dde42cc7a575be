"""From rows to what the engine shall do: a service's target, its endpoints' names and states."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from agents.wire import Quota
from balancer_core.steering import WeightPlan
from console.engines.target import EndpointTarget, InvalidTarget, ServiceTarget, Window
from console.engines.target.checks import ZONE_PATTERN, canonical_address, join_address
from console.engines.target.settings import settings_of
from console.traffic.draining import wanted_state
from console.traffic.models import WHOLE_PERCENT, Endpoint, Service
from console.traffic.protected import why_protected

#: The label of a host that says where it stands.
ZONE_LABEL = "zone"

#: How exact the requests of a window are told: the picker's rule bears capacities that are a fifth off.
STEP = 1.05
NO_WINDOWS: Mapping[str, Window] = MappingProxyType({})

#: Most endpoints are, second by second, what they were: neither checked again nor built anew.
_endpoint = lru_cache(maxsize=100_000)(EndpointTarget)


@lru_cache(maxsize=100_000)
def _key(address: str, port: int) -> str:
    return join_address(canonical_address("address", address), port)


def services_now() -> list[Service]:
    """All services with their endpoints and hosts, in one read."""
    return list(Service.objects.prefetch_related("endpoints__host"))


def key_of(endpoint: Endpoint) -> str:
    """The endpoint's name in the engine's statistics. Raises InvalidTarget for a host's address that is none."""
    return _key(endpoint.host.address, endpoint.port)


def zone_of(endpoint: Endpoint) -> str:
    """Its host's zone; "" where the label says none that engines know as a name."""
    zone = str(endpoint.host.labels.get(ZONE_LABEL, ""))
    return zone if ZONE_PATTERN.fullmatch(zone) else ""


def told_weight(endpoint: Endpoint, learnt: int) -> int:
    """The weight that the engine is told: the learnt one, as far as operators leave it.

    At 0 % the endpoint drains and its weight says nothing; it stays for when it gets requests again.
    """
    return max(1, round(learnt * (endpoint.weight_percent or WHOLE_PERCENT) / WHOLE_PERCENT))


def windows_of(
    service: Service, plan: WeightPlan, quota_of: Callable[[str], Quota | None]
) -> dict[str, Window]:
    """By key, in which windows the endpoints' hosts work, for a service whose requests the picker spreads.

    quota_of: by host. A host with a whole core or more may run on several at once: nobody knows how fast it uses its
    quota up, and it has no window. Nor has any while nothing was learnt of the service.
    """
    if (
        plan.per_weight is None
        or service.protocol != "http"
        or not settings_of(service.settings).pool.is_picked
    ):
        return {}
    windows = {}
    for endpoint in service.endpoints.all():
        quota, key = quota_of(endpoint.host.name), key_of(endpoint)
        if quota is not None and quota.cores < 1.0:
            requests = plan.weights[key] * plan.per_weight * quota.period_s
            windows[key] = Window(quota.period_s, quota.cores, roughly(requests))
    return windows


def roughly(amount: float) -> float:
    """The nearest power of STEP, to three digits: what is learnt moves a little all the time, and each change of a
    window is sent to every engine."""
    return float(f"{STEP ** round(math.log(amount, STEP)):.3g}")


def in_words(window: Window) -> str:
    """What the window means for the endpoint."""
    return (
        f"The kernel gives its host {window.cores:.3g} of a core in periods of {window.period_s * 1000:g} ms: "
        f"it serves about {window.requests:.3g} requests in each at full speed, then it stands still; "
        f"the picker learns when, and goes by it."
    )


def service_target(
    service: Service,
    weights: Mapping[str, int],
    now: datetime,
    windows: Mapping[str, Window] = NO_WINDOWS,
) -> ServiceTarget:
    """weights: as learnt, windows: as windows_of() has them, by key. now: drains end by it. Raises InvalidTarget."""
    settings = settings_of(service.settings)
    for endpoint in service.endpoints.all():
        # An agent says its host's address; it may have become one that nobody may be led to.
        if what := why_protected(endpoint.host.address, endpoint.port):
            raise InvalidTarget("address", f"{endpoint.host.address}:{endpoint.port} is {what}")
    return ServiceTarget(
        name=service.name,
        protocol=service.protocol,
        listen_address=service.listen_address,
        listen_port=service.listen_port,
        settings=settings,
        endpoints=tuple(
            _endpoint(
                endpoint.host.name,
                endpoint.host.address,
                endpoint.port,
                told_weight(endpoint, weights[key_of(endpoint)]),
                wanted_state(endpoint, settings.pool.drain_s, now),
                endpoint.priority,
                zone_of(endpoint),
                windows.get(key_of(endpoint)),
            )
            for endpoint in service.endpoints.all()
        ),
    )
