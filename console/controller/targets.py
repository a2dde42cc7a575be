"""From rows to what the engine shall do: a service's target, its endpoints' names and states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from console.engines.target import EndpointTarget, ServiceTarget
from console.engines.target.checks import canonical_address, join_address
from console.engines.target.settings import settings_of
from console.fleet.models import Host
from console.traffic.models import Endpoint, Service

#: The label of a host that says where it stands.
ZONE_LABEL = "zone"

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


def state_of(endpoint: Endpoint) -> str:
    """What the engine is told of an endpoint, beside its own checks.

    A host whose agent is lost keeps its traffic: the agent may have died alone, and the engine's own health
    checks see the server itself.
    """
    if endpoint.state == Endpoint.State.DRAINING or endpoint.host.state == Host.State.DRAINING:
        return "draining"
    return "healthy"


def service_target(service: Service, weights: Mapping[str, int]) -> ServiceTarget:
    """weights: by key. Raises InvalidTarget."""
    return ServiceTarget(
        name=service.name,
        protocol=service.protocol,
        listen_address=service.listen_address,
        listen_port=service.listen_port,
        settings=settings_of(service.settings),
        endpoints=tuple(
            _endpoint(
                endpoint.host.name,
                endpoint.host.address,
                endpoint.port,
                weights[key_of(endpoint)],
                state_of(endpoint),
                endpoint.priority,
                str(endpoint.host.labels.get(ZONE_LABEL, "")),
            )
            for endpoint in service.endpoints.all()
        ),
    )
