"""A service's Envoy cluster: how endpoints are checked, ejected, limited and chosen between.

Most of Envoy's defaults suit a mesh with a health URL and many hosts. Each value here that
differs says why; the ones that look odd were found by losing requests.
"""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import (
    address_pb2,
    health_check_pb2,
    protocol_pb2,
)
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import wrappers_pb2

from console.engines.envoy.packing import over_ads, pack, seconds
from console.engines.envoy.policy import policy
from console.engines.target import ServiceTarget

CONNECT_TIMEOUT_S: Final = 1.0
CHECK_INTERVAL_S: Final = 1.0
#: By default, Envoy collects changes of health and weight for a second after any change of endpoints: a second of
#: "no healthy upstream" when a new endpoint replaces the only one. Not 0: each change rebuilds the choice.
MERGE_WINDOW_S: Final = 0.05
#: Backends close idle connections (gunicorn after 2 s, others after 5 s); a POST sent into that moment is lost
#: and may not be retried. Closing first costs one connect after a quiet second.
UPSTREAM_IDLE_S: Final = 1.5
#: Envoy's limit is 1024 connections, pending and active requests per cluster, and 3 concurrent retries: a
#: trap under load, and 3 retries mean that a dying host's other requests fail. Memory bounds us before this does.
MOST_CONCURRENT: Final = 65_536


def cluster(service: ServiceTarget) -> cluster_pb2.Cluster:
    """The cluster of one service; its endpoints come as a resource of the same name."""
    built = cluster_pb2.Cluster(
        name=service.name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=over_ads()),
        connect_timeout=seconds(CONNECT_TIMEOUT_S),
        # Below half healthy, Envoy would use every host again ("panic"), drained ones included.
        # The console promises that a drained host gets nothing.
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            healthy_panic_threshold=percent_pb2.Percent(value=0),
            update_merge_window=seconds(MERGE_WINDOW_S),
        ),
        load_balancing_policy=policy(service),
        circuit_breakers=_limits(),
        # Else an endpoint that was removed stays in use for as long as its checks succeed.
        ignore_health_on_host_removal=True,
    )
    if service.protocol == "udp":
        # Nothing answers a probe of an arbitrary datagram service; its state is what the target says.
        return built
    built.health_checks.append(_connect_check())
    built.outlier_detection.CopyFrom(_ejection())
    built.upstream_connection_options.tcp_keepalive.CopyFrom(_keepalive())
    if service.protocol == "http":
        options = http_protocol_options_pb2.HttpProtocolOptions(
            common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
                idle_timeout=seconds(UPSTREAM_IDLE_S)
            ),
            explicit_http_config=http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
                http_protocol_options=protocol_pb2.Http1ProtocolOptions()
            ),
        )
        name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        built.typed_extension_protocol_options[name].CopyFrom(pack(options))
    return built


def _limits() -> circuit_breaker_pb2.CircuitBreakers:
    most = wrappers_pb2.UInt32Value(value=MOST_CONCURRENT)
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=most, max_pending_requests=most, max_requests=most, max_retries=most
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds])


def _connect_check() -> health_check_pb2.HealthCheck:
    """Does the port accept a connection? An application need not have a health URL."""
    return health_check_pb2.HealthCheck(
        tcp_health_check=health_check_pb2.HealthCheck.TcpHealthCheck(),
        timeout=seconds(CONNECT_TIMEOUT_S),
        interval=seconds(CHECK_INTERVAL_S),
        # A service nobody uses would be checked once a minute, and its first user would find it broken.
        no_traffic_interval=seconds(CHECK_INTERVAL_S),
        # Many endpoints checked in the same millisecond are a pulse of load.
        interval_jitter_percent=10,
        unhealthy_threshold=wrappers_pb2.UInt32Value(value=2),
        healthy_threshold=wrappers_pb2.UInt32Value(value=1),
    )


def _ejection() -> outlier_detection_pb2.OutlierDetection:
    """What requests themselves say about a host, seconds before a check would."""
    return outlier_detection_pb2.OutlierDetection(
        consecutive_5xx=wrappers_pb2.UInt32Value(value=5),
        # A refused or broken connection is the host's fault for certain, a 500 perhaps the application's.
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=wrappers_pb2.UInt32Value(value=3),
        interval=seconds(1),
        base_ejection_time=seconds(5),
        max_ejection_time=seconds(60),
        # An application that answers 500 everywhere must not lose all its hosts.
        max_ejection_percent=wrappers_pb2.UInt32Value(value=50),
        # By default the connect check would at once bring back a host that accepts and answers 500.
        successful_active_health_check_uneject_host=wrappers_pb2.BoolValue(value=False),
    )


def _keepalive() -> address_pb2.TcpKeepalive:
    """Finds a peer that vanished without a word within half a minute; the kernel's default is two hours."""
    return address_pb2.TcpKeepalive(
        keepalive_probes=wrappers_pb2.UInt32Value(value=3),
        keepalive_time=wrappers_pb2.UInt32Value(value=15),
        keepalive_interval=wrappers_pb2.UInt32Value(value=5),
    )
