"""A service as the database has it -> the target that engines are given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from console.engines.target import EndpointTarget, ServiceTarget
from console.engines.target.checks import ZONE_PATTERN
from console.engines.target.settings import settings_of
from console.fleet.models import Host
from console.traffic.draining import wanted_state
from console.traffic.models import Endpoint, Service

#: The host's label that names its zone.
ZONE_LABEL = "zone"


def key_of(endpoint: Endpoint) -> str:
    """The endpoint's name in the engine's statistics."""
    return EndpointTarget(endpoint.host.name, endpoint.host.address, endpoint.port).key


def service_target(service: Service, weights: Mapping[str, int], now: datetime) -> ServiceTarget:
    """The service, prefetched with endpoints and hosts, with these weights (by key_of()) at this moment.

    now decides which drains are over, so build it anew each round. Raises InvalidTarget.
    """
    settings = settings_of(service.settings)
    return ServiceTarget(
        name=service.name,
        protocol=service.protocol,
        listen_address=service.listen_address,
        listen_port=service.listen_port,
        endpoints=tuple(
            EndpointTarget(
                host=endpoint.host.name,
                address=endpoint.host.address,
                port=endpoint.port,
                weight=weights[key_of(endpoint)],
                state=wanted_state(endpoint, settings.pool.drain_s, now),
                priority=endpoint.priority,
                zone=zone_of(endpoint.host),
            )
            for endpoint in service.endpoints.all()
        ),
        settings=settings,
    )


def zone_of(host: Host) -> str:
    """The host's zone; "" where its label is none that engines could have, for the agent wrote it, not we."""
    zone = host.labels.get(ZONE_LABEL, "")
    return zone if isinstance(zone, str) and ZONE_PATTERN.fullmatch(zone) else ""
