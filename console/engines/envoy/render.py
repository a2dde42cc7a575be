"""TrafficTarget -> Envoy's resources, as typed protobuf.

    service ──> Listener  (where it listens; an HTTP listener names its routes)     listeners.py
            ──> RouteConfiguration (HTTP only: what is retried)                     listeners.py
            ──> Cluster   (checks, ejection, limits; names its endpoints)           clusters.py
            ──> ClusterLoadAssignment (addresses, weights, states)                  here

All four carry the service's name. Endpoints are a resource of their own so that a change of weight
sends nothing else. Rendering is a pure function, and the bytes are the same for the same target
in every process: a resource's version is the hash of its bytes, which is what lets a restarted
control plane find that Envoy has everything already.
"""

from __future__ import annotations

import hashlib
from typing import Final

from envoy.config.core.v3 import address_pb2, base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf import any_pb2

from console.engines.envoy.clusters import cluster
from console.engines.envoy.listeners import listener, routes
from console.engines.envoy.packing import pack
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget

CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"

#: Where our own facts about an endpoint live in its metadata (the host's name; later, what a picker needs).
METADATA: Final = "steelyard"

Resources = dict[str, dict[str, any_pb2.Any]]

_HEALTH = {
    "healthy": health_check_pb2.HEALTHY,
    "draining": health_check_pb2.DRAINING,
    "unhealthy": health_check_pb2.UNHEALTHY,
}


def render(target: TrafficTarget) -> Resources:
    """Type URL -> resource name -> the packed resource. All four types are present, even if empty."""
    resources: Resources = {CLUSTER: {}, ENDPOINTS: {}, LISTENER: {}, ROUTES: {}}
    for service in target.services:
        resources[CLUSTER][service.name] = pack(cluster(service))
        resources[ENDPOINTS][service.name] = pack(load_assignment(service))
        resources[LISTENER][service.name] = pack(listener(service))
        if service.protocol == "http":
            resources[ROUTES][service.name] = pack(routes(service))
    return resources


def load_assignment(service: ServiceTarget) -> endpoint_pb2.ClusterLoadAssignment:
    """The service's endpoints, sorted by key: the order someone listed them in is no change."""
    ordered = sorted(service.endpoints, key=lambda endpoint: endpoint.key)
    locality = endpoint_components_pb2.LocalityLbEndpoints(
        lb_endpoints=[_lb_endpoint(endpoint, service.pickers) for endpoint in ordered]
    )
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=service.name, endpoints=[locality])


def version(resource: any_pb2.Any) -> str:
    """A resource's version: the hash of its content, so it survives restarts and fail-overs."""
    return hashlib.blake2b(resource.value, digest_size=8).hexdigest()


def _lb_endpoint(endpoint: EndpointTarget, pickers: int) -> endpoint_components_pb2.LbEndpoint:
    built = endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(
            address=address_pb2.Address(
                socket_address=address_pb2.SocketAddress(address=endpoint.address, port_value=endpoint.port)
            )
        ),
        health_status=_HEALTH[endpoint.state],
        metadata=base_pb2.Metadata(),
    )
    built.load_balancing_weight.value = endpoint.weight
    built.metadata.filter_metadata[METADATA].update({"host": endpoint.host, "pickers": pickers})
    return built
