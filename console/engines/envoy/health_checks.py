"""How Envoy finds out that an endpoint does not serve: active checks and outlier ejection.

Most of Envoy's defaults suit a mesh with a health URL and many hosts; what differs says why.
"""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import outlier_detection_pb2
from envoy.config.core.v3 import base_pb2, health_check_pb2
from envoy.type.v3 import http_pb2, range_pb2
from google.protobuf import wrappers_pb2
from google.protobuf.struct_pb2 import Struct
from xds.type.v3 import typed_struct_pb2

from console.engines.envoy.packing import pack, seconds
from console.engines.target import ServiceTarget
from console.engines.target.pool import Check, Ejection, Pool
from console.engines.target.pool.health import status_range

#: Not among the messages that are published for Python; Envoy takes it as a structure by this name.
UDP_CHECK: Final = "type.googleapis.com/envoy.extensions.health_checkers.udp.v3.UdpHealthCheck"


def active_check(service: ServiceTarget) -> health_check_pb2.HealthCheck | None:
    """The question Envoy asks each endpoint; None where it asks none."""
    pool = service.settings.pool
    check = pool.check
    kind = check.kind
    if kind == "auto":
        # Nothing answers a question of ours at an arbitrary datagram service.
        kind = "off" if service.protocol == "udp" else "connect"
    if kind == "off":
        return None
    built = health_check_pb2.HealthCheck(
        timeout=seconds(check.timeout_s),
        interval=seconds(check.interval_s),
        # A service nobody uses would be checked once a minute, and its first user would find it broken.
        no_traffic_interval=seconds(check.unhealthy_interval_s or check.interval_s),
        no_traffic_healthy_interval=seconds(check.interval_s),
        # Many endpoints checked in the same millisecond are a pulse of load.
        interval_jitter_percent=check.jitter_percent,
        unhealthy_threshold=wrappers_pb2.UInt32Value(value=check.unhealthy_after),
        healthy_threshold=wrappers_pb2.UInt32Value(value=check.healthy_after),
    )
    if check.unhealthy_interval_s:
        built.unhealthy_interval.CopyFrom(seconds(check.unhealthy_interval_s))
    match kind:
        case "http":
            built.http_health_check.CopyFrom(_http(service.name, check, pool))
            if pool.upstream.protocol == "auto":
                built.tls_options.alpn_protocols.append("http/1.1")
        case "grpc":
            built.grpc_health_check.service_name = check.service
        case "datagram":
            built.custom_health_check.CopyFrom(_datagram(check))
        case _:
            built.tcp_health_check.CopyFrom(_connect(check))
    return built


def _connect(check: Check) -> health_check_pb2.HealthCheck.TcpHealthCheck:
    """Does the port accept a connection? An application need not have a health URL."""
    built = health_check_pb2.HealthCheck.TcpHealthCheck()
    if check.send_hex:
        built.send.text = check.send_hex
    if check.expect_hex:
        built.receive.add(text=check.expect_hex)
    return built


def _http(name: str, check: Check, pool: Pool) -> health_check_pb2.HealthCheck.HttpHealthCheck:
    http2 = pool.upstream.protocol == "http2"
    return health_check_pb2.HealthCheck.HttpHealthCheck(
        host=check.host or name,
        path=check.path,
        method=base_pb2.RequestMethod.Value(check.method),
        expected_statuses=[
            range_pb2.Int64Range(start=first, end=last + 1)
            for first, last in map(status_range, check.statuses)
        ],
        # Without it, one unexpected status makes an endpoint unhealthy, whatever the threshold says.
        retriable_statuses=[range_pb2.Int64Range(start=100, end=600)],
        codec_client_type=http_pb2.HTTP2 if http2 else http_pb2.HTTP1,
    )


def _datagram(check: Check) -> health_check_pb2.HealthCheck.CustomHealthCheck:
    value = Struct()
    value.update({"send": {"text": check.send_hex}, "receive": {"text": check.expect_hex}})
    return health_check_pb2.HealthCheck.CustomHealthCheck(
        name="envoy.health_checkers.udp",
        typed_config=pack(typed_struct_pb2.TypedStruct(type_url=UDP_CHECK, value=value)),
    )


def ejection(asked: Ejection) -> outlier_detection_pb2.OutlierDetection:
    """What requests themselves say about a host, seconds before a check would."""
    built = outlier_detection_pb2.OutlierDetection(
        # A refused or broken connection is the host's fault for certain, a 500 perhaps the application's.
        split_external_local_origin_errors=True,
        interval=seconds(asked.window_s),
        base_ejection_time=seconds(asked.first_s),
        max_ejection_time=seconds(asked.most_s),
        max_ejection_time_jitter=seconds(asked.jitter_s),
        # An application that answers 500 everywhere must not lose all its hosts.
        max_ejection_percent=wrappers_pb2.UInt32Value(value=asked.most_percent),
        # By default the connect check would at once bring back a host that accepts and answers 500.
        successful_active_health_check_uneject_host=wrappers_pb2.BoolValue(value=asked.check_ends),
    )
    for field, in_a_row in (
        ("consecutive_5xx", asked.errors_in_a_row),
        ("consecutive_gateway_failure", asked.gateway_errors_in_a_row),
        ("consecutive_local_origin_failure", asked.failures_in_a_row),
    ):
        getattr(built, f"enforcing_{field}").value = 100 if in_a_row else 0
        if in_a_row:
            getattr(built, field).value = in_a_row
    by_spread, by_percent = bool(asked.success_rate_factor), bool(asked.failure_percent)
    built.enforcing_success_rate.value = 100 if by_spread else 0
    built.enforcing_local_origin_success_rate.value = 100 if by_spread else 0
    built.enforcing_failure_percentage.value = 100 if by_percent else 0
    built.enforcing_failure_percentage_local_origin.value = 100 if by_percent else 0
    if by_spread:
        built.success_rate_stdev_factor.value = round(asked.success_rate_factor * 1000)
    if by_percent:
        built.failure_percentage_threshold.value = asked.failure_percent
    for kind in ("success_rate", "failure_percentage"):
        getattr(built, f"{kind}_minimum_hosts").value = asked.least_endpoints
        getattr(built, f"{kind}_request_volume").value = asked.least_requests
    return built
