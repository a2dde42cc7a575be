"""Envoy's bootstrap: who it is, where its control plane listens, and an admin socket. No listener of its own.

Both sockets are Unix sockets: reachable by whoever may open the file, and by nobody over a network.
"""

from __future__ import annotations

from typing import Any, Final

#: Not a DNS label, so that no service can be called the same.
XDS_CLUSTER: Final = "steelyard_xds"
#: Envoy prefers a zone only beside a cluster of Envoys in which it finds its own; this one has it alone.
LOCAL_CLUSTER: Final = "steelyard_local"
#: Above any reasonable number of file descriptors' worth of clients; without it, Envoy warns that none is set.
MOST_CLIENTS: Final = 100_000


def bootstrap(node_id: str, xds_socket: str, admin_socket: str, zone: str = "") -> dict[str, Any]:
    """The bootstrap as JSON-ready dict. xds_socket, admin_socket: paths. zone: where this Envoy is, if known."""
    node: dict[str, Any] = {"id": node_id, "cluster": "steelyard"}
    clusters = [_xds_cluster(xds_socket)]
    manager = {}
    if zone:
        node["locality"] = {"zone": zone}
        clusters.append(_local_cluster(zone, admin_socket))
        manager = {"cluster_manager": {"local_cluster_name": LOCAL_CLUSTER}}
    return {
        "node": node,
        **manager,
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {
                        "envoy_grpc": {
                            "cluster_name": XDS_CLUSTER,
                            # The default backs off to half a minute: too long after a fail-over.
                            "retry_policy": {
                                "retry_back_off": {"base_interval": "0.25s", "max_interval": "2s"}
                            },
                        }
                    }
                ],
            },
            "cds_config": {"resource_api_version": "V3", "ads": {}},
            "lds_config": {"resource_api_version": "V3", "ads": {}},
        },
        "static_resources": {"clusters": clusters},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors."
                        "downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": MOST_CLIENTS,
                    },
                }
            ]
        },
    }


def _xds_cluster(xds_socket: str) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": xds_socket}}}}
    return {
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                # gRPC is HTTP/2; there is no TLS in which it could be negotiated.
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def _local_cluster(zone: str, admin_socket: str) -> dict[str, Any]:
    """This Envoy as the only member; nothing is ever sent there."""
    endpoint = {"endpoint": {"address": {"pipe": {"path": admin_socket}}}}
    return {
        "name": LOCAL_CLUSTER,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": LOCAL_CLUSTER,
            "endpoints": [{"locality": {"zone": zone}, "lb_endpoints": [endpoint]}],
        },
    }
