"""Requests one by one, as Envoy logs them: off unless a service asks for a share, sampled, bounded, typed.

Envoy streams them over the socket on which it is configured (gRPC access log service) to the relay beside it, which
keeps the last of each service. What a query string says is nobody's business: paths end before it.
https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/accesslog/v3/als.proto
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

import grpc.aio
import msgspec
from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2, grpc_service_pb2
from envoy.data.accesslog.v3 import accesslog_pb2 as data_pb2
from envoy.extensions.access_loggers.grpc.v3 import als_pb2 as grpc_log_pb2
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc
from envoy.type.v3 import percent_pb2
from google.protobuf import wrappers_pb2

from console.engines.envoy.bootstrap import XDS_CLUSTER
from console.engines.envoy.packing import pack, seconds
from console.engines.target import ServiceTarget
from console.engines.target.checks import join_address

#: Kept between two reports; more than so many in a second are counted by statistics alone.
MOST_REQUESTS: Final = 200
LONGEST_PATH: Final = 200
FLUSH_S: Final = 0.5
BUFFER_BYTES: Final = 16 * 1024
MILLION: Final = 1_000_000

#: Envoy's response flags in words that say what happened to the request.
FLAGS: Final[Mapping[str, str]] = {
    "failed_local_healthcheck": "the engine itself was told to fail",
    "no_healthy_upstream": "no endpoint was well",
    "upstream_request_timeout": "the endpoint took too long",
    "local_reset": "the engine ended the request",
    "upstream_remote_reset": "the endpoint ended the request",
    "upstream_connection_failure": "the endpoint could not be connected",
    "upstream_connection_termination": "the endpoint closed the connection",
    "upstream_overflow": "the limit of what may wait or run was reached",
    "no_route_found": "no route leads there",
    "delay_injected": "delayed on purpose",
    "fault_injected": "failed on purpose",
    "rate_limited": "over the rate limit",
    "rate_limit_service_error": "the rate limit could not be asked for",
    "downstream_connection_termination": "the client went away",
    "downstream_remote_reset": "the client ended the request",
    "upstream_retry_limit_exceeded": "no more retries were allowed",
    "stream_idle_timeout": "nothing was said for too long",
    "invalid_envoy_request_headers": "the client sent headers that it may not",
    "downstream_protocol_error": "the client broke the protocol",
    "upstream_protocol_error": "the endpoint broke the protocol",
    "upstream_max_stream_duration_reached": "the request lasted too long",
    "duration_timeout": "the request lasted too long",
    "response_from_cache_filter": "answered from a cache",
    "no_filter_config_found": "a filter has no configuration yet",
    "no_cluster_found": "the route's service is not here",
    "overload_manager": "the engine protects itself from overload",
    "dns_resolution_failure": "a name could not be resolved",
    "unauthorized_details": "not allowed",
}


class RequestSeen(msgspec.Struct, frozen=True, array_like=True):
    """One request. at_s: Unix time, by the engine's clock. endpoint: "address:port", "" if none was asked.

    status: 0 where there was none. flags: what was unusual, in words. attempts: 1 if it was not retried.
    """

    service: str
    at_s: float
    client: str
    method: str
    path: str
    status: int
    endpoint: str
    duration_ms: float
    flags: tuple[str, ...] = ()
    attempts: int = 1


def access_logs(service: ServiceTarget) -> list[accesslog_pb2.AccessLog]:
    """The log of one HTTP service's listener: none, or one that samples."""
    share = service.settings.log_share
    if not share:
        return []
    sampled = percent_pb2.FractionalPercent(
        numerator=max(round(share * MILLION), 1), denominator=percent_pb2.FractionalPercent.MILLION
    )
    config = grpc_log_pb2.HttpGrpcAccessLogConfig(
        common_config=grpc_log_pb2.CommonGrpcAccessLogConfig(
            log_name=service.name,
            grpc_service=grpc_service_pb2.GrpcService(
                envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(cluster_name=XDS_CLUSTER)
            ),
            transport_api_version=config_source_pb2.V3,
            buffer_flush_interval=seconds(FLUSH_S),
            buffer_size_bytes=wrappers_pb2.UInt32Value(value=BUFFER_BYTES),
        )
    )
    return [
        accesslog_pb2.AccessLog(
            name="envoy.access_loggers.http_grpc",
            filter=accesslog_pb2.AccessLogFilter(
                runtime_filter=accesslog_pb2.RuntimeFilter(
                    runtime_key=f"steelyard.log.{service.name}",
                    percent_sampled=sampled,
                    use_independent_randomness=True,
                )
            ),
            typed_config=pack(config),
        )
    ]


class AccessLogs(als_pb2_grpc.AccessLogServiceServicer):
    """Takes Envoy's stream and keeps the last MOST_REQUESTS until they are asked for."""

    def __init__(self) -> None:
        self._kept: deque[RequestSeen] = deque(maxlen=MOST_REQUESTS)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve behind a server's doors."""
        als_pb2_grpc.add_AccessLogServiceServicer_to_server(self, server)

    def drain(self) -> list[RequestSeen]:
        """What came since the last time."""
        found = list(self._kept)
        self._kept.clear()
        return found

    async def StreamAccessLogs(
        self,
        request_iterator: AsyncIterator[als_pb2.StreamAccessLogsMessage],
        context: grpc.aio.ServicerContext,
    ) -> als_pb2.StreamAccessLogsResponse:
        """One stream a service and worker; only its first message names the service."""
        service = ""
        async for message in request_iterator:
            if message.HasField("identifier"):
                service = message.identifier.log_name
            # Of a burst, only what would be kept is read.
            for entry in message.http_logs.log_entry[-MOST_REQUESTS:]:
                self._kept.append(request_of(service, entry))
        return als_pb2.StreamAccessLogsResponse()


def request_of(service: str, entry: data_pb2.HTTPAccessLogEntry) -> RequestSeen:
    """One entry in our words."""
    common = entry.common_properties
    return RequestSeen(
        service=service,
        at_s=common.start_time.ToNanoseconds() / 1e9,
        client=_address(common.downstream_remote_address),
        method=base_pb2.RequestMethod.Name(entry.request.request_method),
        path=entry.request.path.partition("?")[0][:LONGEST_PATH],
        status=entry.response.response_code.value,
        endpoint=_endpoint(common.upstream_remote_address),
        duration_ms=common.duration.ToNanoseconds() / 1e6
        or common.time_to_last_downstream_tx_byte.ToNanoseconds() / 1e6,
        flags=tuple(_words(common.response_flags)),
        attempts=common.upstream_request_attempt_count or 1,
    )


def _words(flags: data_pb2.ResponseFlags) -> Iterable[str]:
    for described, _ in flags.ListFields():
        yield FLAGS.get(described.name, described.name)


def _address(address: address_pb2.Address) -> str:
    return str(address.socket_address.address)


def _endpoint(address: address_pb2.Address) -> str:
    socket = address.socket_address
    return join_address(socket.address, socket.port_value) if socket.address else ""
