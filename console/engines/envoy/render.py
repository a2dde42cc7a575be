"""TrafficTarget -> Envoy's resources, as typed protobuf.

    service ──> Listener  (where it listens; an HTTP listener names its routes)     listeners/
            ──> RouteConfiguration (HTTP only: host names, routes, what is retried) listeners/
            ──> Cluster   (checks, ejection, limits; names its endpoints)           clusters.py
            ──> ClusterLoadAssignment (addresses, weights, states)                  assignments.py
    certificate ──> Secret (listeners name it; its CA is one of its own)            listeners/

All four of a service carry its name; a pool without a listener has only the last two. Endpoints are a resource of
their own so that a change of weight sends nothing else. Rendering is a pure function, and the bytes are the same for
the same target in every process: a resource's version is the hash of its bytes, which is what lets a restarted
control plane find that Envoy has everything already.
"""

from __future__ import annotations

import hashlib
from typing import Final

from google.protobuf import any_pb2

from console.engines.envoy.assignments import load_assignment
from console.engines.envoy.clusters import cluster
from console.engines.envoy.listeners import listeners, routes, secrets
from console.engines.envoy.packing import pack
from console.engines.envoy.policy import without_picker
from console.engines.target import TrafficTarget

CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
CERTIFICATE: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

Resources = dict[str, dict[str, any_pb2.Any]]


def render(target: TrafficTarget) -> Resources:
    """Type URL -> resource name -> the packed resource. All five types are present, even if empty."""
    resources: Resources = {CLUSTER: {}, ENDPOINTS: {}, LISTENER: {}, ROUTES: {}, CERTIFICATE: {}}
    for certificate in target.certificates:
        resources[CERTIFICATE] |= {secret.name: pack(secret) for secret in secrets(certificate)}
    keys = {key.name: key.value for key in target.api_keys}
    pools = {service.name: service.settings.pool for service in target.services}
    for service in target.services:
        resources[CLUSTER][service.name] = pack(cluster(service))
        resources[ENDPOINTS][service.name] = pack(load_assignment(service))
        resources[LISTENER] |= {built.name: pack(built) for built in listeners(service)}
        if service.protocol == "http" and service.listen_port is not None:
            resources[ROUTES][service.name] = pack(routes(service, keys, pools))
    return resources


def render_plain(resources: Resources) -> Resources:
    """The same for a node that cannot load the picker; what is equal is shared, not copied."""
    plain = {name: without_picker(resource) for name, resource in resources[CLUSTER].items()}
    return {**resources, CLUSTER: plain}


def version(resource: any_pb2.Any) -> str:
    """A resource's version: the hash of its content, so it survives restarts and fail-overs."""
    return hashlib.blake2b(resource.value, digest_size=8).hexdigest()
