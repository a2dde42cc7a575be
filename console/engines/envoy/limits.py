"""What Envoy lets be under way at a service's endpoints, and how it keeps connections to them."""

from __future__ import annotations

from envoy.config.cluster.v3 import circuit_breaker_pb2
from envoy.config.core.v3 import address_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import wrappers_pb2

from console.engines.target.pool import Connections, Limits

Thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds


def circuit_breakers(limits: Limits) -> circuit_breaker_pb2.CircuitBreakers:
    """Of the whole cluster for one Envoy, and of each endpoint where that is asked for."""
    whole = Thresholds(
        max_connections=_count(limits.connections),
        max_pending_requests=_count(limits.pending),
        max_requests=_count(limits.requests),
        retry_budget=Thresholds.RetryBudget(
            budget_percent=percent_pb2.Percent(value=limits.retry_percent),
            min_retry_concurrency=_count(limits.least_retries),
        ),
    )
    built = circuit_breaker_pb2.CircuitBreakers(thresholds=[whole])
    if limits.endpoint_connections:
        built.per_host_thresholds.add(max_connections=_count(limits.endpoint_connections))
    return built


def keepalive(connections: Connections) -> address_pb2.TcpKeepalive | None:
    """TCP's own keepalive; None where it is off."""
    if not connections.keepalive_s:
        return None
    return address_pb2.TcpKeepalive(
        keepalive_probes=_count(connections.keepalive_probes),
        keepalive_time=_count(connections.keepalive_s),
        keepalive_interval=_count(connections.keepalive_interval_s),
    )


def _count(value: int) -> wrappers_pb2.UInt32Value:
    return wrappers_pb2.UInt32Value(value=value)
