"""A service's endpoints as Envoy has them: by priority and zone, with weights and states."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from envoy.config.core.v3 import address_pb2, base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2

from console.engines.envoy.upstreams import CLOSED, MATCH_METADATA
from console.engines.target import EndpointTarget, ServiceTarget

#: Where our own facts about an endpoint live in its metadata: the host's name, how many nodes pick, and in which
#: windows the host works.
METADATA: Final = "steelyard"

_HEALTH = {
    "healthy": health_check_pb2.HEALTHY,
    "draining": health_check_pb2.DRAINING,
    # Not unhealthy: a panic, where one is allowed, would use it again.
    "closed": health_check_pb2.DRAINING,
    "unhealthy": health_check_pb2.UNHEALTHY,
}


def load_assignment(service: ServiceTarget) -> endpoint_pb2.ClusterLoadAssignment:
    """The service's endpoints, sorted: the order someone listed them in is no change.

    Envoy wants priorities from 0 without a gap; ours are numbered anew, in their order.
    """
    pool = service.settings.pool
    ordered = sorted(service.endpoints, key=lambda each: (each.priority, each.zone, each.key))
    ranks = {priority: rank for rank, priority in enumerate(sorted({each.priority for each in ordered}))}
    built = endpoint_pb2.ClusterLoadAssignment(
        cluster_name=service.name,
        endpoints=[
            _locality(ranks[priority], zone, group, service)
            for (priority, zone), group in groupby(ordered, lambda each: (each.priority, each.zone))
        ],
    )
    built.policy.overprovisioning_factor.value = pool.overprovisioning_percent
    return built


def _locality(
    rank: int, zone: str, group: Iterable[EndpointTarget], service: ServiceTarget
) -> endpoint_components_pb2.LocalityLbEndpoints:
    built = endpoint_components_pb2.LocalityLbEndpoints(
        priority=rank, lb_endpoints=[_lb_endpoint(endpoint, service) for endpoint in group]
    )
    if zone:
        built.locality.zone = zone
    return built


def _lb_endpoint(endpoint: EndpointTarget, service: ServiceTarget) -> endpoint_components_pb2.LbEndpoint:
    pool = service.settings.pool
    built = endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(
            address=address_pb2.Address(
                socket_address=address_pb2.SocketAddress(address=endpoint.address, port_value=endpoint.port)
            )
        ),
        health_status=_HEALTH[endpoint.state],
        metadata=base_pb2.Metadata(),
    )
    # A table of hashes is made anew when weights change, and keys move.
    weighted = pool.balance != "hash" or pool.hash.by_weight
    built.load_balancing_weight.value = endpoint.weight if weighted else 1
    if pool.check.port:
        # Envoy has a field for it in the check itself, and does not read it.
        built.endpoint.health_check_config.port_value = pool.check.port
    facts: dict[str, str | float] = {"host": endpoint.host, "pickers": service.pickers}
    if (window := endpoint.window) is not None:
        facts |= {
            "window_s": window.period_s,
            "window_cores": window.cores,
            "window_requests": window.requests,
        }
    built.metadata.filter_metadata[METADATA].update(facts)
    if endpoint.state == "closed":
        if pool.sticky is not None:
            # Those who hold on to what drains shall let go.
            built.health_status = health_check_pb2.UNHEALTHY
        built.metadata.filter_metadata[MATCH_METADATA].update({CLOSED: True})
    return built
