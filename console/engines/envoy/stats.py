"""What Envoy itself says of every endpoint: requests, connections, weight, health. The console's truth.

Counters count from Envoy's start and only grow; rates are the reader's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from console.engines.envoy import admin
from console.engines.envoy.bootstrap import LOCAL_CLUSTER, XDS_CLUSTER
from console.engines.target.checks import join_address

Health = Literal["healthy", "unhealthy", "draining", "ejected"]

#: Cluster counters worth their bytes; Envoy has some 200 for each cluster.
COUNTERS = (
    "upstream_rq_total",
    "upstream_rq_2xx",
    "upstream_rq_4xx",
    "upstream_rq_5xx",
    "upstream_rq_retry",
    "upstream_rq_retry_success",
    "upstream_cx_total",
    "upstream_cx_none_healthy",
    "lb_healthy_panic",
)
#: What clients got, answers of Envoy itself included; of HTTP services.
FRONT_COUNTERS = ("downstream_rq_completed", "downstream_rq_5xx", "no_route")
LATENCY = "upstream_rq_time"
QUANTILES = {50: "p50", 90: "p90", 99: "p99"}
#: One question for all of them. Envoy's default engine for it is its main thread: it stays out of traffic's way.
WANTED = quote(
    rf"^(cluster\.[^.]+\.({'|'.join((*COUNTERS, LATENCY))})|http\.[^.]+\.({'|'.join(FRONT_COUNTERS)}))$"
)

_HEALTH: Mapping[str, Health] = {"DRAINING": "draining", "UNHEALTHY": "unhealthy", "TIMEOUT": "unhealthy"}


class EndpointStats(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One endpoint. rq_*: requests, cx_*: connections (numbers; *_active: at this moment).

    health: one word, what we asked for before what was found out; flags: Envoy's own words.
    rate_per_s, errors_per_s: since the reading before. latency_ms: the mean, as Little's law has it from what is in
    flight and what is done; None while nothing is.
    """

    weight: int = 1
    health: Health = "healthy"
    flags: tuple[str, ...] = ()
    rq_total: int = 0
    rq_success: int = 0
    rq_error: int = 0
    rq_timeout: int = 0
    rq_active: int = 0
    cx_total: int = 0
    cx_active: int = 0
    cx_connect_fail: int = 0
    rate_per_s: float = 0.0
    errors_per_s: float = 0.0
    latency_ms: float | None = None


class ServiceStats(msgspec.Struct, frozen=True, array_like=True):
    """One service. counters: those of COUNTERS and FRONT_COUNTERS that Envoy has, since its start.

    latency_ms: p50, p90, p99 of the last flush interval (5 s); empty when nothing was asked in it.
    """

    endpoints: dict[str, EndpointStats] = {}
    counters: dict[str, int] = {}
    latency_ms: dict[str, float] = {}


class _Stat(msgspec.Struct, frozen=True):
    name: str = ""
    value: int = 0


class _SocketAddress(msgspec.Struct, frozen=True):
    address: str = ""
    port_value: int = 0


class _Address(msgspec.Struct, frozen=True):
    socket_address: _SocketAddress | None = None


class _Host(msgspec.Struct, frozen=True):
    address: _Address = _Address()
    stats: list[_Stat] = []
    health_status: dict[str, Any] = {}
    weight: int = 1


class _Cluster(msgspec.Struct, frozen=True):
    name: str = ""
    host_statuses: list[_Host] = []


class _Clusters(msgspec.Struct, frozen=True):
    """Of Envoy's /clusters document what is used here: a tenth of it."""

    cluster_statuses: list[_Cluster] = []


#: Envoy writes 64-bit numbers as text, as protobuf's JSON does.
_decode_clusters = msgspec.json.Decoder(_Clusters, strict=False).decode


async def read(admin_socket: str) -> dict[str, dict[str, EndpointStats]]:
    """Service -> "address:port" -> its figures. Raises console.engines.envoy.admin.AdminUnreachable."""
    answer = await admin.get(admin_socket, "/clusters?format=json")
    answer.raise_for_status()
    return parse_clusters(answer.content)


async def read_services(admin_socket: str) -> dict[str, ServiceStats]:
    """read(), and what Envoy counts for each service as a whole. Raises AdminUnreachable."""
    endpoints = await read(admin_socket)
    answer = await admin.get(admin_socket, f"/stats?format=json&filter={WANTED}")
    answer.raise_for_status()
    counters, latency_ms = parse_stats(answer.json())
    return {
        service: ServiceStats(found, counters.get(service, {}), latency_ms.get(service, {}))
        for service, found in endpoints.items()
    }


def parse_clusters(document: bytes) -> dict[str, dict[str, EndpointStats]]:
    """Envoy's /clusters document, our own clusters left out. Absent fields (Envoy omits zeros) get defaults."""
    services: dict[str, dict[str, EndpointStats]] = {}
    for cluster in _decode_clusters(document).cluster_statuses:
        if cluster.name in ("", XDS_CLUSTER, LOCAL_CLUSTER):
            continue
        endpoints = services.setdefault(cluster.name, {})
        for host in cluster.host_statuses:
            address = host.address.socket_address
            if address is not None:
                endpoints[join_address(address.address, address.port_value)] = _endpoint(host)
    return services


def parse_stats(
    document: Mapping[str, Any],
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Envoy's /stats document -> (service -> counter -> number, service -> quantile -> milliseconds)."""
    counters: dict[str, dict[str, int]] = {}
    latency_ms: dict[str, dict[str, float]] = {}
    for stat in document.get("stats", []):
        histograms = stat.get("histograms")
        if histograms is None:
            _, service, counter = stat["name"].split(".", 2)
            counters.setdefault(service, {})[counter] = int(stat.get("value", 0))
            continue
        quantiles = histograms.get("supported_quantiles", [])
        for histogram in histograms.get("computed_quantiles", []):
            _, service, _ = histogram["name"].split(".", 2)
            latency_ms[service] = dict(_latencies(quantiles, histogram.get("values", [])))
    return counters, latency_ms


def _latencies(
    quantiles: Iterable[float], values: Iterable[Mapping[str, Any]]
) -> Iterable[tuple[str, float]]:
    for quantile, value in zip(quantiles, values, strict=False):
        if quantile in QUANTILES and value.get("interval") is not None:
            yield QUANTILES[int(quantile)], float(value["interval"])


def _endpoint(host: _Host) -> EndpointStats:
    figures = {stat.name: stat.value for stat in host.stats}
    status = host.health_status
    flags = tuple(sorted(name for name, value in status.items() if value is True))
    asked = status.get("eds_health_status", "HEALTHY")
    if asked in _HEALTH:
        health = _HEALTH[asked]
    elif "failed_outlier_check" in flags:
        health = "ejected"
    else:
        health = "unhealthy" if "failed_active_health_check" in flags else "healthy"
    return EndpointStats(
        weight=host.weight,
        health=health,
        flags=flags,
        rq_total=figures.get("rq_total", 0),
        rq_success=figures.get("rq_success", 0),
        rq_error=figures.get("rq_error", 0),
        rq_timeout=figures.get("rq_timeout", 0),
        rq_active=figures.get("rq_active", 0),
        cx_total=figures.get("cx_total", 0),
        cx_active=figures.get("cx_active", 0),
        cx_connect_fail=figures.get("cx_connect_fail", 0),
    )
