"""A service's Envoy cluster: how endpoints are checked, ejected, limited, reached and chosen between.

Most of Envoy's defaults suit a mesh with a health URL and many hosts. Each value here and in the modules it is made
of that differs says why; the ones that look odd were found by losing requests.
"""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.type.v3 import percent_pb2

from console.engines.envoy.balance import load_balancing_policy
from console.engines.envoy.health_checks import active_check, ejection
from console.engines.envoy.limits import circuit_breakers, keepalive
from console.engines.envoy.packing import over_ads, pack, seconds
from console.engines.envoy.upstreams import HTTP_OPTIONS, http_options, transport, transport_matches
from console.engines.target import ServiceTarget
from console.engines.target.pool import Pool

#: By default, Envoy collects changes of health and weight for a second after any change of endpoints: a second of
#: "no healthy upstream" when a new endpoint replaces the only one. Not 0: each change rebuilds the choice.
MERGE_WINDOW_S: Final = 0.05
#: A client that holds on to an endpoint finds it while it drains, too; that is what draining is for.
STAYING: Final = (
    health_check_pb2.UNKNOWN,
    health_check_pb2.HEALTHY,
    health_check_pb2.DEGRADED,
    health_check_pb2.DRAINING,
)


def cluster(service: ServiceTarget) -> cluster_pb2.Cluster:
    """The cluster of one service; its endpoints come as a resource of the same name."""
    pool = service.settings.pool
    built = cluster_pb2.Cluster(
        name=service.name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=over_ads()),
        connect_timeout=seconds(pool.connections.connect_timeout_s),
        common_lb_config=_common(pool),
        load_balancing_policy=load_balancing_policy(service),
        circuit_breakers=circuit_breakers(pool.limits),
        # Else an endpoint that was removed stays in use for as long as its checks succeed.
        ignore_health_on_host_removal=True,
    )
    check = active_check(service)
    if check is not None:
        built.health_checks.append(check)
    if service.protocol == "udp":
        return built
    if pool.ejection.on:
        built.outlier_detection.CopyFrom(ejection(pool.ejection))
    kept = keepalive(pool.connections)
    if kept is not None:
        built.upstream_connection_options.tcp_keepalive.CopyFrom(kept)
    if service.protocol == "tcp" and pool.connections.close_when_unhealthy:
        built.close_connections_on_host_health_failure = True
        built.transport_socket_matches.extend(transport_matches(pool))
    else:
        outer = transport(pool)
        if outer is not None:
            built.transport_socket.CopyFrom(outer)
    if service.protocol == "http":
        built.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(pack(http_options(pool)))
    return built


def _common(pool: Pool) -> cluster_pb2.Cluster.CommonLbConfig:
    built = cluster_pb2.Cluster.CommonLbConfig(
        # Envoy's own is half: below it, it would use every host again ("panic"), drained ones included.
        healthy_panic_threshold=percent_pb2.Percent(value=pool.panic_percent),
        update_merge_window=seconds(MERGE_WINDOW_S),
    )
    if pool.sticky is not None:
        built.override_host_status.statuses.extend(STAYING)
    return built
